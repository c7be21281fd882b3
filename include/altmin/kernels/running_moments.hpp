#pragma once

#include <algorithm>
#include <cmath>

#include "altmin/core/types.hpp"
#include "altmin/kernels/standardized.hpp"

namespace altmin::detail {

/// Mean and squared differences to it of `n` features (or fewer: the others stay 0), summed over the values seen so
/// far (Welford 1962): accurate for any offset, in one pass. The size is fixed so that a feature's sums have the same
/// bits wherever they stand in memory.
///
/// An outlier must not hide all other values for the rest of a stream. So, from the fourth value on, one further than
/// 1000 deviations from the mean is added as if it were 1000 deviations from it; and any as if its size were at most
/// 1e145, whose square is finite.
template <int n>
class RunningMoments {
 public:
  using Array = Eigen::Array<double, n, 1>;

  RunningMoments(const double* mean, const double* squares, Index count) : count_{count} {
    std::copy_n(mean, count, mean_.data());
    std::copy_n(squares, count, squares_.data());
  }

  void store(double* mean, double* squares) const {
    std::copy_n(mean_.data(), count_, mean);
    std::copy_n(squares_.data(), count_, squares);
  }

  /// Adds a finite value of each feature to the `seen` before it.
  template <class Scalar>
  void add(const Scalar* values, double seen) {
    constexpr double far = 1000;       // deviations
    constexpr double largest = 1e145;  // the squares of as many differences as a stream has have a sum
    Array value = load_piece<n>(values, count_).max(-largest).min(largest);
    Array before = value - mean_;
    if (seen >= 3 && (before.square() * seen > squares_ * (far * far) && squares_ > 0).any()) {
      for (Index i = 0; i < n; ++i) {
        if (!(before[i] * before[i] * seen > squares_[i] * (far * far) && squares_[i] > 0)) continue;
        before[i] = std::copysign(far * std::sqrt(squares_[i] / seen), before[i]);
        value[i] = mean_[i] + before[i];
      }
    }
    mean_ += before * (1 / (seen + 1));
    squares_ += before * (value - mean_);
  }

  const Array& mean() const { return mean_; }
  /// The (population) standard deviation of `seen` values; 1 where they do not differ.
  Array deviation(double seen) const {
    const Array variance = squares_ / std::max(seen, 1.0);
    return (variance > 0).select(variance.sqrt(), 1.0);
  }

 private:
  Index count_;
  Array mean_ = Array::Zero();
  Array squares_ = Array::Zero();
};

}  // namespace altmin::detail
