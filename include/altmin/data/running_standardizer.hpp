#pragma once

#include <algorithm>

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

  /// Takes one more sample into account. Throws ShapeError for other features than those observed, DataError for a
  /// number that is not finite; both change nothing.
  template <class Sample>
  void observe(const Eigen::MatrixBase<Sample>& sample) {
    require_features(sample.rows());
    const Eigen::Ref<const Vector<typename Sample::Scalar>> values{sample};  // no copy of what is stored in one piece
    require_finite(values);
    const auto seen = static_cast<double>(count_++);
    for (Index i = 0; i < mean_.size(); i += piece) {
      Moments moments = moments_of(i);
      moments.add(values.data() + i, seen);
      moments.store(&mean_(i), &squares_(i));
    }
  }

  /// Standardizes x, features x samples, in place; what would overflow becomes the largest number of its sign. Throws
  /// ShapeError for other features than those observed.
  void apply(Eigen::Ref<Matrix<Scalar>, 0, Eigen::OuterStride<>> x) const {
    require_features(x.rows());
    for (Index i = 0; i < mean_.size(); i += piece) {
      const Moments moments = moments_of(i);
      const detail::Standardization<Scalar, piece> standardization{
          moments.mean(), moments.deviation(static_cast<double>(count_)), size_of(i)};
      for (Index t = 0; t < x.cols(); ++t) standardization.apply(&x(i, t), &x(i, t));
    }
  }

  /// Samples seen.
  Index count() const { return count_; }
  const Vector<double>& mean() const { return mean_; }
  Vector<double> deviation() const {
    Vector<double> result(mean_.size());
    for (Index i = 0; i < mean_.size(); i += piece) {
      result.segment(i, size_of(i)) = moments_of(i).deviation(static_cast<double>(count_)).head(size_of(i));
    }
    return result;
  }

 private:
  static constexpr int piece = 32;  // features
  using Moments = detail::RunningMoments<piece>;

  Index size_of(Index i) const { return std::min<Index>(piece, mean_.size() - i); }
  Moments moments_of(Index i) const { return {&mean_(i), &squares_(i), size_of(i)}; }

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
