#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "altmin/core/error.hpp"
#include "altmin/core/file.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/io/model.hpp"
#include "altmin/io/options.hpp"
#include "altmin/training/fit.hpp"

namespace altmin {

namespace detail {

/// Throws OptionError, naming the first difference.
inline void require_same(const nlohmann::json& expected, const nlohmann::json& got, const std::string& where) {
  if (expected == got) return;
  if (expected.is_object() && got.is_object()) {
    for (const auto& entry : expected.items()) {
      require_same(entry.value(), got.value(entry.key(), nlohmann::json{}), where + "." + entry.key());
    }
  }
  if (expected.is_array() && got.is_array() && expected.size() == got.size()) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      require_same(expected[i], got[i], where + "[" + std::to_string(i) + "]");
    }
  }
  throw OptionError(where + ": expected " + shown_json(expected) + ", as in the run that goes on, got " +
                    shown_json(got));
}

/// What a run that continues must have in common with the one that stopped, besides the network.
template <class Scalar>
nlohmann::json place_in_data(const Training<Scalar>& training) {
  nlohmann::json json;
  JsonWriter writer{json};
  const_cast<BatchSource<Scalar>&>(training.source).visit(writer);  // a writer changes nothing
  const std::uint64_t fingerprint = training.source.fingerprint();
  if (fingerprint != 0) json["data"] = fingerprint;
  return json;
}

/// Throws OptionError where two places in data differ. The data's fingerprint is compared where both have one: files of
/// earlier versions, and runs on a source that can be read only once, have none. Earlier files also lack the number of
/// features, and the earliest ones the augmentation: there was none.
inline void require_same_place(nlohmann::json expected, nlohmann::json got, const std::string& path) {
  if (got.is_object() && expected.contains("augmentation")) {
    got.emplace("augmentation", options_to_json(Augmentation{}));
  }
  if (got.is_object() && !got.contains("features")) expected.erase("features");
  const auto take = [](nlohmann::json& place) {
    const nlohmann::json data = place.is_object() ? place.value("data", nlohmann::json{}) : nlohmann::json{};
    if (place.is_object()) place.erase("data");
    return data;
  };
  const auto expected_data = take(expected);
  const auto got_data = take(got);
  require_same(expected, got, path + ": fit");
  if (expected_data.is_null() || got_data.is_null() || expected_data == got_data) return;
  throw OptionError(path + ": fit.data: expected the training data of the run that goes on, got other data of the " +
                    "same size");
}

}  // namespace detail

/// A callback of fit(): saves a checkpoint after each epoch and at the end. It stands behind the callbacks that change
/// the network (schedules). Throws as OutputFile does, before the first step where the file could not be written. A
/// device or a pipe gets the last checkpoint alone.
///
///     fit(net, data, options, Resume{"run.safetensors"}, CosineDecay{}, Checkpoint{"run.safetensors"});
///
/// goes on where an earlier run of the same program was stopped, at whatever moment, to the same bits as one that was
/// not stopped.
struct Checkpoint {
  std::string path;
  Index every_steps = 0;  ///< saves after every so many steps, too; 0: it does not
  Notes notes{};          ///< texts of your own; "fit" is replaced

  template <class Scalar>
  void begin(Training<Scalar>& training) const {
    detail::require_option(every_steps >= 0, "Checkpoint: every_steps", "must be 0 or more", double(every_steps));
    OutputFile{path}.require_writable();
    training.source.fingerprint();  // of the data as they are now
  }
  template <class Scalar>
  void after_step(Training<Scalar>& training) const {
    if (every_steps > 0 && training.step % every_steps == 0) save(training, false);
  }
  template <class Scalar>
  void after_epoch(Training<Scalar>& training) const {
    save(training, false);
  }
  template <class Scalar>
  void end(Training<Scalar>& training, const FitReport&) const {
    save(training, true);
  }

 private:
  template <class Scalar>
  void save(const Training<Scalar>& training, bool last) const {
    if (!last && OutputFile{path}.in_place()) return;
    Notes all = notes;
    all["fit"] = detail::place_in_data(training).dump();
    save_checkpoint(training.net, path, training, all);
  }
};

/// A callback of fit(): continues from a checkpoint, where the file exists; network and progress are the saved ones. It
/// stands before all other callbacks. Throws FormatError for a damaged file, and OptionError where network, data or
/// options of fit() are not those of the saved run; more epochs may be set. The data are those of the saved run
/// if their number and a hash of them are: of all samples, or, where these are more than 16 million numbers, of so many
/// spread evenly. (A checkpoint of an earlier version has no hash.) Kinds of your own need not be named: the network
/// has them.
struct Resume {
  std::string path;

  template <class Scalar>
  void begin(Training<Scalar>& training) const {
    if (!std::filesystem::exists(path)) return;
    Network<Scalar> network = training.net;
    Progress progress;
    const Notes notes = detail::parse_file(path, [&](std::string_view bytes) {
      const auto [file, architecture] = detail::parse_model_file(bytes);
      require_same_network(detail::architecture_of(network), architecture);
      detail::TensorReader reader{file};
      for (Index i = 0; i < network.layers().size(); ++i) {
        detail::freeze_parameters(network.layers()[i], architecture.layers[std::size_t(i)], detail::where_is_layer(i));
      }
      detail::read_layers(reader, network.layers());
      detail::read_training(file, reader, network, progress);
      return file.notes;
    });
    const auto fit = notes.find("fit");
    if (fit != notes.end()) {
      const auto place = detail::parse_json(fit->second, path + ": fit");
      detail::require_same_place(detail::place_in_data(training), place, path);
    }
    if (progress.epoch > training.options.epochs) {
      throw OptionError(path + ": expected at most " + detail::text(training.options.epochs) +
                        " epochs, as in the run that goes on, got " + detail::text(progress.epoch));
    }
    training.net = std::move(network);
    static_cast<Progress&>(training) = progress;
  }

 private:
  /// Throws OptionError unless the file holds such a network; which parameters are frozen may change from step to step.
  void require_same_network(detail::Architecture expected, detail::Architecture got) const {
    for (auto* architecture : {&expected, &got}) {
      for (auto& layer : architecture->layers) layer.frozen.clear();
    }
    detail::require_same(to_json(expected), to_json(got), path + ": network");
  }
};

}  // namespace altmin
