#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "altmin/core/erased.hpp"
#include "altmin/network/weight_rule.hpp"

namespace altmin {

/// The options of an algorithm, whatever they are: what it is made of. See AnyAlgorithm for the contract of a user's
/// own.
template <class Scalar>
class AlgorithmOptions {
 public:
  virtual ~AlgorithmOptions() = default;

  virtual const char* name() const = 0;
  virtual std::unique_ptr<AlgorithmOptions> clone() const = 0;
  virtual bool equals(const AlgorithmOptions& other) const = 0;
  virtual void visit_options(FieldVisitor& visitor) const = 0;
  virtual Erased<SignalInterface<Scalar>> make_signal(const LayerStack<Scalar>& layers) const = 0;
  virtual Erased<WeightRuleInterface<Scalar>> make_rule(const Block<Scalar>& block, bool last) const = 0;
};

namespace detail {

template <class Config, class Scalar>
class AlgorithmModel : public Cloneable<AlgorithmModel<Config, Scalar>, AlgorithmOptions<Scalar>> {
 public:
  explicit AlgorithmModel(const Config& config) : config_{config} { config_.validate(); }

  const Config& config() const { return config_; }
  const char* name() const override { return Config::name; }
  void visit_options(FieldVisitor& visitor) const override {
    Config options = config_;
    visit_part(visitor, "", options);
  }
  Erased<SignalInterface<Scalar>> make_signal(const LayerStack<Scalar>& layers) const override {
    const auto options = config_.signal();
    using Signal = typename std::decay_t<decltype(options)>::template Signal<Scalar>;
    return make_erased<Signal, SignalInterface<Scalar>>(options, layers);
  }
  Erased<WeightRuleInterface<Scalar>> make_rule(const Block<Scalar>& block, bool last) const override {
    const auto options = config_.rule(last);
    using Rule = typename std::decay_t<decltype(options)>::template Rule<Scalar>;
    return make_erased<Rule, WeightRuleInterface<Scalar>>(options, block, last);
  }

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}  // config() is all

 private:
  Config config_;
};

/// Shows options with the name of their kind.
template <class Options>
void visit_kind(FieldVisitor& visitor, const char* role, Options& options) {
  std::string name = Options::name;
  visitor.enter(role);
  visit_part(visitor, "type", name);
  visit_part(visitor, "options", options);
  visitor.leave();
}

}  // namespace detail

/// Any signal with any weight rule, as an algorithm: `Pair{Backprop{}, MemoryRule{}}`.
template <class Signal, class Rule>
struct Pair {
  static constexpr const char* name = "Pair";

  Signal signal_options{};
  Rule rule_options{};

  const Signal& signal() const { return signal_options; }
  const Rule& rule(bool) const { return rule_options; }

  void validate() const {
    signal_options.validate(std::string(Signal::name));
    rule_options.validate(std::string(Rule::name));
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("signal", self.signal_options...);
    visit("rule", self.rule_options...);
  }

  /// Shows both, each with its name.
  void visit(FieldVisitor& visitor) {
    detail::visit_kind(visitor, "signal", signal_options);
    detail::visit_kind(visitor, "rule", rule_options);
  }
};
template <class Signal, class Rule>
Pair(Signal, Rule) -> Pair<Signal, Rule>;

/// The options of any algorithm, as a value. An algorithm of your own is an options struct with
///
///   static constexpr const char* name;   for files
///   fields(), validate() const           see core/fields.hpp; throws OptionError
///   signal() const                       the options of a signal, such as MovedCodes or Backprop
///   rule(bool last) const                the options of a weight rule, such as AdamRule, for the last block and for
///   others
template <class Scalar>
class AnyAlgorithm : public Erased<AlgorithmOptions<Scalar>> {
 public:
  /// Throws OptionError for an option that is out of range.
  template <class Config>
  explicit AnyAlgorithm(const Config& config);

  /// The options themselves, where they are of this kind; null if they are of another.
  template <class Config>
  const Config* as() const {
    const auto* model = Erased<AlgorithmOptions<Scalar>>::template as<detail::AlgorithmModel<Config, Scalar>>();
    return model == nullptr ? nullptr : &model->config();
  }
};

template <class Scalar>
template <class Config>
AnyAlgorithm<Scalar>::AnyAlgorithm(const Config& config)
    : Erased<AlgorithmOptions<Scalar>>{std::make_unique<detail::AlgorithmModel<Config, Scalar>>(config)} {}

