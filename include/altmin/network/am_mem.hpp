#pragma once

#include <array>
#include <string>

#include "altmin/network/am_adam.hpp"
#include "altmin/optimizers/preconditioned_step.hpp"

namespace altmin {

/// How AM-mem moves the weights of an affine map by what it remembers.
enum class MemoryForm {
  preconditioned,     ///< momentum steps along S^(-1/2) R (A^(-1/2) a)', A the paper's memory of the inputs
  coordinate_descent  ///< the paper's: minimises the remembered objective column by column
};
constexpr std::array<const char*, 2> names(MemoryForm) { return {"preconditioned", "coordinate_descent"}; }

template <class Layers>
class MemoryUpdate;

/// Online alternating minimization whose weight updates use memories of the co-activations (AM-mem, Choromanska et al.
/// 2019, algorithm 2). A bias is an extra input that is always 1; a code above a batch normalization is pulled back
/// through it; what else a block learns (gains and shifts) moves by Adam. Options not described here are those of
/// AmAdam.
struct AmMem {
  static constexpr const char* name = "AmMem";

  MemoryForm form = MemoryForm::preconditioned;
  double mu = 1;
  double mu_increment = 0;
  int code_iterations = 5;
  double code_learning_rate = 0.001;
  double code_momentum = 0.9;
  int weight_iterations = 1;
  /// Rate of the preconditioned steps; 0 or more. Coordinate descent has none. Source: the best of a few on MNIST.
  double learning_rate = 0.01;
  /// The same for the last block, which coordinate descent moves by Adam at this rate.
  double output_learning_rate = 0.01;
  double lambda_code = 0;
  /// Coordinate descent shrinks each weight by this much a sweep, as the published code does: the true weight of |w_ij|
  /// is lambda_weight A_jj. It must be 0 for the preconditioned form.
  double lambda_weight = 0;
  bool proximity = true;
  Reduction reduction = Reduction::sum;
  WeightInputs weight_inputs = WeightInputs::updated;
  bool preserve_scale = true;
  bool limit_code_rate = true;
  /// Weight of a new batch in the memories, 0 to 1; 0: nothing is forgotten, memories are sums (coordinate descent
  /// alone).
  double forgetting = 0.05;
  int sweeps = 1;                 ///< coordinate descent: sweeps over all columns a step; 1 or more
  double sweep_tolerance = 1e-3;  ///< coordinate descent: no further sweep once no weight moved this far; 0 or more
  double momentum = 0.9;          ///< of the preconditioned steps; 0 to below 1
  double damping = 0.03;          ///< share of the mean eigenvalue added to a memory before its inverse root; above 0
  int memory_interval = 5;        ///< preconditioned: steps between two additions to the memories; 1 or more
  int root_interval = 200;  ///< inverse roots are taken at steps 0, 1, 2, 4, ... and then this far apart; 1 or more
  double weight_decay = 0;  ///< preconditioned: decoupled decay of weights; 0 or more
  double adam_learning_rate = 0.001;  ///< of what moves by Adam beside the maps; 0 or more

  /// The paper's form, at rates that suit it.
  static AmMem coordinate_descent() {
    AmMem options;
    options.form = MemoryForm::coordinate_descent;
    options.code_learning_rate = 0.01;  // weights go as far as codes do, whatever the rates
    options.output_learning_rate = 0.001;
    return options;
  }

  /// What a block's update needs to know.
  struct Rates;

  template <class Layers>
  using Algorithm = AlternatingMinimization<AmMem, Layers>;
  template <class Layers>
  using BlockUpdate = MemoryUpdate<Layers>;

  Rates rates(bool output, double scale) const;

  void validate() const {
    const std::string algorithm = name;
    detail::validate_alternating_minimization(*this, algorithm);
    const bool averages = form == MemoryForm::preconditioned;
    detail::require_option(averages ? forgetting > 0 && forgetting <= 1 : forgetting >= 0 && forgetting <= 1,
                           algorithm + ": forgetting", averages ? "must be above 0, to 1" : "must be 0 to 1",
                           forgetting);
    detail::require_option(!averages || lambda_weight == 0, algorithm + ": lambda_weight",
                           "must be 0 where the form is preconditioned", lambda_weight);
    detail::require_option(learning_rate >= 0, algorithm + ": learning_rate", "must be 0 or more", learning_rate);
    detail::require_option(output_learning_rate >= 0, algorithm + ": output_learning_rate", "must be 0 or more",
                           output_learning_rate);
    detail::require_option(sweeps >= 1, algorithm + ": sweeps", "must be 1 or more", sweeps);
    detail::require_option(sweep_tolerance >= 0, algorithm + ": sweep_tolerance", "must be 0 or more", sweep_tolerance);
    detail::require_option(momentum >= 0 && momentum < 1, algorithm + ": momentum", "must be 0 to below 1", momentum);
    detail::require_option(damping > 0, algorithm + ": damping", "must be above 0", damping);
    detail::require_option(memory_interval >= 1, algorithm + ": memory_interval", "must be 1 or more", memory_interval);
    detail::require_option(root_interval >= 1, algorithm + ": root_interval", "must be 1 or more", root_interval);
    detail::require_option(weight_decay >= 0, algorithm + ": weight_decay", "must be 0 or more", weight_decay);
    detail::require_option(adam_learning_rate >= 0, algorithm + ": adam_learning_rate", "must be 0 or more",
                           adam_learning_rate);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    detail::alternating_minimization_fields(visit, self...);
    visit("form", self.form...);
    visit("forgetting", self.forgetting...);
    visit("sweeps", self.sweeps...);
    visit("sweep_tolerance", self.sweep_tolerance...);
    visit("momentum", self.momentum...);
    visit("damping", self.damping...);
    visit("memory_interval", self.memory_interval...);
    visit("root_interval", self.root_interval...);
    visit("weight_decay", self.weight_decay...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

struct AmMem::Rates {
  AmMem options;
  bool output;
  double scale;  // of all rates

  double learning_rate() const { return scale * (output ? options.output_learning_rate : options.learning_rate); }
  double adam_learning_rate() const { return scale * options.adam_learning_rate; }
  static AdamRates adam(double learning_rate) { return {learning_rate, 0.9, 0.999, 1e-8, 0}; }
  PreconditionedRates preconditioned() const {
    return {options.forgetting, options.momentum, options.damping, options.memory_interval, options.root_interval};
  }
};

inline AmMem::Rates AmMem::rates(bool output, double scale) const { return {*this, output, scale}; }

}  // namespace altmin

#include "altmin/network/memory_update.hpp"
