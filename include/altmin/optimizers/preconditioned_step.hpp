#pragma once

#include <algorithm>
#include <cmath>

#include "altmin/core/buffer.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/kernels/product.hpp"
#include "altmin/optimizers/finite.hpp"
#include "altmin/optimizers/inverse_root.hpp"

namespace altmin {

/// The options of AmMem that its preconditioned steps need.
struct PreconditionedRates {
  double forgetting;
  double momentum;
  double damping;
  int memory_interval;
  int root_interval;
};

/// The preconditioned step of one affine map, with both memories as running averages: with a the inputs, R the
/// residuals (code minus prediction) and B columns of each, A ~ a a'/B, S ~ R R'/B,
///
///   Q = S^(-1/2) R, over its running root mean square,  P = (Q/B) (A^(-1/2) a)',
///   M <- momentum M + (1 - momentum) P,                 W <- W + rate M / (1 - momentum^t).
///
/// Not in the paper: A is its memory as a running average, S the counterpart on the output side. With fewer outputs
/// than columns it is cheaper to multiply R a' by A^(-1/2), which is the same.
template <class Scalar>
class PreconditionedStep {
 public:
  explicit PreconditionedStep(Index outputs = 0, Index inputs = 0)
      : input_memory_{Matrix<Scalar>::Zero(inputs, inputs)},
        output_memory_{Matrix<Scalar>::Zero(outputs, outputs)},
        velocity_{Matrix<Scalar>::Zero(outputs, inputs)} {}

  /// Whether advance() leaves all finite, and `rate` times M, after it, is a harmless move of a weight: of residuals
  /// and inputs with these sums of squares, or less. Memories are means of their products; and no coefficient of M
  /// exceeds largest_gradient().
  bool stays_finite(const PreconditionedRates& rates, double rate, double residual_square, double input_square) const {
    const double limit = largest_gradient<Scalar>();
    return residual_square <= limit && input_square <= limit &&
           rate / correction(rates) * limit <= harmless_move<Scalar>() &&
           (provenance_.own() || largest_absolute<Scalar>(velocity_) <= limit);
  }

  /// Updates the memories and M by a batch's inputs and residuals (outputs x columns). for_each_part(use) calls
  /// use(first, a) for parts of the inputs that make up the whole: inputs x some columns, from the column `first` on;
  /// the sum of their squares is at most `input_square`. P is taken as 0 where bounds do not show that it is finite:
  /// after residuals that were smaller than these by many orders of magnitude.
  void advance(const Worker<Scalar>& worker, const PreconditionedRates& rates, ConstView<Scalar> residual,
               double input_square, FunctionRef<void(FunctionRef<void(Index, ConstView<Scalar>)>)> for_each_part) {
    advance_from(*this, worker, rates, residual, input_square, for_each_part, residual.cols());
  }

  /// Becomes what `before`, of the same map, would be after advance(), but for what that leaves as it is: see take().
  /// With several ranks, `input_square` and `all_columns` are of all of them.
  void advance_from(const PreconditionedStep& before, const Worker<Scalar>& worker, const PreconditionedRates& rates,
                    ConstView<Scalar> residual, double input_square,
                    FunctionRef<void(FunctionRef<void(Index, ConstView<Scalar>)>)> for_each_part, Index all_columns);

  /// Takes from `next`, which has advanced from this one, what has changed; that becomes unspecified.
  void take(PreconditionedStep& next) {
    velocity_.swap(next.velocity_);
    if (next.remembered_) {
      input_memory_.swap(next.input_memory_);
      output_memory_.swap(next.output_memory_);
    }
    if (next.took_roots_) {
      input_root_.swap(next.input_root_);
      output_root_.swap(next.output_root_);
    }
    input_root_norm_ = next.input_root_norm_;
    mean_square_ = next.mean_square_;
    steps_ = next.steps_;
    additions_ = next.additions_;
    next_root_ = next.next_root_;
    provenance_.set(true);  // by stays_finite()
  }

