#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/network/code_rule.hpp"

namespace altmin {

/// Moves codes by a few gradient steps with Nesterov's momentum, which starts anew with each batch:
///
///   v <- momentum v + g,   delta <- delta - rate (g + momentum v),   from delta = v = 0,
///
/// g being the gradient of the code's objective. The paper (Choromanska et al. 2019, section 3) takes plain gradient
/// steps; momentum gets further in as many.
struct CodeDescent {
  static constexpr const char* name = "CodeDescent";

  int iterations = 5;            ///< see AmAdam::code_iterations
  double learning_rate = 0.001;  ///< see AmAdam::code_learning_rate
  double momentum = 0.9;         ///< see AmAdam::code_momentum
  bool limit_rate = true;        ///< see AmAdam::limit_code_rate

  template <class Scalar>
  class Rule;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(iterations >= 1, {algorithm, "code_iterations"}, "must be 1 or more", iterations);
    detail::require_option(learning_rate >= 0, {algorithm, "code_learning_rate"}, "must be 0 or more", learning_rate);
    detail::require_option(momentum >= 0 && momentum < 1, {algorithm, "code_momentum"}, "must be 0 to below 1",
                           momentum);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("iterations", self.iterations...);
    visit("learning_rate", self.learning_rate...);
    visit("momentum", self.momentum...);
    visit("limit_rate", self.limit_rate...);
  }
};

/// The step of CodeDescent on a piece of a code. `residual` of the piece is the block's, by the code.
template <class Scalar>
class NesterovStep : public InputRule<Scalar> {
 public:
  NesterovStep(const CodePenalties& penalties, double rate, double momentum, bool first, View<Scalar> velocity)
      : target_{static_cast<Scalar>(-penalties.target)},
        proximity_{static_cast<Scalar>(penalties.proximity)},
        sparsity_{static_cast<Scalar>(penalties.sparsity)},
        rate_{static_cast<Scalar>(rate)},
        momentum_{static_cast<Scalar>(momentum)},
        first_{first},
        velocity_{velocity.data()} {}

  void move(const InputPiece<Scalar>& piece) const override {
    using Array = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
    using ConstArray = Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
    const ConstArray residual{piece.residual, piece.size};
    const ConstArray start{piece.start, piece.size};
    Array delta{piece.displacement, piece.size};
    Array v{velocity_ + piece.first, piece.size};
    if (first_) {
      v = target_ * residual;
      if (sparsity_ != Scalar(0)) v += sparsity_ * start.sign();
      delta = (-rate_ * (Scalar(1) + momentum_)) * v;
    } else if (sparsity_ == Scalar(0)) {
      for (Index i = 0; i < piece.size; ++i) {
        const Scalar gradient = target_ * piece.residual[i] + proximity_ * piece.displacement[i];
        Scalar& velocity = velocity_[piece.first + i];
        velocity = momentum_ * velocity + gradient;
        piece.displacement[i] -= rate_ * (gradient + momentum_ * velocity);
      }
    } else {
      const auto gradient = target_ * residual + proximity_ * delta + sparsity_ * (start + delta).sign();
      v = momentum_ * v + gradient;
      delta -= rate_ * (gradient + momentum_ * v);
    }
  }

 private:
  Scalar target_;
  Scalar proximity_;
  Scalar sparsity_;
  Scalar rate_;
  Scalar momentum_;
  bool first_;
  Scalar* velocity_;
};

/// Adds to the residual by a code what a Skip brings down to it: the residual of the block's output.
template <class Scalar>
class SkipStep : public InputRule<Scalar> {
 public:
  /// `residual` has the shape of the code.
  SkipStep(const InputRule<Scalar>& step, View<Scalar> residual) : step_{step}, residual_{residual.data()} {}

  void move(const InputPiece<Scalar>& piece) const override {
    using Piece = Eigen::Map<Vector<Scalar>>;
    using ConstPiece = Eigen::Map<const Vector<Scalar>>;
    EIGEN_ALIGN_MAX Scalar sum[input_piece_size];
    Piece{sum, piece.size} = ConstPiece{piece.residual, piece.size} + ConstPiece{residual_ + piece.first, piece.size};
    step_.move({piece.first, piece.size, piece.start, sum, piece.displacement});
  }

 private:
  const InputRule<Scalar>& step_;
  const Scalar* residual_;
};

/// Where the block above ends in a matrix W, the residual comes down to the input of W by W' or, where the target is a
/// code and that is cheaper, by W'W from W' times the target's displacement: one product an iteration instead of two.
/// That is no cheaper where the block skips, since the code then needs the residual itself. Through other blocks it
/// comes down layer by layer.
template <class Scalar>
class CodeDescent::Rule : public CodeRuleBase<Rule<Scalar>, Scalar> {
 public:
  explicit Rule(const CodeDescent& options = {}) : options_{options} {}

  const CodeDescent& config() const { return options_; }

