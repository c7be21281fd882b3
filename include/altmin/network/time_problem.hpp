#pragma once

#include <cmath>
#include <vector>

#include "altmin/network/auxiliary_variable.hpp"
#include "altmin/network/code_descent.hpp"
#include "altmin/network/code_problem.hpp"

namespace altmin {

/// What the steps of a recurrent layer ask of each other, once the block above has had its say. With a_t the
/// displacement that it asks of the code of step t, W the recurrent weight, s the nonlinearity and d_T = a_T, gradient
/// steps for t = T-1 .. 1 from e_t = 0 on
///
///   |W (s(c0_t + e_t) - s(c0_t)) - d_{t+1}|^2 + |e_t|^2 + sparsity
///
/// give delta_t = a_t + e_t, and d_t = a_t + k_t e_t is what is asked of the steps below. k_t is 1, or such that k_t
/// e_t has the size of d_{t+1} over the batch: then the first of many steps learns from a signal as large as the last
/// one. The rate is 1/T of that of other codes: all steps share the weights, and what T codes take up together the
/// weights are not asked for.
template <class Scalar>
struct TimeProblem {
  ConstView<Scalar> from;           // c0
  View<Scalar> states;              // s(c0_{t-1}) of every step
  AuxiliaryVariable<Scalar>& code;  // displaced as the block above asks
  CodeRates<Scalar> rates;
  int iterations;
  bool preserve_scale;
  bool update_states;  // whether the weight update sees s(c_{t-1})

  /// `normal` takes W'W. Returns the sums of all steps but the last, without residual.
  template <class Layer>
  CodeSums solve(const Lane<Scalar>& lane, const Layer& layer, Buffer<Scalar>& normal,
                 std::vector<CodeDescent<Scalar>>& descents, std::vector<CodeSums>& parts) const {
    const Index units = layer.recurrent_weight().rows();
    const detail::Cut slices = layer.slices(from.cols());
    normal.fit(units, units);
    multiply_symmetric<Scalar>(lane, transposed(layer.recurrent_weight()), layer.recurrent_weight(), normal.view());
    for (Index slot = 0; slot < lane.threads(); ++slot) {
      descents[static_cast<std::size_t>(slot)].fit(units, units, units, slices.widest());
      descents[static_cast<std::size_t>(slot)].fit_aside(units, slices.widest());
    }
    code.fit_time(from.rows(), from.cols());
    layer.step(code.carried.view(), 0).setZero();
    layer.step(code.asked.view(), layer.steps() - 1) = layer.step(code.displacement.view(), layer.steps() - 1);
    CodeSums sums;
    for (Index t = layer.steps() - 2; t >= 0; --t) {
      lane.parallel_for(slices.count, [&](Index i, const Lane<Scalar>& own) {
        parts[static_cast<std::size_t>(i)] = solve_step(own, layer, t, {slices.first(i), slices.size(i)}, normal.view(),
                                                        descents[static_cast<std::size_t>(own.slot())]);
      });
      const CodeSums step = total(parts, slices.count);
      sums.displacement += step.displacement;
      sums.change += step.change;
      const auto above = static_cast<double>(layer.step(code.asked.view(), t + 1).squaredNorm());
      View<Scalar> asked = layer.step(code.asked.view(), t);  // e_t
      const auto found = static_cast<double>(asked.squaredNorm());
      const bool rescale = preserve_scale && found > 0;
      asked = layer.step(code.displacement.view(), t) +
              static_cast<Scalar>(rescale ? std::sqrt(above / found) - 1 : 0) * asked;
    }
    if (!update_states) code.carried.view().setZero();
    return sums;
  }

 private:
  struct Range {
    Index first;
    Index count;
  };

  /// The iterations on the code of step t, for some samples. Leaves e_t in `asked`.
  template <class Layer>
  CodeSums solve_step(const Lane<Scalar>& lane, const Layer& layer, Index t, Range samples, ConstView<Scalar> normal,
                      CodeDescent<Scalar>& descent) const {
    const Index units = normal.rows();
    const auto part = [&](auto sequence, Index step) {
      return layer.step(sequence, step).slice(samples.first, samples.count);
    };
    const Factor<Scalar> back = transposed(layer.recurrent_weight());
    descent.fit(units, units, units, samples.count);
    descent.fit_aside(units, samples.count);
    // Steps are rows of the codes: contiguous copies are gone through faster.
    View<Scalar> c0 = descent.scratch.buffers[0].view();
    View<Scalar> s0 = descent.scratch.buffers[1].view();
    View<Scalar> moved = descent.moved.view();
    View<Scalar> displacement = descent.pulled.view();
    View<Scalar> c = descent.predicted.view();
    View<Scalar> wanted = descent.change.view();
    c0 = part(from, t);
    s0 = part(states, t + 1);
    multiply<Scalar>(lane, back, part(code.asked.view(), t + 1), wanted);
    CodeRates<Scalar> shared = rates;
    shared.rate /= static_cast<Scalar>(layer.steps());
    layer.with_nonlinearity([&](const auto& s) {
      for (int iteration = 0; iteration < iterations; ++iteration) {
        ConstView<Scalar> slope = wanted;
        if (iteration > 0) {
          multiply<Scalar>(lane, normal, moved, descent.slope.view(), Scalar(-1), wanted);
          slope = descent.slope.view();
        }
        s.step_through(lane, {c0, s0, {}}, {},
                       {shared, iteration == 0, false, slope, {}, descent.velocity.view(), displacement, {}, moved});
      }
      part(code.asked.view(), t) = displacement;
      displacement += part(code.displacement.view(), t);
      part(code.displacement.view(), t) = displacement;
      c = c0 + displacement;
      part(code.updated.view(), t) = c;
      moved.array() = s.change(c0.array(), s0.array(), displacement.array(), c.array());
    });
    View<Scalar> carried = part(code.carried.view(), t + 1);
    multiply<Scalar>(lane, layer.recurrent_weight(), moved, carried);
    if (update_states) part(states, t + 1) = s0 + moved;
    return {static_cast<double>(displacement.squaredNorm()), static_cast<double>(carried.squaredNorm()), 0};
  }
};

}  // namespace altmin
