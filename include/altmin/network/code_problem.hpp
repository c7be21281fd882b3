#pragma once

#include "altmin/network/code_sums.hpp"
#include "altmin/network/workspace.hpp"
#include "altmin/parallel/partition.hpp"

namespace altmin {

/// Weights of the terms of one code's objective, for one sample, as factors of their derivatives.
struct CodePenalties {
  double target;     // the derivative of the block's term by the block's output is -target * residual,
  double proximity;  // that of the proximity term by the displacement is proximity * displacement,
  double sparsity;   // and that of the sparsity term is sparsity * sign(code)
  bool top;          // whether the target is the loss
};

/// The target of a block's output: the moved code above it or, for the last block, the loss.
template <class Scalar>
class BlockTarget {
 public:
  /// The target of a code: c0 + scale * target displacement, less what the moved steps before contribute.
  explicit BlockTarget(const AuxiliaryVariable<Scalar>& code)
      : displacement_{code.target()}, scale_{code.target_scale}, time_change_{code.time_change.view()} {}
  BlockTarget(const LossInterface<Scalar>& loss, const Target<Scalar>& target) : loss_{&loss}, target_{target} {}

  /// Whether it is a code, at a squared distance.
  bool is_code() const { return loss_ == nullptr; }

  /// residual = target - prediction, or minus the derivative of each sample's loss, for the samples of `at`. Of a code,
  /// `change` is how far the prediction has moved from the forward pass (empty: not at all); the loss reads at.y.
  void write_residual(const BlockPoint<Scalar>& at, ConstView<Scalar> change, View<Scalar> residual) const {
    const Index count = residual.cols();
    if (!is_code()) {
      loss_->evaluate(at.y, target_.slice(at.first, count), residual);
      detail::scale<Scalar>(Scalar(-1), residual, residual);
      return;
    }
    const auto displacement = displacement_.slice(at.first, count);
    if (change.size() > 0) {
      detail::scaled_difference<Scalar>(scale_, displacement, change, residual);
    } else {
      detail::scale<Scalar>(scale_, displacement, residual);
    }
    if (time_change_.rows() > 0) {
      detail::scaled_difference<Scalar>(Scalar(1), residual, time_change_.slice(at.first, count), residual);
    }
  }

 private:
  ConstView<Scalar> displacement_;
  Scalar scale_ = 1;
  ConstView<Scalar> time_change_;
  const LossInterface<Scalar>* loss_ = nullptr;
  Target<Scalar> target_{nullptr, 0};
};

/// The problem of one code c = c0 + delta in a training step: minimise, for each sample,
///
///   the distance of block(c) from its target, times penalties.target / 2  (or the loss, times penalties.target)
///   + penalties.proximity / 2 |delta|^2 + penalties.sparsity |c|_1
///
/// by a CodeRule, which writes delta and then, for all samples, calls evaluate() or sets what that sets.
template <class Scalar>
struct CodeProblem {
  /// The solution, of the code and of the block above it.
  struct Solution {
    View<Scalar> displacement;  // delta, features x samples
    View<Scalar> code;          // c, the same memory as moved.x
    View<Scalar> residual;      // of the block at c, outputs x samples
  };

  Block<Scalar> block;         // above the code
  BlockPoint<Scalar> forward;  // the block where the forward pass evaluated it: forward.x is c0
  BlockPoint<Scalar> moved;    // the block at c; y is empty where the target is a code
  BlockTarget<Scalar> target;
  Solution solution;
  bool output_is_read = true;  // if not, a rule may leave the block at c, and its residual, unspecified
  /// Of all samples of the batch; they weigh what is summed over samples, and not the problem of one of them.
  ConstView<Scalar> sample_weights{};

  Index samples() const { return solution.displacement.cols(); }

  CodeProblem slice(Index first, Index count) const {
    return {block,
            forward.slice(first, count),
            moved.slice(first, count),
            target,
            {solution.displacement.slice(first, count), solution.code.slice(first, count),
             solution.residual.slice(first, count)},
            output_is_read,
            sample_weights};
  }

  /// The sum of squares over these samples, by their weights.
  double square_sum(ConstView<Scalar> matrix) const {
    if (sample_weights.rows() == 0) return detail::square_sum<Scalar>(matrix);
    return detail::square_sum<Scalar>(matrix, sample_weights.slice(forward.first, samples()));
  }

  /// The samples that one thread each solves: so few that all that belongs to them stays in a core's cache, where the
  /// block's matrix leaves room. One slice where the block couples samples.
  detail::Partition slices() const;

  /// From the displacement: sets the code, the moved block and its residual. `scratch` has been fitted.
  CodeSums evaluate(const Worker<Scalar>& worker, CodeScratch<Scalar>& scratch) const;

  /// The same for all slices in parallel.
  CodeSums evaluate(const Worker<Scalar>& worker, Workspace<Scalar>& workspace) const {
    return for_each_slice(worker, workspace,
                          [](const CodeProblem& slice, const Worker<Scalar>& own, CodeScratch<Scalar>& scratch) {
                            return slice.evaluate(own, scratch);
                          });
  }

