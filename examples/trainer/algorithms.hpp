#pragma once

// Algorithms and schedules by what --algorithm (or --signal and --rule) and --schedule call them.

#include <altmin/network/network.hpp>
#include <altmin/training/schedules.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "options.hpp"

namespace trainer {

/// Makes a network of these layers that learns by an algorithm. Layers are initialised from the seed.
using Algorithm = std::function<altmin::Network<float>(altmin::Layers<float> layers, altmin::Seed seed)>;

/// What --algorithm, --signal and --rule may be.
std::vector<std::string> algorithm_names();
std::vector<std::string> signal_names();
std::vector<std::string> rule_names();

/// The algorithm that the options name, with the rates that they give. Throws UsageError for a pair that is not legal
/// and for options that the algorithm does not have, OptionError for one that is out of range.
Algorithm make_algorithm(const Options& options);

/// Callbacks of fit(); without one, the rates stay as they are.
struct Schedule {
  std::optional<altmin::CosineDecay> cosine{};
  std::optional<altmin::HalveEvery> halve{};
};

/// What --schedule may be, and what it names.
std::vector<std::string> schedule_names();
Schedule make_schedule(const Options& options);

}  // namespace trainer
