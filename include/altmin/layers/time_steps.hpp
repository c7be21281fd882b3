#pragma once

#include "altmin/core/types.hpp"
#include "altmin/parallel/worker.hpp"

namespace altmin {

template <class Scalar>
struct Point;

/// How the steps of a layer's output act on each other: y_t, the rows of step t, enters step t + 1. A recurrent layer
/// implements it. forward(), backward(), gradient() and difference() of that layer take the states that its steps start
/// from as given (its trace holds them); algorithms follow them from step to step by these functions.
///
/// Arrays of one step are units x samples, and contiguous. All functions are for some samples of a batch: they run in
/// parallel over samples.
template <class Scalar>
class TimeSteps {
 public:
  virtual ~TimeSteps() = default;

  virtual Index steps() const = 0;

  /// result = (d y_{t+1} / d y_t)' residual, where y_t has moved by `displacement` since `at`; empty: not at all.
  virtual void backward_step(const Worker<Scalar>& worker, const Point<Scalar>& at, Index t,
                             ConstView<Scalar> displacement, ConstView<Scalar> residual, View<Scalar> result) const = 0;

  /// change = how far y_{t+1} moves where y_t moves by `displacement`, without cancellation. `scratch` is free memory
  /// of one step.
  virtual void step_difference(const Worker<Scalar>& worker, const Point<Scalar>& at, Index t,
                               ConstView<Scalar> displacement, View<Scalar> scratch, View<Scalar> change) const = 0;

  /// Makes step t + 1 start, in the trace of `at`, from y_t moved by `displacement`.
  virtual void move_state(const Point<Scalar>& at, Index t, ConstView<Scalar> displacement) const = 0;

  /// forward() from the states in the trace, which stay as they are.
  virtual void forward_from_states(const Worker<Scalar>& worker, const Point<Scalar>& at) const = 0;

  /// The rows of step t, from 0, of a sequence.
  View<Scalar> step(View<Scalar> sequence, Index t) const {
    const Index rows = sequence.rows() / steps();
    return {sequence.data() + t * rows, rows, sequence.cols(), sequence.outerStride()};
  }
  ConstView<Scalar> step(ConstView<Scalar> sequence, Index t) const {
    const Index rows = sequence.rows() / steps();
    return {sequence.data() + t * rows, rows, sequence.cols(), sequence.outerStride()};
  }
};

}  // namespace altmin
