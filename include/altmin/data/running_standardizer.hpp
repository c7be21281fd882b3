#pragma once

#include <algorithm>
#include <cmath>

#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/standardized.hpp"

namespace altmin {

/// Standardizes the features of a stream, x -> (x - mean) / deviation, by the mean and the (population) deviation of
/// all samples seen so far. A feature that has not changed yet has deviation 1. Computes in double whatever Scalar is.
///
/// An outlier must not hide all other values for the rest of a stream. So, from the fourth sample on, a value further
/// than 1000 deviations from the mean is observed as if it were 1000 deviations from it; and any value as if its size
/// were at most 1e145, whose square is finite.
template <class Scalar>
class RunningStandardizer {
 public:
  explicit RunningStandardizer(Index features = 0)
      : mean_{Vector<double>::Zero(features)}, squares_{Vector<double>::Zero(features)} {}

  /// Takes one more sample into account (Welford 1962): accurate for any offset, in one pass. Throws ShapeError for
  /// other features than those observed, DataError for a number that is not finite; both change nothing.
  template <class Sample>
  void observe(const Eigen::MatrixBase<Sample>& sample) {
    require_features(sample.rows());
    const Eigen::Ref<const Vector<typename Sample::Scalar>> values{sample};  // no copy of what is stored in one piece
    require_finite(values);
    const auto seen = static_cast<double>(count_++);
    const double known = seen >= 3 ? seen : 0;  // 0: no value is far
    for (Index i = 0; i < mean_.size(); ++i) {
      double value = std::min(std::max(static_cast<double>(values(i)), -largest_value), largest_value);
      double before = value - mean_(i);
      if (before * before * known > squares_(i) * (far * far) && squares_(i) > 0) {
        before = std::copysign(far * std::sqrt(squares_(i) / seen), before);
        value = mean_(i) + before;
      }
      mean_(i) += before / (seen + 1);
      squares_(i) += before * (value - mean_(i));
    }
  }

  /// Standardizes x, features x samples, in place; what would overflow becomes the largest number of its sign. Throws
  /// ShapeError for other features than those observed.
  void apply(Eigen::Ref<Matrix<Scalar>, 0, Eigen::OuterStride<>> x) const {
    require_features(x.rows());
    const Vector<double> by = deviation();
    const Vector<double> scale = by.cwiseInverse();
    const Vector<double> moderate = mean_.binaryExpr(by, &detail::moderate_size<Scalar>);
    for (Index t = 0; t < x.cols(); ++t) {
      for (Index i = 0; i < x.rows(); ++i) {
        x(i, t) = detail::standardized(x(i, t), mean_(i), by(i), moderate(i),
                                       [&](double difference) { return difference * scale(i); });
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
  static constexpr double far = 1000;             // deviations
  static constexpr double largest_value = 1e145;  // the squares of as many differences as a stream has have a sum

  template <class Values>
  static void require_finite(const Values& values) {
    if (detail::all_finite(values.data(), values.size())) return;
    Index i = 0;
    while (detail::is_finite(values(i))) ++i;
    throw DataError("RunningStandardizer: observe: feature " + detail::text(i) + " is not finite");
  }

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
