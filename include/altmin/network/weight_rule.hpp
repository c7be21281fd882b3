#pragma once

#include <memory>

#include "altmin/core/erased.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/network/signal.hpp"

namespace altmin {

/// One update of one block's weights.
template <class Scalar>
struct BlockStep {
  const Block<Scalar>& block;
  const BlockSignal<Scalar>& signal;
  typename Workspace<Scalar>::BlockMemory& memory;
  double rate_scale;  // of all learning rates
};

/// How the weights of one block move. An options struct with a nested Rule<Scalar>, such as AdamRule, names it; the
/// rule is constructed from (options, block, whether it is the last one). Each block has a rule of its own, with its
/// own state, which reads nothing of other blocks. derive() and apply() run in parallel over blocks; with several ranks
/// block by block.
///
/// A step observes all blocks, derives all, checks that all stay finite, then applies all.
template <class Scalar>
class WeightRuleInterface {
 public:
  virtual ~WeightRuleInterface() = default;

  virtual std::unique_ptr<WeightRuleInterface> clone() const = 0;
  virtual bool equals(const WeightRuleInterface& other) const = 0;
  /// Shows the state, by which training continues.
  virtual void visit(FieldVisitor& visitor) = 0;

  /// Takes over the state of a rule of the same kind and block, without allocating.
  virtual void assign(const WeightRuleInterface& other) = 0;

  /// Updates memories of the block's inputs from those of the forward pass, before the signal is found: samples of the
  /// given weights (1 x samples; empty: 1). The step may still be refused: the rule keeps what it had, which its state
  /// shows until apply().
  virtual void observe(const Worker<Scalar>&, const Block<Scalar>&, const BlockPoint<Scalar>&, ConstView<Scalar>) {}

  /// Whether it can take weights of samples: what it sums over the batch beside products of inputs and residuals, which
  /// are weighted already (BlockSignal::sample_weights), it multiplies by them.
  virtual bool weighs_samples() const { return false; }

  /// Whether it fits codes, and so needs a signal that moves them.
  virtual bool requires_codes() const { return false; }

  /// Whether response() is implemented: signals that solve for all codes together require it.
  virtual bool has_response() const { return false; }
  /// k_ij = learning_rate a_i' P a_j (without rate_scale) for the samples i and j of the batch that was observed
  /// (samples x samples): how far the map's output of sample i moves along sample j's residual there, a being the
  /// inputs of the map and P this rule's metric.
  virtual void response(const Worker<Scalar>&, const Block<Scalar>&, const BlockPoint<Scalar>&, View<Scalar>) const {}

  /// Computes the gradients into step.memory.gradients, and may write working memory of the rule. Changes neither
  /// weights nor state. With several ranks, of this one's samples.
  virtual void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) = 0;

  /// Whether it can be one of several ranks: then sum_gradients() is implemented, all that observe(), derive() and
  /// apply() sum over the batch they sum over ranks (Worker::sum), and what they divide by is Worker::all_samples().
  virtual bool sums_over_ranks() const { return false; }
  /// With several ranks, after derive(): sums the gradients over them, and makes their bounds those of the sums.
  virtual void sum_gradients(const Worker<Scalar>&, const BlockStep<Scalar>&) {}

  /// Whether clip() is implemented.
  virtual bool clips() const { return false; }
  /// After derive(): shortens the gradients, as apply() reads them, to a norm of `limit` at most.
  virtual void clip(const BlockStep<Scalar>&, double /*limit*/) {}

  /// Whether apply() would leave weights and state finite, from bounds.
  virtual bool stays_finite(const BlockStep<Scalar>& step) const = 0;

  /// Moves the weights.
  virtual void apply(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) = 0;

  /// Throws ShapeError unless state that was read from a file is that of this block.
  virtual void require_fit(const Block<Scalar>& block) const = 0;

  virtual Index bytes() const = 0;

 protected:
  WeightRuleInterface() = default;
  WeightRuleInterface(const WeightRuleInterface&) = default;
  WeightRuleInterface& operator=(const WeightRuleInterface&) = default;
};

/// Implements the common part of a weight rule for the class `Rule`, which lists its state in fields().
template <class Rule, class Scalar>
class WeightRuleBase : public Cloneable<Rule, WeightRuleInterface<Scalar>> {
 public:
  void visit(FieldVisitor& visitor) override { visit_fields(visitor, static_cast<Rule&>(*this)); }
  void assign(const WeightRuleInterface<Scalar>& other) override {
    static_cast<Rule&>(*this) = static_cast<const Rule&>(other);
  }
};

}  // namespace altmin
