#pragma once

#include "altmin/network/block.hpp"
#include "altmin/parallel/partition.hpp"

namespace altmin {

namespace detail {

/// The samples that one thread each takes through all steps of a sequence.
inline Partition sequence_slices(Index samples) { return Partition::shared(samples, 32, 8); }

}  // namespace detail

/// Backpropagation through time: adds to the residual at the output of a block's recurrent layer what later steps pass
/// back to earlier ones. Nothing for other blocks.
template <class Scalar>
void backward_in_time(const Worker<Scalar>& worker, const Block<Scalar>& block, const BlockPoint<Scalar>& at,
                      View<Scalar> residual, Scratch<Scalar>& scratch) {
  const TimeSteps<Scalar>* const time = block.time_steps();
  if (time == nullptr) return;
  const View<Scalar> memory = scratch.between(0, residual.rows() / time->steps(), residual.cols());
  const detail::Partition slices = detail::sequence_slices(residual.cols());
  worker.parallel_for(slices.count, [&](Index i, const Worker<Scalar>& own) {
    const Index first = slices.first(i);
    const Index count = slices.size(i);
    const auto here = block.point(at.slice(first, count), block.top());
    const View<Scalar> slice = residual.slice(first, count);
    const View<Scalar> earlier = memory.slice(first, count);
    for (Index t = time->steps() - 2; t >= 0; --t) {
      time->backward_step(own, here, t, {}, time->step(slice, t + 1), earlier);
      time->step(slice, t) += earlier;
    }
  });
}

}  // namespace altmin
