#pragma once

#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"
#include "altmin/kernels/running_moments.hpp"
#include "altmin/kernels/standardized.hpp"

namespace altmin {

/// Standardizes the features of a stream, x -> (x - mean) / deviation, by the mean and the (population) deviation of
/// all samples seen so far. A feature that has not changed yet has deviation 1. Computes in double whatever Scalar is.
///
/// A value far from all others counts as 1000 deviations from the mean, so that it does not hide them for the rest of a
/// stream.
template <class Scalar>
class RunningStandardizer {
 public:
  explicit RunningStandardizer(Index features = 0)
      : mean_{Vector<double>::Zero(features)}, squares_{Vector<double>::Zero(features)} {}

  /// Takes one more sample into account. Throws ShapeError for
  /// other features than those observed, DataError for a number that is not finite; both change nothing.
  template <class Sample>
  void observe(const Eigen::MatrixBase<Sample>& sample) {
    require_features(sample.rows());
    const Eigen::Ref<const Vector<typename Sample::Scalar>> values{sample};  // no copy of what is stored in one piece
    require_finite(values);
    const auto seen = static_cast<double>(count_++);
    for (Index i = 0; i < mean_.size(); ++i) {
      detail::add_to_moments(static_cast<double>(values(i)), seen, mean_(i), squares_(i));
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
    return squares_.unaryExpr(
        [this](double squares) { return detail::deviation_of(static_cast<double>(count_), squares); });
  }

 private:
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
