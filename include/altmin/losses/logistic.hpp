#pragma once

#include <cmath>
#include <string>

#include "altmin/losses/target.hpp"

namespace altmin {

namespace detail {

/// One output that separates label 0 from label 1, as the loss called `name` needs it.
template <class Scalar>
void require_binary(const char* name, Index outputs, const Target<Scalar>& target) {
  if (outputs != 1) throw ShapeError(std::string(name) + ": expected a network of 1 output, got " + text(outputs));
  require_labels(name, 2, target);
}

}  // namespace detail

/// Two classes, one output: log(1 + exp(-s z)) with z the output and s = +1 for label 1, -1 for label 0. sigmoid(z) is
/// the probability of label 1.
struct Logistic {
  static constexpr const char* name = "Logistic";

  /// Throws ShapeError or DataError unless there is one output and every label is 0 or 1.
  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    detail::require_binary(name, outputs, target);
  }

  /// The SUM of the losses of all samples; writes each sample's derivative sigmoid(z) - label. Stable for any z.
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    double sum = 0;
    for (Index t = 0; t < prediction.cols(); ++t) {
      const double sign = target.label(t) == 1 ? 1 : -1;
      const double margin = sign * static_cast<double>(prediction(0, t));
      const double tail = std::exp(-std::abs(margin));                    // never overflows
      sum += std::log1p(tail) + (margin < 0 ? -margin : 0) + 0 * margin;  // not finite where z is not
      gradient(0, t) = static_cast<Scalar>(-sign * (margin < 0 ? 1 : tail) / (1 + tail));
    }
    return sum;
  }

  /// s (1 - s), s = sigmoid(z).
  template <class Scalar>
  void curvature(ConstView<Scalar> prediction, Matrix<double>& hessian) const {
    const double tail = std::exp(-std::abs(static_cast<double>(prediction(0, 0))));
    hessian(0, 0) = tail / ((1 + tail) * (1 + tail));
  }
};

}  // namespace altmin
