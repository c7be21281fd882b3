#pragma once

#include <optional>

#include "altmin/core/random.hpp"
#include "altmin/core/types.hpp"
#include "altmin/layers/layer_stack.hpp"
#include "altmin/losses/loss.hpp"
#include "altmin/losses/target.hpp"
#include "altmin/parallel/worker.hpp"

namespace altmin {

/// The outcome of a training step. Numerical outcomes are reported, not thrown: but for `updated`, the network is as it
/// was before the step.
enum class Status {
  updated,             ///< the weights moved
  loss_not_finite,     ///< the loss overflowed
  codes_not_finite,    ///< a code update diverged: try a smaller code_learning_rate
  weights_not_finite,  ///< the square of a gradient, or a moment, weight or running statistic would overflow
};

/// A sentence about it.
inline const char* to_string(Status status) {
  switch (status) {
    case Status::updated: return "the weights were updated";
    case Status::loss_not_finite: return "the loss is not finite; no weight moved";
    case Status::codes_not_finite: return "a code update diverged; no weight moved";
    case Status::weights_not_finite: return "a gradient, moment, weight or statistic would overflow; nothing moved";
  }
  return "";
}

/// What step() returns.
struct StepReport {
  Status status = Status::updated;
  /// Mean loss of the batch, by the weights and codes before the update.
  double loss = 0;
  /// For each block but the last, from the input up: ||target - map(code below)||^2, the mean over the samples, after
  /// the code update and before the weight update. The target is the code, its displacement rescaled with
  /// preserve_scale. Empty for backprop. Borrowed from the network until its next step, assignment or change of
  /// algorithm.
  Span<const double> penalties{};

  explicit operator bool() const { return status == Status::updated; }
};

/// Factors that schedules set: 1 unless set.
struct StepScales {
  double rate = 1;                         // multiplies the learning rates of all weights
  double mu = 1;                           // multiplies the weight of the penalties
  std::optional<double> gradient_limit{};  // of the norm of each block's gradient
};

/// All that an algorithm may use in a training step. The batch has been checked: shapes fit, and all values are finite.
template <class Scalar>
struct StepContext {
  LayerStack<Scalar>& layers;
  const LossInterface<Scalar>& loss;
  ConstView<Scalar> x;  // features x samples, those of this rank
  Target<Scalar> target;
  Random& random;  // for what is drawn in a step (dropout masks)
  StepScales scales;
  Worker<Scalar> worker;

  /// The samples of the batch, those of all ranks where several train: what sums over the batch are divided by.
  Index samples() const { return worker.all_samples(x.cols()); }
};

}  // namespace altmin
