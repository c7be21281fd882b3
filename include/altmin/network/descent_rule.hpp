#pragma once

#include <cmath>
#include <optional>
#include <string>

#include "altmin/kernels/elementwise.hpp"
#include "altmin/network/beside_memory.hpp"
#include "altmin/optimizers/coactivation_memory.hpp"

namespace altmin {

/// The paper's own memory (algorithm 2): the map moves to the minimum of the remembered objective, column by column,
/// see CoactivationMemory. A code above a batch normalization is brought below it, the batch's statistics held fixed.
/// The last block, whose objective is no squared distance, moves by Adam.
struct DescentRule {
  static constexpr const char* name = "DescentRule";

  double forgetting = 0.05;             ///< weight of a new batch in the memories, 0 to 1; 0: nothing is forgotten
  double lambda_weight = 0;             ///< see AmMemDescent
  int sweeps = 1;                       ///< see AmMemDescent
  double sweep_tolerance = 1e-3;        ///< see AmMemDescent
  double output_learning_rate = 0.001;  ///< Adam's, of the last block; 0 or more
  double adam_learning_rate = 0.001;    ///< of what moves by Adam beside the maps; 0 or more

  template <class Scalar>
  class Rule;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(forgetting >= 0 && forgetting <= 1, {algorithm, "forgetting"}, "must be 0 to 1", forgetting);
    detail::require_option(lambda_weight >= 0, {algorithm, "lambda_weight"}, "must be 0 or more", lambda_weight);
    detail::require_option(output_learning_rate >= 0, {algorithm, "output_learning_rate"}, "must be 0 or more",
                           output_learning_rate);
    detail::require_option(sweeps >= 1, {algorithm, "sweeps"}, "must be 1 or more", sweeps);
    detail::require_option(sweep_tolerance >= 0, {algorithm, "sweep_tolerance"}, "must be 0 or more", sweep_tolerance);
    detail::require_option(adam_learning_rate >= 0, {algorithm, "adam_learning_rate"}, "must be 0 or more",
                           adam_learning_rate);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("forgetting", self.forgetting...);
    visit("lambda_weight", self.lambda_weight...);
    visit("sweeps", self.sweeps...);
    visit("sweep_tolerance", self.sweep_tolerance...);
    visit("output_learning_rate", self.output_learning_rate...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

template <class Scalar>
class DescentRule::Rule : public WeightRuleBase<Rule<Scalar>, Scalar> {
 public:
  Rule(const DescentRule& options, const Block<Scalar>& block, bool last)
      : options_{options},
        beside_{block, last ? -1 : LoweredMap<Scalar>::find(block),
                last ? options.output_learning_rate : options.adam_learning_rate} {}

  bool requires_codes() const override { return true; }

  /// Solves on copies of the memory and the matrix.
  void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    Gradients<Scalar>::derive(worker, step, beside_.map());
    if (beside_.map() < 0) return;
    auto& layer = step.block[beside_.map()];
    const LoweredMap<Scalar> map{layer};
    if (map.frozen()) return;
    const Point<Scalar> at = step.block.point(step.signal.at, beside_.map());
    // What the map's output lacks for the block to produce its code.
    output_residual_.fit(layer.output().size(), at.x.cols());
    const double share = static_cast<double>(step.block.branch());
    output_residual_.view() = static_cast<Scalar>(step.signal.residual_scale / share) * step.signal.residual;
    for (Index k = step.block.top(); k > beside_.map(); --k) {
      step.block[k].invert(worker, step.block.point(step.signal.at, k), output_residual_.view(),
                           output_residual_.view());
    }
    residual_.fit(map.outputs(), at.x.cols() * map.columns());
    layer.lower_output(worker, output_residual_.view(), residual_.view());
    solve(worker, map, at);
  }

  bool sums_over_ranks() const override { return true; }
  void sum_gradients(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    Gradients<Scalar>::sum(worker, step);
  }

  bool stays_finite(const BlockStep<Scalar>& step) const override {
    if (!beside_.rule().stays_finite(step)) return false;
    if (beside_.map() < 0 || LoweredMap<Scalar>{step.block[beside_.map()]}.frozen()) return true;
    return std::isfinite(detail::square_sum<Scalar>(weight_.view())) &&
           std::isfinite(detail::square_sum<Scalar>(next_->inputs())) &&
           std::isfinite(detail::square_sum<Scalar>(next_->targets()));
  }

  void apply(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    beside_.rule().apply(worker, step);
    if (beside_.map() < 0) return;
    const LoweredMap<Scalar> map{step.block[beside_.map()]};
    if (map.frozen()) return;
    const View<Scalar> weight = weight_.view();
    if (!memory_) memory_.emplace(weight.rows(), weight.cols());
    memory_->swap_memory(*next_);
    map.for_each_parameter([&](auto& parameter, Index first, Index columns) {
      if (!parameter.frozen()) parameter.values() = weight.middleCols(first, columns);
    });
  }

  Index bytes() const override {
    return beside_.rule().bytes() + output_residual_.bytes() + residual_.bytes() + inputs_.bytes() + weight_.bytes() +
           codes_.bytes() + (memory_ ? memory_->bytes() : 0) + (next_ ? next_->bytes() : 0);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.beside_...);
    visit("memory", self.memory_...);
  }

  void require_fit(const Block<Scalar>& block) const override {
    beside_.rule().require_fit(block);
    if (beside_.map() < 0 || !memory_) return;
    const LoweredMap<Scalar> map{block[beside_.map()]};
    memory_->require_fit(map.outputs(), map.inputs());
  }

 private:
  void solve(const Worker<Scalar>& worker, const LoweredMap<Scalar>& map, const Point<Scalar>& at) {
    weight_.fit(map.outputs(), map.inputs());
    View<Scalar> weight = weight_.view();
    map.for_each_parameter([&](const auto& parameter, Index first, Index columns) {
      weight.middleCols(first, columns) = parameter.value();
    });
    if (!next_) next_.emplace(weight.rows(), weight.cols());
    if (memory_ && worker.is_first_rank()) {  // what is remembered counts once in the sum over ranks
      next_->forget_from(*memory_, options_.forgetting);
    } else {
      next_->clear();
    }
    map.for_each_part(worker, at, inputs_, [&](Index first, ConstView<Scalar> a) {
      codes_.fit(weight.rows(), a.cols());
      multiply<Scalar>(worker, weight, a, codes_.view());
      codes_.view() += residual_.view().slice(first, a.cols());
      next_->add_part(worker, a, codes_.view(), options_.forgetting);
    });
    next_->sum_over_ranks(worker);
    next_->descend(worker, weight, options_.lambda_weight, options_.sweeps, options_.sweep_tolerance,
                   map.weight_inputs());
  }

  DescentRule options_;
  BesideMemory<Scalar> beside_;
  std::optional<CoactivationMemory<Scalar>> memory_;

  // Working memory.
  std::optional<CoactivationMemory<Scalar>> next_;
  Buffer<Scalar> weight_;
  Buffer<Scalar> output_residual_;  // of the map, features x samples
  Buffer<Scalar> residual_;         // the same, lowered
  Buffer<Scalar> inputs_;
  Buffer<Scalar> codes_;
};

}  // namespace altmin