/// How a network learns: a signal, and a weight rule for each block.
template <class Scalar>
class Algorithm {
 public:
  Algorithm(AnyAlgorithm<Scalar> options, LayerStack<Scalar>& layers);

  const char* name() const { return options_->name(); }

  /// Its options, where they are of this kind; null if they are of another.
  template <class Config>
  const Config* options() const {
    return options_.template as<Config>();
  }
  void visit_options(FieldVisitor& visitor) const { options_->visit_options(visitor); }

  /// Its signal, where that is of this class; null if it is of another.
  template <class Signal>
  const Signal* signal() const {
    return signal_.template as<Signal>();
  }

  /// The rule of block l, where that is of this class; null if it is of another.
  template <class Rule>
  const Rule* rule(Index l) const {
    return rules_[std::size_t(l)].template as<Rule>();
  }

  /// How the layers are divided into blocks, see divide_into_blocks().
  const std::vector<BlockRange>& blocks() const { return workspace_.ranges(); }

  /// The codes of the last step, from the input up, features x samples: of the forward pass, and as they were moved.
  Index code_count() const { return workspace_.code_count(); }
  ConstView<Scalar> forward_code(Index l) const { return workspace_[l].output.view(); }
  ConstView<Scalar> code(Index l) const { return workspace_.code(l).code.view(); }
  ConstView<Scalar> displacement(Index l) const { return workspace_.code(l).displacement.view(); }
  /// The target of the block below code l, less the forward pass's code: the displacement at the scale of the top one.
  Matrix<Scalar> target_displacement(Index l) const {
    return workspace_.code(l).target_scale * workspace_.code(l).target();
  }

  /// Throws OptionError unless its signal and rules, and these layers, can be those of one of several ranks.
  void require_sums_over_ranks(const LayerStack<Scalar>& layers) const;

  /// Throws OptionError unless its rules can clip gradients.
  void require_clipping() const;
  /// Throws OptionError unless its signal and rules can take weights of samples.
  void require_sample_weights() const;

  /// One training step. Unless it returns `updated`, nothing has changed but the random numbers that were drawn.
  StepReport step(const StepContext<Scalar>& context);

  /// Parts of step(), for timing and tests; run_forward() comes first. observe() and response() run in step() alone, so
  /// memories and ExactCodes need step().
  SignalInterface<Scalar>& signal() { return *signal_; }
  Workspace<Scalar>& workspace() { return workspace_; }
  Status update_weights(const StepContext<Scalar>& context);

  /// Bytes held for training, beside the network's parameters.
  Index bytes() const {
    Index sum = workspace_.bytes() + (signal_ ? signal_->bytes() : 0);  // none after a move
    for (const auto* rules : {&rules_, &saved_rules_}) {
      for (const auto& rule : *rules) sum += rule->bytes();
    }
    for (const auto& values : saved_parameters_) sum += values.size() * static_cast<Index>(sizeof(Scalar));
    return sum;
  }

  /// Throws ShapeError unless state that was read from a file is that of these layers.
  void require_fit(LayerStack<Scalar>& layers) const {
    signal_->require_fit();
    for (Index l = 0; l < workspace_.blocks(); ++l) rules_[std::size_t(l)]->require_fit(workspace_.block(layers, l));
  }

  friend bool operator==(const Algorithm& a, const Algorithm& b) {
    return a.options_ == b.options_ && a.signal_ == b.signal_ && a.rules_ == b.rules_;
  }

  /// Shows the state, by which training continues.
  void visit(FieldVisitor& visitor) {
    visit_part(visitor, "signal", signal_);
    visit_part(visitor, "rules", rules_);
  }

 private:
  /// Calls use(l, worker), or use(l, step, worker), for all blocks in parallel or, with several ranks, one after the
  /// other: sums over ranks have an order.
  void for_each_block(const StepContext<Scalar>& context, FunctionRef<void(Index, const Worker<Scalar>&)> use);
  void for_each_block(const StepContext<Scalar>& context, int iteration,
                      FunctionRef<void(Index, const BlockStep<Scalar>&, const Worker<Scalar>&)> use);

  bool stays_finite(const StepContext<Scalar>& context, int iteration);

  /// Of several updates in a step the first ones are taken back where a later one fails.
  void save_weights(LayerStack<Scalar>& layers);
  void restore_weights(LayerStack<Scalar>& layers);

