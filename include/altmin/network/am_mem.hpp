#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "altmin/network/am_adam.hpp"
#include "altmin/optimizers/coactivation_memory.hpp"
#include "altmin/optimizers/inverse_root.hpp"

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
  double code_learning_rate = 0.01;
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
};

inline AmMem::Rates AmMem::rates(bool output, double scale) const { return {*this, output, scale}; }

/// The preconditioned step of one affine map, with both memories as running averages: with a the inputs, R the
/// residuals (code minus prediction, outputs x samples) and B samples, A ~ a a'/B, S ~ R R'/B,
///
///   Q = S^(-1/2) R, over its running root mean square,  P = (Q/B) (A^(-1/2) a)',
///   M <- momentum M + (1 - momentum) P,                 W <- W + rate M / (1 - momentum^t).
///
/// Not in the paper: A is its memory as a running average, S the counterpart on the output side. With fewer outputs
/// than samples it is cheaper to multiply R a' by A^(-1/2), which is the same.
template <class Scalar>
class PreconditionedStep {
 public:
  explicit PreconditionedStep(Index outputs = 0, Index inputs = 0)
      : input_memory_{Matrix<Scalar>::Zero(inputs, inputs)},
        output_memory_{Matrix<Scalar>::Zero(outputs, outputs)},
        velocity_{Matrix<Scalar>::Zero(outputs, inputs)} {}

  /// Takes up a batch's inputs and residuals into M, and the memories. Returns 1 - momentum^t.
  double advance(const Lane<Scalar>& lane, const AmMem& options, ConstView<Scalar> a, ConstView<Scalar> residual) {
    const Index samples = a.cols();
    if (steps_ % options.memory_interval == 0 || steps_ < options.memory_interval) {
      ++additions_;
      remember(lane, a, options.forgetting, input_memory_);
      remember(lane, residual, options.forgetting, output_memory_);
    }
    if (steps_ == next_root_) {
      // Running averages that began at 0 amount to 1 - (1 - f)^t of what they estimate.
      const double full = 1 - std::pow(1 - options.forgetting, static_cast<double>(additions_));
      roots_.compute(lane, input_memory_, options.damping, input_root_);
      input_root_ *= static_cast<Scalar>(std::sqrt(full));
      roots_.compute(lane, output_memory_, options.damping, output_root_);
      output_root_ *= static_cast<Scalar>(std::sqrt(full));
      next_root_ = steps_ == 0 ? 1 : std::min(2 * steps_, steps_ + options.root_interval);
    }
    scaled_residual_.fit(residual.rows(), samples);
    multiply<Scalar>(lane, output_root_, residual, scaled_residual_.view());
    ++steps_;
    // The roots lag behind the residuals and see but their larger directions: what they leave of the size is taken out.
    const auto square =
        static_cast<double>(scaled_residual_.view().squaredNorm()) / static_cast<double>(residual.rows() * samples);
    mean_square_ = options.momentum * mean_square_ + (1 - options.momentum) * square;
    const double correction = 1 - std::pow(options.momentum, static_cast<double>(steps_));
    const double size = std::sqrt(mean_square_ / correction) + 1e-30;
    const auto momentum = static_cast<Scalar>(options.momentum);
    const auto share = static_cast<Scalar>((1 - options.momentum) / (size * static_cast<double>(samples)));
    lane.parallel_ranges(velocity_.cols(), velocity_.rows(),
                         [&](Index first, Index count) { velocity_.middleCols(first, count) *= momentum; });
    if (residual.rows() < samples) {
      scaled_.fit(residual.rows(), a.rows());
      multiply<Scalar>(lane, scaled_residual_.view(), transposed(a), scaled_.view());
      multiply<Scalar>(lane, scaled_.view(), input_root_, velocity_, share, Write::add);
    } else {
      scaled_.fit(a.rows(), samples);
      multiply<Scalar>(lane, input_root_, a, scaled_.view());
      multiply<Scalar>(lane, scaled_residual_.view(), transposed(scaled_.view()), velocity_, share, Write::add);
    }
    return correction;
  }

  /// M, outputs x inputs.
  const Matrix<Scalar>& velocity() const { return velocity_; }