  /// Calls solve(slice, worker, scratch) for all slices in parallel; returns the sum of what they return, over all
  /// ranks.
  CodeSums for_each_slice(
      const Worker<Scalar>& worker, Workspace<Scalar>& workspace,
      FunctionRef<CodeSums(const CodeProblem&, const Worker<Scalar>&, CodeScratch<Scalar>&)> solve) const {
    return for_each_slice(worker, workspace, slices(), solve);
  }
  /// The same for other slices.
  CodeSums for_each_slice(
      const Worker<Scalar>& worker, Workspace<Scalar>& workspace, const detail::Partition& parts,
      FunctionRef<CodeSums(const CodeProblem&, const Worker<Scalar>&, CodeScratch<Scalar>&)> solve) const;

  /// Sets the residual and what is returned, where the change of the block's output since the forward pass is known.
  CodeSums finish(ConstView<Scalar> change) const;

  /// Fits a thread's memory to a slice of this many samples.
  void fit(CodeScratch<Scalar>& scratch, Index count) const;

  /// moved.y or, where the block's output is not stored, memory of the thread's for it.
  BlockPoint<Scalar> moved_with_output(CodeScratch<Scalar>& scratch) const {
    if (moved.y.size() > 0) return moved;
    return {moved.x, scratch.prediction.view(), moved.inner, moved.step, moved.first};
  }
};

template <class Scalar>
detail::Partition CodeProblem<Scalar>::slices() const {
  constexpr Index cache = (Index{1} << 20) / static_cast<Index>(sizeof(Scalar));
  constexpr Index arrays = 8;  // as large as the code or smaller
  if (block.couples_samples()) return {samples(), samples(), 8};
  const Index matrix = block.matrix().size();
  const Index unit = matrix > 0 ? detail::RegisterTile<Scalar>::few_columns : 1;
  const Index most = matrix > cache ? 128 : std::clamp<Index>(cache / (arrays * solution.displacement.rows()), 8, 32);
  return detail::Partition::shared(samples(), most, unit);
}

template <class Scalar>
void CodeProblem<Scalar>::fit(CodeScratch<Scalar>& scratch, Index count) const {
  const Index features = block.inputs();
  const Index top = block.top();
  scratch.velocity.fit(features, count);
  scratch.code_residual.fit(features, count);
  scratch.change.fit(block.outputs(), count);
  if (moved.y.size() == 0) scratch.prediction.fit(block.outputs(), count);
  if (top == 0) return;
  const Index front = block[0].output().size();
  const Index top_inputs = block[top - 1].output().size();
  scratch.front_change.fit(front, count);
  scratch.top_residual.fit(top_inputs, count);
  if (top == 1) return;
  scratch.front_residual.fit(front, count);
  scratch.top_input_change.fit(top_inputs, count);
}

template <class Scalar>
CodeSums CodeProblem<Scalar>::for_each_slice(
    const Worker<Scalar>& worker, Workspace<Scalar>& workspace, const detail::Partition& parts,
    FunctionRef<CodeSums(const CodeProblem&, const Worker<Scalar>&, CodeScratch<Scalar>&)> solve) const {
  const Index slots = parts.count == 1 ? 1 : worker.threads();  // a single slice is solved by the calling thread
  for (Index slot = 0; slot < slots; ++slot) {
    auto& scratch = workspace.threads[std::size_t(slot)];
    fit(scratch, std::min(samples(), parts.widest()));
    for (Index k : {Index{0}, Index{1}})
      scratch.between.between(k, block.largest(), std::min(samples(), parts.widest()));
  }
  worker.parallel_for(parts.count, [&](Index i, const Worker<Scalar>& own) {
    const CodeProblem part = slice(parts.first(i), parts.size(i));
    auto& scratch = workspace.threads[std::size_t(own.slot())];
    part.fit(scratch, part.samples());
    workspace.slice_sums[std::size_t(i)] = solve(part, own, scratch);
  });
  CodeSums sums = total(workspace.slice_sums, parts.count);
  sum_over_ranks(worker, sums);
  return sums;
}

template <class Scalar>
CodeSums CodeProblem<Scalar>::evaluate(const Worker<Scalar>& worker, CodeScratch<Scalar>& scratch) const {
  detail::add<Scalar>(worker, forward.x, solution.displacement, solution.code);
  block.difference(worker, forward, solution.displacement, moved_with_output(scratch), scratch.change.view(),
                   scratch.between);
  return finish(scratch.change.view());
}

template <class Scalar>
CodeSums CodeProblem<Scalar>::finish(ConstView<Scalar> change) const {
  if (moved.y.size() > 0) detail::add<Scalar>(forward.y, change, moved.y);
  target.write_residual(moved, change, solution.residual);
  return {square_sum(solution.displacement), square_sum(change), square_sum(solution.residual)};
}

}  // namespace altmin
