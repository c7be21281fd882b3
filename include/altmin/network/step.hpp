#pragma once

#include "altmin/core/product.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/types.hpp"
#include "altmin/losses/target.hpp"

namespace altmin {

/// What became of a step. Numerical outcomes are reported, not thrown.
enum class Status {
  updated,           ///< the weights moved
  loss_not_finite,   ///< the loss overflowed: no weight moved
  codes_not_finite,  ///< a code update diverged (try a smaller code_learning_rate): no weight moved
};

/// A sentence about it.
inline const char* to_string(Status status) {
  switch (status) {
    case Status::updated: return "the weights were updated";
    case Status::loss_not_finite: return "the loss is not finite; no weight moved";
    case Status::codes_not_finite: return "a code update diverged; no weight moved";
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

/// All that an algorithm may use in a step. The batch has been checked: shapes fit, and all values are finite.
template <class Layers_, class Loss_>
struct StepContext {
  using Layers = Layers_;
  using Loss = Loss_;
  using Scalar = typename Layers::Scalar;

  Layers& layers;
  const Loss& loss;
  ConstView<Scalar> x;  // features x samples
  Target<Scalar> target;
  Random& random;     // for what is drawn in a step (dropout masks)
  double rate_scale;  // multiplies the learning rates of all weights (schedules)
  Lane<Scalar> lane;
  double mu_scale = 1;  // multiplies the weight of the penalties (schedules)
};

}  // namespace altmin