  /// 1 - momentum^t, t counting the step that comes next.
  double correction(const PreconditionedRates& rates) const {
    return 1 - std::pow(rates.momentum, static_cast<double>(steps_ + 1));
  }

  /// M, outputs x inputs.
  const Matrix<Scalar>& velocity() const { return velocity_; }

  Index bytes() const {
    return (2 * (input_memory_.size() + output_memory_.size()) + velocity_.size()) *
               static_cast<Index>(sizeof(Scalar)) +
           scaled_.bytes() + scaled_residual_.bytes() + roots_.bytes();
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("input_memory", self.input_memory_...);
    visit("output_memory", self.output_memory_...);
    visit("velocity", self.velocity_...);
    visit("input_root", self.input_root_...);
    visit("output_root", self.output_root_...);
    visit("mean_square", self.mean_square_...);
    visit("steps", self.steps_...);
    visit("additions", self.additions_...);
    visit("next_root", self.next_root_...);
    (self.provenance_.revoke(), ...);
    (self.forget_norm(), ...);
  }

  /// Throws ShapeError unless this is the state, after a step, of such a map.
  void require_fit(Index outputs, Index inputs) const {
    detail::require_shape(input_memory_, inputs, inputs, "input_memory");
    detail::require_shape(output_memory_, outputs, outputs, "output_memory");
    detail::require_shape(velocity_, outputs, inputs, "velocity");
    detail::require_shape(input_root_, inputs, inputs, "input_root");
    detail::require_shape(output_root_, outputs, outputs, "output_root");
  }

 private:
  void forget_norm() { input_root_norm_ = -1; }
  void forget_norm() const {}

  void take_roots(const PreconditionedStep& before, const Worker<Scalar>& worker, double damping, double forgetting) {
    // Running averages that began at 0 amount to 1 - (1 - f)^t of what they estimate.
    const double full = 1 - std::pow(1 - forgetting, static_cast<double>(additions_));
    const auto take = [&](const Matrix<Scalar>& memory, const Matrix<Scalar>& former, Matrix<Scalar>& root) {
      if (roots_.compute(worker, memory, damping, root)) {
        root *= static_cast<Scalar>(std::sqrt(full));
      } else if (former.size() == 0) {
        root.setIdentity(memory.rows(), memory.rows());
      } else {
        root = former;
      }
    };
    take(remembered_ ? input_memory_ : before.input_memory_, before.input_root_, input_root_);
    take(remembered_ ? output_memory_ : before.output_memory_, before.output_root_, output_root_);
  }

