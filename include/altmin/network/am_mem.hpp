#pragma once

#include "altmin/network/algorithm.hpp"
#include "altmin/network/code_pair.hpp"
#include "altmin/network/descent_rule.hpp"
#include "altmin/network/full_memory_rule.hpp"
#include "altmin/network/memory_rule.hpp"

namespace altmin {

/// Online alternating minimization whose weight updates use a memory of the co-activations (AM-mem, Choromanska et al.
/// 2019), as a preconditioner of low rank: see MemoryRule, whose options are the last ones here.
///
/// By default a code takes one step, and weights are updated at the inputs of the forward pass: the first-order limit
/// of moved codes, in which each block's residual is that of backprop but for a factor (mu is of no effect). So what
/// this default gains over Adam, the memory gains. Options not described here are those of AmAdam. AmMemFull has full
/// inverse roots; AmMemDescent is the paper's own form.
struct AmMem {
  static constexpr const char* name = "AmMem";

  double mu = 1;
  double mu_increment = 0;
  int code_iterations = 1;
  double code_learning_rate = 0.001;
  double code_momentum = 0.9;
  int weight_iterations = 1;
  double learning_rate = 0.05;         ///< 0 or more
  double output_learning_rate = 0.05;  ///< the same for the last block
  double lambda_code = 0;
  double lambda_weight = 0;  ///< must be 0
  bool proximity = true;
  Reduction reduction = Reduction::sum;
  WeightInputs weight_inputs = WeightInputs::forward;
  bool preserve_scale = true;
  bool limit_code_rate = true;
  double momentum = 0.9;
  double forgetting = 0.05;
  int rank = 16;
  double damping = 0.03;
  int memory_interval = 10;
  double output_forgetting = 0.01;
  double output_damping = 0.03;
  double weight_decay = 0.02;
  double adam_learning_rate = 0.001;

  /// See AmAdam::equilibrium().
  static AmMem equilibrium() { return detail::near_equilibrium<AmMem>(); }

  MovedCodes<> signal() const { return detail::moved_codes(*this); }
  MemoryRule rule(bool last) const {
    MemoryRule options;
    options.learning_rate = last ? output_learning_rate : learning_rate;
    options.momentum = momentum;
    options.forgetting = forgetting;
    options.rank = rank;
    options.damping = damping;
    options.memory_interval = memory_interval;
    options.output_forgetting = output_forgetting;
    options.output_damping = output_damping;
    options.weight_decay = weight_decay;
    options.adam_learning_rate = adam_learning_rate;
    return options;
  }

