#pragma once

// Algorithms and schedules by what --algorithm and --schedule call them.

#include <altmin/altmin.hpp>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include "options.hpp"

namespace trainer {

using Algorithm = std::variant<altmin::AmAdam, altmin::AmMem, altmin::AmSgd, altmin::Adam, altmin::Sgd>;

/// Callbacks of fit(); where there is none, the rates stay as they are.
struct Schedule {
  std::optional<altmin::CosineDecay> cosine{};
  std::optional<altmin::HalveEvery> halve{};
};

inline const std::map<std::string, Algorithm>& algorithms() {
  static const std::map<std::string, Algorithm> all{{"am-adam", altmin::AmAdam{}},
                                                    {"am-mem", altmin::AmMem{}},
                                                    {"am-mem-descent", altmin::AmMem::coordinate_descent()},
                                                    {"am-sgd", altmin::AmSgd{}},
                                                    {"adam", altmin::Adam{}},
                                                    {"sgd", altmin::Sgd{}}};
  return all;
}

inline const std::map<std::string, Schedule>& schedules() {
  static const std::map<std::string, Schedule> all{
      {"cosine", {altmin::CosineDecay{}, {}}}, {"halve", {{}, altmin::HalveEvery{}}}, {"constant", {}}};
  return all;
}

template <class Config, class = void>
struct HasCodes : std::false_type {};
template <class Config>
struct HasCodes<Config, std::void_t<decltype(Config::code_iterations)>> : std::true_type {};

/// The algorithm that the options name, with the rates that they give.
inline Algorithm make_algorithm(const Options& options) {
  Algorithm algorithm = algorithms().at(options.algorithm);
  std::visit(
      [&](auto& config) {
        config.learning_rate = options.learning_rate.value_or(config.learning_rate);
        config.weight_decay = options.weight_decay.value_or(config.weight_decay);
        if constexpr (HasCodes<std::decay_t<decltype(config)>>::value) {
          config.output_learning_rate = options.learning_rate.value_or(config.output_learning_rate);
          config.mu = options.mu.value_or(config.mu);
          config.code_iterations = options.code_iterations.value_or(config.code_iterations);
          config.code_learning_rate = options.code_learning_rate.value_or(config.code_learning_rate);
        } else if (options.mu || options.code_iterations || options.code_learning_rate) {
          throw UsageError("--mu, --code-iterations and --code-learning-rate are for --algorithm am-..., got " +
                           options.algorithm);
        }
        config.validate();
      },
      algorithm);
  return algorithm;
}

}  // namespace trainer
