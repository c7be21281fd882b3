#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"
#include "altmin/kernels/product.hpp"
#include "altmin/layers/parameter.hpp"
#include "altmin/optimizers/finite.hpp"

namespace altmin {

/// The options of Adam (Kingma and Ba 2015), with AdamW's decoupled weight decay (Loshchilov and Hutter 2019).
struct AdamOptions {
  double learning_rate = 0.001;  ///< 0 or more (0: nothing moves); source: Kingma and Ba 2015, as of the next three
  double beta1 = 0.9;            ///< decay of the first moment; 0 to below 1
  double beta2 = 0.999;          ///< decay of the second moment; 0 to below 1
  double epsilon = 1e-8;         ///< added to the root of the second moment; above 0
  double weight_decay = 0;       ///< decoupled from the gradient; 0 or more; weights alone decay

  /// Throws OptionError, naming the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(learning_rate >= 0, {algorithm, "learning_rate"}, "must be 0 or more", learning_rate);
    detail::require_option(beta1 >= 0 && beta1 < 1, {algorithm, "beta1"}, "must be 0 to below 1", beta1);
    detail::require_option(beta2 >= 0 && beta2 < 1, {algorithm, "beta2"}, "must be 0 to below 1", beta2);
    detail::require_option(epsilon > 0, {algorithm, "epsilon"}, "must be above 0", epsilon);
    detail::require_option(weight_decay >= 0, {algorithm, "weight_decay"}, "must be 0 or more", weight_decay);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("beta1", self.beta1...);
    visit("beta2", self.beta2...);
    visit("epsilon", self.epsilon...);
    visit("weight_decay", self.weight_decay...);
  }
};

/// Adam's state of one parameter: first and second moments of its gradient (of its shape, from the first step on), and
/// its own count of steps.
template <class Scalar_>
class AdamMoments {
 public:
  using Scalar = Scalar_;
  using Options = AdamOptions;

  /// Whether update() with the same arguments leaves moments and weights finite, which they are now. The gradient and
  /// factor * gradient have absolute values up to `bound`, whose square is finite.
  bool stays_finite(const AdamOptions& options, const Parameter<Scalar>& parameter, double rate_scale,
                    ConstView<Scalar> gradient, double factor, double bound) const {
    constexpr double harmless = harmless_move<Scalar>();
    const Step step{options, parameter, rate_scale, factor, steps_ + 1};
    const auto epsilon = static_cast<double>(step.epsilon);
    const auto largest_move = [&] {
      const double over_root = 1 / static_cast<double>(step.correction) + lost_root(options) / epsilon;
      return static_cast<double>(step.rate) * largest_ratio(options) * over_root;
    };
    const bool proven = provenance_.own() && bound * bound <= harmless &&
                        static_cast<double>(step.fresh1) * bound <= harmless &&
                        static_cast<double>(step.fresh2) * bound * bound <= harmless &&
                        epsilon >= static_cast<double>(std::numeric_limits<Scalar>::min()) &&
                        largest_move() <= harmless && std::abs(step.kept) <= Scalar(1);
    return proven || every_value_stays_finite(step, parameter.value(), gradient);
  }

  /// One step: w -= rate m^ / (sqrt(v^) + epsilon), m^ and v^ the bias-corrected moments of factor * gradient.
  void update(const Worker<Scalar>& worker, const AdamOptions& options, Parameter<Scalar>& parameter, double rate_scale,
              ConstView<Scalar> gradient, double factor = 1) {
    View<Scalar> values = parameter.values();
    if (first_.size() == 0) {
      first_.setZero(values.rows(), values.cols());
      second_.setZero(values.rows(), values.cols());
    }
    const Step step{options, parameter, rate_scale, factor, ++steps_};
    worker.parallel_ranges(values.cols(), values.rows(), [&](Index first, Index columns) {
      for (Index j = first; j < first + columns; ++j) {
        const auto g = gradient.col(j).array();
        auto m = first_.col(j).array();
        auto v = second_.col(j).array();
        auto w = values.col(j).array();
        m = step.first(m, g);
        v = step.second(v, g);
        w = step.weight(w, m, v);
      }
    });
    if (!provenance_.own()) provenance_.set(has_own_ratio(options));
  }

