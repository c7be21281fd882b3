#pragma once

#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/product.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// The rates of stochastic gradient descent with momentum. Weight decay is added to the gradient (an L2 penalty).
struct SgdRates {
  /// Throws OptionError, naming the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(learning_rate >= 0, algorithm + ": learning_rate", "must be 0 or more", learning_rate);
    detail::require_option(momentum >= 0 && momentum < 1, algorithm + ": momentum", "must be 0 to below 1", momentum);
    detail::require_option(weight_decay >= 0, algorithm + ": weight_decay", "must be 0 or more", weight_decay);
  }

  double learning_rate;
  double momentum;
  bool nesterov;
  double weight_decay;
};

/// The state of one parameter under gradient descent: its velocity (of its shape, from the first step on).
template <class Scalar>
class SgdMoments {
 public:
  using Rates = SgdRates;

  /// One step: u = momentum u + g, w -= rate u; with Nesterov's look-ahead w -= rate (g + momentum u). g is
  /// factor * gradient, and rises by weight_decay w where `decays`.
  void update(const Lane<Scalar>& lane, const SgdRates& rates, View<Scalar> values, ConstView<Scalar> gradient,
              bool decays, double factor = 1) {
    if (velocity_.size() == 0) velocity_.setZero(values.rows(), values.cols());
    const auto rate = static_cast<Scalar>(rates.learning_rate);
    const auto momentum = static_cast<Scalar>(rates.momentum);
    const auto scale = static_cast<Scalar>(factor);
    const auto decay = static_cast<Scalar>(decays ? rates.weight_decay : 0);
    lane.parallel_ranges(values.cols(), values.rows(), [&](Index first, Index columns) {
      for (Index j = first; j < first + columns; ++j) {
        auto u = velocity_.col(j).array();
        auto w = values.col(j).array();
        const auto g = scale * gradient.col(j).array() + decay * w;
        u = momentum * u + g;
        if (rates.nesterov) {
          w -= rate * (g + momentum * u);
        } else {
          w -= rate * u;
        }
      }
    });
  }

  Matrix<Scalar>& velocity() { return velocity_; }
  const Matrix<Scalar>& velocity() const { return velocity_; }

  Index bytes() const { return velocity_.size() * static_cast<Index>(sizeof(Scalar)); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("velocity", self.velocity_...);
  }

 private:
  Matrix<Scalar> velocity_;
};

}  // namespace altmin
