#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/network/auxiliary_variable.hpp"
#include "altmin/network/code_problem.hpp"
#include "altmin/network/forward_pass.hpp"
#include "altmin/network/gradient_update.hpp"
#include "altmin/network/time_problem.hpp"

namespace altmin {

/// What the squared distances of the objective are, in the code phase.
enum class Reduction {
  sum,  ///< sums over features, every sample being a problem of its own: the signal survives depth
  mean  ///< means over samples and features, as in the published code: it shrinks by thousands a layer
};
constexpr std::array<const char*, 2> names(Reduction) { return {"sum", "mean"}; }

/// What the weight update of a block takes as its input.
enum class WeightInputs {
  updated,  ///< the updated code below, as in the paper
  forward   ///< the code of the forward pass; with one code iteration this is backprop up to a scale per layer
};
constexpr std::array<const char*, 2> names(WeightInputs) { return {"updated", "forward"}; }

/// One online step of alternating minimization (Choromanska et al. 2019, section 3), for a chain of blocks f_1 ..
/// f_{L+1} with codes c^1 .. c^L between them:
///
///   encode         c0^l = f_l(c0^{l-1})                                                        (ForwardPass)
///   update_codes   for l = L .. 1, a few gradient steps on   D(f_{l+1}(c^l), c^{l+1}) + D(c^l, c0^l)
///                  + lambda_C/mu |c^l|, the first term for l = L being loss(f_{L+1}(c^L), y) / mu
///   update_weights for all blocks in parallel, on            D(f_l(c^{l-1}), c^l) + lambda_W |W^l|
///                  and for the last one on                   loss(f_{L+1}(c^L), y)
///
/// `Config` (AmAdam, AmSgd, AmMem) holds the options, and names as BlockUpdate what moves the weights of one block. The
/// phases are public for those who want to time or to test them apart.
template <class Config, class Layers>
class AlternatingMinimization {
 public:
  using Scalar = typename Layers::Scalar;
  using BlockUpdate = typename Config::template BlockUpdate<Layers>;

  AlternatingMinimization(const Config& config, Layers& layers) : config_{config}, mu_{config.mu}, forward_{layers} {
    config.validate();
    const auto blocks = static_cast<std::size_t>(forward_.blocks());
    for (Index l = 0; l < forward_.blocks(); ++l) {
      const auto block = forward_.block(layers, l);
      updates_.emplace_back(block);
    }
    codes_.resize(blocks - 1);
    penalties_.resize(blocks - 1);
    curvatures_.resize(blocks - 1);
    evaluations_.resize(blocks);
    residuals_.resize(blocks);
  }

  const Config& config() const { return config_; }

  /// The current penalty weight: config().mu, grown by mu_increment a step. The network's mu_scale multiplies it.
  double mu() const { return mu_; }

  /// The codes of the last batch, from the input up, features x samples: as encoded, and after update_codes().
  ConstView<Scalar> forward_code(Index l) const { return forward_.output(l).view(); }
  Matrix<Scalar> code(Index l) const { return forward_code(l) + displacement(l); }
  ConstView<Scalar> displacement(Index l) const { return codes_[static_cast<std::size_t>(l)].displacement.view(); }
  /// What the block below is asked to add to its code: the displacement at the scale of the top one.
  Matrix<Scalar> target_displacement(Index l) const {
    const auto& code = codes_[static_cast<std::size_t>(l)];
    return code.target_scale * code.target();
  }
  Index code_count() const { return static_cast<Index>(codes_.size()); }

  /// All three phases.
  template <class Context>
  StepReport step(Context& context) {
    StepReport report;
    report.loss = encode(context);
    if (!std::isfinite(report.loss)) {
      report.status = Status::loss_not_finite;
      return report;
    }
    if (!update_codes(context)) {
      report.status = Status::codes_not_finite;
      return report;
    }
    report.penalties = {penalties_.data(), code_count()};
    forward_.absorb(context);
    context.lane.parallel_for(forward_.blocks(),
                              [&](Index l, const Lane<Scalar>& lane) { update_weights(context, l, lane); });
    if (mu_ < 10 * config_.mu) mu_ += config_.mu_increment;
    return report;
  }

