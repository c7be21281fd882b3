#pragma once

#include <cmath>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// Standardizes the features of a stream, x -> (x - mean) / deviation, by the mean and the (population) deviation of
/// all samples seen so far. A feature that has not changed yet has deviation 1. Computes in double whatever Scalar is.
template <class Scalar>
class RunningStandardizer {
 public:
  explicit RunningStandardizer(Index features = 0)
      : mean_{Vector<double>::Zero(features)}, squares_{Vector<double>::Zero(features)} {}

  /// Takes one more sample into account (Welford 1962): accurate for any offset, in one pass.
  template <class Sample>
  void observe(const Eigen::MatrixBase<Sample>& sample) {
    require_features(sample.rows());
    ++count_;
    for (Index i = 0; i < mean_.size(); ++i) {
      const auto value = static_cast<double>(sample(i));
      const double before = value - mean_(i);
      mean_(i) += before / static_cast<double>(count_);
      squares_(i) += before * (value - mean_(i));
    }
  }

  /// Standardizes x, features x samples, in place. Throws ShapeError for other features than those observed.
  void apply(Eigen::Ref<Matrix<Scalar>, 0, Eigen::OuterStride<>> x) const {
    require_features(x.rows());
    const Vector<double> scale = deviation().cwiseInverse();
    for (Index t = 0; t < x.cols(); ++t) {
      for (Index i = 0; i < x.rows(); ++i) {
        x(i, t) = static_cast<Scalar>((static_cast<double>(x(i, t)) - mean_(i)) * scale(i));
      }
    }
  }

  /// Samples seen.
  Index count() const { return count_; }
  const Vector<double>& mean() const { return mean_; }
  Vector<double> deviation() const {
    const Vector<double> variance = squares_ / static_cast<double>(count_ > 0 ? count_ : 1);
    return (variance.array() > 0).select(variance.cwiseSqrt(), 1.0);
  }

 private:
  void require_features(Index got) const {
    if (got == mean_.size()) return;
    throw ShapeError("RunningStandardizer: expected " + detail::text(mean_.size()) + " features, got " +
                     detail::text(got));
  }

  Index count_ = 0;
  Vector<double> mean_;
  Vector<double> squares_;  // of the differences to the mean, summed
};

}  // namespace altmin