  AnyAlgorithm<Scalar> options_;
  Erased<SignalInterface<Scalar>> signal_;
  std::vector<Erased<WeightRuleInterface<Scalar>>> rules_;
  Workspace<Scalar> workspace_;
  std::vector<Matrix<Scalar>> saved_parameters_;
  std::vector<Erased<WeightRuleInterface<Scalar>>> saved_rules_;
  Index saved_for_ = 0;  // samples of the largest batch
};

template <class Scalar>
Algorithm<Scalar>::Algorithm(AnyAlgorithm<Scalar> options, LayerStack<Scalar>& layers)
    : options_{std::move(options)}, workspace_{layers} {
  signal_ = options_->make_signal(layers);
  for (Index l = 0; l < workspace_.blocks(); ++l) {
    rules_.push_back(options_->make_rule(workspace_.block(layers, l), l == workspace_.last()));
    if (rules_.back()->requires_codes() && !signal_->moves_codes()) {
      throw OptionError(std::string(name()) +
                        ": its weight rule requires a signal that moves codes, such as MovedCodes");
    }
    if (signal_->requires_response() && !rules_.back()->has_response()) {
      throw OptionError(std::string(name()) +
                        ": its signal requires a weight rule with a response, such as RecursiveRule");
    }
  }
}

template <class Scalar>
StepReport Algorithm<Scalar>::step(const StepContext<Scalar>& context) {
  signal_->check(context.loss, context.layers.output().size(), context.samples());
  StepReport report;
  report.loss = run_forward(context, workspace_);
  if (!std::isfinite(report.loss)) {
    report.status = Status::loss_not_finite;
    return report;
  }
  const ConstView<Scalar> sample_weights = signal_->sample_weights(context, workspace_);
  for (Index l = 0; l < workspace_.blocks(); ++l) {
    auto& rule = rules_[std::size_t(l)];
    const auto block = workspace_.block(context.layers, l);
    const auto at = workspace_.forward_point(context, l);
    rule->observe(context.worker, block, at, sample_weights);
    if (!signal_->requires_response()) continue;
    auto& response = workspace_[l].response;
    response.fit(context.x.cols(), context.x.cols());
    rule->response(context.worker, block, at, response.view());
    // A Skip's factor stands between map and output on the way down, and again on the way up.
    const Scalar squared = block.branch() * block.branch();
    if (squared != Scalar(1)) detail::scale<Scalar>(squared, response.view(), response.view());
  }
  report.status = signal_->propagate(context, workspace_);
  if (!report) return report;
  report.penalties = signal_->penalties();
  report.status = update_weights(context);
  if (!report) return report;
  for (Index l = 0; l < workspace_.blocks(); ++l) {
    workspace_.block(context.layers, l).update_statistics(context.worker, workspace_.forward_point(context, l));
  }
  signal_->finish_step(context.worker);
  return report;
}

template <class Scalar>
Status Algorithm<Scalar>::update_weights(const StepContext<Scalar>& context) {
  const int iterations = signal_->weight_iterations();
  if (iterations > 1) save_weights(context.layers);
  for (int iteration = 0; iteration < iterations; ++iteration) {
    if (iteration > 0) {
      for_each_block(context,
                     [&](Index l, const Worker<Scalar>& worker) { signal_->renew(context, workspace_, l, worker); });
    }
    for_each_block(context, iteration, [&](Index l, const BlockStep<Scalar>& step, const Worker<Scalar>& worker) {
      rules_[std::size_t(l)]->derive(worker, step);
      if (worker.share() != nullptr) rules_[std::size_t(l)]->sum_gradients(worker, step);
    });
    // Here all gradients are computed, a contiguous piece a block, and nothing has moved. Who enlarges them renews
    // their bounds. What follows reads sums over the batch alone: with several ranks, it is the same on all of them.
    if (context.scales.gradient_limit) {
      for_each_block(context, iteration, [&](Index l, const BlockStep<Scalar>& step, const Worker<Scalar>&) {
        rules_[std::size_t(l)]->clip(step, *context.scales.gradient_limit);
      });
    }
    if (!stays_finite(context, iteration)) {
      if (iteration > 0) restore_weights(context.layers);
      return Status::weights_not_finite;
    }
    for_each_block(context, iteration, [&](Index l, const BlockStep<Scalar>& step, const Worker<Scalar>& worker) {
      rules_[std::size_t(l)]->apply(worker, step);
    });
  }
  if (iterations > 1 && saved_for_ < context.x.cols()) {
    save_weights(context.layers);  // takes as much memory as the rules have taken, so that the next step allocates none
    saved_for_ = context.x.cols();
  }
  return Status::updated;
}

