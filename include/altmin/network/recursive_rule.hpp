#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/kernels/elementwise.hpp"
#include "altmin/network/beside_memory.hpp"
#include "altmin/optimizers/inverse_memory.hpp"

namespace altmin {

/// The memory of co-activations kept as its inverse, by recursion: with a the inputs of a fully connected map (1 for a
/// bias), P the inverse of their memory, this step's inputs included, and R the residuals at its output,
///
///   W <- W + learning_rate R (P a)' + return_rate (W_0 - W),
///
/// W_0 being the weights that training began with (the last term every 32 steps, by as much): the smallest change of W,
/// in the memory's norm, whose output moves by learning_rate a'P a R. Meant for single samples and small batches, and
/// for the signal ExactCodes, whose residuals take that move into account. What else a block learns moves by Adam.
struct RecursiveRule {
  static constexpr const char* name = "RecursiveRule";

  double learning_rate = 300;         ///< 0 or more; source: tuned on MNIST and Fashion-MNIST, where 30 to 3000 do
  double forgetting = 2e-4;           ///< share of the memory lost with each sample; above 0, below 1
  double damping = 2500;              ///< floor of the memory's diagonal, in mean squares of the inputs; above 0
  int block_size = 0;                 ///< inputs a memory: those of different memories count as independent; 0: one
                                      ///< memory for all. Time and bytes grow with it
  double return_rate = 2e-5;          ///< 0 to 1
  double adam_learning_rate = 0.001;  ///< of what moves by Adam beside the maps; 0 or more

  template <class Scalar>
  class Rule;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(learning_rate >= 0, {algorithm, "learning_rate"}, "must be 0 or more", learning_rate);
    detail::require_option(forgetting > 0 && forgetting < 1, {algorithm, "forgetting"}, "must be above 0 and below 1",
                           forgetting);
    detail::require_option(damping > 0, {algorithm, "damping"}, "must be above 0", damping);
    detail::require_option(block_size >= 0, {algorithm, "block_size"}, "must be 0 or more", block_size);
    detail::require_option(return_rate >= 0 && return_rate <= 1, {algorithm, "return_rate"}, "must be 0 to 1",
                           return_rate);
    detail::require_option(adam_learning_rate >= 0, {algorithm, "adam_learning_rate"}, "must be 0 or more",
                           adam_learning_rate);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("forgetting", self.forgetting...);
    visit("damping", self.damping...);
    visit("block_size", self.block_size...);
    visit("return_rate", self.return_rate...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

template <class Scalar>
class RecursiveRule::Rule : public WeightRuleBase<Rule<Scalar>, Scalar> {
 public:
  /// Throws OptionError if the block's map is not fully connected.
  Rule(const RecursiveRule& options, const Block<Scalar>& block, bool)
      : options_{options}, beside_{block, LoweredMap<Scalar>::find(block), options.adam_learning_rate} {
    if (beside_.map() < 0 || map_of(block).columns() != 1) {
      throw OptionError("RecursiveRule: expected blocks of fully connected maps (Dense), got one that ends in " +
                        std::string(block[block.top()].name()));
    }
    const LoweredMap<Scalar> map = map_of(block);
    const Index size = memory_size(map);
    for (Index first = 0; first < map.inputs(); first += size) {
      memories_.emplace_back(std::min(size, map.inputs() - first));
    }
    start_.resize(map.outputs(), map.inputs());
    map.for_each_parameter([&](const auto& parameter, Index first, Index columns) {
      start_.middleCols(first, columns) = parameter.value();
    });
  }

  /// The memories of the inputs, one after the other.
  const std::vector<InverseMemory<Scalar>>& memories() const { return memories_; }

  void observe(const Worker<Scalar>& worker, const Block<Scalar>& block, const BlockPoint<Scalar>& forward,
               ConstView<Scalar> weights) override {
    const LoweredMap<Scalar> map = map_of(block);
    if (map.frozen()) return;
    const Index samples = forward.x.cols();
    moved_.fit(map.inputs(), samples);
    map.for_each_part(worker, block.point(forward, beside_.map()), inputs_, [&](Index, ConstView<Scalar> a) {
      rates_ = {options_.forgetting, options_.damping * square_.push(a, options_.forgetting)};
      observed_ = true;
      Index first = 0;
      for (auto& memory : memories_) {
        observed_ = observed_ && memory.push(rates_, part(a, first, memory.size()), weights,
                                             part(moved_.view(), first, memory.size()));
        first += memory.size();
      }
    });
  }

  bool has_response() const override { return true; }
  void response(const Worker<Scalar>& worker, const Block<Scalar>& block, const BlockPoint<Scalar>&,
                View<Scalar> response) const override {
    if (map_of(block).frozen()) {
      response.setZero();
      return;
    }
    multiply<Scalar>(worker, transposed(inputs_.view()), moved_.view(), response,
                     static_cast<Scalar>(options_.learning_rate));
  }

  void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    const bool one_sample = moved_.columns() == 1;
    Gradients<Scalar>::derive(
        worker, step, beside_.map(),
        [&](const Point<Scalar>&, ConstView<Scalar> residual) {
          if (map_of(step.block).frozen()) return;
          const auto scale = static_cast<Scalar>(step.signal.scale);
          View<Scalar> gradient = further(step, one_sample ? 1 : start_.cols());
          const double residual_square = detail::square_sum<Scalar>(residual);
          gradient_bound_ =
              std::abs(step.signal.scale) * std::sqrt(residual_square * detail::square_sum<Scalar>(moved_.view()));
          if (one_sample) {
            gradient = scale * residual;
            return;
          }
          multiply<Scalar>(worker, residual, transposed(ConstView<Scalar>{moved_.view()}), gradient, scale);
          if (!(gradient_bound_ <= largest_gradient<Scalar>())) gradient_bound_ = largest_absolute<Scalar>(gradient);
        },
        one_sample ? start_.rows() : start_.size());
  }

  bool stays_finite(const BlockStep<Scalar>& step) const override {
    if (!beside_.rule().stays_finite(step)) return false;
    if (map_of(step.block).frozen()) return true;
    const double rate = step.rate_scale * options_.learning_rate;
    return observed_ && rate * gradient_bound_ <= harmless_move<Scalar>();
  }

  void apply(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    beside_.rule().apply(worker, step);
    const LoweredMap<Scalar> map = map_of(step.block);
    if (map.frozen()) return;
    for (auto& memory : memories_) memory.commit(worker, rates_);
    square_.commit();
    const auto rate = static_cast<Scalar>(step.rate_scale * options_.learning_rate);
    // Weights return every so many steps, by as much: a pass through W_0 would cost a tenth of a step.
    constexpr Index interval = 32;
    const bool returns = ++steps_ % interval == 0 && options_.return_rate > 0;
    const double left = std::pow(1 - options_.return_rate, static_cast<double>(interval));
    const auto returned = static_cast<Scalar>(returns ? 1 - left : 0);
    // The gradient of one sample is left as its two factors: a pass through it would cost a tenth of a step.
    const bool one_sample = moved_.columns() == 1;
    const ConstView<Scalar> gradient{further(step, one_sample ? 1 : start_.cols())};
    const auto gradient_column = [&](Index j) { return gradient.col(one_sample ? 0 : j).array(); };
    const auto factor = [&](Index j) { return one_sample ? rate * moved_.view()(j, 0) : rate; };
    map.for_each_parameter([&](auto& parameter, Index start, Index columns) {
      if (parameter.frozen()) return;
      View<Scalar> values = parameter.values();
      worker.parallel_ranges(columns, values.rows(), [&](Index first, Index count) {
        for (Index j = first; j < first + count; ++j) {
          auto w = values.col(j).array();
          w += factor(start + j) * gradient_column(start + j);
          if (returns) w += returned * (start_.col(start + j).array() - w);
        }
      });
    });
  }

  Index bytes() const override {
    Index sum =
        beside_.rule().bytes() + inputs_.bytes() + moved_.bytes() + start_.size() * static_cast<Index>(sizeof(Scalar));
    for (const auto& memory : memories_) sum += memory.bytes();
    return sum;
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.beside_...);
    visit("memories", self.memories_...);
    visit("square", self.square_...);
    visit("start", self.start_...);
    visit("steps", self.steps_...);
  }