  /// Phase 1. Returns the mean loss of the batch.
  template <class Context>
  double encode(Context& context) {
    return forward_.run(context, residual(last()));
  }

  /// Phase 2, from the top down; leaves in each block's residual what its weight update needs, unless
  /// asks_plainly(). False if the codes diverged.
  template <class Context>
  bool update_codes(Context& context) {
    const Index samples = context.x.cols();
    residual(last()).view() *= Scalar(-1);  // from here on all residuals point from the prediction to the target
    if (code_count() == 0) return true;
    take_memory(context, samples);
    double top = 0;
    double square = 0;  // of the displacement found last
    for (Index l = code_count() - 1; l >= 0; --l) {
      square = update_code(context, l);
      const double mean_square = square / static_cast<double>(forward_.output(l).rows());
      if (!std::isfinite(mean_square)) return false;
      if (l == code_count() - 1) top = mean_square;
      const bool rescale = config_.preserve_scale && mean_square > 0;
      code_at(l).target_scale = static_cast<Scalar>(rescale ? std::sqrt(top / mean_square) : 1);
    }
    penalties_[0] = lowest_penalty(context, square);
    for (const double penalty : penalties_) {
      if (!std::isfinite(penalty)) return false;
    }
    return true;
  }

  /// Phase 3 for one block: reads this block's weights, the codes at its two ends and nothing else.
  template <class Context>
  void update_weights(Context& context, Index l, const Lane<Scalar>& lane) {
    const auto block = forward_.block(context.layers, l);
    const auto at = weight_point(context, l);
    const double scale = distance_scale(l) / static_cast<double>(config_.reduction == Reduction::sum ? at.x.cols() : 1);
    const double weights = static_cast<double>(weight_count(block));
    const double l1 = l == last() ? 0 : config_.lambda_weight / (config_.reduction == Reduction::mean ? weights : 1);
    for (int iteration = 0; iteration < config_.weight_iterations; ++iteration) {
      if (iteration > 0) evaluate_residual(context, l, lane, block, at);
      WeightObjective<Scalar> objective{residual(l).view(), -scale, scale, l1};
      if (iteration == 0 && l == 0 && asks_plainly()) {
        objective.slope = code_at(0).target();
        objective.factor *= static_cast<double>(code_at(0).target_scale);
      }
      updates_[static_cast<std::size_t>(l)].update(lane, block, at, objective,
                                                   config_.rates(l == last(), context.rate_scale));
    }
  }

  /// Bytes held for training, beside the network's parameters.
  Index bytes() const {
    Index sum = forward_.bytes() + prediction_.bytes();
    for (const auto& update : updates_) sum += update.bytes();
    for (const auto& code : codes_) sum += code.bytes();
    for (const auto& evaluation : evaluations_) sum += evaluation.bytes();
    for (const auto& buffer : residuals_) sum += buffer.bytes();
    for (const auto& descent : descents_) sum += descent.bytes();
    return sum;
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("mu", self.mu_...);
    visit("curvatures", self.curvatures_...);
    visit("updates", self.updates_...);
  }

  /// Throws ShapeError where state that was read from a file is not that of these layers.
  void require_fit(Layers& layers) const {
    for (Index l = 0; l < forward_.blocks(); ++l) {
      updates_[static_cast<std::size_t>(l)].require_fit(forward_.block(layers, l));
    }
  }

 private:
  Index last() const { return forward_.blocks() - 1; }
  Buffer<Scalar>& residual(Index l) { return residuals_[static_cast<std::size_t>(l)]; }
  AuxiliaryVariable<Scalar>& code_at(Index l) { return codes_[static_cast<std::size_t>(l)]; }

