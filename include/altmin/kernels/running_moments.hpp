#pragma once

#include <algorithm>
#include <cmath>

namespace altmin::detail {

/// Adds one more finite value to the mean of the `seen` values before it, and to the sum of their squared differences
/// to the mean (Welford 1962): accurate for any offset, in one pass.
///
/// An outlier must not hide all other values for the rest of a stream. So, from the fourth value on, one further than
/// 1000 deviations from the mean is added as if it were 1000 deviations from it; and any as if its size were at most
/// 1e145, whose square is finite.
inline void add_to_moments(double value, double seen, double& mean, double& squares) {
  constexpr double far = 1000;                // deviations
  constexpr double largest = 1e145;           // the squares of as many differences as a stream has have a sum
  const double known = seen >= 3 ? seen : 0;  // 0: no value is far
  value = std::min(std::max(value, -largest), largest);
  double before = value - mean;
  if (before * before * known > squares * (far * far) && squares > 0) {
    before = std::copysign(far * std::sqrt(squares / seen), before);
    value = mean + before;
  }
  mean += before / (seen + 1);
  squares += before * (value - mean);
}

/// The (population) standard deviation of `seen` values by these sums; 1 where they do not differ.
inline double deviation_of(double seen, double squares) {
  const double variance = squares / std::max(seen, 1.0);
  return variance > 0 ? std::sqrt(variance) : 1;
}

}  // namespace altmin::detail
