#pragma once

#include <vector>

#include "altmin/core/types.hpp"

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

}  // namespace altmin
