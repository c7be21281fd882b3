#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "altmin/kernels/elementwise.hpp"
#include "altmin/network/beside_memory.hpp"
#include "altmin/optimizers/low_rank_memory.hpp"

namespace altmin {

/// The memory of co-activations as a preconditioner of low rank: with a the inputs of a map, mu their running mean, A
/// their covariance (see LowRankMemory), R the residuals at its output, v their running mean squares, and B columns of
/// each,
///
///   R~ = diag(v + output_damping mean(v))^(-1/2) R,   G = R~ ((A + lambda I)^(-1/2) (a - mu))' / B,   g = R~ 1 / B,
///   M <- momentum M + (1 - momentum) G, likewise m,    W <- (1 - rate weight_decay) W + D,  D = rate M / (1 -
///   momentum^t), b <- b + rate m / (1 - momentum^t) - D mu:
///
/// the output moves by D (a - mu), so that the mean of the inputs moves nothing. G is one product, of an inner
/// dimension of B + rank. The paper's memory (Choromanska et al. 2019, algorithm 2) has neither mean, rank nor R~.
/// Where the map has no bias that trains, mu is 0. What else a block learns (gains and shifts) moves by Adam.
struct MemoryRule {
  static constexpr const char* name = "MemoryRule";

  double learning_rate = 0.05;      ///< 0 or more; source: the best of a few on held-out MNIST and Fashion-MNIST
  double momentum = 0.9;            ///< 0 to below 1
  double forgetting = 0.05;         ///< least weight of a new batch in the memory of inputs; above 0, to 1
  int rank = 16;                    ///< directions that are remembered; 0 or more, and no more than the inputs
  double damping = 0.03;            ///< share of the mean variance that is added to each before the root; above 0
  int memory_interval = 10;         ///< steps from one update of that memory to the next, after the first 10; 1 or more
  double output_forgetting = 0.01;  ///< weight of a new batch in v; above 0, to 1
  double output_damping = 0.03;     ///< share of the mean of v that is added to each; above 0
  double weight_decay = 0.02;       ///< decoupled, of weights alone; 0 or more
  double adam_learning_rate = 0.001;  ///< of what moves by Adam beside the maps; 0 or more

  template <class Scalar>
  class Rule;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(learning_rate >= 0, {algorithm, "learning_rate"}, "must be 0 or more", learning_rate);
    detail::require_option(momentum >= 0 && momentum < 1, {algorithm, "momentum"}, "must be 0 to below 1", momentum);
    detail::require_option(forgetting > 0 && forgetting <= 1, {algorithm, "forgetting"}, "must be above 0, to 1",
                           forgetting);
    detail::require_option(rank >= 0, {algorithm, "rank"}, "must be 0 or more", rank);
    detail::require_option(damping > 0, {algorithm, "damping"}, "must be above 0", damping);
    detail::require_option(memory_interval >= 1, {algorithm, "memory_interval"}, "must be 1 or more", memory_interval);
    detail::require_option(output_forgetting > 0 && output_forgetting <= 1, {algorithm, "output_forgetting"},
                           "must be above 0, to 1", output_forgetting);
    detail::require_option(output_damping > 0, {algorithm, "output_damping"}, "must be above 0", output_damping);
    detail::require_option(weight_decay >= 0, {algorithm, "weight_decay"}, "must be 0 or more", weight_decay);
    detail::require_option(adam_learning_rate >= 0, {algorithm, "adam_learning_rate"}, "must be 0 or more",
                           adam_learning_rate);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("momentum", self.momentum...);
    visit("forgetting", self.forgetting...);
    visit("rank", self.rank...);
    visit("damping", self.damping...);
    visit("memory_interval", self.memory_interval...);
    visit("output_forgetting", self.output_forgetting...);
    visit("output_damping", self.output_damping...);
    visit("weight_decay", self.weight_decay...);
    visit("adam_learning_rate", self.adam_learning_rate...);
  }
};

template <class Scalar>
class MemoryRule::Rule : public WeightRuleBase<Rule<Scalar>, Scalar> {
 public:
  Rule(const MemoryRule& options, const Block<Scalar>& block, bool)
      : options_{options}, beside_{block, LoweredMap<Scalar>::find(block), options.adam_learning_rate} {
    if (beside_.map() < 0) return;
    const LoweredMap<Scalar> map{block[beside_.map()]};
    memory_ = LowRankMemory<Scalar>{map.weight_inputs(), rank_of(map)};
    mean_square_.setZero(map.outputs(), 1);
    velocity_.setZero(map.outputs(), map.inputs());
  }

  const LowRankMemory<Scalar>& memory() const { return memory_; }
  /// v of the next step, bias-corrected by 1 - (1 - output_forgetting)^t.
  const Matrix<Scalar>& mean_square() const { return mean_square_; }
  /// M and, as its last column where there is a bias, m.
  const Matrix<Scalar>& velocity() const { return velocity_; }

