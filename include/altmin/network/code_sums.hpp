#pragma once

#include <vector>

#include "altmin/core/types.hpp"
#include "altmin/parallel/worker.hpp"

namespace altmin {

/// What the update of a code, or of some of its samples, comes to: sums of squares at its end.
struct CodeSums {
  double displacement = 0;  // of the code
  double change = 0;        // of the output of the block above, since the forward pass
  double residual = 0;      // of that block
};

/// The sum of the first parts, in this order: the same bits for any number of threads.
inline CodeSums total(const std::vector<CodeSums>& parts, Index count) {
  CodeSums sums;
  for (Index i = 0; i < count; ++i) {
    const CodeSums& part = parts[static_cast<std::size_t>(i)];
    sums.displacement += part.displacement;
    sums.change += part.change;
    sums.residual += part.residual;
  }
  return sums;
}

/// Makes sums over the samples of this rank those over all ranks.
template <class Scalar>
void sum_over_ranks(const Worker<Scalar>& worker, CodeSums& sums) {
  if (worker.share() == nullptr) return;
  double numbers[] = {sums.displacement, sums.change, sums.residual};
  worker.sum(numbers, 3);
  sums = {numbers[0], numbers[1], numbers[2]};
}

}  // namespace altmin
