#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "altmin/io/architecture.hpp"
#include "altmin/io/file.hpp"
#include "altmin/io/options.hpp"
#include "altmin/io/safetensors.hpp"
#include "altmin/io/tensors.hpp"
#include "altmin/network/network.hpp"
#include "altmin/training/fit.hpp"

/// Models and checkpoints are files in the safetensors format. A model has
///
///   the parameters and statistics of all layers, named and shaped as in the state_dict() of PyTorch's nn.Sequential of
///     the same layers: 0.weight (outputs x inputs), 0.bias, 1.running_mean, ...
///   __metadata__: format ("altmin"), version, network (JSON: shape of a sample, layers, loss and algorithm, with their
///     options), and the notes of whoever wrote it.
///
/// A checkpoint has besides, named by the fields() that hold them, the state of the algorithm, random numbers,
/// counters, and the progress of training. All numbers keep their bits, and the same state makes the same bytes.
///
/// Layers, losses and algorithms of your own join where their options are default-constructible, have a name, and list
/// their fields(); their state lists its own. Where a file may come from a stranger, they also need parameter_shapes()
/// (see LayerBase), if a large option makes a large layer, and require_fit(layers) (see AlternatingMinimization).
///
/// All that reads throws FormatError: what, where, expected, got.

namespace altmin {

/// What a checkpoint holds.
template <class Net>
struct Saved {
  Net network;
  Progress progress;
  Notes notes;
};

namespace detail {

constexpr const char* format_name = "altmin";
constexpr const char* format_version = "1";

template <class Algorithm, class Layers, class = void>
constexpr bool has_require_fit = false;
template <class Algorithm, class Layers>
constexpr bool has_require_fit<
    Algorithm, Layers, std::void_t<decltype(std::declval<const Algorithm&>().require_fit(std::declval<Layers&>()))>> =
    true;

template <class Net>
std::string format(const Net& net, TensorWriter& writer, Notes notes) {
  notes["format"] = format_name;
  notes["version"] = format_version;
  notes["network"] = options_to_json(architecture(net)).dump();
  return format_safetensors(std::move(writer.tensors()), notes);
}

/// Walks over the state that a checkpoint has beside its layers.
template <class Net, class TrainingProgress, class Visitor>
void walk_training(Net& net, TrainingProgress& progress, Visitor& visitor) {
  std::decay_t<Net>::fields(
      [&](const char* name, auto& part) {
        if constexpr (!is_layer_stack<std::decay_t<decltype(part)>>) walk(name, part, visitor);
      },
      net);
  walk("progress", progress, visitor);
}

/// Whether a tensor is one of a layer, by its name: "0.weight".
inline bool is_of_layer(std::string_view name) { return !name.empty() && name[0] >= '0' && name[0] <= '9'; }

/// The network, with the values of its layers.
template <class Net>
Net read_network(const Safetensors& file, TensorReader& reader) {
  const auto note = [&](const char* name) {
    const auto found = file.notes.find(name);
    return found == file.notes.end() ? std::string{} : found->second;
  };
  if (note("format") != format_name) {
    throw FormatError("__metadata__: expected the format 'altmin', got '" + shown(note("format")) +
                      "' (load_weights() reads files of other programs)");
  }
  if (note("version") != format_version) {
    throw FormatError(std::string("__metadata__: expected version ") + format_version + " of the format, got '" +
                      shown(note("version")) + "'");
  }
  Architecture architecture;
  read_options(parse_json(note("network"), "network"), architecture, "network");
  Net net = make_network<Net>(architecture, reader);
  walk("", net.layers(), reader);
  reader.require_all_read(is_of_layer);
  return net;
}

/// Calls parse(bytes of the file), and puts the file's path in front of what is wrong with it.
template <class Parse>
auto parse_file(const std::string& path, Parse&& parse) {
  const std::string bytes = read_file(path);
  try {
    return parse(bytes);
  } catch (const FormatError& error) {
    throw FormatError(path + ": " + error.what());
  }
}

}  // namespace detail

/// A model file, as bytes. Of the notes, "format", "version" and "network" are replaced.
template <class Net>
std::string format_model(const Net& net, const Notes& notes = {}) {
  detail::TensorWriter writer;
  detail::walk("", net.layers(), writer);
  return detail::format(net, writer, notes);
}

/// A checkpoint, as bytes.
template <class Net>
std::string format_checkpoint(const Net& net, const Progress& progress = {}, const Notes& notes = {}) {
  detail::TensorWriter writer;
  detail::walk("", net.layers(), writer);
  detail::walk_training(net, progress, writer);
  return detail::format(net, writer, notes);
}

/// The network in the bytes of a model or checkpoint, whatever they are: `parse_model<Network<float>>(bytes)`. Training
/// starts anew from it.
template <class Net>
Net parse_model(std::string_view bytes) {
  const Safetensors file = parse_safetensors(bytes);
  detail::TensorReader reader{file, {}};
  return detail::read_network<Net>(file, reader);
}

/// The network in the bytes of a checkpoint, which goes on as the saved one would, and how far it has come.
template <class Net>
Saved<Net> parse_checkpoint(std::string_view bytes) {
  const Safetensors file = parse_safetensors(bytes);
  detail::TensorReader reader{file, {}};
  Saved<Net> saved{detail::read_network<Net>(file, reader), {}, file.notes};
  if (file.tensors.count("steps") == 0) throw FormatError("expected a checkpoint, got a model without training state");
  Net& net = saved.network;
  detail::walk_training(net, saved.progress, reader);
  reader.require_all_read([](std::string_view) { return true; });
  detail::refuse_as_format("network", [&] {
    net.set_rate_scale(net.rate_scale());
    net.visit_algorithm([&](const auto& algorithm) {
      using Algorithm = std::decay_t<decltype(algorithm)>;
      if constexpr (detail::has_require_fit<Algorithm, typename Net::Stack>) algorithm.require_fit(net.layers());
    });
  });
  return saved;
}

/// Replaces a file by the network: its layers, loss and algorithm with their options, but not the state of training.
/// Throws Error, and leaves the old file as it was, where that fails. Notes are texts of your own.
template <class Net>
void save_model(const Net& net, const std::string& path, const Notes& notes = {}) {
  OutputFile{path}.write(format_model(net, notes));
}

/// Reads a model or a checkpoint: `auto net = load_model<Network<float>>(path)`.
template <class Net>
Net load_model(const std::string& path) {
  return detail::parse_file(path, [](std::string_view bytes) { return parse_model<Net>(bytes); });
}

/// Replaces a file by all that training needs to go on to the same bits.
template <class Net>
void save_checkpoint(const Net& net, const std::string& path, const Progress& progress = {}, const Notes& notes = {}) {
  OutputFile{path}.write(format_checkpoint(net, progress, notes));
}

template <class Net>
Saved<Net> load_checkpoint(const std::string& path) {
  return detail::parse_file(path, [](std::string_view bytes) { return parse_checkpoint<Net>(bytes); });
}

/// The notes of any safetensors file; altmin's own are among them.
inline Notes load_notes(const std::string& path) {
  return detail::parse_file(path, [](std::string_view bytes) { return parse_safetensors(bytes).notes; });
}

/// Sets the parameters and statistics of a network from any safetensors file that names and shapes them as its layers
/// do, such as the state_dict() of PyTorch's nn.Sequential of the same layers; F32 and F64 are converted. Where that
/// fails, also for a number that is not finite, or not in the network's type, and for a negative variance, the network
/// is as it was. The state of its algorithm stays.
template <class Net>
void load_weights(Net& net, const std::string& path) {
  detail::parse_file(path, [&](std::string_view bytes) {
    const Safetensors file = parse_safetensors(bytes);
    for (const bool check_only : {true, false}) {
      detail::TensorReader reader{file, {true, check_only}};
      detail::walk("", net.layers(), reader);
      reader.require_all_read(detail::is_of_layer);
    }
    return true;
  });
}

}  // namespace altmin