  void require_fit(const Block<Scalar>& block) const override {
    beside_.rule().require_fit(block);
    const LoweredMap<Scalar> map = map_of(block);
    detail::require_shape(start_, map.outputs(), map.inputs(), "start");
    const Index size = memory_size(map);
    Index first = 0;
    for (const auto& memory : memories_) {
      memory.require_fit(std::min(size, map.inputs() - first));
      first += size;
    }
  }

 private:
  LoweredMap<Scalar> map_of(const Block<Scalar>& block) const { return LoweredMap<Scalar>{block[beside_.map()]}; }

  Index memory_size(const LoweredMap<Scalar>& map) const {
    return options_.block_size == 0 ? map.inputs() : std::min<Index>(options_.block_size, map.inputs());
  }

  View<Scalar> further(const BlockStep<Scalar>& step, Index columns) const {
    return Gradients<Scalar>::further(step, start_.rows(), columns);
  }

  static ConstView<Scalar> part(ConstView<Scalar> all, Index first, Index rows) {
    return {all.data() + first, rows, all.cols(), all.outerStride()};
  }
  static View<Scalar> part(View<Scalar> all, Index first, Index rows) {
    return {all.data() + first, rows, all.cols(), all.outerStride()};
  }

  RecursiveRule options_;
  BesideMemory<Scalar> beside_;
  std::vector<InverseMemory<Scalar>> memories_;
  RunningSquare square_;  // of the inputs
  Matrix<Scalar> start_;  // W_0
  Index steps_ = 0;

  // Of this step.
  InverseMemoryRates rates_{};
  Buffer<Scalar> inputs_;  // a
  Buffer<Scalar> moved_;   // P a
  bool observed_ = false;
  double gradient_bound_ = 0;
};

}  // namespace altmin
