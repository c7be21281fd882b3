#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "altmin/core/file.hpp"
#include "altmin/io/architecture.hpp"
#include "altmin/io/kinds.hpp"
#include "altmin/io/options.hpp"
#include "altmin/io/safetensors.hpp"
#include "altmin/io/tensors.hpp"
#include "altmin/io/version1.hpp"
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
/// counters, and the progress of training. All numbers keep their bits, and the same state makes the same bytes. Files
/// of version 1 are read as well.
///
/// Layers, losses, algorithms, signals and weight rules of your own are written like those of the library; to read
/// them, name them in Kinds. Where a file may come from a stranger, they also need parameter_shapes() (see LayerBase),
/// if a large option makes a large layer, and require_fit() (see WeightRuleInterface).
///
/// All that reads throws FormatError: what, where, expected, got.

namespace altmin {

/// What a checkpoint holds.
template <class Scalar>
struct Saved {
  Network<Scalar> network;
  Progress progress;
  Notes notes;
};

namespace detail {

constexpr const char* format_name = "altmin";
constexpr const char* format_version = "2";

/// Shows what training needs to continue, besides the layers.
template <class Scalar>
void visit_training(FieldVisitor& visitor, Network<Scalar>& net, Progress& progress) {
  const auto visit = [&](const char* name, auto& part) {
    using T = std::decay_t<decltype(part)>;
    constexpr bool is_elsewhere = std::is_same_v<T, Layers<Scalar>> || std::is_same_v<T, AnyLoss<Scalar>>;
    if constexpr (!is_elsewhere) visit_part(visitor, name, part);
  };
  Network<Scalar>::fields(visit, net);
  visit_part(visitor, "progress", progress);
}

/// A file's bytes; without progress, those of a model.
template <class Scalar>
std::string format(const Network<Scalar>& net, const Progress* progress, Notes notes) {
  notes["format"] = format_name;
  notes["version"] = format_version;
  notes["network"] = to_json(architecture_of(net)).dump();
  auto& same = const_cast<Network<Scalar>&>(net);  // a writer changes nothing
  TensorWriter writer;
  same.layers().visit(writer);
  if (progress != nullptr) {
    Progress copy = *progress;
    visit_training(writer, same, copy);
  }
  return format_safetensors(std::move(writer.tensors()), notes);
}

/// Whether a tensor is one of a layer, by its name: "0.weight".
inline bool is_of_layer(std::string_view name) { return !name.empty() && name[0] >= '0' && name[0] <= '9'; }

/// A file of this library's, in the present version of the format.
struct ModelFile {
  Safetensors file;
  Architecture architecture;
};

inline ModelFile parse_model_file(std::string_view bytes) {
  Safetensors file = parse_safetensors(bytes);
  const auto note = [&](const char* name) {
    const auto found = file.notes.find(name);
    return found == file.notes.end() ? std::string{} : found->second;
  };
  if (note("format") != format_name) {
    throw FormatError("__metadata__: expected the format 'altmin', got '" + shown(note("format")) +
                      "' (load_weights() reads files of other programs)");
  }
  const bool is_old = note("version") == "1";
  if (!is_old && note("version") != format_version) {
    throw FormatError(std::string("__metadata__: expected version 1 or ") + format_version + " of the format, got '" +
                      shown(note("version")) + "'");
  }
  Architecture architecture = parse_architecture(note("network"));
  if (is_old) {
    upgrade_from_version1(file);
    upgrade_from_version1(architecture);
  }
  return {std::move(file), std::move(architecture)};
}

/// Reads the values of the layers.
template <class Scalar>
void read_layers(TensorReader& reader, LayerStack<Scalar>& layers) {
  layers.visit(reader);
  reader.require_all_read(is_of_layer);
}

/// Reads all else that is in a checkpoint.
template <class Scalar>
void read_training(const Safetensors& file, TensorReader& reader, Network<Scalar>& net, Progress& progress) {
  if (file.tensors.count("steps") == 0) throw FormatError("expected a checkpoint, got a model without training state");
  visit_training(reader, net, progress);
  // Earlier files hold a random state that follows from the seed.
  reader.require_all_read([](std::string_view name) { return name != "progress.order"; });
  refuse_as_format("network", [&] {
    net.set_rate_scale(net.rate_scale());
    net.set_mu_scale(net.mu_scale());
    net.set_gradient_limit(net.gradient_limit());
    net.algorithm().require_fit(net.layers());
  });
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
template <class Scalar>
std::string format_model(const Network<Scalar>& net, const Notes& notes = {}) {
  return detail::format(net, nullptr, notes);
}

/// A checkpoint, as bytes.
template <class Scalar>
std::string format_checkpoint(const Network<Scalar>& net, const Progress& progress = {}, const Notes& notes = {}) {
  return detail::format(net, &progress, notes);
}

/// The network in the bytes of a model or checkpoint, whatever they are: `parse_model<float>(bytes)`. Training starts
/// anew from it. Kinds of your own are named: `parse_model<float>(bytes, Kinds<Swish>{})`.
template <class Scalar, class... Own>
Network<Scalar> parse_model(std::string_view bytes, Kinds<Own...> = {}) {
  const auto [file, architecture] = detail::parse_model_file(bytes);
  detail::TensorReader reader{file};
  auto net = detail::make_network<Scalar, detail::AllKinds<Own...>>(architecture, reader);
  detail::read_layers(reader, net.layers());
  return net;
}

/// The network in the bytes of a checkpoint, which continues as the saved one would, and how far it has come.
template <class Scalar, class... Own>
Saved<Scalar> parse_checkpoint(std::string_view bytes, Kinds<Own...> = {}) {
  const auto [file, architecture] = detail::parse_model_file(bytes);
  detail::TensorReader reader{file};
  Saved<Scalar> saved{detail::make_network<Scalar, detail::AllKinds<Own...>>(architecture, reader), {}, file.notes};
  detail::read_layers(reader, saved.network.layers());
  detail::read_training(file, reader, saved.network, saved.progress);
  return saved;
}

/// Replaces a file by the network: its layers, loss and algorithm with their options, but not the state of training.
/// Throws Error, and leaves the old file as it was, where that fails. Notes are texts of your own.
template <class Scalar>
void save_model(const Network<Scalar>& net, const std::string& path, const Notes& notes = {}) {
  OutputFile{path}.write(format_model(net, notes));
}

/// Reads a model or a checkpoint: `auto net = load_model<float>(path)`, or, with kinds of your own,
/// `load_model<float>(path, Kinds<Swish, Huber>{})`.
template <class Scalar, class... Own>
Network<Scalar> load_model(const std::string& path, Kinds<Own...> kinds = {}) {
  return detail::parse_file(path, [&](std::string_view bytes) { return parse_model<Scalar>(bytes, kinds); });
}

/// Replaces a file by all that training needs to continue to the same bits.
template <class Scalar>
void save_checkpoint(const Network<Scalar>& net, const std::string& path, const Progress& progress = {},
                     const Notes& notes = {}) {
  OutputFile{path}.write(format_checkpoint(net, progress, notes));
}

template <class Scalar, class... Own>
Saved<Scalar> load_checkpoint(const std::string& path, Kinds<Own...> kinds = {}) {
  return detail::parse_file(path, [&](std::string_view bytes) { return parse_checkpoint<Scalar>(bytes, kinds); });
}

/// The notes of any safetensors file; altmin's own are among them.
inline Notes load_notes(const std::string& path) {
  return detail::parse_file(path, [](std::string_view bytes) { return parse_safetensors(bytes).notes; });
}

/// Sets the parameters and statistics of a network from any safetensors file that names and shapes them as its layers
/// do, such as the state_dict() of PyTorch's nn.Sequential of the same layers; F32 and F64 are converted. Where that
/// fails, also for a number that is not finite, or not in the network's type, and for a negative variance, the network
/// is as it was. The state of its algorithm stays.
template <class Scalar>
void load_weights(Network<Scalar>& net, const std::string& path) {
  detail::parse_file(path, [&](std::string_view bytes) {
    const Safetensors file = parse_safetensors(bytes);
    for (const bool check_only : {true, false}) {
      detail::TensorReader reader{file, {true, check_only}};
      detail::read_layers(reader, net.layers());
    }
    return true;
  });
}

}  // namespace altmin
