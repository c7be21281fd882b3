#pragma once

#include <cmath>

#include "altmin/losses/target.hpp"

namespace altmin {

/// -log softmax(prediction)[label]; the prediction holds one score (logit) a class. Labels are 0 .. classes - 1.
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "SoftmaxCrossEntropy";

  /// Throws ShapeError or DataError if the target does not fit `outputs` scores a sample.
  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    detail::require_two_outputs(name, outputs);
    detail::require_labels(name, outputs, target);
  }

  /// The SUM of the losses of all samples; writes each sample's own derivative softmax(prediction) - onehot(label) into
  /// `gradient` (classes x samples). Exponents are taken relative to the largest score, so nothing overflows.
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    double sum = detail::zero_if_finite(prediction);
    for (Index t = 0; t < prediction.cols(); ++t) {
      const auto scores = prediction.col(t).array();
      const Scalar largest = scores.maxCoeff();
      gradient.col(t).array() = scores - largest;
      sum += static_cast<double>(largest) - static_cast<double>(scores(target.label(t)));
    }
    exponentiate(gradient);
    for (Index t = 0; t < prediction.cols(); ++t) {
      auto slope = gradient.col(t);
      const Scalar total = slope.sum();
      slope /= total;
      slope(target.label(t)) -= Scalar(1);
      sum += std::log(static_cast<double>(total));
    }
    return sum;
  }

  /// diag(p) - p p', p = softmax(prediction).
  template <class Scalar>
  void curvature(ConstView<Scalar> prediction, Matrix<double>& hessian) const {
    const double largest = static_cast<double>(prediction.maxCoeff());
    hessian.col(0) = (prediction.col(0).template cast<double>().array() - largest).exp().matrix();
    hessian.col(0) /= hessian.col(0).sum();
    for (Index j = hessian.cols() - 1; j >= 0; --j) {  // the first column is p until its own turn
      const double p = hessian(j, 0);
      hessian.col(j) = -p * hessian.col(0);
      hessian(j, j) += p;
    }
  }

 private:
  template <class Scalar>
  static void exponentiate(View<Scalar> values) {
    if (values.outerStride() == values.rows()) {  // few classes make up no packets, all columns in a row do
      Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>> all{values.data(), values.size()};
      all = all.exp();
    } else {
      values.array() = values.array().exp();
    }
  }
};

}  // namespace altmin
