#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "altmin/network/weight_rule.hpp"
#include "altmin/optimizers/finite.hpp"

namespace altmin {

/// The gradients of a block's parameters, by all weight rules that descend along them.
template <class Scalar>
class Gradients {
 private:
  struct Ignore {
    void operator()(const Point<Scalar>&, ConstView<Scalar>) const {}
  };

 public:
  /// Takes memory for the gradients of all parameters in one piece: no columns for those of layer `without`, and
  /// `further` numbers behind all.
  static void fit(const BlockStep<Scalar>& step, Index without = -1, Index further = 0);

  /// Writes the derivative of <f(x), residual> by each parameter, the l1 term of the objective included: the
  /// objective's own gradient is -signal.scale times that. For the layer `without` calls use(its point, the residual at
  /// its output) instead; `further` numbers behind all gradients are for what that writes.
  static void derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step, Index without = -1,
                     FunctionRef<void(const Point<Scalar>&, ConstView<Scalar>)> use = Ignore{}, Index further = 0);

  /// Sums the piece over ranks, and bounds the sums.
  static void sum(const Worker<Scalar>& worker, const BlockStep<Scalar>& step);

  /// Shortens the gradients of all parameters together, which are `scale` times the piece, to a norm of `limit` at
  /// most. Their bounds stay valid.
  static void clip(View<Scalar> piece, double scale, double limit) {
    const double norm = std::abs(scale) * std::sqrt(detail::square_sum<Scalar>(piece));
    if (norm > limit && std::isfinite(norm)) piece *= static_cast<Scalar>(limit / norm);
  }

  /// The last rows * columns numbers of the piece.
  static View<Scalar> further(const BlockStep<Scalar>& step, Index rows, Index columns) {
    const View<Scalar> all = step.memory.gradients.view();
    return {all.address(all.rows() - rows * columns, 0), rows, columns, rows};
  }

 private:
  /// A bound on the gradient's absolute values, as close as it takes to show that their squares, and those of `scale`
  /// times them, are far from infinity.
  static double tighten(double bound, ConstView<Scalar> gradient, double scale) {
    const double enough = std::sqrt(harmless_move<Scalar>()) / std::max(1.0, std::abs(scale));
    if (!(bound <= enough)) bound = norm_bound(gradient);
    if (!(bound <= enough)) bound = largest_absolute(gradient);
    return bound;
  }
};

template <class Scalar>
void Gradients<Scalar>::fit(const BlockStep<Scalar>& step, Index without, Index further) {
  auto& memory = step.memory;
  Index total = further;
  step.block.for_each_parameter([&](const auto& parameter, Index k, Index) {
    if (k != without) total += parameter.value().size();
  });
  memory.gradients.fit(total, 1);
  memory.gradient_views.clear();
  memory.gradient_bounds.clear();
  Scalar* next = memory.gradients.view().data();
  step.block.for_each_parameter([&](const auto& parameter, Index k, Index) {
    const auto& value = parameter.value();
    const Index columns = k == without ? 0 : value.cols();
    memory.gradient_views.push_back({next, value.rows(), columns, value.rows()});
    memory.gradient_bounds.push_back(0);
    next += value.rows() * columns;
  });
}

template <class Scalar>
void Gradients<Scalar>::derive(const Worker<Scalar>& worker, const BlockStep<Scalar>& step, Index without,
                               FunctionRef<void(const Point<Scalar>&, ConstView<Scalar>)> use, Index further) {
  fit(step, without, further);
  auto& memory = step.memory;
  const auto& signal = step.signal;
  auto end = memory.gradient_views.size();
  step.block.walk_down(
      worker, signal.at, signal.residual, memory.between,
      [&](Index k, const Point<Scalar>& here, ConstView<Scalar> residual) {
        auto& layer = step.block[k];
        const auto count = static_cast<std::size_t>(layer.parameters().size());
        end -= count;
        if (k == without) return use(here, residual);
        if (count == 0) return;
        layer.gradient(worker, here, residual, {memory.gradient_views.data() + end, static_cast<Index>(count)});
        const double bound = layer.gradient_bound(here, residual);
        for (std::size_t i = end; i < end + count; ++i) {
          memory.gradient_bounds[i] = tighten(bound, memory.gradient_views[i], signal.scale);
        }
      });
  if (signal.l1 == 0 || !worker.is_first_rank()) return;  // once in the sum over ranks
  step.block.for_each_parameter([&](const auto& parameter, Index k, Index i) {
    if (k == without || !parameter.is_weight()) return;
    View<Scalar> gradient = memory.gradient_views[std::size_t(i)];
    gradient -= static_cast<Scalar>(signal.l1 / signal.scale) * parameter.value().cwiseSign();
    memory.gradient_bounds[std::size_t(i)] += signal.l1 / signal.scale;
  });
}

template <class Scalar>
void Gradients<Scalar>::sum(const Worker<Scalar>& worker, const BlockStep<Scalar>& step) {
  auto& memory = step.memory;
  worker.sum(memory.gradients.view());
  for (std::size_t i = 0; i < memory.gradient_views.size(); ++i) {
    memory.gradient_bounds[i] =
        tighten(std::numeric_limits<double>::infinity(), memory.gradient_views[i], step.signal.scale);
  }
}

}  // namespace altmin
