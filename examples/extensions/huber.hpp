#pragma once

// A loss of your own, complete. own_loss.cpp trains with it.
//
// A loss is one copyable type with the members below. A network takes it like a loss of the library.

#include <algorithm>
#include <altmin/altmin.hpp>
#include <cmath>
#include <string>

/// Regression that is robust to outliers (Huber 1964): half the squared error up to `delta`, and beyond it a straight
/// line; averaged over a sample's outputs. Targets are a matrix, outputs x samples.
struct Huber {
  static constexpr const char* name = "Huber";  // for summaries and files

  double delta = 1;  ///< the error at which the parabola ends; above 0

  // The options, listed once: networks compare by them, and files store them.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("delta", self.delta...);
  }

  // Called before each batch is used: throws where evaluate() could not handle the target. The caller has checked that
  // it has one column a sample, but not whether it is labels or values (see altmin::Target), how many rows it has, and
  // whether they are finite.
  template <class Scalar>
  void check(altmin::Index outputs, const altmin::Target<Scalar>& target) const {
    if (!(delta > 0)) throw altmin::OptionError("Huber: delta must be above 0, got " + std::to_string(delta));
    if (target.has_labels()) throw altmin::ShapeError("Huber: expected a matrix of values, got labels");
    if (target.values().rows() != outputs) {
      throw altmin::ShapeError("Huber: target: expected " + std::to_string(outputs) + " rows, got " +
                               std::to_string(target.values().rows()));
    }
    if (!target.values().allFinite()) throw altmin::DataError("Huber: a target is not finite");
  }

  // Returns the SUM of the losses of these samples, and writes for each sample the derivative of its own loss by its
  // prediction. Called from several threads at once, on parts of a batch. Where a prediction is not finite the sum must
  // not be finite either: then the step moves no weight.
  template <class Scalar>
  double evaluate(altmin::ConstView<Scalar> prediction, const altmin::Target<Scalar>& target,
                  altmin::View<Scalar> gradient) const {
    const auto outputs = static_cast<double>(prediction.rows());
    double sum = 0;
    for (altmin::Index t = 0; t < prediction.cols(); ++t) {
      for (altmin::Index i = 0; i < prediction.rows(); ++i) {
        const double error = static_cast<double>(prediction(i, t)) - static_cast<double>(target.values()(i, t));
        const double size = std::abs(error);
        sum += size <= delta ? error * error / 2 : delta * (size - delta / 2);
        gradient(i, t) = static_cast<Scalar>(std::clamp(error, -delta, delta) / outputs);
      }
    }
    return sum / outputs;
  }
};
