#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "altmin/io/file.hpp"
#include "altmin/io/model.hpp"
#include "altmin/io/options.hpp"
#include "altmin/training/fit.hpp"

namespace altmin {

namespace detail {

/// What a run that goes on must have in common with the one that stopped, besides the network.
template <class Net>
nlohmann::json place_in_data(const Training<Net>& training) {
  auto json = options_to_json(training.options);
  json.erase("epochs");
  json.erase("tolerated_failures");
  json["samples"] = training.data.size();
  return json;
}

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

}  // namespace detail

/// A callback of fit(): saves a checkpoint after each epoch and at the end. It stands behind the callbacks that change
/// the network (schedules). Throws as OutputFile does, before the first step where the file could not be written.
///
///     fit(net, data, options, Resume{"run.safetensors"}, CosineDecay{}, Checkpoint{"run.safetensors"});
///
/// goes on where an earlier run of the same program was stopped, at whatever moment, to the same bits as one that was
/// not stopped.
struct Checkpoint {
  std::string path;
  Index every_steps = 0;  ///< saves after every so many steps, too; 0: it does not
  Notes notes{};          ///< texts of your own; "fit" is replaced

  template <class Net>
  void begin(Training<Net>&) const {
    detail::require_option(every_steps >= 0, "Checkpoint: every_steps", "must be 0 or more", double(every_steps));
    OutputFile{path}.require_writable();
  }
  template <class Net>
  void after_step(Training<Net>& training) const {
    if (every_steps > 0 && training.step % every_steps == 0) save(training);
  }
  template <class Net>
  void after_epoch(Training<Net>& training) const {
    save(training);
  }
  template <class Net>
  void end(Training<Net>& training, const FitReport&) const {
    save(training);
  }

 private:
  template <class Net>
  void save(const Training<Net>& training) const {
    Notes all = notes;
    all["fit"] = detail::place_in_data(training).dump();
    save_checkpoint(training.net, path, training, all);
  }
};

/// A callback of fit(): goes on from a checkpoint, where the file exists; network and progress are the saved ones. It
/// stands before all other callbacks. Throws FormatError for a damaged file, and OptionError where network, data or
/// options of fit() are not those of the saved run; more epochs may be asked for.
struct Resume {
  std::string path;

  template <class Net>
  void begin(Training<Net>& training) const {
    if (!std::filesystem::exists(path)) return;
    auto saved = load_checkpoint<Net>(path);
    const auto network = [](const Net& net) {
      auto architecture = detail::architecture(net);
      for (auto& layer : architecture.layers) layer.frozen.clear();  // that may change from step to step
      return options_to_json(architecture);
    };
    detail::require_same(network(training.net), network(saved.network), path + ": network");
    if (saved.notes.count("fit") > 0) {
      const auto place = detail::parse_json(saved.notes["fit"], path + ": fit");
      detail::require_same(detail::place_in_data(training), place, path + ": fit");
    }
    if (saved.progress.epoch > training.options.epochs) {
      throw OptionError(path + ": expected at most " + detail::text(training.options.epochs) +
                        " epochs, as in the run that goes on, got " + detail::text(saved.progress.epoch));
    }
    saved.network.set_threads(training.net.threads());
    training.net = std::move(saved.network);
    static_cast<Progress&>(training) = saved.progress;
  }
};

}  // namespace altmin
