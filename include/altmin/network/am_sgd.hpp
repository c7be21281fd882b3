#pragma once

#include "altmin/network/am_adam.hpp"

namespace altmin {

/// Online alternating minimization whose weight updates are gradient steps with momentum. Options not described here
/// are those of AmAdam. Codes move, by default: five steps, and weights that are updated at the moved inputs.
struct AmSgd {
  static constexpr const char* name = "AmSgd";

  double mu = 1;
  double mu_increment = 0;
  int code_iterations = 5;
  double code_learning_rate = 0.001;
  double code_momentum = 0.9;
  int weight_iterations = 1;
  double learning_rate = 0.1;
  double output_learning_rate = 0.1;
  double lambda_code = 0;
  double lambda_weight = 0;
  bool proximity = true;
  Reduction reduction = Reduction::sum;
  WeightInputs weight_inputs = WeightInputs::updated;
  bool preserve_scale = true;
  bool limit_code_rate = true;
  double momentum = 0.9;    ///< of the weights; 0 to below 1
  bool nesterov = false;    ///< Nesterov's look-ahead for the weights
  double weight_decay = 0;  ///< an L2 penalty on weights; 0 or more

  /// See AmAdam::equilibrium().
  static AmSgd equilibrium() { return detail::near_equilibrium<AmSgd>(); }

  MovedCodes<> signal() const { return detail::moved_codes(*this); }
  SgdRule rule(bool last) const {
    SgdRule options;
    options.learning_rate = last ? output_learning_rate : learning_rate;
    options.momentum = momentum;
    options.nesterov = nesterov;
    options.weight_decay = weight_decay;
    return options;
  }

  /// Throws OptionError.
  void validate() const { detail::validate_code_pair(*this); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    detail::code_pair_fields(visit, self...);
    visit("momentum", self.momentum...);
    visit("nesterov", self.nesterov...);
    visit("weight_decay", self.weight_decay...);
  }
};

}  // namespace altmin
