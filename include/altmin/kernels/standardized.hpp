#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"

namespace altmin::detail {

/// The largest difference |x - mean| whose quotient by the deviation does not overflow as a Scalar. It is some
/// roundings less than that, for those of the quotient.
template <class Scalar>
double largest_difference(double deviation) {
  constexpr double most = std::numeric_limits<double>::max();
  constexpr double largest = static_cast<double>(std::numeric_limits<Scalar>::max());
  return largest * (1 - 0x1p-50) * std::min(deviation, most / largest);
}

/// The size of x up to which (x - mean) / deviation is computed as it stands: neither the difference nor the quotient
/// overflows. It may be negative.
template <class Scalar>
double moderate_size(double mean, double deviation) {
  return std::min(largest_difference<Scalar>(deviation), std::numeric_limits<double>::max() / 4) - std::abs(mean);
}

/// (x - mean) / deviation of any finite x, the largest number of its sign where that overflows; another x stays as it
/// is, for the network to refuse. No floating-point exception is raised.
template <class Scalar>
EIGEN_DONT_INLINE Scalar saturated(Scalar x, double mean, double deviation) {
  if (!is_finite(x)) return x;
  const double most = largest_difference<Scalar>(deviation) / 4;
  const double quarter = static_cast<double>(x) / 4 - mean / 4;  // a difference of two doubles may overflow
  return static_cast<Scalar>(std::clamp(quarter, -most, most) / deviation * 4);
}

/// The same, by `quotient` of the difference where |x| <= `moderate`, see moderate_size().
template <class Scalar, class Quotient>
Scalar standardized(Scalar x, double mean, double deviation, double moderate, Quotient&& quotient) {
  const auto value = static_cast<double>(x);
  const bool is_moderate = std::islessequal(std::abs(value), moderate);
  // A compiler may compute the quotient in any case: by no difference that overflows it.
  const double difference = (is_moderate ? value : mean) - mean;
  return is_moderate ? static_cast<Scalar>(quotient(difference)) : saturated(x, mean, deviation);
}

/// Numbers of `count` features as double; the others of `n` are 0.
template <int n, class Scalar>
Eigen::Array<double, n, 1> load_piece(const Scalar* values, Index count) {
  if (count == n) return Eigen::Map<const Eigen::Array<Scalar, n, 1>>{values}.template cast<double>();
  Eigen::Array<double, n, 1> piece = Eigen::Array<double, n, 1>::Zero();
  for (Index i = 0; i < count; ++i) piece[i] = static_cast<double>(values[i]);
  return piece;
}

/// (x - mean) / deviation of `n` features (or fewer), what would overflow as the largest number of its sign.
template <class Scalar, int n>
class Standardization {
 public:
  using Array = Eigen::Array<double, n, 1>;

  Standardization(const Array& mean, const Array& deviation, Index count)
      : mean_{mean}, deviation_{deviation}, scale_{deviation.inverse()}, count_{count} {
    for (Index i = 0; i < n; ++i) moderate_[i] = moderate_size<Scalar>(mean[i], deviation[i]);
  }

  /// y may be x.
  void apply(const Scalar* x, Scalar* y) const {
    const Array value = load_piece<n>(x, count_);
    if (count_ == n && (value.abs() <= moderate_).all()) {
      Eigen::Map<Eigen::Array<Scalar, n, 1>>{y} = ((value - mean_) * scale_).template cast<Scalar>();
      return;
    }
    for (Index i = 0; i < count_; ++i) {
      y[i] = standardized(x[i], mean_[i], deviation_[i], moderate_[i],
                          [&](double difference) { return difference * scale_[i]; });
    }
  }

  const Array& scale() const { return scale_; }

 private:
  Array mean_;
  Array deviation_;
  Array scale_;
  Array moderate_;
  Index count_;
};

}  // namespace altmin::detail
