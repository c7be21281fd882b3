#pragma once

#include "altmin/losses/target.hpp"

namespace altmin {

/// Regression: the squared error of a sample, averaged over its outputs. Targets are a matrix, outputs x samples.
struct MeanSquaredError {
  static constexpr const char* name = "MeanSquaredError";

  /// Throws ShapeError or DataError if the target does not fit `outputs` values a sample.
  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    detail::require_values(name, outputs, target);
  }

  /// The SUM of the losses of all samples; writes each sample's derivative 2 (prediction - target) / outputs.
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    const auto outputs = static_cast<Scalar>(prediction.rows());
    double sum = 0;
    for (Index t = 0; t < prediction.cols(); ++t) {
      auto slope = gradient.col(t);
      slope = prediction.col(t) - target.values().col(t);
      slope *= Scalar(2) / outputs;
      // From the derivative, so that the sum is not finite where that is not.
      sum += slope.template cast<double>().squaredNorm() * (static_cast<double>(outputs) / 4);
    }
    return sum;
  }

  template <class Scalar>
  void curvature(ConstView<Scalar> prediction, Matrix<double>& hessian) const {
    hessian.setIdentity();
    hessian *= 2 / static_cast<double>(prediction.rows());
  }
};

}  // namespace altmin
