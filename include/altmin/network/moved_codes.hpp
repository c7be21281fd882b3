#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/network/code_descent.hpp"
#include "altmin/network/codes_in_time.hpp"
#include "altmin/network/signal.hpp"

namespace altmin {

/// What the squared distances of the objective are, in the code phase.
enum class Reduction {
  sum,  ///< sums over features, every sample being a problem of its own: the signal survives depth
  mean  ///< means over samples and features, as in the published code: it shrinks by thousands a layer
};
constexpr std::array<const char*, 2> names(Reduction) { return {"sum", "mean"}; }

/// The input at which the weight update of a block is taken.
enum class WeightInputs {
  updated,  ///< the updated code below, as in the paper
  forward   ///< the code of the forward pass; with one code iteration this is backprop up to a scale per layer
};
constexpr std::array<const char*, 2> names(WeightInputs) { return {"updated", "forward"}; }

/// The options of moved codes beside those of the rule that moves one code. AmAdam describes them.
struct CodeOptions {
  double mu = 1;
  double mu_increment = 0;
  int weight_iterations = 1;
  double lambda_code = 0;
  double lambda_weight = 0;
  bool proximity = true;
  Reduction reduction = Reduction::sum;
  WeightInputs weight_inputs = WeightInputs::updated;
  bool preserve_scale = true;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(mu > 0, {algorithm, "mu"}, "must be above 0", mu);
    detail::require_option(mu_increment >= 0, {algorithm, "mu_increment"}, "must be 0 or more", mu_increment);
    detail::require_option(weight_iterations >= 1, {algorithm, "weight_iterations"}, "must be 1 or more",
                           weight_iterations);
    detail::require_option(lambda_code >= 0, {algorithm, "lambda_code"}, "must be 0 or more", lambda_code);
    detail::require_option(lambda_weight >= 0, {algorithm, "lambda_weight"}, "must be 0 or more", lambda_weight);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("mu", self.mu...);
    visit("mu_increment", self.mu_increment...);
    visit("weight_iterations", self.weight_iterations...);
    visit("lambda_code", self.lambda_code...);
    visit("lambda_weight", self.lambda_weight...);
    visit("proximity", self.proximity...);
    visit("reduction", self.reduction...);
    visit("weight_inputs", self.weight_inputs...);
    visit("preserve_scale", self.preserve_scale...);
  }
};

/// The codes of a network, moved from the top down (Choromanska et al. 2019, section 3), for a chain of blocks f_1 ..
/// f_{L+1} with codes c^1 .. c^L between them: for l = L .. 1 a CodeRule lowers
///
///   D(f_{l+1}(c^l), c^{l+1}) + D(c^l, c0^l) + lambda_C/mu |c^l|,
///
/// the first term for l = L being loss(f_{L+1}(c^L), y) / mu. Each block's residual is then what its prediction from
/// the code below lacks of the code above or, in the last block, minus the derivative of the loss.
template <class Scalar>
class CodesSignal : public SignalBase<CodesSignal<Scalar>, Scalar> {
 public:
  CodesSignal(const CodeOptions& options, std::vector<Erased<CodeRuleInterface<Scalar>>> rules)
      : options_{options}, mu_{options.mu}, rules_{std::move(rules)}, penalties_(rules_.size()) {}

  const CodeOptions& options() const { return options_; }

  /// The current penalty weight: options().mu, grown by mu_increment a step. The network's mu_scale multiplies it.
  double mu() const { return mu_; }

  bool moves_codes() const override { return true; }
  bool weighs_samples() const override { return true; }
  bool sums_over_ranks() const override {
    return std::all_of(rules_.begin(), rules_.end(), [](const auto& rule) { return rule->sums_over_ranks(); });
  }