  Matrix<Scalar> input_memory_;
  Matrix<Scalar> output_memory_;
  Matrix<Scalar> velocity_;
  Matrix<Scalar> input_root_;
  Matrix<Scalar> output_root_;
  double mean_square_ = 0;
  Index steps_ = 0;
  Index additions_ = 0;
  Index next_root_ = 0;
  double input_root_norm_ = -1;    // below 0: not computed yet
  bool remembered_ = false;        // the latest step updated the memories
  bool took_roots_ = false;        // and the roots
  detail::Provenance provenance_;  // of the velocity
  InverseRoot<Scalar> roots_;
  Buffer<Scalar> scaled_;  // the inputs, or the gradient, before or after A^(-1/2)
  Buffer<Scalar> scaled_residual_;
};

template <class Scalar>
void PreconditionedStep<Scalar>::advance_from(
    const PreconditionedStep& before, const Worker<Scalar>& worker, const PreconditionedRates& rates,
    ConstView<Scalar> residual, double input_square,
    FunctionRef<void(FunctionRef<void(Index, ConstView<Scalar>)>)> for_each_part, Index all_columns) {
  const auto columns = static_cast<double>(all_columns);
  // Of several ranks, what was there before counts once in the sum over them.
  const Scalar once = worker.is_first_rank() ? Scalar(1) : Scalar(0);
  remembered_ = before.steps_ % rates.memory_interval == 0 || before.steps_ < rates.memory_interval;
  additions_ = before.additions_ + (remembered_ ? 1 : 0);
  if (remembered_) {
    const auto weight = static_cast<Scalar>(rates.forgetting / columns);
    const Scalar kept = once * static_cast<Scalar>(1 - rates.forgetting);
    for_each_part([&](Index first, ConstView<Scalar> a) {
      const auto addend = first == 0 ? Addend<Scalar>{before.input_memory_, kept} : Addend<Scalar>{input_memory_};
      multiply_symmetric<Scalar>(worker, a, transposed(a), input_memory_, weight, addend);
    });
    multiply_symmetric<Scalar>(worker, residual, transposed(residual), output_memory_, weight,
                               {before.output_memory_, kept});
    worker.sum(View<Scalar>{input_memory_});
    worker.sum(View<Scalar>{output_memory_});
  }
  took_roots_ = before.steps_ == before.next_root_;
  if (took_roots_) take_roots(before, worker, rates.damping, rates.forgetting);
  next_root_ = !took_roots_         ? before.next_root_
               : before.steps_ == 0 ? 1
                                    : std::min(2 * before.steps_, before.steps_ + rates.root_interval);
  steps_ = before.steps_ + 1;
  provenance_.set(true);  // by stays_finite()
  const Matrix<Scalar>& input_root = took_roots_ ? input_root_ : before.input_root_;
  const Matrix<Scalar>& output_root = took_roots_ ? output_root_ : before.output_root_;
  scaled_residual_.fit(residual.rows(), residual.cols());
  multiply<Scalar>(worker, output_root, residual, scaled_residual_.view());
  // The roots lag behind the residuals and see but their larger directions: what they leave of the size is taken out.
  const double scaled_square = worker.sum(static_cast<double>(scaled_residual_.view().squaredNorm()));
  const double mean_square = rates.momentum * before.mean_square_ +
                             (1 - rates.momentum) * scaled_square / (static_cast<double>(residual.rows()) * columns);
  const double size = std::sqrt(mean_square / (1 - std::pow(rates.momentum, static_cast<double>(steps_)))) + 1e-30;
  const auto momentum = static_cast<Scalar>(rates.momentum);
  const auto share = static_cast<Scalar>((1 - rates.momentum) / (size * columns));
  if (took_roots_ || before.input_root_norm_ < 0) {
    input_root_norm_ = static_cast<double>(input_root.norm());
  } else {
    input_root_norm_ = before.input_root_norm_;
  }
  const double partial = std::sqrt(scaled_square * input_square) * std::max(1.0, input_root_norm_);
  if (!(partial <= harmless_move<Scalar>() && scaled_square <= harmless_move<Scalar>() &&
        static_cast<double>(share) * partial <= (1 - rates.momentum) * largest_gradient<Scalar>())) {
    velocity_ = momentum * before.velocity_;
    mean_square_ = before.mean_square_;
    return;
  }
  mean_square_ = mean_square;
  const Scalar kept = once * momentum;
  const bool few_outputs = residual.rows() < residual.cols();
  if (few_outputs) scaled_.fit(residual.rows(), velocity_.cols());
  for_each_part([&](Index first, ConstView<Scalar> a) {
    const auto part = scaled_residual_.view().slice(first, a.cols());
    if (few_outputs) {
      const auto addend = first == 0 ? Addend<Scalar>{} : scaled_.view();
      multiply<Scalar>(worker, part, transposed(a), scaled_.view(), Scalar(1), addend);
    } else {
      scaled_.fit(a.rows(), a.cols());
      multiply<Scalar>(worker, input_root, a, scaled_.view());
      const auto addend = first == 0 ? Addend<Scalar>{before.velocity_, kept} : Addend<Scalar>{velocity_};
      multiply<Scalar>(worker, part, transposed(scaled_.view()), velocity_, share, addend);
    }
  });
  if (few_outputs) {
    multiply<Scalar>(worker, scaled_.view(), input_root, velocity_, share, {before.velocity_, kept});
  }
  worker.sum(View<Scalar>{velocity_});
}

}  // namespace altmin
