#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "altmin/network/algorithm.hpp"
#include "altmin/network/backprop.hpp"
#include "altmin/network/gradients.hpp"

namespace altmin {

/// What a training step does with one block and with the code above it, as Network::inspect() finds it. Not a number
/// where there is nothing to measure: of codes, above the last block and with a signal that moves none; everywhere, if
/// the step would fail.
struct BlockReport {
  /// Of the descent direction of the block's parameters with that of backprop: 1 where the signal is the chain rule but
  /// for a factor. The direction is the signal's, before the weight rule changes it.
  double cosine = std::numeric_limits<double>::quiet_NaN();
  double displacement = std::numeric_limits<double>::quiet_NaN();  ///< |c - c0| / |c0|, over the whole batch
  double flipped = std::numeric_limits<double>::quiet_NaN();       ///< share of the code's units whose sign changes
  double penalty = std::numeric_limits<double>::quiet_NaN();       ///< see StepReport::penalties
};

namespace detail {

/// The direction in which a signal, found for all blocks, moves the parameters of block l.
template <class Scalar>
Vector<double> descent_direction(const StepContext<Scalar>& context, const SignalInterface<Scalar>& signal,
                                 Workspace<Scalar>& workspace, Index l) {
  const auto block = workspace.block(context.layers, l);
  const auto found = signal.block_signal(context, workspace, l, 0);
  Gradients<Scalar>::derive(context.worker, {block, found, workspace[l], 1});
  const auto gradients = workspace[l].gradients.view();
  return gradients.col(0).template cast<double>() * found.scale;
}

template <class Scalar>
void report_code(const Algorithm<Scalar>& algorithm, Index l, BlockReport& report) {
  const auto before = algorithm.forward_code(l);
  const auto change = algorithm.displacement(l);
  if (change.rows() != before.rows() || change.cols() != before.cols()) return;
  const auto after = before + change;
  report.displacement = static_cast<double>(change.norm()) / static_cast<double>(before.norm());
  const auto flips = ((before.array() > Scalar(0)) != (after.array() > Scalar(0))).count();
  report.flipped = static_cast<double>(flips) / static_cast<double>(before.size());
}

}  // namespace detail

/// What a step of `algorithm` on a batch would do with each block, from the input up. Takes copies, and leaves all as
/// it was.
template <class Scalar>
std::vector<BlockReport> inspect_step(LayerStack<Scalar> layers, const LossInterface<Scalar>& loss,
                                      Algorithm<Scalar> algorithm, ConstView<Scalar> x, const Target<Scalar>& target,
                                      const Random& random, const StepScales& scales) {
  Workers<Scalar> workers{1};
  Random same = random;
  const StepContext<Scalar> context{layers, loss, x, target, same, scales, workers.worker()};
  Workspace<Scalar>& moved = algorithm.workspace();
  std::vector<BlockReport> reports(static_cast<std::size_t>(moved.blocks()));
  const StepReport step = algorithm.propagate(context);
  if (!step) return reports;

  Workspace<Scalar> plain{layers};
  same = random;  // the same masks
  run_forward(context, plain);
  typename Backprop::template Signal<Scalar> backprop{{}, layers};
  backprop.propagate(context, plain);
  for (Index l = 0; l < moved.blocks(); ++l) {
    BlockReport& report = reports[static_cast<std::size_t>(l)];
    const auto direction = detail::descent_direction<Scalar>(context, algorithm.signal(), moved, l);
    const auto gradient = detail::descent_direction<Scalar>(context, backprop, plain, l);
    report.cosine = direction.dot(gradient) / (direction.norm() * gradient.norm());
    if (l < moved.code_count()) detail::report_code(algorithm, l, report);
    if (l < step.penalties.size()) report.penalty = step.penalties[l];
  }
  return reports;
}

}  // namespace altmin
