#pragma once

#include "altmin/network/algorithm.hpp"
#include "altmin/network/code_pair.hpp"
#include "altmin/network/gradient_rule.hpp"

namespace altmin {

/// Online alternating minimization whose weight updates are Adam steps (AM-Adam, Choromanska et al. 2019,
/// algorithm 1): moved codes with Adam. See CodesSignal for what a step does to the codes.
///
/// By default a code takes one step, and weights are updated at the inputs of the forward pass: the first-order limit
/// of moved codes, in which each block's residual is that of backprop but for a factor (mu is of no effect, and
/// proximity of none). It costs and learns what Adam does, and is what remains of the method where it is cheap;
/// equilibrium() is the method itself.
struct AmAdam {
  static constexpr const char* name = "AmAdam";

  /// Weight of the penalties against the loss; above 0. Larger: codes stay nearer to the forward pass. With sums (see
  /// `reduction`) of order 1, with means of order 0.003.
  double mu = 1;
  /// Added to mu at each step while mu is below 10 times its first value; 0 or more. Source: published code.
  double mu_increment = 0;
  /// Gradient steps on each code; 1 or more. The published code takes 5.
  int code_iterations = 1;
  /// Rate of these steps; 0 or more (0: the hidden weights stand still). If it is small, the weights of the block
  /// above take over most of a code's change; if it is large, the codes below do, and the weights' signal is noisier.
  /// Too large diverges, and the step says so. Source: LeNet-5 on MNIST, where 0.01 costs half a point; fully connected
  /// nets do as well with either.
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
  /// Which inputs the weight updates see: those of the forward pass, or what is `updated` by the codes.
  WeightInputs weight_inputs = WeightInputs::forward;
  /// Whether the displacement of each code, as it is the target of the block below, is scaled to the root mean
  /// square of the top code's, so that deep layers learn from a signal of the same size. Not in the paper.
  bool preserve_scale = true;
  /// Whether the code rate gives way where the curvature measured in the steps before says that it would diverge. The
  /// published code's is fixed.
  bool limit_code_rate = true;
  double beta1 = 0.9;       ///< Adam's decay of the first moment; 0 to below 1
  double beta2 = 0.999;     ///< of the second moment; 0 to below 1
  double epsilon = 1e-8;    ///< added to the root of the second moment; above 0
  double weight_decay = 0;  ///< decoupled from the gradient (AdamW); 0 or more; weights alone decay

  /// Codes near the minimum of their objective, and weights that are updated there, for about four steps of Adam.
  static AmAdam equilibrium() { return detail::near_equilibrium<AmAdam>(); }

  /// What the authors' published code computes, its ineffective proximity term included. Its hidden maps have no bias,
  /// its layers start as Initialization::pytorch, its signs are PseudoGradient::straight_through.
  static AmAdam published() {
    AmAdam options;
    options.mu = 0.003;
    options.code_iterations = 5;
    options.code_learning_rate = 0.3;
    options.learning_rate = 0.008;
    options.output_learning_rate = 0.008;
    options.proximity = false;
    options.reduction = Reduction::mean;
    options.weight_inputs = WeightInputs::updated;
    options.preserve_scale = false;
    options.limit_code_rate = false;
    return options;
  }

  MovedCodes<> signal() const { return detail::moved_codes(*this); }
  AdamRule rule(bool last) const {
    AdamRule options;
    options.learning_rate = last ? output_learning_rate : learning_rate;
    options.beta1 = beta1;
    options.beta2 = beta2;
    options.epsilon = epsilon;
    options.weight_decay = weight_decay;
    return options;
  }

  /// Throws OptionError.
  void validate() const { detail::validate_code_pair(*this); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    detail::code_pair_fields(visit, self...);
    visit("beta1", self.beta1...);
    visit("beta2", self.beta2...);
    visit("epsilon", self.epsilon...);
    visit("weight_decay", self.weight_decay...);
  }
};

}  // namespace altmin