  /// Whether the first code's target, however scaled, stands for the lowest block's residual. Not beside an l1 term,
  /// which would be divided by that scale.
  bool asks_plainly() const { return code_count() > 0 && codes_[0].carried.rows() == 0 && config_.lambda_weight == 0; }

  /// Sets the lowest block's residual where the target does not stand for it; returns the mean of its squared norms.
  /// `displacement` is the sum of squares of the first code's.
  template <class Context>
  double lowest_penalty(Context& context, double displacement) {
    const auto samples = static_cast<double>(context.x.cols());
    const auto scale = static_cast<double>(code_at(0).target_scale);
    if (asks_plainly()) return scale * scale * displacement / samples;
    residual(0).fit(forward_.output(0).rows(), context.x.cols());
    set_residual(context, 0, forward_.at(context, 0), {}, residual(0).view());
    return static_cast<double>(residual(0).view().squaredNorm()) / samples;
  }

  template <class Context>
  void take_memory(Context& context, Index samples) {
    for (Index l = 0; l < code_count(); ++l) {
      code_at(l).fit(forward_.output(l).rows(), samples, keeps_code(context, l));
      forward_.block(context.layers, l + 1).fit(evaluations_[static_cast<std::size_t>(l + 1)], samples);
    }
    prediction_.fit(forward_.prediction().rows(), samples);
    const Index slots = context.lane.threads();
    if (static_cast<Index>(descents_.size()) < slots) descents_.resize(static_cast<std::size_t>(slots));
    sums_.resize(static_cast<std::size_t>(samples));
  }

  /// Whether code l itself is read by anybody.
  template <class Context>
  bool keeps_code(Context& context, Index l) const {
    return config_.weight_iterations > 1 || forward_.block(context.layers, l).recurrent() ||
           !forward_.block(context.layers, l + 1).steps_in_place();
  }

  /// Block l at its updated input: where nobody reads that, the forward pass's stands for its shape. Its output goes to
  /// `predicted`; that of the last block is kept for its weight update.
  template <class Context>
  BlockPoint<Scalar> moved_point(Context& context, Index l) {
    const Buffer<Scalar>& input = keeps_code(context, l - 1) ? code_at(l - 1).updated : forward_.output(l - 1);
    return {input.view(), l == last() ? prediction_.view() : View<Scalar>{}, evaluations_[static_cast<std::size_t>(l)],
            forward_.at(context, l).inner};
  }

  /// The block at the input that its weight update sees: of one that steps in place, what its map sees alone is set. An
  /// inner block ends in a map or a normalization, whose gradients do not read their output, so the forward pass's can
  /// stand there.
  template <class Context>
  BlockPoint<Scalar> weight_point(Context& context, Index l) {
    const auto forward = forward_.at(context, l);
    if (l == 0 || config_.weight_inputs == WeightInputs::forward) return forward;
    const auto moved = moved_point(context, l);
    return {moved.x, l == last() ? moved.y : forward.y, moved.inner, moved.step};
  }

  /// Derivative factor of block l's term in the code phase: the term's derivative by the block's output is -scale times
  /// the residual, per sample.
  double distance_scale(Index l) const {
    if (l < last()) return 2 / mean_count(l);
    return config_.reduction == Reduction::mean ? 1 / static_cast<double>(forward_.output(l).columns()) : 1;
  }

  /// The same relative to the penalties, as it stands in the code phase.
  template <class Context>
  double term_scale(const Context& context, Index l) const {
    return distance_scale(l) / (l == last() ? context.mu_scale * mu_ : 1);
  }

  /// Derivative factor of the proximity term of code l.
  double proximity_scale(Index l) const { return config_.proximity ? 2 / mean_count(l) : 0; }

  /// What squared distances of code l are divided by.
  double mean_count(Index l) const {
    const Buffer<Scalar>& code = forward_.output(l);
    return config_.reduction == Reduction::mean ? static_cast<double>(code.rows() * code.columns()) : 1;
  }

