#pragma once

#include <algorithm>
#include <string>

#include "altmin/losses/target.hpp"

namespace altmin {

/// The multi-class margin of Crammer and Singer (2001): max(0, 1 + largest other score - score of the label).
/// Labels are 0 .. classes - 1, with at least two classes.
struct Hinge {
  static constexpr const char* name = "Hinge";

  /// Throws ShapeError or DataError if the target does not fit `outputs` scores a sample.
  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    detail::require_two_outputs(name, outputs);
    detail::require_labels(name, outputs, target);
  }

  /// The SUM of the losses of all samples; writes each sample's subgradient (0 where the margin is kept): +1 at the
  /// first of the largest other scores, -1 at the label.
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    double sum = detail::zero_if_finite(prediction);
    gradient.setZero();
    for (Index t = 0; t < prediction.cols(); ++t) {
      const Index label = target.label(t);
      Index rival = label == 0 ? 1 : 0;
      for (Index k = rival + 1; k < prediction.rows(); ++k) {
        if (k != label && prediction(k, t) > prediction(rival, t)) rival = k;
      }
      const double violation =
          1 + (static_cast<double>(prediction(rival, t)) - static_cast<double>(prediction(label, t)));
      sum += std::max(violation, 0.0);
      if (violation > 0) {
        gradient(rival, t) = Scalar(1);
        gradient(label, t) = Scalar(-1);
      }
    }
    return sum;
  }
};

}  // namespace altmin