  Status propagate(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) override {
    take_memory(context, workspace);
    double top = 0;
    for (Index l = workspace.code_count() - 1; l >= 0; --l) {
      const double mean_square = update_code(context, workspace, l) / static_cast<double>(workspace[l].output.rows());
      if (!std::isfinite(mean_square)) return Status::codes_not_finite;
      if (l == workspace.code_count() - 1) top = mean_square;
      const bool rescale = options_.preserve_scale && mean_square > 0;
      workspace.code(l).target_scale = static_cast<Scalar>(rescale ? std::sqrt(top / mean_square) : 1);
    }
    // Those of the blocks whose inputs are those of the forward pass; update_code() has set the others.
    const bool all = options_.weight_inputs == WeightInputs::forward;
    const Index count = all ? workspace.code_count() : std::min<Index>(1, workspace.code_count());
    for (Index l = 0; l < count; ++l) penalties_[std::size_t(l)] = penalty_sum(context, workspace, l);
    if (count > 0) context.worker.sum(penalties_.data(), count);
    for (Index l = 0; l < count; ++l) penalties_[std::size_t(l)] /= static_cast<double>(context.samples());
    for (const double penalty : penalties_) {
      if (!std::isfinite(penalty)) return Status::codes_not_finite;
    }
    weight_residuals(context, workspace);
    return Status::updated;
  }

  BlockSignal<Scalar> block_signal(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l,
                                   int iteration) const override {
    const auto samples = static_cast<double>(options_.reduction == Reduction::sum ? context.samples() : 1);
    BlockSignal<Scalar> signal{weight_point(context, workspace, l), workspace[l].residual.view(),
                               distance_scale(context, workspace, l) / samples, l1(context, workspace, l)};
    signal.sample_weights.rebind(workspace.sample_weights.view());
    const bool weighted = workspace.sample_weights.rows() > 0;
    if (iteration == 0 && !weighted && is_target_displacement(workspace, l)) {
      signal.residual.rebind(workspace.code(l).target());
      signal.residual_scale = static_cast<double>(workspace.code(l).target_scale);
      signal.scale *= signal.residual_scale;
    }
    return signal;
  }

  int weight_iterations() const override { return options_.weight_iterations; }

  /// The residual of block l under its present weights, at the inputs of its weight update.
  void renew(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l,
             const Worker<Scalar>& worker) const override {
    const auto block = workspace.block(context.layers, l);
    const auto at = weight_point(context, workspace, l);
    workspace[l].residual.fit(workspace[l].output.rows(), at.x.cols());
    const View<Scalar> residual = workspace[l].residual.view();
    if (l == workspace.last()) {
      block.forward(worker, at);
      context.loss.evaluate(at.y, context.target, residual);
      detail::scale<Scalar>(Scalar(-1), residual, residual);
      detail::weight_columns<Scalar>(workspace.sample_weights.view(), residual);
      return;
    }
    const BlockPoint<Scalar> fresh{at.x, residual, at.inner, at.step};
    for (Index k = 0; k < block.size(); ++k) {
      const TimeSteps<Scalar>* const time = block[k].time_steps();
      if (time != nullptr) {
        time->forward_from_states(worker, block.point(fresh, k));
      } else {
        block[k].forward(worker, block.point(fresh, k));
      }
    }
    block.add_input(worker, fresh);
    const auto& code = workspace.code(l);
    detail::scaled_difference<Scalar>(Scalar(1), workspace[l].output.view(), residual, residual);
    detail::scaled_difference<Scalar>(-code.target_scale, code.target(), residual, residual);
    detail::scale<Scalar>(Scalar(-1), residual, residual);
    detail::weight_columns<Scalar>(workspace.sample_weights.view(), residual);
  }

  Span<const double> penalties() const override { return {penalties_.data(), static_cast<Index>(penalties_.size())}; }

  void finish_step(const Worker<Scalar>&) override {
    for (auto& rule : rules_) rule->finish_step();
    if (mu_ < 10 * options_.mu) mu_ += options_.mu_increment;
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("mu", self.mu_...);
    visit("codes", self.rules_...);
  }

