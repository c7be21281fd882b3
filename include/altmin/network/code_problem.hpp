#pragma once

#include <algorithm>
#include <vector>

#include "altmin/network/block.hpp"
#include "altmin/network/code_descent.hpp"

namespace altmin {

/// What the iterations on some samples of a code come to: sums of squares at their end.
struct CodeSums {
  double displacement = 0;
  double change = 0;  // of the block's output, by the displacement
  double residual = 0;
};

/// The sum of the first parts, in this order: the same bits for any number of threads.
inline CodeSums total(const std::vector<CodeSums>& parts, Index count) {
  CodeSums sums;
  for (Index i = 0; i < count; ++i) {
    const CodeSums& part = parts[static_cast<std::size_t>(i)];
    sums.displacement += part.displacement;
    sums.change += part.change;
    sums.residual += part.residual;
  }
  return sums;
}

/// The problem of one code in a step: gradient steps on what the block above makes of it, slice by slice of the batch.
///
/// Where the block ends in a matrix W, as dense ones do, they come down to the input of W by W', from the residual, or
/// by W'W, from what the target asks for: one product instead of two. Through other blocks the residual is pulled back.
///
/// Residuals come from outside: set_residual(point, change, out) leaves in `out` what the block lacks at a point of
/// some samples where its output has moved by `change` since the forward pass; an empty change stands for none.
template <class Layers>
struct CodeProblem {
  using Scalar = typename Layers::Scalar;

  Block<Layers> block;        // above the code
  BlockPoint<Scalar> from;    // the block where the forward pass evaluated it
  BlockPoint<Scalar> to;      // the block at the moved code; y is empty where nobody asks for its output
  View<Scalar> code;          // the same as to.x, for writing; empty where nobody reads it
  View<Scalar> displacement;  // code - from.x
  View<Scalar> residual;      // of the block, as set_residual gives it
  CodeRates<Scalar> rates;
  int iterations;
  bool quadratic;                // whether the target is a code, at a squared distance
  Factor<Scalar> way_down = {};  // W' or W'W, once prepared
  ConstView<Scalar> asked = {};  // W' times the target's displacement, where the way is W'W

  ConstView<Scalar> matrix() const { return block.matrix(); }
  Index samples() const { return displacement.cols(); }

  /// The slices that one thread each takes through all iterations: of so many samples that all that belongs to them
  /// stays in a core's cache, where W leaves room.
  detail::Cut slices() const {
    constexpr Index cache = (Index{1} << 20) / static_cast<Index>(sizeof(Scalar));
    constexpr Index arrays = 8;  // as large as the code or smaller
    if (block.couples_samples()) return {samples(), samples(), 8};
    const Index unit = matrix().size() > 0 ? detail::RegisterTile<Scalar>::few_columns : 1;
    const Index most = matrix().size() > cache ? 128 : std::clamp<Index>(cache / (arrays * displacement.rows()), 8, 32);
    return detail::Cut::shared(samples(), most, unit);
  }

  /// Takes one thread's memory for any of the slices.
  void reserve(CodeDescent<Scalar>& descent) const {
    const Index widest = std::min(samples(), slices().widest());
    fit(descent, widest);
    if (!block.steps_in_place() || top() > 1) descent.fit_aside(block.largest(), widest);
  }

  /// Finds the way down, in memory of the caller's: `way` for a matrix, `aim` for what is asked.
  template <class SetResidual>
  void prepare(const Lane<Scalar>& lane, Buffer<Scalar>& way, Buffer<Scalar>& aim, SetResidual&& set_residual) {
    const auto weight = matrix();
    if (weight.size() == 0) return;
    const Index inputs = weight.cols();
    const bool normal = quadratic && normal_matrix_pays();
    way.fit(inputs, normal ? inputs : weight.rows());
    if (normal) {
      multiply_symmetric<Scalar>(lane, transposed(weight), weight, way.view());
      set_residual(from, ConstView<Scalar>{}, residual);
      aim.fit(inputs, samples());
      multiply<Scalar>(lane, transposed(weight), residual, aim.view());
      asked = aim.view();
    } else {
      lane.parallel_ranges(inputs, weight.rows(), [&](Index first, Index count) {
        way.view().middleRows(first, count) = weight.middleCols(first, count).transpose();
      });
    }
    way_down = way.view();
  }

  /// All iterations for the samples first .. first + count - 1.
  template <class SetResidual>
  CodeSums solve(const Lane<Scalar>& lane, CodeDescent<Scalar>& descent, Index first, Index count,
                 SetResidual&& set_residual) const {
    CodeProblem slice = part(first, count);
    slice.fit(descent, count);
    // At the forward pass's code the prediction is its own: the first iteration needs no product for it.
    if (slice.asked.rows() == 0) set_residual(slice.from, ConstView<Scalar>{}, slice.residual);
    slice.descend(lane, descent, set_residual);
    return slice.sums(descent);
  }

  /// The end of solve() once more, after others have moved the code further.
  template <class SetResidual>
  CodeSums evaluate(const Lane<Scalar>& lane, CodeDescent<Scalar>& descent, Index first, Index count,
                    SetResidual&& set_residual) const {
    CodeProblem slice = part(first, count);
    slice.fit(descent, count);
    const auto at = slice.moved_point(descent);
    block.difference(lane, slice.from, slice.displacement, at, descent.change.view(), descent.scratch);
    slice.finish(lane, descent, set_residual);
    return slice.sums(descent);
  }