  /// Solves for the code below block l + 1; returns the sum of squares of its displacement, as it is asked for.
  template <class Context>
  double update_code(Context& context, Index l) {
    const auto block = forward_.block(context.layers, l + 1);
    const Index samples = context.x.cols();
    residual(l + 1).fit(forward_.output(l + 1).rows(), samples);
    CodeProblem<Layers> problem{block,
                                forward_.at(context, l + 1),
                                moved_point(context, l + 1),
                                keeps_code(context, l) ? code_at(l).updated.view() : View<Scalar>{},
                                code_at(l).displacement.view(),
                                residual(l + 1).view(),
                                code_rates(context, l),
                                config_.code_iterations,
                                l + 1 < last()};
    const auto set = [&](const BlockPoint<Scalar>& at, ConstView<Scalar> change, View<Scalar> result) {
      set_residual(context, l + 1, at, change, result);
    };
    const detail::Cut slices = problem.slices();
    const Index users = slices.count == 1 ? 1 : context.lane.threads();  // a single slice is the caller's
    for (Index slot = 0; slot < users; ++slot) problem.reserve(descents_[static_cast<std::size_t>(slot)]);
    // Until the weights move, gradients leave their memory to others, and so does the residual that comes next.
    problem.prepare(context.lane, updates_[static_cast<std::size_t>(l + 1)].workspace(), residual(l), set);
    const auto for_each_slice = [&](auto&& use) {
      context.lane.parallel_for(slices.count, [&](Index i, const Lane<Scalar>& lane) {
        sums_[static_cast<std::size_t>(i)] =
            use(lane, descents_[static_cast<std::size_t>(lane.slot())], slices.first(i), slices.size(i));
      });
      return total(sums_, slices.count);
    };
    CodeSums sums = for_each_slice([&](const Lane<Scalar>& lane, auto& descent, Index first, Index count) {
      return problem.solve(lane, descent, first, count, set);
    });
    double& curvature = curvatures_[static_cast<std::size_t>(l)];
    curvature = std::max(0.9 * curvature, gain(sums, term_scale(context, l + 1), l));
    if (forward_.block(context.layers, l).recurrent()) {
      const CodeSums in_time = update_in_time(context, l, problem.rates);
      curvature = std::max(curvature, gain(in_time, 2 / mean_count(l), l));
      sums = for_each_slice([&](const Lane<Scalar>& lane, auto& descent, Index first, Index count) {
        return problem.evaluate(lane, descent, first, count, set);
      });
      sums.displacement = static_cast<double>(code_at(l).target().squaredNorm());
    }
    if (config_.weight_inputs == WeightInputs::forward) {  // where the prediction is that of the forward pass
      set(forward_.at(context, l + 1), {}, residual(l + 1).view());
    }
    if (l + 1 < last()) penalties_[static_cast<std::size_t>(l + 1)] = sums.residual / static_cast<double>(samples);
    return sums.displacement;
  }

  /// Lets the steps of code l, a recurrent layer's, ask each other for what the block above asks of them.
  template <class Context>
  CodeSums update_in_time(Context& context, Index l, CodeRates<Scalar> rates) {
    const auto block = forward_.block(context.layers, l);
    const Index top = block.size() - 1;
    rates.pull = static_cast<Scalar>(-2 / mean_count(l));
    const TimeProblem<Scalar> problem{forward_.output(l).view(),
                                      block.point(forward_.at(context, l), top).trace.samples,
                                      code_at(l),
                                      rates,
                                      config_.code_iterations,
                                      config_.preserve_scale,
                                      config_.weight_inputs == WeightInputs::updated};
    CodeSums sums;
    block[top].with_recurrent([&](const auto& layer) {
      sums = problem.solve(context.lane, layer, updates_[static_cast<std::size_t>(l)].workspace(), descents_, sums_);
    });
    return sums;
  }