  Matrix<Scalar>& first() {
    provenance_.revoke();
    return first_;
  }
  Matrix<Scalar>& second() {
    provenance_.revoke();
    return second_;
  }
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
    (self.provenance_.revoke(), ...);
  }

 private:
  /// What one step multiplies by, and its formula, for arrays and for single numbers.
  struct Step {
    Step(const AdamOptions& options, const Parameter<Scalar>& parameter, double rate_scale, double factor, Index count)
        : Step{options, parameter.is_weight(), rate_scale * options.learning_rate, factor, static_cast<double>(count)} {
    }
    Step(const AdamOptions& options, bool decays, double learning_rate, double factor, double count)
        : beta1{static_cast<Scalar>(options.beta1)},
          beta2{static_cast<Scalar>(options.beta2)},
          // In float, 1 - beta2 would be off by 5e-5 of itself.
          fresh1{static_cast<Scalar>((1 - options.beta1) * factor)},
          fresh2{static_cast<Scalar>((1 - options.beta2) * factor * factor)},
          rate{static_cast<Scalar>(learning_rate / (1 - std::pow(options.beta1, count)))},
          correction{static_cast<Scalar>(1 / std::sqrt(1 - std::pow(options.beta2, count)))},
          epsilon{static_cast<Scalar>(options.epsilon)},
          kept{static_cast<Scalar>(decays ? 1 - learning_rate * options.weight_decay : 1)} {}

    template <class M, class G>
    auto first(const M& m, const G& g) const {
      return beta1 * m + fresh1 * g;
    }
    template <class V, class G>
    auto second(const V& v, const G& g) const {
      return beta2 * v + fresh2 * (g * g);
    }
    template <class W, class M, class V>
    auto weight(const W& w, const M& m, const V& v) const {
      using std::sqrt;
      return kept * w - rate * m / (correction * sqrt(v) + epsilon);
    }

    Scalar beta1, beta2, fresh1, fresh2, rate, correction, epsilon, kept;
  };

  /// By Cauchy and Schwarz, steps from 0 keep |m| below this times sqrt(v) + lost_root(); and a step keeps it that
  /// was. (Twice that, for rounding.) Infinite, so that values are computed, where beta1^2 is not below beta2.
  static double largest_ratio(const AdamOptions& options) {
    const double tail = options.beta1 > 0 ? 1 - options.beta1 * options.beta1 / options.beta2 : 1;
    if (!(tail > 0)) return std::numeric_limits<double>::infinity();
    return 2 * (1 - options.beta1) / std::sqrt((1 - options.beta2) * tail);
  }
  /// The root of what v has lost by squares below the smallest number.
  static double lost_root(const AdamOptions& options) {
    return std::sqrt(static_cast<double>(std::numeric_limits<Scalar>::min()) / (1 - options.beta2));
  }

  bool has_own_ratio(const AdamOptions& options) const {
    const double ratio = largest_ratio(options);
    if (!(ratio * std::sqrt(largest_finite<Scalar>()) < largest_finite<Scalar>())) return false;
    const auto most = static_cast<Scalar>(ratio);
    const auto lost = static_cast<Scalar>(lost_root(options));
    return (first_.array().abs() <= most * (second_.array().sqrt() + lost)).all();
  }

  bool every_value_stays_finite(const Step& step, const Matrix<Scalar>& values, ConstView<Scalar> gradient) const {
    const bool begun = first_.size() > 0;
    for (Index j = 0; j < values.cols(); ++j) {
      for (Index i = 0; i < values.rows(); ++i) {
        const Scalar g = gradient(i, j);
        const Scalar m = step.first(begun ? first_(i, j) : Scalar(0), g);
        const Scalar v = step.second(begun ? second_(i, j) : Scalar(0), g);
        const Scalar w = step.weight(values(i, j), m, v);
        if (!detail::is_storable(m) || !detail::is_storable(v) || !detail::is_storable(w)) return false;
      }
    }
    return true;
  }

  Matrix<Scalar> first_;
  Matrix<Scalar> second_;
  Index steps_ = 0;
  detail::Provenance provenance_;
};

}  // namespace altmin
