#pragma once

#include <cmath>
#include <vector>

#include "altmin/network/code_descent.hpp"
#include "altmin/network/sequence.hpp"

namespace altmin {

/// Lets the steps in time of one code, a recurrent layer's output, act on each other, once the block above has moved
/// it. With a_t the displacement of step t that the block above has found, g(e) the change of step t+1's output where
/// step t moves by e, and d_T = a_T, gradient steps for t = T-1 .. 1 from e_t = 0 on
///
///   |g(e_t) - d_{t+1}|^2 + |e_t|^2 + sparsity
///
/// give the displacement a_t + e_t, and d_t = a_t + k_t e_t is the target of the steps below. k_t is 1 or, with
/// `preserve_scale`, such that k_t e_t has the size of d_{t+1} over the batch: then the first of many steps learns from
/// a signal as large as the last one. The rate is 1/T of that of other codes: all steps share the weights, and what T
/// codes take over together is lost to the weights' signal.
template <class Scalar>
class CodesInTime {
 public:
  struct Options {
    bool preserve_scale;
    bool update_states;  // whether the weights see the states of the moved codes
  };

  /// `at` is the recurrent layer in the forward pass: at.y is c0.
  CodesInTime(const TimeSteps<Scalar>& time, const Point<Scalar>& at, AuxiliaryVariable<Scalar>& code, Options options)
      : time_{time}, at_{at}, code_{code}, options_{options} {}

  /// Returns the sums of all steps but the last, without residual.
  CodeSums solve(const Worker<Scalar>& worker, const CodePenalties& penalties, const DescentSteps& steps,
                 Workspace<Scalar>& workspace) const {
    const Index last = time_.steps() - 1;
    const detail::Partition slices = detail::sequence_slices(at_.y.cols());
    code_.time_target.fit(at_.y.rows(), at_.y.cols());
    code_.time_change.fit(at_.y.rows(), at_.y.cols());
    time_.step(code_.time_change.view(), 0).setZero();
    detail::copy<Scalar>(time_.step(code_.displacement.view(), last), time_.step(code_.time_target.view(), last));
    for (Index slot = 0; slot < worker.threads(); ++slot) fit(workspace.threads[std::size_t(slot)], slices.widest());
    CodeSums sums;
    for (Index t = last - 1; t >= 0; --t) {
      worker.parallel_for(slices.count, [&](Index i, const Worker<Scalar>& own) {
        workspace.slice_sums[std::size_t(i)] = solve_step(own, t, slices.first(i), slices.size(i), penalties, steps,
                                                          workspace.threads[std::size_t(own.slot())]);
      });
      const CodeSums step = total(workspace.slice_sums, slices.count);
      const View<Scalar> target = time_.step(code_.time_target.view(), t);  // e_t
      double squares[] = {step.displacement, step.change,
                          detail::square_sum<Scalar>(time_.step(code_.time_target.view(), t + 1)),
                          detail::square_sum<Scalar>(target)};
      worker.sum(squares, 4);
      sums.displacement += squares[0];
      sums.change += squares[1];
      const double above = squares[2];
      const double found = squares[3];
      const bool rescale = options_.preserve_scale && found > 0;
      detail::scale<Scalar>(static_cast<Scalar>(rescale ? std::sqrt(above / found) - 1 : 0), target, target);
      detail::add<Scalar>(time_.step(code_.displacement.view(), t), target, target);
    }
    if (!options_.update_states) code_.time_change.view().setZero();
    return sums;
  }

 private:
  Index units() const { return at_.y.rows() / time_.steps(); }

  void fit(CodeScratch<Scalar>& scratch, Index samples) const {
    for (auto* buffer : {&scratch.velocity, &scratch.code_residual, &scratch.front_residual, &scratch.top_residual,
                         &scratch.front_change, &scratch.change, &scratch.prediction}) {
      buffer->fit(units(), samples);
    }
  }

  /// The iterations on step t of the code, for some samples. Leaves e_t in the target of step t.
  CodeSums solve_step(const Worker<Scalar>& worker, Index t, Index first, Index count, const CodePenalties& penalties,
                      const DescentSteps& steps, CodeScratch<Scalar>& scratch) const {
    fit(scratch, count);
    const auto part = [&](auto sequence, Index step) { return time_.step(sequence, step).slice(first, count); };
    const Point<Scalar> at = at_.slice(first, count);
    // Steps are rows of the codes: contiguous copies are faster.
    const View<Scalar> start = scratch.prediction.view();
    const View<Scalar> target = scratch.front_change.view();
    const View<Scalar> displacement = scratch.front_residual.view();
    const View<Scalar> change = scratch.change.view();
    const View<Scalar> residual = scratch.top_residual.view();
    const View<Scalar> code_residual = scratch.code_residual.view();
    detail::copy<Scalar>(part(at_.y, t), start);
    detail::copy<Scalar>(part(code_.time_target.view(), t + 1), target);
    for (int iteration = 0; iteration < steps.iterations; ++iteration) {
      const bool begin = iteration == 0;
      if (begin) {
        time_.backward_step(worker, at, t, {}, target, code_residual);
      } else {
        time_.step_difference(worker, at, t, displacement, code_residual, change);
        detail::scaled_difference<Scalar>(Scalar(1), target, change, residual);
        time_.backward_step(worker, at, t, displacement, residual, code_residual);
      }
      const NesterovStep<Scalar> step{penalties, steps.rate / static_cast<double>(time_.steps()), steps.momentum, begin,
                                      scratch.velocity.view()};
      step.move({0, displacement.size(), start.data(), code_residual.data(), displacement.address(0, 0)});
    }
    detail::copy<Scalar>(displacement, part(code_.time_target.view(), t));
    detail::add<Scalar>(displacement, part(code_.displacement.view(), t), displacement);
    detail::copy<Scalar>(displacement, part(code_.displacement.view(), t));
    detail::add<Scalar>(start, displacement, part(code_.code.view(), t));
    const View<Scalar> time_change = part(code_.time_change.view(), t + 1);
    time_.step_difference(worker, at, t, displacement, code_residual, time_change);
    const CodeSums sums{detail::square_sum<Scalar>(displacement), detail::square_sum<Scalar>(time_change), 0};
    if (options_.update_states) time_.move_state(at, t, displacement);
    return sums;
  }

  const TimeSteps<Scalar>& time_;
  Point<Scalar> at_;
  AuxiliaryVariable<Scalar>& code_;
  Options options_;
};

}  // namespace altmin
