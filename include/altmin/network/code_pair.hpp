#pragma once

#include <string>

#include "altmin/network/moved_codes.hpp"

/// What AmAdam, AmSgd, AmMem and AmMemDescent share: the options of moved codes, side by side with those of their rule.

namespace altmin::detail {

template <class Config>
MovedCodes<> moved_codes(const Config& config) {
  MovedCodes<> options;
  options.mu = config.mu;
  options.mu_increment = config.mu_increment;
  options.weight_iterations = config.weight_iterations;
  options.lambda_code = config.lambda_code;
  options.lambda_weight = config.lambda_weight;
  options.proximity = config.proximity;
  options.reduction = config.reduction;
  options.weight_inputs = config.weight_inputs;
  options.preserve_scale = config.preserve_scale;
  options.rule.iterations = config.code_iterations;
  options.rule.learning_rate = config.code_learning_rate;
  options.rule.momentum = config.code_momentum;
  options.rule.limit_rate = config.limit_code_rate;
  return options;
}

/// Throws OptionError, in the name of the algorithm.
template <class Config>
void validate_code_pair(const Config& config) {
  const std::string name = Config::name;
  config.signal().validate(name);
  config.rule(false).validate(name);
  config.rule(true).validate(name + " (output)");
}

/// Default options, but with codes near the minimum of their objective, and weights that are updated there.
template <class Config>
Config near_equilibrium() {
  Config options;
  options.code_iterations = 20;
  options.code_learning_rate = 0.1;
  options.weight_inputs = WeightInputs::updated;
  return options;
}

template <class Visit, class... Config>
void code_pair_fields(Visit&& visit, Config&... config) {
  visit("mu", config.mu...);
  visit("mu_increment", config.mu_increment...);
  visit("code_iterations", config.code_iterations...);
  visit("code_learning_rate", config.code_learning_rate...);
  visit("code_momentum", config.code_momentum...);
  visit("weight_iterations", config.weight_iterations...);
  visit("learning_rate", config.learning_rate...);
  visit("output_learning_rate", config.output_learning_rate...);
  visit("lambda_code", config.lambda_code...);
  visit("lambda_weight", config.lambda_weight...);
  visit("proximity", config.proximity...);
  visit("reduction", config.reduction...);
  visit("weight_inputs", config.weight_inputs...);
  visit("preserve_scale", config.preserve_scale...);
  visit("limit_code_rate", config.limit_code_rate...);
}

}  // namespace altmin::detail
