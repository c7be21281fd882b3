#pragma once

#include <cmath>
#include <optional>
#include <string>

#include "altmin/kernels/elementwise.hpp"
#include "altmin/network/beside_memory.hpp"
#include "altmin/optimizers/preconditioned_step.hpp"

namespace altmin {

/// The memory of co-activations as a preconditioner, with full inverse roots: W moves with momentum along
/// S^(-1/2) R (A^(-1/2) a)', see PreconditionedStep.
struct FullMemoryRule {
  static constexpr const char* name = "FullMemoryRule";

  double learning_rate = 0.01;        ///< 0 or more
  double forgetting = 0.05;           ///< weight of a new batch in the memories; above 0, to 1
  double momentum = 0.9;              ///< 0 to below 1
  double damping = 0.03;              ///< see AmMemFull
  int memory_interval = 5;            ///< see AmMemFull
  int root_interval = 200;            ///< see AmMemFull
  double weight_decay = 0;            ///< decoupled; 0 or more
  double adam_learning_rate = 0.001;  ///< of what moves by Adam beside the maps; 0 or more

  template <class Scalar>
  class Rule;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(forgetting > 0 && forgetting <= 1, {algorithm, "forgetting"}, "must be above 0, to 1",
                           forgetting);
    detail::require_option(learning_rate >= 0, {algorithm, "learning_rate"}, "must be 0 or more", learning_rate);
    detail::require_option(momentum >= 0 && momentum < 1, {algorithm, "momentum"}, "must be 0 to below 1", momentum);
    detail::require_option(damping > 0, {algorithm, "damping"}, "must be above 0", damping);
    detail::require_option(memory_interval >= 1, {algorithm, "memory_interval"}, "must be 1 or more", memory_interval);
    detail::require_option(root_interval >= 1, {algorithm, "root_interval"}, "must be 1 or more", root_interval);
    detail::require_option(weight_decay >= 0, {algorithm, "weight_decay"}, "must be 0 or more", weight_decay);
    detail::require_option(adam_learning_rate >= 0, {algorithm, "adam_learning_rate"}, "must be 0 or more",
                           adam_learning_rate);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("forgetting", self.forgetting...);
    visit("momentum", self.momentum...);
    visit("damping", self.damping...);
    visit("memory_interval", self.memory_interval...);
    visit("root_interval", self.root_interval...);
    visit("weight_decay", self.weight_decay...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

template <class Scalar>
class FullMemoryRule::Rule : public WeightRuleBase<Rule<Scalar>, Scalar> {
 public:
  Rule(const FullMemoryRule& options, const Block<Scalar>& block, bool)
      : options_{options}, beside_{block, LoweredMap<Scalar>::find(block), options.adam_learning_rate} {}

  void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    Gradients<Scalar>::derive(worker, step, beside_.map(), [&](const Point<Scalar>& at, ConstView<Scalar> residual) {
      // Per sample, at the scale of the batch's mean: the roots take the rest of it out.
      output_residual_.fit(residual.rows(), residual.cols());
      const auto samples = static_cast<double>(worker.all_samples(at.x.cols()));
      output_residual_.view() = static_cast<Scalar>(step.signal.scale * samples) * residual;
      residual_square_ = detail::square_sum<Scalar>(output_residual_.view());
      input_square_ = LoweredMap<Scalar>{step.block[beside_.map()]}.square_sum(at.x);
    });
  }

  bool sums_over_ranks() const override { return true; }
  void sum_gradients(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    Gradients<Scalar>::sum(worker, step);
    if (beside_.map() < 0) return;
    double squares[] = {residual_square_, input_square_};
    worker.sum(squares, 2);
    residual_square_ = squares[0];
    input_square_ = squares[1];
  }

  bool stays_finite(const BlockStep<Scalar>& step) const override {
    if (!beside_.rule().stays_finite(step)) return false;
    if (beside_.map() < 0) return true;
    if (LoweredMap<Scalar>{step.block[beside_.map()]}.frozen()) return true;
    const double rate = step.rate_scale * options_.learning_rate;
    if (rate * options_.weight_decay > 2) return false;
    if (precondition_) return precondition_->stays_finite(rates(), rate, residual_square_, input_square_);
    return PreconditionedStep<Scalar>{}.stays_finite(rates(), rate, residual_square_, input_square_);
  }

  void apply(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    beside_.rule().apply(worker, step);
    if (beside_.map() < 0) return;
    const LoweredMap<Scalar> map{step.block[beside_.map()]};
    if (map.frozen()) return;
    const Point<Scalar> at = step.block.point(step.signal.at, beside_.map());
    residual_.fit(map.outputs(), at.x.cols() * map.columns());
    step.block[beside_.map()].lower_output(worker, output_residual_.view(), residual_.view());
    if (!precondition_) precondition_.emplace(map.outputs(), map.inputs());
    const double correction = precondition_->correction(rates());
    precondition_->advance(
        worker, rates(), residual_.view(), input_square_,
        [&](FunctionRef<void(Index, ConstView<Scalar>)> use) { map.for_each_part(worker, at, inputs_, use); },
        worker.all_samples(at.x.cols()) * map.columns());
    move(worker, map, step.rate_scale * options_.learning_rate, correction);
  }

  Index bytes() const override {
    return beside_.rule().bytes() + output_residual_.bytes() + residual_.bytes() + inputs_.bytes() +
           (precondition_ ? precondition_->bytes() : 0);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.beside_...);
    visit("step", self.precondition_...);
  }

  void require_fit(const Block<Scalar>& block) const override {
    beside_.rule().require_fit(block);
    if (beside_.map() < 0 || !precondition_) return;
    const LoweredMap<Scalar> map{block[beside_.map()]};
    precondition_->require_fit(map.outputs(), map.inputs());
  }

 private:
  PreconditionedRates rates() const {
    return {options_.forgetting, options_.momentum, options_.damping, options_.memory_interval, options_.root_interval};
  }

  void move(const Worker<Scalar>& worker, const LoweredMap<Scalar>& map, double rate, double correction) {
    const auto step = static_cast<Scalar>(rate / correction);
    const auto decayed = static_cast<Scalar>(1 - rate * options_.weight_decay);
    map.for_each_parameter([&](auto& parameter, Index first, Index columns) {
      if (parameter.frozen()) return;
      const Scalar kept = parameter.is_weight() ? decayed : Scalar(1);
      const auto velocity = precondition_->velocity().middleCols(first, columns);
      View<Scalar> values = parameter.values();
      worker.parallel_ranges(columns, values.rows(), [&](Index j, Index count) {
        View<Scalar>{values}.middleCols(j, count) =
            kept * values.middleCols(j, count) + step * velocity.middleCols(j, count);
      });
    });
  }

  FullMemoryRule options_;
  BesideMemory<Scalar> beside_;
  std::optional<PreconditionedStep<Scalar>> precondition_;

  // Working memory.
  Buffer<Scalar> output_residual_;  // of the map, features x samples
  Buffer<Scalar> residual_;         // the same, lowered
  Buffer<Scalar> inputs_;
  double residual_square_ = 0;  // the sums of their squares
  double input_square_ = 0;
};

}  // namespace altmin
