#pragma once

#include <cmath>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/product.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// The rates of Adam (Kingma and Ba 2015), with AdamW's decoupled weight decay (Loshchilov and Hutter 2019).
struct AdamRates {
  /// Throws OptionError, naming the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(learning_rate >= 0, algorithm + ": learning_rate", "must be 0 or more", learning_rate);
    detail::require_option(beta1 >= 0 && beta1 < 1, algorithm + ": beta1", "must be 0 to below 1", beta1);
    detail::require_option(beta2 >= 0 && beta2 < 1, algorithm + ": beta2", "must be 0 to below 1", beta2);
    detail::require_option(epsilon > 0, algorithm + ": epsilon", "must be above 0", epsilon);
    detail::require_option(weight_decay >= 0, algorithm + ": weight_decay", "must be 0 or more", weight_decay);
  }

  double learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;
};

/// Adam's state of one parameter: first and second moments of its gradient (of its shape, from the first step on), and
/// its own count of steps.
template <class Scalar>
class AdamMoments {
 public:
  using Rates = AdamRates;

  /// One step: w -= rate m^ / (sqrt(v^) + epsilon), m^ and v^ the bias-corrected moments of factor * gradient.
  /// `decays`: whether weight decay acts on this parameter.
  void update(const Lane<Scalar>& lane, const AdamRates& rates, View<Scalar> values, ConstView<Scalar> gradient,
              bool decays, double factor = 1) {
    ++steps_;
    if (first_.size() == 0) {
      first_.setZero(values.rows(), values.cols());
      second_.setZero(values.rows(), values.cols());
    }
    const auto beta1 = static_cast<Scalar>(rates.beta1);
    const auto beta2 = static_cast<Scalar>(rates.beta2);
    // In float, 1 - beta2 would be off by 5e-5 of itself.
    const auto fresh1 = static_cast<Scalar>((1 - rates.beta1) * factor);
    const auto fresh2 = static_cast<Scalar>((1 - rates.beta2) * factor * factor);
    const auto count = static_cast<double>(steps_);
    const auto step = static_cast<Scalar>(rates.learning_rate / (1 - std::pow(rates.beta1, count)));
    const auto correction = static_cast<Scalar>(1 / std::sqrt(1 - std::pow(rates.beta2, count)));
    const auto epsilon = static_cast<Scalar>(rates.epsilon);
    const auto kept = static_cast<Scalar>(decays ? 1 - rates.learning_rate * rates.weight_decay : 1);
    lane.parallel_ranges(values.cols(), values.rows(), [&](Index first, Index columns) {
      for (Index j = first; j < first + columns; ++j) {
        const auto g = gradient.col(j).array();
        auto m = first_.col(j).array();
        auto v = second_.col(j).array();
        auto w = values.col(j).array();
        m = beta1 * m + fresh1 * g;
        v = beta2 * v + fresh2 * g.square();
        w = kept * w - step * m / (correction * v.sqrt() + epsilon);
      }
    });
  }

  Matrix<Scalar>& first() { return first_; }
  Matrix<Scalar>& second() { return second_; }
  const Matrix<Scalar>& first() const { return first_; }
  const Matrix<Scalar>& second() const { return second_; }
  Index steps() const { return steps_; }
  void set_steps(Index steps) { steps_ = steps; }

  Index bytes() const { return 2 * first_.size() * static_cast<Index>(sizeof(Scalar)); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("first", self.first_...);
    visit("second", self.second_...);
    visit("steps", self.steps_...);
  }

 private:
  Matrix<Scalar> first_;
  Matrix<Scalar> second_;
  Index steps_ = 0;
};

}  // namespace altmin
