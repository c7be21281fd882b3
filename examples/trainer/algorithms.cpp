#include "algorithms.hpp"

#include <algorithm>
#include <altmin/altmin.hpp>
#include <type_traits>
#include <utility>

namespace trainer {

namespace {

using BackpropMem = altmin::Pair<altmin::Backprop, altmin::MemoryRule>;
using CentredAdam = altmin::Pair<altmin::Backprop, altmin::CentredAdamRule>;
using BackpropMemFull = altmin::Pair<altmin::Backprop, altmin::FullMemoryRule>;

template <class Config, class = void>
constexpr bool has_codes = false;
template <class Config>
constexpr bool has_codes<Config, std::void_t<decltype(Config::code_iterations)>> = true;

template <class Config, class = void>
constexpr bool has_weight_decay = false;
template <class Config>
constexpr bool has_weight_decay<Config, std::void_t<decltype(Config::weight_decay)>> = true;

template <class Config>
void set_weight_options(Config& config, const Options& options) {
  config.learning_rate = options.learning_rate.value_or(config.learning_rate);
  if constexpr (has_weight_decay<Config>) {
    config.weight_decay = options.weight_decay.value_or(config.weight_decay);
  } else if (options.weight_decay) {
    throw UsageError("--weight-decay: expected a weight rule of adam, sgd or memory, got " + options.algorithm);
  }
}
template <class Signal, class Rule>
void set_weight_options(altmin::Pair<Signal, Rule>& config, const Options& options) {
  set_weight_options(config.rule_options, options);
}

template <class Config>
void set_code_options(Config& config, const Options& options) {
  if constexpr (has_codes<Config>) {
    config.output_learning_rate = options.learning_rate.value_or(config.output_learning_rate);
    config.mu = options.mu.value_or(config.mu);
    config.code_iterations = options.code_iterations.value_or(config.code_iterations);
    if (options.code_iterations.value_or(1) > 1) config.weight_inputs = altmin::WeightInputs::updated;
    config.code_learning_rate = options.code_learning_rate.value_or(config.code_learning_rate);
  } else if (options.mu || options.code_iterations || options.code_learning_rate) {
    throw UsageError("--mu, --code-iterations, --code-learning-rate: expected an algorithm with codes, got " +
                     options.algorithm);
  }
}

template <class Config>
Algorithm make(const Options& options) {
  Config config;
  set_weight_options(config, options);
  set_code_options(config, options);
  config.validate();
  if (options.regression && options.label_smoothing != 0) {
    throw UsageError("--label-smoothing: expected classes, got the targets of a regression");
  }
  const altmin::AnyLoss<float> loss =
      options.regression ? altmin::AnyLoss<float>{altmin::MeanSquaredError{}}
                         : altmin::AnyLoss<float>{altmin::SoftmaxCrossEntropy{options.label_smoothing}};
  return [config, loss](altmin::Layers<float> layers, altmin::Seed seed) {
    return altmin::Network<float>{std::move(layers), loss, config, seed};
  };
}

/// A pair of a signal and a weight rule.
struct Kind {
  const char* name;
  const char* signal;
  const char* rule;
  Algorithm (*make)(const Options&);
};

constexpr Kind kinds[] = {{"am-adam", "codes", "adam", make<altmin::AmAdam>},
                          {"am-mem", "codes", "memory", make<altmin::AmMem>},
                          {"am-mem-full", "codes", "memory-full", make<altmin::AmMemFull>},
                          {"am-mem-descent", "codes", "descent", make<altmin::AmMemDescent>},
                          {"am-recursive", "exact", "recursive", make<altmin::AmRecursive>},
                          {"am-sgd", "codes", "sgd", make<altmin::AmSgd>},
                          {"adam", "backprop", "adam", make<altmin::Adam>},
                          {"adam-centred", "backprop", "adam-centred", make<CentredAdam>},
                          {"sgd", "backprop", "sgd", make<altmin::Sgd>},
                          {"backprop-mem", "backprop", "memory", make<BackpropMem>},
                          {"backprop-mem-full", "backprop", "memory-full", make<BackpropMemFull>}};

/// What the kinds are called by one of their parts, each name once.
std::vector<std::string> all_names(const char* Kind::*part) {
  std::vector<std::string> list;
  for (const Kind& kind : kinds) {
    if (std::find(list.begin(), list.end(), kind.*part) == list.end()) list.emplace_back(kind.*part);
  }
  return list;
}

}  // namespace

std::vector<std::string> algorithm_names() { return all_names(&Kind::name); }
std::vector<std::string> signal_names() { return all_names(&Kind::signal); }
std::vector<std::string> rule_names() { return all_names(&Kind::rule); }

Algorithm make_algorithm(const Options& options) {
  for (const Kind& kind : kinds) {
    if (options.algorithm == kind.name || options.algorithm == pair_name(kind.signal, kind.rule)) {
      return kind.make(options);
    }
  }
  std::string legal;
  for (const Kind& kind : kinds) legal += (legal.empty() ? "" : ", ") + pair_name(kind.signal, kind.rule);
  throw UsageError("--signal, --rule: expected one of " + legal + ", got " + options.algorithm);
}

std::vector<std::string> schedule_names() { return {"constant", "cosine", "halve"}; }

Schedule make_schedule(const Options& options) {
  Schedule schedule;
  if (options.schedule == "cosine") {
    schedule.cosine = altmin::CosineDecay{options.warm_up};
  } else if (options.warm_up != 0) {
    throw UsageError("--warm-up: expected --schedule cosine, got " + options.schedule);
  }
  if (options.schedule == "halve") schedule.halve.emplace();
  return schedule;
}

}  // namespace trainer