  Index bytes() const {
    return (2 * (input_memory_.size() + output_memory_.size()) + velocity_.size()) *
               static_cast<Index>(sizeof(Scalar)) +
           scaled_.bytes() + scaled_residual_.bytes() + roots_.bytes();
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("input_memory", self.input_memory_...);
    visit("output_memory", self.output_memory_...);
    visit("velocity", self.velocity_...);
    visit("input_root", self.input_root_...);
    visit("output_root", self.output_root_...);
    visit("mean_square", self.mean_square_...);
    visit("steps", self.steps_...);
    visit("additions", self.additions_...);
    visit("next_root", self.next_root_...);
  }

  /// Throws ShapeError unless this is the state, after a step, of such a map.
  void require_fit(Index outputs, Index inputs) const {
    detail::require_shape(input_memory_, inputs, inputs, "input_memory");
    detail::require_shape(output_memory_, outputs, outputs, "output_memory");
    detail::require_shape(velocity_, outputs, inputs, "velocity");
    detail::require_shape(input_root_, inputs, inputs, "input_root");
    detail::require_shape(output_root_, outputs, outputs, "output_root");
  }

 private:
  static void remember(const Lane<Scalar>& lane, ConstView<Scalar> batch, double weight, Matrix<Scalar>& memory) {
    lane.parallel_ranges(memory.cols(), memory.rows(), [&](Index first, Index count) {
      memory.middleCols(first, count) *= static_cast<Scalar>(1 - weight);
    });
    multiply_symmetric<Scalar>(lane, batch, transposed(batch), memory,
                               static_cast<Scalar>(weight / double(batch.cols())), Write::add);
  }

  Matrix<Scalar> input_memory_;
  Matrix<Scalar> output_memory_;
  Matrix<Scalar> velocity_;
  Matrix<Scalar> input_root_;
  Matrix<Scalar> output_root_;
  double mean_square_ = 0;
  Index steps_ = 0;
  Index additions_ = 0;
  Index next_root_ = 0;
  InverseRoot<Scalar> roots_;
  Buffer<Scalar> scaled_;  // the inputs, or the gradient, before or after A^(-1/2)
  Buffer<Scalar> scaled_residual_;
};

/// Moves one block's dense map by its memories, and its other parameters by Adam.
template <class Layers>
class MemoryUpdate {
 public:
  using Scalar = typename Layers::Scalar;
  using Rates = AmMem::Rates;

  explicit MemoryUpdate(const Block<Layers>& block) : gradient_update_{block} {
    for (Index k = 0; k < block.size(); ++k) {
      if (block[k].template as<Dense>() != nullptr) map_ = k;
    }
  }

  /// One step for the objective of `block`, evaluated at `at`.
  void update(const Lane<Scalar>& lane, const Block<Layers>& block, const BlockPoint<Scalar>& at,
              const WeightObjective<Scalar>& objective, const Rates& rates) {
    const bool descent = rates.options.form == MemoryForm::coordinate_descent;
    if (map_ < 0 || (descent && rates.output)) {
      const double rate = map_ < 0 ? rates.adam_learning_rate() : rates.learning_rate();
      gradient_update_.update(lane, block, at, objective, rates.adam(rate));
      return;
    }
    auto& layer = *block[map_].template as<Dense>();
    const auto here = block.point(at, map_);
    residual_.fit(layer.output().size(), here.x.cols());
    if (descent) pull_code_back(block, at, objective);
    gradient_update_.update_around(lane, block, at, objective, rates.adam(rates.adam_learning_rate()), map_,
                                   [&](ConstView<Scalar> slope) {
                                     if (!descent) residual_.view() = static_cast<Scalar>(-here.x.cols()) * slope;
                                   });
    const auto parameters = layer.parameters();
    if (parameters[0].frozen() && (parameters.size() == 1 || parameters[1].frozen())) return;
    gather_inputs(lane, here.x, parameters.size() > 1);
    if (descent) {
      descend(lane, rates.options, parameters);
    } else {
      precondition(lane, rates, parameters);
    }
  }

  /// Memory that is anybody's between two updates.
  Buffer<Scalar>& workspace() { return gradient_update_.workspace(); }