 private:
  /// Whether block l's residual is the target displacement of its code, but for a scale: it is where the weights see
  /// the inputs of the forward pass, and in the lowest block, whose input does not move.
  bool is_target_displacement(const Workspace<Scalar>& workspace, Index l) const {
    if (l == workspace.last()) return false;
    return options_.weight_inputs == WeightInputs::forward || (l == 0 && workspace.code(l).time_change.rows() == 0);
  }

  /// The sum of the penalties of this rank's samples, of a block whose inputs are those of the forward pass.
  double penalty_sum(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l) const {
    const auto& code = workspace.code(l);
    const auto scale = static_cast<double>(code.target_scale);
    if (is_target_displacement(workspace, l)) {
      return scale * scale * detail::square_sum<Scalar>(code.target(), workspace.sample_weights.view());
    }
    workspace[l].residual.fit(workspace[l].output.rows(), context.x.cols());
    const View<Scalar> residual = workspace[l].residual.view();
    BlockTarget<Scalar>{code}.write_residual(workspace.forward_point(context, l), {}, residual);
    return detail::square_sum<Scalar>(residual, workspace.sample_weights.view());
  }

  /// Multiplies the residuals of all blocks by the weights of the samples. A target displacement is left as it is: the
  /// weighted residual stands beside it.
  void weight_residuals(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) const {
    if (workspace.sample_weights.rows() == 0) return;
    for (Index l = 0; l < workspace.blocks(); ++l) {
      auto& residual = workspace[l].residual;
      if (is_target_displacement(workspace, l)) {
        residual.fit(workspace[l].output.rows(), context.x.cols());
        detail::scale<Scalar>(workspace.code(l).target_scale, workspace.code(l).target(), residual.view());
      }
      detail::weight_columns<Scalar>(workspace.sample_weights.view(), residual.view());
    }
  }

  void take_memory(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) const {
    const Index samples = context.x.cols();
    for (Index l = 0; l < workspace.code_count(); ++l) {
      workspace.code(l).fit(workspace[l].output.rows(), samples);
      workspace.block(context.layers, l + 1).fit(workspace[l + 1].moved, samples);
    }
    workspace.prediction.fit(workspace[workspace.last()].output.rows(), samples);
    if (static_cast<Index>(workspace.threads.size()) < context.worker.threads()) {
      workspace.threads.resize(std::size_t(context.worker.threads()));
    }
    workspace.slice_sums.resize(std::size_t(std::max<Index>(1, samples)));
  }

  BlockPoint<Scalar> weight_point(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l) const {
    if (l == 0 || options_.weight_inputs == WeightInputs::forward) return workspace.forward_point(context, l);
    return workspace.moved_point(l);
  }

  /// What squared distances of code l are divided by.
  double mean_count(const StepContext<Scalar>& context, const Workspace<Scalar>& workspace, Index l) const {
    return options_.reduction == Reduction::mean ? static_cast<double>(workspace[l].output.rows() * context.samples())
                                                 : 1;
  }

  /// Factor of the derivative of block l's term by its output, for a sample: -distance_scale times the residual.
  double distance_scale(const StepContext<Scalar>& context, const Workspace<Scalar>& workspace, Index l) const {
    if (l < workspace.last()) return 2 / mean_count(context, workspace, l);
    return options_.reduction == Reduction::mean ? 1 / static_cast<double>(context.samples()) : 1;
  }

  /// The weight of the sum of block l's |w|: lambda_weight, or of their mean.
  double l1(const StepContext<Scalar>& context, const Workspace<Scalar>& workspace, Index l) const {
    if (l == workspace.last() || options_.lambda_weight == 0) return 0;
    if (options_.reduction == Reduction::sum) return options_.lambda_weight;
    Index count = 0;
    workspace.block(context.layers, l).for_each_parameter([&](const auto& parameter, Index, Index) {
      if (parameter.is_weight()) count += parameter.value().size();
    });
    return options_.lambda_weight / static_cast<double>(count);
  }