  void observe(const Worker<Scalar>& worker, const Block<Scalar>& block, const BlockPoint<Scalar>& forward,
               ConstView<Scalar> weights) override {
    has_next_ = false;
    if (beside_.map() < 0) return;
    constexpr Index first_steps = 10;
    if (steps_ >= first_steps && steps_ % options_.memory_interval != 0) return;
    const LoweredMap<Scalar> map{block[beside_.map()]};
    if (map.frozen()) return;
    if (next_.inputs() == 0) next_ = LowRankMemory<Scalar>{memory_.inputs(), memory_.rank()};
    const Point<Scalar> at = block.point(forward, beside_.map());
    has_next_ = next_.update(
        worker, memory_, options_.forgetting, centres(map), worker.all_samples(at.x.cols()) * map.columns(),
        [&](FunctionRef<void(Index, ConstView<Scalar>)> use) { map.for_each_weight_part(worker, at, inputs_, use); },
        weights, map.columns());
  }

  void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    Gradients<Scalar>::derive(
        worker, step, beside_.map(),
        [&](const Point<Scalar>& at, ConstView<Scalar> residual) { derive_map(worker, step, at, residual); },
        velocity_.size());
  }

  bool weighs_samples() const override { return true; }
  bool sums_over_ranks() const override { return true; }
  void sum_gradients(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    const bool moves = beside_.map() >= 0 && !LoweredMap<Scalar>{step.block[beside_.map()]}.frozen();
    View<Scalar> gradient = Gradients<Scalar>::further(step, velocity_.rows(), velocity_.cols());
    if (!moves) gradient.setZero();
    Gradients<Scalar>::sum(worker, step);
    if (moves) gradient_bound_ = gradient_bound(norm_bound<Scalar>(gradient), gradient);
  }

  bool clips() const override { return true; }
  /// G and g together, and the gradients of what moves by Adam.
  void clip(const BlockStep<Scalar>& step, double limit) override {
    const bool moves = beside_.map() >= 0 && !LoweredMap<Scalar>{step.block[beside_.map()]}.frozen();
    const View<Scalar> all = step.memory.gradients.view();
    Gradients<Scalar>::clip({all.address(0, 0), all.rows() - velocity_.size(), 1, all.rows()}, step.signal.scale,
                            limit);
    if (!moves) return;
    Gradients<Scalar>::clip(Gradients<Scalar>::further(step, velocity_.rows(), velocity_.cols()), 1, limit);
  }

  bool stays_finite(const BlockStep<Scalar>& step) const override {
    if (!beside_.rule().stays_finite(step)) return false;
    if (beside_.map() < 0 || LoweredMap<Scalar>{step.block[beside_.map()]}.frozen()) return true;
    const double limit = largest_gradient<Scalar>();
    const double rate = step.rate_scale * options_.learning_rate;
    const double mean = 1 + static_cast<double>(present_memory().mean().template lpNorm<1>());
    return gradient_bound_ <= limit && (provenance_.own() || largest_absolute<Scalar>(velocity_) <= limit) &&
           rate * options_.weight_decay <= 2 && rate / correction() * limit * mean <= harmless_move<Scalar>();
  }

  void apply(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) override {
    beside_.rule().apply(worker, step);
    if (beside_.map() < 0) return;
    const LoweredMap<Scalar> map{step.block[beside_.map()]};
    if (map.frozen()) return;
    if (has_next_) memory_.swap(next_);
    has_next_ = false;
    mean_square_.swap(next_mean_square_);
    provenance_.set(true);  // by stays_finite()
    const double rate = step.rate_scale * options_.learning_rate;
    move(worker, map, Gradients<Scalar>::further(step, velocity_.rows(), velocity_.cols()), rate);
    ++steps_;
  }

  Index bytes() const override {
    return beside_.rule().bytes() + memory_.bytes() + next_.bytes() + inputs_.bytes() + residual_.bytes() +
           projected_.bytes() + direction_residual_.bytes() + root_.bytes() + shift_.bytes() +
           (velocity_.size() + 2 * mean_square_.size()) * static_cast<Index>(sizeof(Scalar));
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.beside_...);
    visit("memory", self.memory_...);
    visit("mean_square", self.mean_square_...);
    visit("velocity", self.velocity_...);
    visit("steps", self.steps_...);
    (self.provenance_.revoke(), ...);
  }

  void require_fit(const Block<Scalar>& block) const override {
    beside_.rule().require_fit(block);
    if (beside_.map() < 0) return;
    const LoweredMap<Scalar> map{block[beside_.map()]};
    memory_.require_fit(map.weight_inputs(), rank_of(map));
    detail::require_shape(mean_square_, map.outputs(), 1, "mean_square");
    detail::require_shape(velocity_, map.outputs(), map.inputs(), "velocity");
  }

 private:
  Index rank_of(const LoweredMap<Scalar>& map) const { return std::min<Index>(options_.rank, map.weight_inputs()); }

  /// Whether there is a bias that takes what the mean of the inputs would move.
  static bool centres(const LoweredMap<Scalar>& map) {
    bool bias = false;
    map.for_each_parameter(
        [&](const auto& parameter, Index, Index) { bias = bias || (!parameter.is_weight() && !parameter.frozen()); });
    return bias;
  }

  const LowRankMemory<Scalar>& present_memory() const { return has_next_ ? next_ : memory_; }

  /// 1 - momentum^t, t counting this step.
  double correction() const { return 1 - std::pow(options_.momentum, static_cast<double>(steps_ + 1)); }

  void derive_map(const Worker<Scalar>& worker, const BlockStep<Scalar>& step, const Point<Scalar>& at,
                  ConstView<Scalar> residual) {
    auto& layer = step.block[beside_.map()];
    const LoweredMap<Scalar> map{layer};
    if (map.frozen()) return;
    const LowRankMemory<Scalar>& memory = present_memory();
    const Index directions_count = memory.rank();
    const Index columns = at.x.cols() * map.columns();
    const Index all_samples = worker.all_samples(at.x.cols());
    View<Scalar> gradient = Gradients<Scalar>::further(step, velocity_.rows(), velocity_.cols());
    residual_.fit(map.outputs(), columns);
    const View<Scalar> scaled = residual_.view();
    layer.lower_output(worker, residual, scaled);
    // Per sample, at the scale of the batch's mean.
    const Index all_columns = all_samples * map.columns();
    scale_residual(worker, step.signal.scale * static_cast<double>(all_samples), all_columns, scaled,
                   step.signal.sample_weights);
    const double residual_square = detail::square_sum<Scalar>(scaled);
    root_.fit(directions_count, 1);
    View<Scalar> f = root_.view();
    const double scale = memory.inverse_root(options_.damping, f) / static_cast<double>(all_columns);
    const Index width = map.weight_inputs();
    const View<Scalar> sum = gradient.slice(0, width);
    // Inputs are read where they stand: what the directions and the mean contribute follows as one product,
    //   R~ (A^(-1/2) (a - mu))' = scale (R~ a' + [R~ C', -R~ 1] [Q, mu]'),  C = diag(f) Q'(a - mu).
    const Matrix<Scalar>& directions = memory.directions();
    direction_residual_.fit(map.outputs(), directions_count + 1);
    const View<Scalar> direction_residual = direction_residual_.view();
    projected_mean_.noalias() = memory.basis().transpose() * memory.mean();
    double input_square = 0;
    map.for_each_weight_part(worker, at, inputs_, [&](Index first, ConstView<Scalar> a) {
      const auto before = [&](View<Scalar> earlier) { return first == 0 ? Addend<Scalar>{} : Addend<Scalar>{earlier}; };
      input_square += detail::square_sum<Scalar>(a);
      projected_.fit(directions_count, a.cols());
      View<Scalar> projected = projected_.view();
      multiply<Scalar>(worker, transposed(ConstView<Scalar>{memory.basis()}), a, projected);
      for (Index t = 0; t < a.cols(); ++t) {
        projected.col(t) = (projected.col(t) - projected_mean_).cwiseProduct(f.col(0));
      }
      const ConstView<Scalar> part{scaled.slice(first, a.cols())};
      const View<Scalar> of_directions = direction_residual.slice(0, directions_count);
      multiply<Scalar>(worker, part, transposed(ConstView<Scalar>{projected}), of_directions, Scalar(1),
                       before(of_directions));
      multiply<Scalar>(worker, part, transposed(a), sum, static_cast<Scalar>(scale), before(sum));
    });
    View<Scalar> total = direction_residual.slice(directions_count, 1);
    total.setZero();
    for (Index t = 0; t < columns; ++t) total -= scaled.col(t);
    multiply<Scalar>(worker, direction_residual, transposed(ConstView<Scalar>{directions}), sum,
                     static_cast<Scalar>(scale), sum);
    if (width < gradient.cols()) gradient.col(width) = (Scalar(-1) / static_cast<Scalar>(all_columns)) * total;
    const double mean_norm = static_cast<double>(memory.mean().norm());
    const double inputs = std::sqrt(input_square) + std::sqrt(static_cast<double>(columns)) * mean_norm;
    const double bound = std::sqrt(residual_square * static_cast<double>(columns)) * std::max(4 * scale * inputs, 1.0);
    gradient_bound_ = gradient_bound(bound, gradient);
  }

  /// A bound on the gradient that is close enough to be compared; infinite where v overflows.
  double gradient_bound(double bound, ConstView<Scalar> gradient) const {
    if (!(bound <= largest_gradient<Scalar>())) bound = largest_absolute<Scalar>(gradient);
    return next_mean_square_.allFinite() ? bound : std::numeric_limits<double>::infinity();
  }

  /// From residuals to R~, and v, of so many columns on all ranks.
  void scale_residual(const Worker<Scalar>& worker, double scale, Index all_columns, View<Scalar> residual,
                      ConstView<Scalar> weights) {
    const auto fresh = static_cast<Scalar>(options_.output_forgetting);
    const auto factor = static_cast<Scalar>(scale);
    const Index columns = residual.cols();
    next_mean_square_.setZero(residual.rows(), 1);
    for (Index t = 0; t < columns; ++t) {
      if (weights.rows() == 0) {
        next_mean_square_.array() += (factor * residual.col(t).array()).square();
        continue;
      }
      const Scalar weight =
          weights(0, t / (columns / weights.cols()));  // which the residual has once, its square twice
      if (weight > Scalar(0)) next_mean_square_.array() += (factor * residual.col(t).array()).square() / weight;
    }
    worker.sum(View<Scalar>{next_mean_square_});
    next_mean_square_ =
        (Scalar(1) - fresh) * mean_square_ + (fresh / static_cast<Scalar>(all_columns)) * next_mean_square_;
    const double full = 1 - std::pow(1 - options_.output_forgetting, static_cast<double>(steps_ + 1));
    const auto over = static_cast<Scalar>(1 / full);
    const Scalar added = static_cast<Scalar>(options_.output_damping) * over * next_mean_square_.mean();
    inverse_size_.resize(residual.rows());
    inverse_size_ = (over * next_mean_square_.array() + added).matrix();
    inverse_size_ = inverse_size_.unaryExpr(
        [&](Scalar square) { return square > Scalar(0) ? factor / std::sqrt(square) : Scalar(0); });
    worker.parallel_ranges(columns, residual.rows(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) View<Scalar>{residual}.col(t).array() *= inverse_size_.array();
    });
  }

  void move(const Worker<Scalar>& worker, const LoweredMap<Scalar>& map, ConstView<Scalar> gradient, double rate) {
    const auto step = static_cast<Scalar>(rate / correction());
    const auto decayed = static_cast<Scalar>(1 - rate * options_.weight_decay);
    const auto old_share = static_cast<Scalar>(options_.momentum);
    const auto fresh = static_cast<Scalar>(1 - options_.momentum);
    map.for_each_parameter([&](auto& parameter, Index start, Index columns) {
      if (parameter.frozen()) return;
      View<Scalar> values = parameter.values();
      const Scalar kept = parameter.is_weight() ? decayed : Scalar(1);
      worker.parallel_ranges(columns, values.rows(), [&](Index first, Index count) {
        for (Index j = first; j < first + count; ++j) {
          auto m = velocity_.col(start + j).array();
          m = old_share * m + fresh * gradient.col(start + j).array();
          values.col(j).array() = kept * values.col(j).array() + step * m;
        }
      });
      if (parameter.is_weight()) return;
      // The weights stand before the bias: what they have moved of the inputs' mean.
      shift_.fit(values.rows(), 1);
      map.for_each_parameter([&](const auto& weight, Index first, Index count) {
        if (!weight.is_weight() || weight.frozen()) return;
        multiply<Scalar>(worker, ConstView<Scalar>{velocity_}.slice(first, count),
                         ConstView<Scalar>{memory_.mean().data() + first, count, 1, count}, shift_.view());
        values -= step * shift_.view();
      });
    });
  }

  MemoryRule options_;
  BesideMemory<Scalar> beside_;
  LowRankMemory<Scalar> memory_;
  Matrix<Scalar> mean_square_;
  Matrix<Scalar> velocity_;
  Index steps_ = 0;
  detail::Provenance provenance_;  // of the velocity

  // What observe() and derive() find, in force with apply().
  LowRankMemory<Scalar> next_;
  bool has_next_ = false;
  Matrix<Scalar> next_mean_square_;
  double gradient_bound_ = 0;

  // Working memory.
  Buffer<Scalar> residual_;            // lowered, scaled
  Buffer<Scalar> inputs_;              // lowered, where they need copying
  Buffer<Scalar> projected_;           // the inputs along the remembered directions, times the factors of the root
  Buffer<Scalar> direction_residual_;  // residuals times these, and minus their sum
  Vector<Scalar> projected_mean_;      // Q' mu
  Buffer<Scalar> root_;                // those factors
  Buffer<Scalar> shift_;
  Vector<Scalar> inverse_size_;  // of the outputs' residuals
};

}  // namespace altmin
