#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "altmin/network/gradient_rule.hpp"
#include "altmin/network/lowered_map.hpp"

namespace altmin {

/// Adam with centred inputs: each map W a + b moves as if its inputs were a - mu, mu being their running mean,
///
///   g_W = R (a - mu)',   D by Adam from g_W,   W <- W + D,   b <- b + D_b - D mu,
///
/// so that the mean of the inputs moves nothing. The weights' decay is not made up for. It is the control of
/// MemoryRule: the same without the memory's directions. Maps whose bias does not train move by Adam as it is.
struct CentredAdamRule : AdamOptions {
  static constexpr const char* name = "CentredAdamRule";

  double forgetting = 0.01;  ///< least weight of a new batch in mu; above 0, to 1

  template <class Scalar>
  class Rule;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    AdamOptions::validate(algorithm);
    detail::require_option(forgetting > 0 && forgetting <= 1, {algorithm, "forgetting"}, "must be above 0, to 1",
                           forgetting);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    AdamOptions::fields(visit, self...);
    visit("forgetting", self.forgetting...);
  }
};

template <class Scalar>
class CentredAdamRule::Rule : public WeightRuleBase<Rule<Scalar>, Scalar> {
 public:
  Rule(const CentredAdamRule& options, const Block<Scalar>& block, bool)
      : options_{options}, map_{LoweredMap<Scalar>::find(block)}, adam_{options, block} {
    if (map_ >= 0) mean_.setZero(LoweredMap<Scalar>{block[map_]}.weight_inputs(), 1);
  }

  /// mu, inputs x 1; empty where the block has no map that is a matrix product.
  const Matrix<Scalar>& mean() const { return mean_; }

  void observe(const Worker<Scalar>& worker, const Block<Scalar>& block, const BlockPoint<Scalar>& forward,
               ConstView<Scalar>) override {
    if (!centres(block)) return;
    const LoweredMap<Scalar> map{block[map_]};
    const Point<Scalar> at = block.point(forward, map_);
    const double fresh = std::max(options_.forgetting, 1 / static_cast<double>(count_ + 1));
    const Index columns = worker.all_samples(at.x.cols()) * map.columns();
    const auto share = static_cast<Scalar>(fresh / static_cast<double>(columns));
    // What is remembered counts once in the sum over ranks.
    next_mean_ = static_cast<Scalar>(worker.is_first_rank() ? 1 - fresh : 0) * mean_;
    map.for_each_weight_part(worker, at, inputs_, [&](Index, ConstView<Scalar> a) {
      for (Index t = 0; t < a.cols(); ++t) next_mean_.col(0) += share * a.col(t);
    });
    worker.sum(View<Scalar>{next_mean_});
  }

  void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    adam_.derive(worker, step);
    if (!centres(step.block)) return;
    auto& memory = step.memory;
    const Index bias = bias_of(step.block);
    const ConstView<Scalar> g{memory.gradient_views[std::size_t(bias)]};
    const auto size = static_cast<double>(g.norm() * next_mean_.norm()) * (1 + 1e-3);
    for_each_weight(step.block, [&](const auto&, Index i, Index first, Index columns) {
      View<Scalar> gradient = memory.gradient_views[std::size_t(i)];
      for (Index j = 0; j < columns; ++j) gradient.col(j) -= next_mean_(first + j, 0) * g.col(0);
      memory.gradient_bounds[std::size_t(i)] += size;
    });
  }

  bool sums_over_ranks() const override { return true; }
  void sum_gradients(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    adam_.sum_gradients(worker, step);
  }

  bool stays_finite(const BlockStep<Scalar>& step) const override {
    return adam_.stays_finite(step) && next_mean_.allFinite();
  }

  void apply(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    if (!centres(step.block)) return adam_.apply(worker, step);
    const auto kept = static_cast<Scalar>(1 - step.rate_scale * options_.learning_rate * options_.weight_decay);
    shift_.setZero(next_mean_.size() == 0 ? 0 : step.block[map_].parameters()[0].value().rows(), 1);
    add_moved(step.block, kept);
    adam_.apply(worker, step);
    add_moved(step.block, Scalar(-1));
    step.block.for_each_parameter([&](auto& parameter, Index, Index i) {
      if (i != bias_of(step.block)) return;
      shift_ += parameter.value();
      if (shift_.allFinite()) parameter.values() = shift_;  // else W mu overflows: the bias stays where Adam took it
    });
    mean_.swap(next_mean_);
    ++count_;
  }

  Index bytes() const override {
    return adam_.bytes() + inputs_.bytes() +
           (mean_.size() + next_mean_.size() + shift_.size()) * static_cast<Index>(sizeof(Scalar));
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.adam_...);
    visit("mean", self.mean_...);
    visit("count", self.count_...);
  }

  void require_fit(const Block<Scalar>& block) const override {
    adam_.require_fit(block);
    if (map_ >= 0) detail::require_shape(mean_, LoweredMap<Scalar>{block[map_]}.weight_inputs(), 1, "mean");
  }

 private:
  /// The number of the map's bias among the block's parameters; -1: none that trains.
  Index bias_of(const Block<Scalar>& block) const {
    Index bias = -1;
    block.for_each_parameter([&](const auto& parameter, Index k, Index i) {
      if (k == map_ && !parameter.is_weight() && !parameter.frozen()) bias = i;
    });
    return bias;
  }
  bool centres(const Block<Scalar>& block) const { return map_ >= 0 && bias_of(block) >= 0; }

  /// Calls use(parameter, its number, first, columns) for the map's weights that train.
  template <class Use>
  void for_each_weight(const Block<Scalar>& block, Use&& use) const {
    Index first = 0;
    block.for_each_parameter([&](auto& parameter, Index k, Index i) {
      if (k != map_) return;
      const Index columns = parameter.value().cols();
      if (parameter.is_weight() && !parameter.frozen()) use(parameter, i, first, columns);
      first += columns;
    });
  }

  /// shift += factor W mu.
  void add_moved(const Block<Scalar>& block, Scalar factor) {
    for_each_weight(block, [&](const auto& parameter, Index, Index first, Index columns) {
      for (Index j = 0; j < columns; ++j) {
        shift_.col(0) += (factor * next_mean_(first + j, 0)) * parameter.value().col(j);
      }
    });
  }

  CentredAdamRule options_;
  Index map_;  // the number of the layer that is a matrix product; -1: none
  GradientRule<AdamMoments<Scalar>> adam_;
  Matrix<Scalar> mean_;
  Index count_ = 0;

  // Of this step.
  Matrix<Scalar> next_mean_;
  Buffer<Scalar> inputs_;
  Matrix<Scalar> shift_;
};

}  // namespace altmin