template <class Scalar>
void Algorithm<Scalar>::require_sums_over_ranks(const LayerStack<Scalar>& layers) const {
  const auto refuse = [](const std::string& what) {
    throw OptionError(what + " does not sum over ranks: expected a network that can train on several ranks");
  };
  for (Index i = 0; i < layers.size(); ++i) {
    const LayerTraits& traits = layers[i].traits();
    if (traits.couples_samples && !traits.sums_over_ranks) {
      refuse("layer " + detail::text(i) + " (" + layers[i].name() + ")");
    }
  }
  if (!signal_->sums_over_ranks()) refuse("the signal of " + std::string{name()});
  for (const auto& rule : rules_) {
    if (!rule->sums_over_ranks()) refuse("the weight rule of " + std::string{name()});
  }
}

template <class Scalar>
void Algorithm<Scalar>::require_clipping() const {
  for (const auto& rule : rules_) {
    if (rule->clips()) continue;
    throw OptionError(std::string{name()} +
                      ": its weight rule does not clip gradients: expected another algorithm, or " +
                      "no gradient limit");
  }
}

template <class Scalar>
void Algorithm<Scalar>::require_sample_weights() const {
  const auto refuse = [&](const char* what) {
    throw OptionError(std::string{name()} + ": its " + what +
                      " takes no weights of samples: expected another algorithm, or samples without weights");
  };
  if (!signal_->weighs_samples()) refuse("signal");
  for (const auto& rule : rules_) {
    if (!rule->weighs_samples()) refuse("weight rule");
  }
}

template <class Scalar>
void Algorithm<Scalar>::for_each_block(const StepContext<Scalar>& context,
                                       FunctionRef<void(Index, const Worker<Scalar>&)> use) {
  if (context.worker.share() == nullptr) return context.worker.parallel_for(workspace_.blocks(), use);
  for (Index l = 0; l < workspace_.blocks(); ++l) use(l, context.worker);
}

template <class Scalar>
void Algorithm<Scalar>::for_each_block(const StepContext<Scalar>& context, int iteration,
                                       FunctionRef<void(Index, const BlockStep<Scalar>&, const Worker<Scalar>&)> use) {
  for_each_block(context, [&](Index l, const Worker<Scalar>& worker) {
    const auto block = workspace_.block(context.layers, l);
    const auto signal = signal_->block_signal(context, workspace_, l, iteration);
    use(l, BlockStep<Scalar>{block, signal, workspace_[l], context.scales.rate}, worker);
  });
}

template <class Scalar>
bool Algorithm<Scalar>::stays_finite(const StepContext<Scalar>& context, int iteration) {
  for (Index l = 0; l < workspace_.blocks(); ++l) {
    const auto block = workspace_.block(context.layers, l);
    const auto signal = signal_->block_signal(context, workspace_, l, iteration);
    const BlockStep<Scalar> step{block, signal, workspace_[l], context.scales.rate};
    if (!rules_[std::size_t(l)]->stays_finite(step)) return false;
    if (!block.statistics_stay_finite(workspace_.forward_point(context, l))) return false;
  }
  return true;
}

template <class Scalar>
void Algorithm<Scalar>::save_weights(LayerStack<Scalar>& layers) {
  std::size_t next = 0;
  for (auto& layer : layers) {
    for (const auto& parameter : layer.parameters()) {
      if (next == saved_parameters_.size()) saved_parameters_.emplace_back();
      saved_parameters_[next++] = parameter.value();
    }
  }
  if (saved_rules_.empty()) {
    saved_rules_ = rules_;
  } else {
    for (std::size_t l = 0; l < rules_.size(); ++l) saved_rules_[l]->assign(*rules_[l]);
  }
}

template <class Scalar>
void Algorithm<Scalar>::restore_weights(LayerStack<Scalar>& layers) {
  std::size_t next = 0;
  for (auto& layer : layers) {
    for (auto& parameter : layer.parameters()) parameter.values() = saved_parameters_[next++];
  }
  for (std::size_t l = 0; l < rules_.size(); ++l) rules_[l]->assign(*saved_rules_[l]);
}

}  // namespace altmin