 private:
  /// The problem of the samples first .. first + count - 1.
  CodeProblem part(Index first, Index count) const {
    return {block,
            from.slice(first, count),
            to.slice(first, count),
            code.slice(first, count),
            displacement.slice(first, count),
            residual.slice(first, count),
            rates,
            iterations,
            quadratic,
            way_down,
            asked.slice(first, count)};
  }

  CodeSums sums(const CodeDescent<Scalar>& descent) const {
    return {static_cast<double>(displacement.squaredNorm()), static_cast<double>(descent.change.view().squaredNorm()),
            static_cast<double>(residual.squaredNorm())};
  }

  /// Whether W'W takes fewer multiplications than W and W' in turn.
  bool normal_matrix_pays() const {
    const auto inputs = static_cast<double>(matrix().cols());
    const auto outputs = static_cast<double>(matrix().rows());
    const double columns = static_cast<double>(samples()) * (iterations - 1);
    return inputs * (columns + outputs / 2) < 2 * outputs * columns;
  }

  Index top() const { return block.size() - 1; }

  void fit(CodeDescent<Scalar>& descent, Index count) const {
    const Index inputs = top() == 0 ? block.inputs() : block[top() - 1].output().size();
    descent.fit(displacement.rows(), inputs, block.outputs(), count);
  }

  /// The block at the moved code, with room for its output.
  BlockPoint<Scalar> moved_point(CodeDescent<Scalar>& descent) const {
    if (to.y.size() > 0) return to;
    descent.predicted.fit(block.outputs(), samples());
    return {to.x, descent.predicted.view(), to.inner, to.step, to.first};
  }

  /// All iterations: from the residual down to the code, a step of it, and up again.
  template <class SetResidual>
  void descend(const Lane<Scalar>& lane, CodeDescent<Scalar>& descent, SetResidual&& set_residual) {
    const bool by_matrix = matrix().size() > 0;
    const bool by_normal_matrix = asked.rows() > 0;
    const auto at = by_matrix || block.steps_in_place() ? to : moved_point(descent);
    View<Scalar> slope = descent.slope.view();
    View<Scalar> moved = descent.moved.view();
    View<Scalar> change = descent.change.view();
    for (int iteration = 0; iteration < iterations; ++iteration) {
      const bool start = iteration == 0;
      const bool end = iteration + 1 == iterations;
      if (by_normal_matrix) {
        if (!start) multiply<Scalar>(lane, way_down, moved, slope, Scalar(-1), asked);
      } else if (by_matrix) {
        multiply<Scalar>(lane, way_down, residual, slope);
      } else {
        block[top()].pull_back(lane, block.point(start ? from : at, top()), residual, slope);
      }
      move(lane, descent, by_normal_matrix && start ? asked : ConstView<Scalar>{slope}, at, start, end);
      if (by_normal_matrix && !end) continue;
      if (by_matrix) {
        multiply<Scalar>(lane, matrix(), moved, change);
      } else {
        block[top()].difference(lane, block.point(from, top()), moved, block.point(at, top()), change);
      }
      finish(lane, descent, set_residual);
    }
  }

  /// From the slope at the input of the block's last layer down to the code, a step of it, and up again to how far that
  /// input has moved.
  void move(const Lane<Scalar>& lane, CodeDescent<Scalar>& descent, ConstView<Scalar> slope,
            const BlockPoint<Scalar>& at, bool start, bool end) {
    const Index between = top() - 1;  // layers between the first and the last
    Buffer<Scalar>& moved = between > 0 ? descent.inner_moved : descent.moved;
    const bool by_point = !block.steps_in_place();
    if (between > 0) {
      descent.inner_slope.fit(block[0].output().size(), samples());
      moved.fit(block[0].output().size(), samples());
      if (start || by_point) {
        block.part(1, between)
            .pull_back(lane, block.part_point(start ? from : at, 1, between), slope, descent.inner_slope.view(),
                       descent.scratch);
      } else {
        block[1].pull_back_moved(lane, block.point(from, 1), moved.view(), descent.moved.view(), slope,
                                 descent.inner_slope.view());
      }
      slope = descent.inner_slope.view();
    }
    const CodeStep<Scalar> step{rates,        start, end,         slope, descent.pulled.view(), descent.velocity.view(),
                                displacement, code,  moved.view()};
    if (top() == 0) {
      step.take_all(lane, from.x, slope);
      moved.view() = displacement;
      return;
    }
    block[0].step_through(lane, block.point(from, 0), block.point(at, 0), step);
    // A layer that steps in place leaves the code to those who want it.
    if (end && code.size() > 0 && block[0].steps_in_place()) block.move_output(lane, from.x, displacement, code);
    const auto place = [&](ConstView<Scalar> y, ConstView<Scalar> change, View<Scalar> to_y, bool meets_map) {
      if (by_point || (end && meets_map)) block.move_output(lane, y, change, to_y);
    };
    place(block.point(from, 0).y, step.change, block.point(at, 0).y, between == 0);
    if (between == 0) return;
    const auto middle_from = block.part_point(from, 1, between);
    const auto middle_at = block.part_point(at, 1, between);
    block.part(1, between)
        .difference(lane, middle_from, moved.view(), middle_at, descent.moved.view(), descent.scratch);
    place(middle_from.y, descent.moved.view(), middle_at.y, true);
  }

  /// Sets the residual, once it is known how far the block's output has moved.
  template <class SetResidual>
  void finish(const Lane<Scalar>& lane, CodeDescent<Scalar>& descent, SetResidual&& set_residual) {
    const ConstView<Scalar> change = descent.change.view();
    if (to.y.size() > 0) block.move_output(lane, from.y, change, to.y);
    set_residual(to, change, residual);
  }
};

}  // namespace altmin