  CodeSums solve(const Worker<Scalar>& worker, const CodeProblem<Scalar>& problem, const CodePenalties& penalties,
                 Workspace<Scalar>& workspace, Index l) override {
    const Descent descent = prepare(worker, problem, penalties, workspace, l);
    // Slices stay in a core's cache from one iteration to the next.
    const detail::Partition whole{problem.samples(), problem.samples(), 1};
    const CodeSums sums =
        problem.for_each_slice(worker, workspace, options_.iterations > 1 ? problem.slices() : whole,
                               [&](const CodeProblem<Scalar>& slice, const Worker<Scalar>& own,
                                   CodeScratch<Scalar>& scratch) { return descend(own, slice, descent, scratch); });
    next_curvature_ = std::max(0.9 * curvature_, curvature(penalties, sums));
    return sums;
  }

  bool sums_over_ranks() const override { return true; }

  DescentSteps steps_in_time(const CodePenalties& penalties, Index) const override {
    return {options_.iterations, rate(penalties), options_.momentum};
  }
  void observe_time(const CodePenalties& penalties, const CodeSums& sums) override {
    next_curvature_ = std::max(next_curvature_, curvature(penalties, sums));
  }

  void finish_step() override { curvature_ = next_curvature_; }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("curvature", self.curvature_...);
  }

 private:
  /// How to descend, for all slices.
  struct Descent {
    CodePenalties penalties;
    double rate;
    Factor<Scalar> way_down;          // W' or W'W; empty: layer by layer
    ConstView<Scalar> matrix_target;  // W' times the target's displacement, where the way is W'W; else empty
  };

  /// The curvature of the objective along the displacement that was found; 0 where there is none.
  static double curvature(const CodePenalties& penalties, const CodeSums& sums) {
    const double value = penalties.target * sums.change / sums.displacement + penalties.proximity;
    return sums.displacement > 0 && std::isfinite(value) ? value : 0;
  }

  /// The curvature along the last displacement, which is biased towards the directions that diverge first, is about
  /// half of the largest one; Nesterov's steps at momentum 0.9 need a rate below 1.3 over the largest. The second
  /// derivative of the loss counts as 1, where it may be 2: so the rate at the top is half of that.
  double rate(const CodePenalties& penalties) const {
    const bool limited = options_.limit_rate && curvature_ > 0;
    return limited ? std::min(options_.learning_rate, (penalties.top ? 0.25 : 0.5) / curvature_)
                   : options_.learning_rate;
  }

  /// Whether W'W takes fewer multiplications than W and W' in turn.
  bool normal_matrix_pays(const CodeProblem<Scalar>& problem) const {
    if (problem.block.skips()) return false;
    const auto inputs = static_cast<double>(problem.block.matrix().cols());
    const auto outputs = static_cast<double>(problem.block.matrix().rows());
    const double columns = static_cast<double>(problem.samples()) * (options_.iterations - 1);
    return inputs * (columns + outputs / 2) < 2 * outputs * columns;
  }

  Descent prepare(const Worker<Scalar>& worker, const CodeProblem<Scalar>& problem, const CodePenalties& penalties,
                  Workspace<Scalar>& workspace, Index l) const {
    const ConstView<Scalar> weight = problem.block.matrix();
    if (weight.size() > 0 && options_.iterations == 1) return {penalties, rate(penalties), transposed(weight), {}};
    if (weight.size() == 0) return {penalties, rate(penalties), {}, {}};
    const Index inputs = weight.cols();
    if (problem.target.is_code() && normal_matrix_pays(problem)) {
      const View<Scalar> normal = workspace.matrix_before_gradients(l + 1, inputs, inputs);
      multiply_symmetric<Scalar>(worker, transposed(weight), weight, normal);
      problem.target.write_residual(problem.forward, {}, problem.solution.residual);
      workspace.matrix_target.fit(inputs, problem.samples());
      multiply<Scalar>(worker, transposed(weight), problem.solution.residual, workspace.matrix_target.view());
      return {penalties, rate(penalties), normal, workspace.matrix_target.view()};
    }
    View<Scalar> transpose = workspace.matrix_before_gradients(l + 1, inputs, weight.rows());
    worker.parallel_ranges(inputs, weight.rows(), [&](Index first, Index count) {
      transpose.middleRows(first, count) = weight.middleCols(first, count).transpose();
    });
    return {penalties, rate(penalties), transpose, {}};
  }

  /// All iterations for one slice.
  CodeSums descend(const Worker<Scalar>& worker, const CodeProblem<Scalar>& problem, const Descent& descent,
                   CodeScratch<Scalar>& scratch) const {
    const Block<Scalar>& block = problem.block;
    const Index top = block.top();
    const bool by_normal_matrix = descent.matrix_target.rows() > 0;
    const auto matrix_target = descent.matrix_target.slice(by_normal_matrix ? problem.forward.first : 0,
                                                           by_normal_matrix ? problem.samples() : 0);
    const auto moved = problem.moved_with_output(scratch);
    const View<Scalar> change = scratch.change.view();
    // The displacement at the input of the block's last layer, and the residual by that input.
    const View<Scalar> top_move = top == 0   ? problem.solution.displacement
                                  : top == 1 ? scratch.front_change.view()
                                             : scratch.top_input_change.view();
    const View<Scalar> top_residual = top == 0 ? scratch.code_residual.view() : scratch.top_residual.view();
    // At the forward pass's code the prediction is its own: the first iteration needs no product for it.
    if (!by_normal_matrix) problem.target.write_residual(problem.forward, {}, problem.solution.residual);
    CodeSums sums;
    for (int iteration = 0; iteration < options_.iterations; ++iteration) {
      const bool first = iteration == 0;
      const bool last = iteration + 1 == options_.iterations;
      ConstView<Scalar> residual{top_residual};
      if (by_normal_matrix && first) {
        residual.rebind(matrix_target);
      } else if (by_normal_matrix) {
        multiply<Scalar>(worker, descent.way_down, top_move, top_residual, Scalar(-1), matrix_target);
      } else if (descent.way_down.rows > 0) {
        multiply<Scalar>(worker, descent.way_down, problem.solution.residual, top_residual, block.branch());
      } else {
        block[top].backward(worker, block.point(first ? problem.forward : moved, top), problem.solution.residual,
                            top_residual);
        if (block.skips()) detail::scale<Scalar>(block.branch(), top_residual, top_residual);
      }
      move_code(worker, problem, descent, moved, {first, last}, residual, scratch);
      if (by_normal_matrix && !last) continue;
      if (options_.iterations == 1 && !problem.output_is_read) {
        sums.displacement = problem.square_sum(problem.solution.displacement);
        continue;
      }
      if (descent.way_down.rows > 0) {
        const auto skipped = block.skips() ? Addend<Scalar>{problem.solution.displacement} : Addend<Scalar>{};
        multiply<Scalar>(worker, block.matrix(), top_move, change, block.branch(), skipped);
      } else {
        block[top].difference(worker, block.point(problem.forward, top), top_move, block.point(moved, top), change);
        if (block.skips()) {
          detail::scaled_sum<Scalar>(worker, block.branch(), change, problem.solution.displacement, change);
        }
      }
      sums = problem.finish(change);
    }
    return sums;
  }

  struct Iteration {
    bool first;
    bool last;
  };

  /// From the residual by the input of the block's last layer down to the code, a step of it, and up again to the
  /// displacement of that input.
  void move_code(const Worker<Scalar>& worker, const CodeProblem<Scalar>& problem, const Descent& descent,
                 const BlockPoint<Scalar>& moved, Iteration iteration, ConstView<Scalar> residual,
                 CodeScratch<Scalar>& scratch) const {
    const Block<Scalar>& block = problem.block;
    const Index top = block.top();
    const BlockPoint<Scalar>& now = iteration.first ? problem.forward : moved;
    const auto& solution = problem.solution;
    const NesterovStep<Scalar> nesterov{descent.penalties, descent.rate, options_.momentum, iteration.first,
                                        scratch.velocity.view()};
    const SkipStep<Scalar> with_skip{nesterov, solution.residual};
    const InputRule<Scalar>& step = block.skips() ? static_cast<const InputRule<Scalar>&>(with_skip) : nesterov;
    if (top == 0) {
      const InputMove<Scalar> move{
          step, iteration.first, residual, {solution.displacement, {}}, {solution.code, scratch.code_residual.view()}};
      return move_elements<Scalar>(worker, problem.forward.x, residual, move);
    }
    ConstView<Scalar> front_residual{residual};
    if (top > 1) {
      block.backward(worker, now, 1, top, residual, scratch.front_residual.view(), scratch.between);
      front_residual.rebind(scratch.front_residual.view());
    }
    const InputMove<Scalar> move{step,
                                 iteration.first,
                                 front_residual,
                                 {solution.displacement, scratch.front_change.view()},
                                 {solution.code, scratch.code_residual.view()}};
    const auto front = block.point(problem.forward, 0);
    const auto front_moved = block.point(moved, 0);
    block[0].move_input(worker, front, front_moved, move);
    if (iteration.last && block[0].moves_in_place()) {
      detail::add<Scalar>(worker, problem.forward.x, solution.displacement, solution.code);
    }
    // Where the layer above does not read its input, only the weights do, after the last iteration.
    const bool read = iteration.last ? problem.output_is_read || options_.iterations > 1 : !block[1].traits().affine;
    if (read) {
      detail::add<Scalar>(worker, front.y, move.state.change, front_moved.y);
    }
    if (top > 1) {
      block.difference(worker, problem.forward, 1, top, move.state.change, moved, scratch.top_input_change.view(),
                       scratch.between);
    }
  }

  CodeDescent options_;
  double curvature_ = 0;       // as measured in the last steps; 0: not yet
  double next_curvature_ = 0;  // in force once the step is done
};

}  // namespace altmin
