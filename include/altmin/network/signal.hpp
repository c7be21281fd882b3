#pragma once

#include <memory>

#include "altmin/core/erased.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/network/forward_pass.hpp"
#include "altmin/network/step.hpp"
#include "altmin/network/workspace.hpp"

namespace altmin {

/// A signal's result for one block: its weights are to move its output along the residual, at these inputs.
template <class Scalar>
struct BlockSignal {
  BlockPoint<Scalar> at;       // the block at the inputs at which its weights are updated
  ConstView<Scalar> residual;  // outputs x samples
  double scale = 1;            // the derivative of the block's objective by its output is -scale * residual,
  double l1 = 0;               // and the objective has this times the sum of all |w| besides
  double residual_scale = 1;   // what the output lacks of its target is this times the residual
  /// What each sample's residual has been multiplied by: its weight (1 x samples); without rows: 1.
  ConstView<Scalar> sample_weights{};
};

/// Computes, from the forward pass and the loss of a training step, a residual for every block: the direction in which
/// its output should move. An options struct with a nested Signal<Scalar>, such as Backprop or MovedCodes, names it;
/// examples/extensions/feedback_alignment.hpp shows a whole one.
template <class Scalar>
class SignalInterface {
 public:
  virtual ~SignalInterface() = default;

  virtual std::unique_ptr<SignalInterface> clone() const = 0;
  virtual bool equals(const SignalInterface& other) const = 0;
  /// Shows the state, by which training continues.
  virtual void visit(FieldVisitor& visitor) = 0;

  /// Whether it reads the response() of weight rules.
  virtual bool requires_response() const { return false; }

  /// Whether the residuals of inner blocks are what their predictions lack of a code, for rules that fit these codes.
  virtual bool moves_codes() const { return false; }

  /// Whether it can be that of one of several ranks: then it divides by StepContext::samples(), and all that it decides
  /// by sums over the batch it decides by those over all ranks (Worker::sum).
  virtual bool sums_over_ranks() const { return false; }

  /// Throws OptionError or ShapeError for a loss or a batch that it cannot take. The first call of a step.
  virtual void check(const LossInterface<Scalar>&, Index /*outputs*/, Index /*samples*/) const {}

  /// Whether it can take weights of samples: a sample of weight 2 then is the sample twice. It multiplies the residuals
  /// of all blocks by Workspace::sample_weights, and what it sums over the batch.
  virtual bool weighs_samples() const { return false; }

  /// What each sample weighs in the memories of weight rules (1 x samples); empty: 1. After the forward pass.
  virtual ConstView<Scalar> sample_weights(const StepContext<Scalar>&, Workspace<Scalar>& workspace) {
    return workspace.sample_weights.view();
  }

  /// Finds the residuals of all blocks. The forward pass has been run (see run_forward()), and its loss is finite.
  /// Anything but `updated` leaves the signal's state as it was.
  virtual Status propagate(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) = 0;

  /// What was found for block l, for update number `iteration` of its weights in this step: 0, 1, ...
  virtual BlockSignal<Scalar> block_signal(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l,
                                           int iteration) const = 0;

  /// Updates of the weights in a step. Before each but the first, renew() evaluates a block anew at its present
  /// weights; it is called in parallel over blocks.
  virtual int weight_iterations() const { return 1; }
  virtual void renew(const StepContext<Scalar>&, Workspace<Scalar>&, Index, const Worker<Scalar>&) const {}

  /// See StepReport.
  virtual Span<const double> penalties() const { return {}; }

  /// After the weights have moved.
  virtual void finish_step(const Worker<Scalar>&) {}

  /// Throws ShapeError unless state that was read from a file has the sizes that it was made with.
  virtual void require_fit() const {}

  /// Bytes held beside the workspace.
  virtual Index bytes() const { return 0; }

 protected:
  SignalInterface() = default;
  SignalInterface(const SignalInterface&) = default;
  SignalInterface& operator=(const SignalInterface&) = default;
};

/// Implements the common part of a signal for the class `Signal`, which lists its state in fields().
template <class Signal, class Scalar>
class SignalBase : public Cloneable<Signal, SignalInterface<Scalar>> {
 public:
  void visit(FieldVisitor& visitor) override { visit_fields(visitor, static_cast<Signal&>(*this)); }
};

}  // namespace altmin