  /// Throws OptionError.
  void validate() const {
    detail::validate_code_pair(*this);
    detail::require_option(lambda_weight == 0, "AmMem: lambda_weight", "must be 0", lambda_weight);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    detail::code_pair_fields(visit, self...);
    visit("momentum", self.momentum...);
    visit("forgetting", self.forgetting...);
    visit("rank", self.rank...);
    visit("damping", self.damping...);
    visit("memory_interval", self.memory_interval...);
    visit("output_forgetting", self.output_forgetting...);
    visit("output_damping", self.output_damping...);
    visit("weight_decay", self.weight_decay...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

/// AM-mem with full inverse roots of both memories, as a Kronecker-factored preconditioner: see FullMemoryRule. A bias
/// is an extra input that is always 1; what else a block learns (gains and shifts) moves by Adam. Options not described
/// here are those of AmAdam; codes are in their first-order limit, as of AmMem.
struct AmMemFull {
  static constexpr const char* name = "AmMemFull";

  double mu = 1;
  double mu_increment = 0;
  int code_iterations = 1;
  double code_learning_rate = 0.001;
  double code_momentum = 0.9;
  int weight_iterations = 1;
  double learning_rate = 0.01;         ///< 0 or more; source: the best of a few on MNIST
  double output_learning_rate = 0.01;  ///< the same for the last block
  double lambda_code = 0;
  double lambda_weight = 0;  ///< must be 0
  bool proximity = true;
  Reduction reduction = Reduction::sum;
  WeightInputs weight_inputs = WeightInputs::forward;
  bool preserve_scale = true;
  bool limit_code_rate = true;
  double forgetting = 0.05;  ///< weight of a new batch in the memories; above 0, to 1
  double momentum = 0.9;     ///< of the weights; 0 to below 1
  double damping = 0.03;     ///< share of the mean eigenvalue added to a memory before its inverse root; above 0
  int memory_interval = 5;   ///< steps between two additions to the memories; 1 or more
  int root_interval = 200;   ///< inverse roots are taken at steps 0, 1, 2, 4, ... and then this far apart; 1 or more
  double weight_decay = 0;   ///< decoupled decay of weights; 0 or more
  double adam_learning_rate = 0.001;  ///< of what moves by Adam beside the maps; 0 or more

  /// See AmAdam::equilibrium().
  static AmMemFull equilibrium() { return detail::near_equilibrium<AmMemFull>(); }

  MovedCodes<> signal() const { return detail::moved_codes(*this); }
  FullMemoryRule rule(bool last) const {
    FullMemoryRule options;
    options.learning_rate = last ? output_learning_rate : learning_rate;
    options.forgetting = forgetting;
    options.momentum = momentum;
    options.damping = damping;
    options.memory_interval = memory_interval;
    options.root_interval = root_interval;
    options.weight_decay = weight_decay;
    options.adam_learning_rate = adam_learning_rate;
    return options;
  }

  /// Throws OptionError.
  void validate() const {
    detail::validate_code_pair(*this);
    detail::require_option(lambda_weight == 0, "AmMemFull: lambda_weight", "must be 0", lambda_weight);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    detail::code_pair_fields(visit, self...);
    visit("forgetting", self.forgetting...);
    visit("momentum", self.momentum...);
    visit("damping", self.damping...);
    visit("memory_interval", self.memory_interval...);
    visit("root_interval", self.root_interval...);
    visit("weight_decay", self.weight_decay...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

/// AM-mem as the paper has it: block coordinate descent on the remembered objective, see DescentRule, to codes that
/// move. Options not described here are those of AmAdam.
struct AmMemDescent {
  static constexpr const char* name = "AmMemDescent";

  double mu = 1;
  double mu_increment = 0;
  int code_iterations = 5;
  double code_learning_rate = 0.01;  ///< weights go as far as codes do, whatever the rates
  double code_momentum = 0.9;
  int weight_iterations = 1;
  double learning_rate = 0.001;         ///< of no effect: coordinate descent has no rate
  double output_learning_rate = 0.001;  ///< Adam's, of the last block; 0 or more
  double lambda_code = 0;
  /// Each weight shrinks by this much a sweep, as in the published code: the true weight of |w_ij| is lambda_weight
  /// A_jj.
  double lambda_weight = 0;
  bool proximity = true;
  Reduction reduction = Reduction::sum;
  WeightInputs weight_inputs = WeightInputs::updated;
  bool preserve_scale = true;
  bool limit_code_rate = true;
  double forgetting = 0.05;  ///< weight of a new batch in the memories, 0 to 1; 0: nothing is forgotten, they are sums
  int sweeps = 1;            ///< over all columns, a step; 1 or more
  double sweep_tolerance = 1e-3;      ///< no further sweep once no weight moved this far; 0 or more
  double adam_learning_rate = 0.001;  ///< of what moves by Adam beside the maps; 0 or more

  MovedCodes<> signal() const {
    MovedCodes<> options = detail::moved_codes(*this);
    options.lambda_weight = 0;  // the descent shrinks weights itself
    return options;
  }
  DescentRule rule(bool) const {
    DescentRule options;
    options.forgetting = forgetting;
    options.lambda_weight = lambda_weight;
    options.sweeps = sweeps;
    options.sweep_tolerance = sweep_tolerance;
    options.output_learning_rate = output_learning_rate;
    options.adam_learning_rate = adam_learning_rate;
    return options;
  }

  /// Throws OptionError.
  void validate() const { detail::validate_code_pair(*this); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    detail::code_pair_fields(visit, self...);
    visit("forgetting", self.forgetting...);
    visit("sweeps", self.sweeps...);
    visit("sweep_tolerance", self.sweep_tolerance...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

}  // namespace altmin
