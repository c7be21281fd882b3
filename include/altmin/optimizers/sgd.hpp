#pragma once

#include <algorithm>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"
#include "altmin/kernels/product.hpp"
#include "altmin/layers/parameter.hpp"
#include "altmin/optimizers/finite.hpp"

namespace altmin {

/// The options of stochastic gradient descent with momentum. Weight decay is added to the gradient (an L2 penalty).
struct SgdOptions {
  double learning_rate = 0.1;  ///< 0 or more
  double momentum = 0.9;       ///< 0 to below 1
  bool nesterov = false;       ///< Nesterov's look-ahead
  double weight_decay = 0;     ///< an L2 penalty on weights; 0 or more

  /// Throws OptionError, naming the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(learning_rate >= 0, {algorithm, "learning_rate"}, "must be 0 or more", learning_rate);
    detail::require_option(momentum >= 0 && momentum < 1, {algorithm, "momentum"}, "must be 0 to below 1", momentum);
    detail::require_option(weight_decay >= 0, {algorithm, "weight_decay"}, "must be 0 or more", weight_decay);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("momentum", self.momentum...);
    visit("nesterov", self.nesterov...);
    visit("weight_decay", self.weight_decay...);
  }
};

/// The state of one parameter under gradient descent: its velocity (of its shape, from the first step on).
template <class Scalar_>
class SgdMoments {
 public:
  using Scalar = Scalar_;
  using Options = SgdOptions;

  /// Whether update() with the same arguments leaves velocity and weights finite, which they are now. The gradient and
  /// factor * gradient have absolute values up to `bound`, whose square is finite.
  bool stays_finite(const SgdOptions& options, const Parameter<Scalar>& parameter, double rate_scale,
                    ConstView<Scalar> gradient, double factor, double bound) const {
    constexpr double harmless = harmless_move<Scalar>();
    const double rate = rate_scale * options.learning_rate;
    const double decay = parameter.is_weight() ? options.weight_decay : 0;
    const double reach = 2 * std::max(1.0, rate) / (1 - options.momentum);  // of a gradient, in all steps
    // A weight that decays by less than a share of itself grows by its gradients alone.
    const bool proven = provenance_.own() && bound * bound <= harmless &&
                        reach * largest_gradient<Scalar>() <= harmless && reach * decay <= 0.25;
    return proven || every_value_stays_finite(options, parameter, rate, gradient, factor);
  }

  /// One step: u = momentum u + g, w -= rate u; with Nesterov's look-ahead w -= rate (g + momentum u). g is
  /// factor * gradient, and rises by weight_decay w for weights.
  void update(const Worker<Scalar>& worker, const SgdOptions& options, Parameter<Scalar>& parameter, double rate_scale,
              ConstView<Scalar> gradient, double factor = 1) {
    View<Scalar> values = parameter.values();
    if (velocity_.size() == 0) velocity_.setZero(values.rows(), values.cols());
    const auto rate = static_cast<Scalar>(rate_scale * options.learning_rate);
    const auto momentum = static_cast<Scalar>(options.momentum);
    const auto scale = static_cast<Scalar>(factor);
    const auto decay = static_cast<Scalar>(parameter.is_weight() ? options.weight_decay : 0);
    worker.parallel_ranges(values.cols(), values.rows(), [&](Index first, Index columns) {
      for (Index j = first; j < first + columns; ++j) {
        auto u = velocity_.col(j).array();
        auto w = values.col(j).array();
        const auto g = scale * gradient.col(j).array() + decay * w;
        u = momentum * u + g;
        if (options.nesterov) {
          w -= rate * (g + momentum * u);
        } else {
          w -= rate * u;
        }
      }
    });
    if (!provenance_.own()) {
      provenance_.set(largest_absolute<Scalar>(velocity_) <= largest_gradient<Scalar>() / (1 - options.momentum));
    }
  }

  Matrix<Scalar>& velocity() {
    provenance_.revoke();
    return velocity_;
  }
  const Matrix<Scalar>& velocity() const { return velocity_; }

  Index bytes() const { return velocity_.size() * static_cast<Index>(sizeof(Scalar)); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("velocity", self.velocity_...);
    (self.provenance_.revoke(), ...);
  }

 private:
  bool every_value_stays_finite(const SgdOptions& options, const Parameter<Scalar>& parameter, double learning_rate,
                                ConstView<Scalar> gradient, double factor) const {
    const Matrix<Scalar>& values = parameter.value();
    const auto rate = static_cast<Scalar>(learning_rate);
    const auto momentum = static_cast<Scalar>(options.momentum);
    const auto scale = static_cast<Scalar>(factor);
    const auto decay = static_cast<Scalar>(parameter.is_weight() ? options.weight_decay : 0);
    for (Index j = 0; j < values.cols(); ++j) {
      for (Index i = 0; i < values.rows(); ++i) {
        const Scalar g = scale * gradient(i, j) + decay * values(i, j);
        const Scalar u = momentum * (velocity_.size() > 0 ? velocity_(i, j) : Scalar(0)) + g;
        const Scalar w = values(i, j) - rate * (options.nesterov ? g + momentum * u : u);
        if (!detail::is_storable(u) || !detail::is_storable(w)) return false;
      }
    }
    return true;
  }

  Matrix<Scalar> velocity_;
  detail::Provenance provenance_;
};

}  // namespace altmin
