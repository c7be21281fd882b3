#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/network/auxiliary_variable.hpp"
#include "altmin/network/forward_pass.hpp"
#include "altmin/network/gradient_update.hpp"

namespace altmin {

/// What the squared distances of the objective are, in the code phase.
enum class Reduction {
  sum,  ///< sums over features, every sample being a problem of its own: the signal survives depth
  mean  ///< means over samples and features, as in the published code: it shrinks by thousands a layer
};

/// What the weight update of a block takes as its input.
enum class WeightInputs {
  updated,  ///< the updated code below, as in the paper
  forward   ///< the code of the forward pass; with one code iteration this is backprop up to a scale per layer
};

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
      largest_ = std::max(largest_, block.largest());
    }
    codes_.resize(blocks - 1);
    penalties_.resize(blocks - 1);
    curvatures_.resize(blocks - 1);
    evaluations_.resize(blocks);
    residuals_.resize(blocks);
  }

  const Config& config() const { return config_; }

  /// The current penalty weight: config().mu, grown by mu_increment a step.
  double mu() const { return mu_; }

  /// The codes of the last batch, from the input up, features x samples: as encoded, and after their update.
  ConstView<Scalar> forward_code(Index l) const { return forward_.output(l).view(); }
  ConstView<Scalar> code(Index l) const { return codes_[static_cast<std::size_t>(l)].updated.view(); }
  ConstView<Scalar> displacement(Index l) const { return codes_[static_cast<std::size_t>(l)].displacement.view(); }
  /// What the block below is asked to add to its code: the displacement at the scale of the top one.
  Matrix<Scalar> target_displacement(Index l) const {
    return codes_[static_cast<std::size_t>(l)].target_scale * displacement(l);
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

  /// Phase 2, from the top down; leaves in each block's residual what its weight update needs. False if the codes
  /// diverged.
  template <class Context>
  bool update_codes(Context& context) {
    const Index samples = context.x.cols();
    residual(last()).view() *= Scalar(-1);  // from here on all residuals point from the prediction to the target
    if (code_count() == 0) return true;
    take_memory(context, samples);
    double top_squares = 0;
    for (Index l = code_count() - 1; l >= 0; --l) {
      const double squares = update_code(context, l);
      if (!std::isfinite(squares)) return false;
      if (l == code_count() - 1) top_squares = squares / static_cast<double>(forward_.output(l).rows());
      const double mean_squares = squares / static_cast<double>(forward_.output(l).rows());
      const bool rescale = config_.preserve_scale && mean_squares > 0;
      code_at(l).target_scale = static_cast<Scalar>(rescale ? std::sqrt(top_squares / mean_squares) : 1);
    }
    const auto& lowest = code_at(0);
    residual(0).view() = lowest.target_scale * lowest.displacement.view();
    penalties_[0] = static_cast<double>(residual(0).view().squaredNorm()) / static_cast<double>(samples);
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
    View<Scalar> slope = residual(l).view();
    for (int iteration = 0; iteration < config_.weight_iterations; ++iteration) {
      if (iteration > 0) evaluate_residual(context, l, lane, block, at);
      slope *= static_cast<Scalar>(-scale);
      const double weights = static_cast<double>(weight_count(block));
      const double l1 = l == last() ? 0 : config_.lambda_weight / (config_.reduction == Reduction::mean ? weights : 1);
      updates_[static_cast<std::size_t>(l)].update(lane, block, at, {ConstView<Scalar>{slope}, scale, l1},
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
    for (const auto& solver : solvers_) sum += solver.bytes();
    return sum;
  }

  friend bool operator==(const AlternatingMinimization& a, const AlternatingMinimization& b) {
    return a.config_ == b.config_ && a.mu_ == b.mu_ && a.curvatures_ == b.curvatures_ && a.updates_ == b.updates_;
  }

 private:
  /// One thread's memory for the code update of a slice of the batch.
  struct Solver {
    Buffer<Scalar> velocity;
    Buffer<Scalar> pulled;     // the gradient, pulled back through the block
    Buffer<Scalar> predicted;  // of the code above, at the moved input
    Buffer<Scalar> change;     // its difference from the forward pass
    Scratch<Scalar> scratch;

    void fit(Index features, Index samples) {
      for (auto* buffer : {&velocity, &pulled, &predicted, &change, &scratch.buffers[0], &scratch.buffers[1]}) {
        buffer->fit(features, samples);
      }
    }
    Index bytes() const {
      return velocity.bytes() + pulled.bytes() + predicted.bytes() + change.bytes() + scratch.bytes();
    }
  };

  /// Sums of squares at the end of the code iterations.
  struct SolveSums {
    double displacement = 0;
    double change = 0;  // of the prediction, by the displacement
    double residual = 0;
  };

  /// The samples of a batch that one thread takes through all iterations of a code update.
  static constexpr Index slice_samples = 48;

  Index last() const { return forward_.blocks() - 1; }
  Buffer<Scalar>& residual(Index l) { return residuals_[static_cast<std::size_t>(l)]; }
  AuxiliaryVariable<Scalar>& code_at(Index l) { return codes_[static_cast<std::size_t>(l)]; }

  template <class Context>
  void take_memory(Context& context, Index samples) {
    for (Index l = 0; l < code_count(); ++l) {
      code_at(l).fit(forward_.output(l).rows(), samples);
      residual(l).fit(forward_.output(l).rows(), samples);
      forward_.block(context.layers, l + 1).fit(evaluations_[static_cast<std::size_t>(l + 1)], samples);
    }
    prediction_.fit(forward_.prediction().rows(), samples);
    bool coupled = false;
    for (Index l = 1; l < forward_.blocks(); ++l) {
      coupled = coupled || forward_.block(context.layers, l).couples_samples();
    }
    const Index slots = context.lane.threads();
    if (static_cast<Index>(solvers_.size()) < slots) solvers_.resize(static_cast<std::size_t>(slots));
    const Index slice = coupled ? samples : slice_size(samples);
    for (auto& solver : solvers_) solver.fit(largest_, slice);
    sums_.resize(static_cast<std::size_t>(samples));
  }

  static Index slice_size(Index samples) {
    const Index slices = std::max<Index>(1, samples / slice_samples);
    return (samples + slices - 1) / slices;
  }

  /// Block l at its updated input. Its output goes to `predicted`; that of the last block is kept for its weight
  /// update.
  template <class Context>
  BlockPoint<Scalar> moved_point(Context& context, Index l, View<Scalar> predicted, Index first, Index count) {
    return {code_at(l - 1).updated.view().slice(first, count),
            l == last() ? prediction_.view().slice(first, count) : predicted, evaluations_[static_cast<std::size_t>(l)],
            forward_.at(context, l).inner, first};
  }

  /// The block at the input that its weight update sees. An inner block ends in a map or a normalization, whose
  /// gradients do not read their output, so the forward pass's can stand there.
  template <class Context>
  BlockPoint<Scalar> weight_point(Context& context, Index l) {
    const auto forward = forward_.at(context, l);
    if (l == 0 || config_.weight_inputs == WeightInputs::forward) return forward;
    return moved_point(context, l, forward.y, 0, forward.x.cols());
  }

  /// Derivative factor of block l's term in the code phase: the term's derivative by the block's output is -scale times
  /// the residual, per sample.
  double distance_scale(Index l) const {
    if (l < last()) return 2 / mean_count(l);
    return config_.reduction == Reduction::mean ? 1 / static_cast<double>(forward_.output(l).columns()) : 1;
  }

  /// The same relative to the penalties, as it stands in the code phase.
  double term_scale(Index l) const { return distance_scale(l) / (l == last() ? mu_ : 1); }

  /// Derivative factor of the proximity term of code l.
  double proximity_scale(Index l) const { return config_.proximity ? 2 / mean_count(l) : 0; }

  /// What squared distances of code l are divided by.
  double mean_count(Index l) const {
    const Buffer<Scalar>& code = forward_.output(l);
    return config_.reduction == Reduction::mean ? static_cast<double>(code.rows() * code.columns()) : 1;
  }

  /// Solves for the code below block l + 1; returns the sum of squares of its displacement.
  template <class Context>
  double update_code(Context& context, Index l) {
    const auto block = forward_.block(context.layers, l + 1);
    const Index samples = context.x.cols();
    const Index slice = block.couples_samples() ? samples : slice_size(samples);
    const Index slices = (samples + slice - 1) / slice;
    context.lane.parallel_for(slices, [&](Index i, const Lane<Scalar>& lane) {
      const Index first = i * slice;
      solve(context, l, block, lane, first, std::min(slice, samples - first), static_cast<std::size_t>(i));
    });
    SolveSums sums;
    for (Index i = 0; i < slices; ++i) {  // in this order: the same bits for any number of threads
      const SolveSums& part = sums_[static_cast<std::size_t>(i)];
      sums.displacement += part.displacement;
      sums.change += part.change;
      sums.residual += part.residual;
    }
    if (l + 1 < last()) penalties_[static_cast<std::size_t>(l + 1)] = sums.residual / static_cast<double>(samples);
    if (sums.displacement > 0) {
      const double gain = term_scale(l + 1) * sums.change / sums.displacement + proximity_scale(l);
      double& curvature = curvatures_[static_cast<std::size_t>(l)];
      curvature = std::max(gain, 0.9 * curvature);
    }
    return sums.displacement;
  }

  /// The rate of the iterations on code l. The curvature along the last displacement, which leans towards the
  /// directions that diverge first, understates the largest one by a factor of about two; Nesterov's steps at momentum
  /// 0.9 need a rate below 1.3 over the largest.
  double code_rate(Index l) const {
    const double curvature = curvatures_[static_cast<std::size_t>(l)];
    const bool limited = config_.limit_code_rate && curvature > 0;
    return limited ? std::min(config_.code_learning_rate, 0.5 / curvature) : config_.code_learning_rate;
  }

  /// The code iterations for the samples first .. first + count - 1.
  template <class Context>
  void solve(Context& context, Index l, const Block<Layers>& block, const Lane<Scalar>& lane, Index first, Index count,
             std::size_t part) {
    Solver& solver = solvers_[static_cast<std::size_t>(lane.slot())];
    const Index features = forward_.output(l).rows();
    const bool top = l + 1 == last();
    const bool needs_end =
        config_.weight_inputs == WeightInputs::updated;  // the weights need the prediction at the end
    solver.velocity.fit(features, count);
    solver.pulled.fit(features, count);
    solver.predicted.fit(block.outputs(), count);
    solver.change.fit(block.outputs(), count);

    AuxiliaryVariable<Scalar>& code = code_at(l);
    const ConstView<Scalar> forward_code = forward_.output(l).view().slice(first, count);
    View<Scalar> displacement = code.displacement.view().slice(first, count);
    View<Scalar> updated = code.updated.view().slice(first, count);
    View<Scalar> residual_part = residual(l + 1).view().slice(first, count);
    const auto from = forward_.at(context, l + 1).slice(first, count);
    const auto to = moved_point(context, l + 1, solver.predicted.view(), first, count);

    const Rates rates{static_cast<Scalar>(-term_scale(l + 1)), static_cast<Scalar>(proximity_scale(l)),
                      static_cast<Scalar>(config_.lambda_code / mu_ / mean_count(l)), static_cast<Scalar>(code_rate(l)),
                      static_cast<Scalar>(config_.code_momentum)};

    displacement.setZero();
    updated = forward_code;
    if (!top) residual_part = code_at(l + 1).target_scale * code_at(l + 1).displacement.view().slice(first, count);
    for (int iteration = 0; iteration < config_.code_iterations; ++iteration) {
      // At c0 the prediction is the forward pass's own: the first iteration needs no product for it.
      block.pull_back(lane, iteration == 0 ? from : to, residual_part, solver.pulled.view(), solver.scratch);
      move(solver, forward_code, displacement, updated, rates, iteration == 0);
      if (needs_end || iteration + 1 < config_.code_iterations) {
        block.difference(lane, from, displacement, to, solver.change.view(), solver.scratch);
        if (top) {
          context.loss.template evaluate<Scalar>(to.y, context.target.slice(first, count), residual_part);
          residual_part *= Scalar(-1);
        } else {
          residual_part = code_at(l + 1).target_scale * code_at(l + 1).displacement.view().slice(first, count) -
                          solver.change.view();
        }
      }
    }
    if (!needs_end) restore_forward_residual(context, l, from, residual_part, first);
    sums_[part] = {static_cast<double>(displacement.squaredNorm()),
                   static_cast<double>(solver.change.view().squaredNorm()),
                   static_cast<double>(residual_part.squaredNorm())};
  }

  struct Rates {
    Scalar pull, proximity, sparsity, rate, momentum;
  };

  /// One step of Nesterov's momentum, in one pass: g the gradient, v <- momentum v + g, c <- c - rate (g + momentum v).
  static void move(Solver& solver, ConstView<Scalar> forward_code, View<Scalar> displacement, View<Scalar> updated,
                   const Rates& rates, bool first) {
    const Index size = displacement.size();
    const Scalar* const start = forward_code.data();
    const Scalar* const pulled = solver.pulled.view().data();
    Scalar* const velocity = solver.velocity.view().data();
    Scalar* const delta = displacement.data();
    Scalar* const code = updated.data();
    const Scalar kept = first ? Scalar(0) : rates.momentum;
    if (first) solver.velocity.view().setZero();
    for (Index i = 0; i < size; ++i) {
      const Scalar sign = static_cast<Scalar>((code[i] > Scalar(0)) - (code[i] < Scalar(0)));
      const Scalar slope = rates.pull * pulled[i] + rates.proximity * delta[i] + rates.sparsity * sign;
      velocity[i] = kept * velocity[i] + slope;
      delta[i] -= rates.rate * (slope + rates.momentum * velocity[i]);
      code[i] = start[i] + delta[i];
    }
  }

  /// With forward inputs the prediction is that of the forward pass: the residual is the whole displacement above.
  template <class Context>
  void restore_forward_residual(Context& context, Index l, const BlockPoint<Scalar>& from, View<Scalar> residual_part,
                                Index first) {
    const Index count = residual_part.cols();
    if (l + 1 == last()) {
      context.loss.template evaluate<Scalar>(from.y, context.target.slice(first, count), residual_part);
      residual_part *= Scalar(-1);
    } else {
      residual_part = code_at(l + 1).target_scale * code_at(l + 1).displacement.view().slice(first, count);
    }
  }

  /// The residual of block l under its present weights, at the inputs of its weight update.
  template <class Context>
  void evaluate_residual(Context& context, Index l, const Lane<Scalar>& lane, const Block<Layers>& block,
                         const BlockPoint<Scalar>& at) {
    View<Scalar> result = residual(l).view();
    const BlockPoint<Scalar> fresh{at.x, result, at.inner, at.step, at.first};
    if (l < last()) {
      block.forward(lane, fresh);
      result = forward_.output(l).view() + code_at(l).target_scale * code_at(l).displacement.view() - result;
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
  std::vector<Solver> solvers_;  // one a thread
  std::vector<SolveSums> sums_;  // one a slice
  Index largest_ = 0;
};

}  // namespace altmin