  /// The curvature of code l's problem along its displacement; 0 where there is none.
  double gain(const CodeSums& sums, double scale, Index l) const {
    const double value = scale * sums.change / sums.displacement + proximity_scale(l);
    return sums.displacement > 0 && std::isfinite(value) ? value : 0;
  }

  template <class Context>
  CodeRates<Scalar> code_rates(const Context& context, Index l) const {
    return {static_cast<Scalar>(-term_scale(context, l + 1)), static_cast<Scalar>(proximity_scale(l)),
            static_cast<Scalar>(config_.lambda_code / (context.mu_scale * mu_) / mean_count(l)),
            static_cast<Scalar>(code_rate(l)), static_cast<Scalar>(config_.code_momentum)};
  }

  /// The rate of the iterations on code l. The curvature along the last displacement, which leans towards the
  /// directions that diverge first, understates the largest one by a factor of about two; Nesterov's steps at momentum
  /// 0.9 need a rate below 1.3 over the largest. The measure takes the second derivative of the loss for 1, where it
  /// may be 2.
  double code_rate(Index l) const {
    const double curvature = curvatures_[static_cast<std::size_t>(l)];
    const bool limited = config_.limit_code_rate && curvature > 0;
    return limited ? std::min(config_.code_learning_rate, (l + 1 == last() ? 0.25 : 0.5) / curvature)
                   : config_.code_learning_rate;
  }

  /// What block l lacks at a point of some samples, from its prediction there to its target: `change` is how far the
  /// prediction has moved from the forward pass, empty for not at all.
  template <class Context>
  void set_residual(Context& context, Index l, const BlockPoint<Scalar>& at, ConstView<Scalar> change,
                    View<Scalar> result) {
    const Index count = result.cols();
    if (l == last()) {
      context.loss.template evaluate<Scalar>(at.y, context.target.slice(at.first, count), result);
      result *= Scalar(-1);
    } else {
      const AuxiliaryVariable<Scalar>& above = code_at(l);
      const auto target = above.target_scale * above.target().slice(at.first, count);
      if (change.size() > 0) {
        result = target - change;
      } else {
        result = target;
      }
      if (above.carried.rows() > 0) result -= above.carried.view().slice(at.first, count);
    }
  }

  /// The residual of block l under its present weights, at the inputs of its weight update.
  template <class Context>
  void evaluate_residual(Context& context, Index l, const Lane<Scalar>& lane, const Block<Layers>& block,
                         const BlockPoint<Scalar>& at) {
    residual(l).fit(forward_.output(l).rows(), at.x.cols());
    View<Scalar> result = residual(l).view();
    const BlockPoint<Scalar> fresh{at.x, result, at.inner, at.step, at.first};
    if (l < last()) {
      block.forward_from_states(lane, fresh);
      result = forward_.output(l).view() + code_at(l).target_scale * code_at(l).target() - result;
    } else {
      block.forward(lane, at);
      context.loss.template evaluate<Scalar>(at.y, context.target, result);
      result *= Scalar(-1);
    }
  }

  static Index weight_count(const Block<Layers>& block) {
    Index count = 0;
    block.for_each_parameter([&](const auto& parameter, Index, Index) {
      if (parameter.is_weight()) count += parameter.value().size();
    });
    return count;
  }

  Config config_;
  double mu_;
  std::vector<double> curvatures_;  // of each code's problem, as measured in the last steps; 0: not yet
  ForwardPass<Layers> forward_;
  std::vector<BlockUpdate> updates_;

  // Working memory, one entry a block or code.
  std::vector<AuxiliaryVariable<Scalar>> codes_;
  std::vector<Evaluation<Scalar>> evaluations_;  // at the updated codes
  std::vector<Buffer<Scalar>> residuals_;
  Buffer<Scalar> prediction_;  // at the updated codes
  std::vector<double> penalties_;
  std::vector<CodeDescent<Scalar>> descents_;  // one a thread
  std::vector<CodeSums> sums_;                 // one a slice
};

}  // namespace altmin
