#pragma once

#include <cmath>

#include "altmin/losses/target.hpp"

namespace altmin {

/// -sum_k q_k log softmax(prediction)_k; the prediction holds one score (logit) a class. Labels are 0 .. classes - 1.
/// q is 1 for the label and 0 for other classes or, with label smoothing (Szegedy et al. 2016), the mixture
/// (1 - label_smoothing) onehot(label) + label_smoothing / classes.
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "SoftmaxCrossEntropy";

  double label_smoothing = 0;  ///< 0 to below 1; OptionError at the first step if it is out of range

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("label_smoothing", self.label_smoothing...);
  }

  /// Throws ShapeError or DataError if the target does not fit `outputs` scores a sample.
  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    detail::require_two_outputs(name, outputs);
    detail::require_labels(name, outputs, target);
    detail::require_option(label_smoothing >= 0 && label_smoothing < 1, "SoftmaxCrossEntropy: label_smoothing",
                           "must be 0 to below 1", label_smoothing);
  }

  /// The SUM of the losses of all samples; writes each sample's own derivative softmax(prediction) - q into
  /// `gradient` (classes x samples). Exponents are taken relative to the largest score, so nothing overflows.
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    const auto classes = static_cast<double>(prediction.rows());
    double sum = detail::zero_if_finite(prediction);
    for (Index t = 0; t < prediction.cols(); ++t) {
      const auto scores = prediction.col(t).array();
      const Scalar largest = scores.maxCoeff();
      gradient.col(t).array() = scores - largest;
      const double labelled = static_cast<double>(largest) - static_cast<double>(scores(target.label(t)));
      sum += labelled;
      if (label_smoothing == 0) continue;
      sum -= label_smoothing * (labelled + static_cast<double>(gradient.col(t).mean()));
    }
    exponentiate(gradient);
    for (Index t = 0; t < prediction.cols(); ++t) {
      auto slope = gradient.col(t);
      const Scalar total = slope.sum();
      slope /= total;
      slope(target.label(t)) -= static_cast<Scalar>(1 - label_smoothing);
      if (label_smoothing > 0) slope.array() -= static_cast<Scalar>(label_smoothing / classes);
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