  Index bytes() const {
    return gradient_update_.bytes() + residual_.bytes() + inputs_.bytes() + weight_.bytes() + codes_.bytes() +
           (memory_ ? memory_->bytes() : 0) + (step_ ? step_->bytes() : 0);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.gradient_update_...);
    visit("memory", self.memory_...);
    visit("step", self.step_...);
  }

  /// Throws ShapeError unless this can be the state of `block`.
  void require_fit(const Block<Layers>& block) const {
    gradient_update_.require_fit(block);
    if (map_ < 0) return;
    const auto parameters = block[map_].parameters();
    const Index inputs = parameters[0].value().cols() + (parameters.size() > 1 ? 1 : 0);
    if (memory_) memory_->require_fit(parameters[0].value().rows(), inputs);
    if (step_) step_->require_fit(parameters[0].value().rows(), inputs);
  }

 private:
  /// residual_ = what the map's output lacks for the block to produce its code: through the normalization above it, the
  /// batch's statistics held fixed.
  void pull_code_back(const Block<Layers>& block, const BlockPoint<Scalar>& at,
                      const WeightObjective<Scalar>& objective) {
    View<Scalar> residual = residual_.view();
    residual = static_cast<Scalar>(-1 / objective.scale) * objective.slope;
    for (Index k = block.size() - 1; k > map_; --k) block[k].undo(block.point(at, k), residual, residual);
  }

  /// The inputs of the map, with a row of ones for the bias.
  void gather_inputs(const Lane<Scalar>& lane, ConstView<Scalar> x, bool bias) {
    inputs_.fit(x.rows() + (bias ? 1 : 0), x.cols());
    lane.parallel_ranges(x.cols(), x.rows(), [&](Index first, Index count) {
      inputs_.view().middleCols(first, count).topRows(x.rows()) = x.middleCols(first, count);
    });
    if (bias) inputs_.view().bottomRows(1).setOnes();
  }

  void precondition(const Lane<Scalar>& lane, const Rates& rates, Span<Parameter<Scalar>> parameters) {
    if (!step_) step_.emplace(residual_.rows(), inputs_.rows());
    const double correction = step_->advance(lane, rates.options, inputs_.view(), residual_.view());
    const double rate = rates.learning_rate();
    const auto step = static_cast<Scalar>(rate / correction);
    const auto kept = static_cast<Scalar>(1 - rate * rates.options.weight_decay);
    const auto& velocity = step_->velocity();
    View<Scalar> weight = parameters[0].values();
    if (!parameters[0].frozen()) {
      lane.parallel_ranges(weight.cols(), weight.rows(), [&](Index first, Index count) {
        View<Scalar>{weight}.middleCols(first, count) =
            kept * weight.middleCols(first, count) + step * velocity.middleCols(first, count);
      });
    }
    if (parameters.size() > 1 && !parameters[1].frozen()) parameters[1].values() += step * velocity.rightCols(1);
  }

  /// The map as one matrix, with the bias as its last column, to its minimum.
  void descend(const Lane<Scalar>& lane, const AmMem& options, Span<Parameter<Scalar>> parameters) {
    const Index inputs = parameters[0].value().cols();
    const bool bias = parameters.size() > 1;
    weight_.fit(residual_.rows(), inputs_.rows());
    View<Scalar> weight = weight_.view();
    weight.leftCols(inputs) = parameters[0].value();
    if (bias) weight.rightCols(1) = parameters[1].value();
    if (!memory_) memory_.emplace(weight.rows(), weight.cols());
    codes_.fit(weight.rows(), inputs_.columns());
    multiply<Scalar>(lane, weight, inputs_.view(), codes_.view());
    codes_.view() += residual_.view();
    memory_->add(lane, inputs_.view(), codes_.view(), options.forgetting);
    memory_->descend(lane, weight, options.lambda_weight, options.sweeps, options.sweep_tolerance, inputs);
    if (!parameters[0].frozen()) parameters[0].values() = weight.leftCols(inputs);
    if (bias && !parameters[1].frozen()) parameters[1].values() = weight.rightCols(1);
  }

  GradientUpdate<Layers, AdamMoments<Scalar>> gradient_update_;
  std::optional<CoactivationMemory<Scalar>> memory_;
  std::optional<PreconditionedStep<Scalar>> step_;
  Index map_ = -1;

  // Working memory.
  Buffer<Scalar> residual_;
  Buffer<Scalar> inputs_;
  Buffer<Scalar> weight_;
  Buffer<Scalar> codes_;
};

}  // namespace altmin