  CodePenalties code_penalties(const StepContext<Scalar>& context, const Workspace<Scalar>& workspace, Index l) const {
    const bool top = l + 1 == workspace.last();
    const double mu = context.scales.mu * mu_;
    return {distance_scale(context, workspace, l + 1) / (top ? mu : 1),
            options_.proximity ? 2 / mean_count(context, workspace, l) : 0,
            options_.lambda_code / mu / mean_count(context, workspace, l), top};
  }

  /// Solves for the code below block l + 1; returns the sum of squares of its target's displacement.
  double update_code(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l) {
    const auto block = workspace.block(context.layers, l + 1);
    auto& rule = rules_[std::size_t(l)];
    auto& code = workspace.code(l);
    auto& residual = workspace[l + 1].residual;
    residual.fit(workspace[l + 1].output.rows(), context.x.cols());
    const bool top = l + 1 == workspace.last();
    const CodeProblem<Scalar> problem{
        block,
        workspace.forward_point(context, l + 1),
        workspace.moved_point(l + 1),
        top ? BlockTarget<Scalar>{context.loss, context.target} : BlockTarget<Scalar>{workspace.code(l + 1)},
        {code.displacement.view(), code.code.view(), residual.view()},
        options_.weight_inputs == WeightInputs::updated,
        workspace.sample_weights.view()};
    const CodePenalties penalties = code_penalties(context, workspace, l);
    CodeSums sums = rule->solve(context.worker, problem, penalties, workspace, l);
    const auto below = workspace.block(context.layers, l);
    if (below.time_steps() != nullptr) {
      CodePenalties in_time = penalties;
      in_time.target = 2 / mean_count(context, workspace, l);
      in_time.top = false;
      const DescentSteps steps = rule->steps_in_time(penalties, l);
      const CodesInTime<Scalar> time{*below.time_steps(),
                                     below.point(workspace.forward_point(context, l), below.top()),
                                     code,
                                     {options_.preserve_scale, options_.weight_inputs == WeightInputs::updated}};
      rule->observe_time(in_time, time.solve(context.worker, in_time, steps, workspace));
      sums = problem.evaluate(context.worker, workspace);
      sums.displacement = context.worker.sum(problem.square_sum(code.target()));
    }
    if (options_.weight_inputs == WeightInputs::forward && top) {  // at the prediction of the forward pass
      problem.target.write_residual(problem.forward, {}, residual.view());
    }
    if (!top) penalties_[std::size_t(l + 1)] = sums.residual / static_cast<double>(context.samples());
    return sums.displacement;
  }

  CodeOptions options_;
  double mu_;
  std::vector<Erased<CodeRuleInterface<Scalar>>> rules_;  // of each code
  std::vector<double> penalties_;                         // see StepReport
};

/// Moved codes as a signal, by the rule that `CodeRule` names: the paper's are moved by CodeDescent.
template <class CodeRule = CodeDescent>
struct MovedCodes : CodeOptions {
  /// That of the rule, unless it is CodeDescent.
  static constexpr const char* name = std::is_same_v<CodeRule, CodeDescent> ? "MovedCodes" : CodeRule::name;

  CodeRule rule{};

  template <class Scalar>
  class Signal : public CodesSignal<Scalar> {
   public:
    Signal(const MovedCodes& options, const LayerStack<Scalar>& layers)
        : CodesSignal<Scalar>{options, make_rules(options.rule, divide_into_blocks(layers).size() - 1)} {}

    std::unique_ptr<SignalInterface<Scalar>> clone() const override { return std::make_unique<Signal>(*this); }

   private:
    static std::vector<Erased<CodeRuleInterface<Scalar>>> make_rules(const CodeRule& rule, std::size_t count) {
      using Rule = typename CodeRule::template Rule<Scalar>;
      return {count, make_erased<Rule, CodeRuleInterface<Scalar>>(rule)};
    }
  };

  void validate(const std::string& algorithm) const {
    CodeOptions::validate(algorithm);
    rule.validate(algorithm);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    CodeOptions::fields(visit, self...);
    visit("rule", self.rule...);
  }
};

}  // namespace altmin
