#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/core/fields.hpp"
#include "altmin/network/gradients.hpp"
#include "altmin/optimizers/adam.hpp"
#include "altmin/optimizers/sgd.hpp"

namespace altmin {

/// Moves each parameter of a block by its gradient. `Moments` is the state of one parameter, such as AdamMoments:
///
///   using Scalar, Options;
///   update(worker, options, parameter, rate_scale, gradient, factor)
///     moves it; the gradient is factor times `gradient`
///   stays_finite(options, parameter, rate_scale, gradient, factor, bound) const
///     whether that would leave all finite; gradients have absolute values up to `bound`, whose square is finite
///   fields(), bytes()
///     its matrices have the parameter's shape, or none yet
///
/// examples/extensions/lion.hpp shows a whole one.
template <class Moments>
class GradientRule : public WeightRuleBase<GradientRule<Moments>, typename Moments::Scalar> {
 public:
  using Scalar = typename Moments::Scalar;
  using Options = typename Moments::Options;

  GradientRule(const Options& options, const Block<Scalar>& block, bool = false) : options_{options} {
    block.for_each_parameter([&](const auto&, Index, Index) { moments_.emplace_back(); });
  }

  void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    Gradients<Scalar>::derive(worker, step);
  }

  bool weighs_samples() const override { return true; }
  bool sums_over_ranks() const override { return true; }
  void sum_gradients(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    Gradients<Scalar>::sum(worker, step);
  }

  bool clips() const override { return true; }
  void clip(const BlockStep<Scalar>& step, double limit) override {
    Gradients<Scalar>::clip(step.memory.gradients.view(), step.signal.scale, limit);
  }

  bool stays_finite(const BlockStep<Scalar>& step) const override {
    bool finite = true;
    for_each_moving(step, [&](auto& parameter, std::size_t i) {
      const double bound = std::max(1.0, std::abs(step.signal.scale)) * step.memory.gradient_bounds[i];
      finite = finite && bound <= largest_gradient<Scalar>() &&
               moments_[i].stays_finite(options_, parameter, step.rate_scale, step.memory.gradient_views[i],
                                        -step.signal.scale, bound);
    });
    return finite;
  }

  void apply(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    for_each_moving(step, [&](auto& parameter, std::size_t i) {
      moments_[i].update(worker, options_, parameter, step.rate_scale, step.memory.gradient_views[i],
                         -step.signal.scale);
    });
  }

  const std::vector<Moments>& moments() const { return moments_; }

  Index bytes() const override {
    Index sum = 0;
    for (const auto& moments : moments_) sum += moments.bytes();
    return sum;
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("moments", self.moments_...);
  }

  void require_fit(const Block<Scalar>& block) const override {
    block.for_each_parameter([&](const auto& parameter, Index, Index i) {
      const Matrix<Scalar>& value = parameter.value();
      detail::require_shapes(moments_[static_cast<std::size_t>(i)], value.rows(), value.cols());
    });
  }

 private:
  /// Calls use(parameter, its number) for all that are not frozen and have a gradient.
  template <class Use>
  static void for_each_moving(const BlockStep<Scalar>& step, Use&& use) {
    step.block.for_each_parameter([&](auto& parameter, Index, Index i) {
      if (!parameter.frozen() && step.memory.gradient_views[std::size_t(i)].size() > 0) use(parameter, std::size_t(i));
    });
  }

  Options options_;
  std::vector<Moments> moments_;
};

/// Adam as a weight rule.
struct AdamRule : AdamOptions {
  static constexpr const char* name = "AdamRule";
  template <class Scalar>
  using Rule = GradientRule<AdamMoments<Scalar>>;
};

/// Gradient descent with momentum as a weight rule.
struct SgdRule : SgdOptions {
  static constexpr const char* name = "SgdRule";
  template <class Scalar>
  using Rule = GradientRule<SgdMoments<Scalar>>;
};

}  // namespace altmin
