#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/kernels/standardized.hpp"

namespace altmin {

/// Shifts and scales features, x -> (x - mean) / deviation: fitted on the training set, applied to every set.
/// Computes in double whatever Scalar is.
template <class Scalar>
class Standardizer {
 public:
  /// Changes nothing: mean 0, deviation 1.
  Standardizer() = default;

  /// The mean and the (population) deviation of every feature of x, features x samples. A feature that never changes
  /// gets deviation 1. Throws DataError without samples, or for a number that is not finite.
  static Standardizer fit(const ConstRef<Scalar>& x) {
    require_samples(x);
    // Sums of differences to the first sample, then to the mean: accurate for any offset, exact for constant features.
    Vector<double> unit = Vector<double>::Ones(x.rows());
    if constexpr (!std::is_same_v<Scalar, float>) {
      Vector<Scalar> largest = Vector<Scalar>::Zero(x.rows());
      for (Index i = 0; i < x.cols(); ++i) largest = largest.cwiseMax(x.col(i).cwiseAbs());
      unit = largest.template cast<double>().unaryExpr(&unit_of);
    }
    const auto column = [&](Index i) { return x.col(i).template cast<double>().cwiseProduct(unit); };
    const Vector<double> first = column(0);
    Vector<double> shift = Vector<double>::Zero(x.rows());
    for (Index i = 0; i < x.cols(); ++i) shift += column(i) - first;
    shift /= double(x.cols());
    Vector<double> squares = Vector<double>::Zero(x.rows());
    for (Index i = 0; i < x.cols(); ++i) squares += (column(i) - first - shift).cwiseAbs2();
    return Standardizer{(first + shift).cwiseQuotient(unit),
                        (squares / double(x.cols())).cwiseSqrt().cwiseQuotient(unit), x.rows()};
  }

  /// One mean and one deviation of all numbers in x together, for features that are alike (the pixels of images).
  /// It suits any number of features. Throws DataError without samples, or for a number that is not finite.
  static Standardizer fit_shared(const ConstRef<Scalar>& x) {
    require_samples(x);
    const double unit = unit_of(static_cast<double>(x.cwiseAbs().maxCoeff()));
    const auto column = [&](Index i) { return x.col(i).template cast<double>().array() * unit; };
    const double first = static_cast<double>(x(0, 0)) * unit;
    const double count = double(x.rows()) * double(x.cols());
    double shift = 0;
    for (Index i = 0; i < x.cols(); ++i) shift += (column(i) - first).sum();
    shift /= count;
    double squares = 0;
    for (Index i = 0; i < x.cols(); ++i) squares += (column(i) - first - shift).square().sum();
    return Standardizer{Vector<double>::Constant(1, (first + shift) / unit),
                        Vector<double>::Constant(1, std::sqrt(squares / count) / unit), 0};
  }

  /// One known mean and deviation for every feature, such as MNIST's 0.1307 and 0.3081. Throws OptionError unless both
  /// are finite and the deviation is above 0.
  static Standardizer constant(double mean, double deviation) {
    detail::require_option(std::isfinite(mean), "Standardizer: mean", "must be finite", mean);
    detail::require_option(std::isfinite(deviation) && deviation > 0, "Standardizer: deviation",
                           "must be finite and above 0", deviation);
    return Standardizer{Vector<double>::Constant(1, mean), Vector<double>::Constant(1, deviation), 0};
  }

  /// A known mean and deviation for each channel of images, such as CIFAR-10's three. Throws OptionError as constant()
  /// does, or unless there are as many of both.
  static Standardizer channels(const std::vector<double>& means, const std::vector<double>& deviations) {
    detail::require_option(!means.empty() && means.size() == deviations.size(), "Standardizer: deviations",
                           "must be as many as means, and at least one", double(deviations.size()));
    const auto count = static_cast<Index>(means.size());
    Vector<double> mean(count);
    Vector<double> deviation(count);
    for (Index i = 0; i < count; ++i) {
      const auto channel = static_cast<std::size_t>(i);
      const Standardizer one = constant(means[channel], deviations[channel]);
      mean[i] = one.mean_[0];
      deviation[i] = one.deviation_[0];
    }
    return Standardizer{mean, deviation, 0};
  }

  /// Standardizes x, features x samples, in place; what would overflow becomes the largest number of its sign. Throws
  /// ShapeError for other features than those fitted, or that do not make up as many channels.
  void apply(Eigen::Ref<Matrix<Scalar>, 0, Eigen::OuterStride<>> x) const {
    const Index channels = mean_.size();
    if (features_ > 0 ? x.rows() != features_ : x.rows() % channels != 0) {
      throw ShapeError("Standardizer: expected " + std::string(features_ > 0 ? "" : "a multiple of ") +
                       detail::text(channels) + " features, got " + detail::text(x.rows()));
    }
    const Index plane = x.rows() / channels;
    const Vector<double> moderate = mean_.binaryExpr(deviation_, &detail::moderate_size<Scalar>);
    for (Index t = 0; t < x.cols(); ++t) {
      Scalar* at = &x.coeffRef(0, t);
      for (Index i = 0; i < channels; ++i) {
        for (Scalar* const end = at + plane; at != end; ++at) {
          *at = detail::standardized(*at, mean_[i], deviation_[i], moderate[i],
                                     [&](double difference) { return difference / deviation_[i]; });
        }
      }
    }
  }

  void apply(Dataset<Scalar>& data) const { apply(data.mutable_x()); }

  void apply(TrainTest<Scalar>& data) const {
    apply(data.train);
    apply(data.test);
  }

  /// One number per feature or channel, or a single one for all.
  const Vector<double>& mean() const { return mean_; }
  const Vector<double>& deviation() const { return deviation_; }

 private:
  Standardizer(Vector<double> mean, Vector<double> deviation, Index features)
      : mean_{std::move(mean)}, deviation_{std::move(deviation)}, features_{features} {
    deviation_ = (deviation_.array() == 0).select(1.0, deviation_);
  }

  static void require_samples(const ConstRef<Scalar>& x) {
    if (x.size() == 0) {
      throw DataError("Standardizer: expected at least one sample to fit, got " +
                      detail::shape_text(x.rows(), x.cols()));
    }
    for (Index t = 0; t < x.cols(); ++t) {
      if (detail::all_finite(x.col(t).data(), x.rows())) continue;
      Index i = 0;
      while (detail::is_finite(x(i, t))) ++i;
      throw DataError("Standardizer: feature " + detail::text(i) + " of sample " + detail::text(t) + " is not finite");
    }
  }

  /// A power of two by which numbers up to this size are multiplied, so that the squares of their differences have a
  /// finite sum.
  static double unit_of(double largest) { return largest > 0x1p500 ? 0x1p-600 : 1.0; }

  Vector<double> mean_ = Vector<double>::Zero(1);
  Vector<double> deviation_ = Vector<double>::Ones(1);
  Index features_ = 0;  // 0: any number that the channels divide
};

}  // namespace altmin
