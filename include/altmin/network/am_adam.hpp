#pragma once

#include "altmin/network/alternating_minimization.hpp"
#include "altmin/optimizers/adam.hpp"
#include "altmin/optimizers/sgd.hpp"

namespace altmin {

namespace detail {

/// Checks the options that all alternating minimizations share.
template <class Config>
void validate_alternating_minimization(const Config& config, const std::string& name) {
  require_option(config.mu > 0, name + ": mu", "must be above 0", config.mu);
  require_option(config.mu_increment >= 0, name + ": mu_increment", "must be 0 or more", config.mu_increment);
  require_option(config.code_iterations >= 1, name + ": code_iterations", "must be 1 or more", config.code_iterations);
  require_option(config.code_learning_rate >= 0, name + ": code_learning_rate", "must be 0 or more",
                 config.code_learning_rate);
  require_option(config.code_momentum >= 0 && config.code_momentum < 1, name + ": code_momentum",
                 "must be 0 to below 1", config.code_momentum);
  require_option(config.weight_iterations >= 1, name + ": weight_iterations", "must be 1 or more",
                 config.weight_iterations);
  require_option(config.lambda_code >= 0, name + ": lambda_code", "must be 0 or more", config.lambda_code);
  require_option(config.lambda_weight >= 0, name + ": lambda_weight", "must be 0 or more", config.lambda_weight);
}

/// The fields of the same options.
template <class Visit, class... Config>
void alternating_minimization_fields(Visit&& visit, Config&... config) {
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

}  // namespace detail

/// Online alternating minimization whose weight updates are Adam steps (AM-Adam, Choromanska et al. 2019,
/// algorithm 1). See AlternatingMinimization for what a step does.
struct AmAdam {
  static constexpr const char* name = "AmAdam";

  /// Weight of the penalties against the loss; above 0. Larger: codes stay nearer to the forward pass. With sums (see
  /// `reduction`) of order 1, with means of order 0.003.
  double mu = 1;
  /// Added to mu at each step while mu is below 10 times its first value; 0 or more. Source: published code.
  double mu_increment = 0;
  /// Gradient steps on each code; 1 or more. With 1 and forward inputs the method is backprop in disguise. Source of 5:
  /// published code.
  int code_iterations = 5;
  /// Rate of these steps; 0 or more (0: the hidden weights stand still). Small, the weights take up what a code is
  /// asked to change; large, the codes below do, and what is left to the weights is noisier. Too large diverges, and
  /// the step says so. Source: LeNet-5 on MNIST, where 0.01 costs half a point; fully connected nets do as well with
  /// either.
  double code_learning_rate = 0.001;
  /// Their Nesterov momentum, which starts anew with each batch; 0 to below 1. Source: published code.
  double code_momentum = 0.9;
  /// Steps on the weights per batch; 1 or more. From the second on the block is evaluated anew and codes are
  /// subtracted: in float, displacements below about 1e-6 of a code are lost there.
  int weight_iterations = 1;
  /// Adam's rate for the weights below the last map; 0 or more.
  double learning_rate = 0.001;
  /// The same for the last block.
  double output_learning_rate = 0.001;
  /// Weight of |code|_1 (lambda_C of the paper), or of its mean with Reduction::mean; 0 or more.
  double lambda_code = 0;
  /// Weight of |W|_1 (lambda_W of the paper), or of its mean with Reduction::mean, below the last map, biases and
  /// normalization excepted; 0 or more.
  double lambda_weight = 0;
  /// Whether a code is held near its forward value by the penalty of the map below it, as in the paper. The published
  /// code means to, but there the term has no effect.
  bool proximity = true;
  /// What squared distances are in the code phase. The published code takes means, which starves lower layers.
  Reduction reduction = Reduction::sum;
  /// Which inputs the weight updates see.
  WeightInputs weight_inputs = WeightInputs::updated;
  /// Whether the displacement of each code, as the block below is asked to produce it, is scaled to the root mean
  /// square of the top code's, so that deep layers learn from a signal of the same size. Not in the paper.
  bool preserve_scale = true;
  /// Whether the code rate gives way where the curvature measured in the steps before says that it would diverge. The
  /// published code's is fixed.
  bool limit_code_rate = true;
  double beta1 = 0.9;       ///< Adam's decay of the first moment; 0 to below 1
  double beta2 = 0.999;     ///< of the second moment; 0 to below 1
  double epsilon = 1e-8;    ///< added to the root of the second moment; above 0
  double weight_decay = 0;  ///< decoupled from the gradient (AdamW); 0 or more; weights alone decay

  /// What the authors' published code computes, its ineffective proximity term included. Its hidden maps have no bias,
  /// its layers start as Initialization::pytorch, its signs are PseudoGradient::straight_through.
  static AmAdam published() {
    AmAdam options;
    options.mu = 0.003;
    options.code_learning_rate = 0.3;
    options.learning_rate = 0.008;
    options.output_learning_rate = 0.008;
    options.proximity = false;
    options.reduction = Reduction::mean;
    options.preserve_scale = false;
    options.limit_code_rate = false;
    return options;
  }

  template <class Layers>
  using Algorithm = AlternatingMinimization<AmAdam, Layers>;
  template <class Layers>
  using BlockUpdate = GradientUpdate<Layers, AdamMoments<typename Layers::Scalar>>;

  AdamRates rates(bool output, double scale) const {
    return {scale * (output ? output_learning_rate : learning_rate), beta1, beta2, epsilon, weight_decay};
  }

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm = name) const {
    detail::validate_alternating_minimization(*this, algorithm);
    rates(false, 1).validate(algorithm);
    rates(true, 1).validate(algorithm + " (output)");
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    detail::alternating_minimization_fields(visit, self...);
    visit("beta1", self.beta1...);
    visit("beta2", self.beta2...);
    visit("epsilon", self.epsilon...);
    visit("weight_decay", self.weight_decay...);
  }
};

}  // namespace altmin
