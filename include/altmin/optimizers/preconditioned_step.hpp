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
  /// after residuals that were smaller than these by many orders of magnitude. With several ranks, `input_square` and
  /// `all_columns` (0: those of the residuals) are of all of them.
  void advance(const Worker<Scalar>& worker, const PreconditionedRates& rates, ConstView<Scalar> residual,
               double input_square, FunctionRef<void(FunctionRef<void(Index, ConstView<Scalar>)>)> for_each_part,
               Index all_columns = 0) {
    const auto columns = static_cast<double>(all_columns > 0 ? all_columns : residual.cols());
    // Of several ranks, what was there before counts once in the sum over them.
    const Scalar before = worker.is_first_rank() ? Scalar(1) : Scalar(0);
    if (steps_ % rates.memory_interval == 0 || steps_ < rates.memory_interval) {
      ++additions_;
      const auto weight = static_cast<Scalar>(rates.forgetting / columns);
      const Scalar kept = before * static_cast<Scalar>(1 - rates.forgetting);
      for_each_part([&](Index first, ConstView<Scalar> a) {
        multiply_symmetric<Scalar>(worker, a, transposed(a), input_memory_, weight,
                                   {input_memory_, first == 0 ? kept : Scalar(1)});
      });
      multiply_symmetric<Scalar>(worker, residual, transposed(residual), output_memory_, weight,
                                 {output_memory_, kept});
      worker.sum(View<Scalar>{input_memory_});
      worker.sum(View<Scalar>{output_memory_});
    }
    if (steps_ == next_root_) take_roots(worker, rates);
    ++steps_;
    provenance_.set(true);  // by stays_finite()
    scaled_residual_.fit(residual.rows(), residual.cols());
    multiply<Scalar>(worker, output_root_, residual, scaled_residual_.view());
    // The roots lag behind the residuals and see but their larger directions: what they leave of the size is taken out.
    const double scaled_square = worker.sum(static_cast<double>(scaled_residual_.view().squaredNorm()));
    const double mean_square = rates.momentum * mean_square_ +
                               (1 - rates.momentum) * scaled_square / (static_cast<double>(residual.rows()) * columns);
    const double size = std::sqrt(mean_square / (1 - std::pow(rates.momentum, static_cast<double>(steps_)))) + 1e-30;
    const auto momentum = static_cast<Scalar>(rates.momentum);
    const auto share = static_cast<Scalar>((1 - rates.momentum) / (size * columns));
    const double partial = std::sqrt(scaled_square * input_square) * std::max(1.0, input_root_norm());
    if (!(partial <= harmless_move<Scalar>() && scaled_square <= harmless_move<Scalar>() &&
          static_cast<double>(share) * partial <= (1 - rates.momentum) * largest_gradient<Scalar>())) {
      velocity_ *= momentum;
      return;
    }
    mean_square_ = mean_square;
    const Scalar kept = before * momentum;
    const bool few_outputs = residual.rows() < residual.cols();
    if (few_outputs) scaled_.fit(residual.rows(), velocity_.cols());
    for_each_part([&](Index first, ConstView<Scalar> a) {
      const auto part = scaled_residual_.view().slice(first, a.cols());
      if (few_outputs) {
        const auto addend = first == 0 ? Addend<Scalar>{} : scaled_.view();
        multiply<Scalar>(worker, part, transposed(a), scaled_.view(), Scalar(1), addend);
      } else {
        scaled_.fit(a.rows(), a.cols());
        multiply<Scalar>(worker, input_root_, a, scaled_.view());
        multiply<Scalar>(worker, part, transposed(scaled_.view()), velocity_, share,
                         {velocity_, first == 0 ? kept : Scalar(1)});
      }
    });
    if (few_outputs) multiply<Scalar>(worker, scaled_.view(), input_root_, velocity_, share, {velocity_, kept});
    worker.sum(View<Scalar>{velocity_});
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
  void take_roots(const Worker<Scalar>& worker, const PreconditionedRates& rates) {
    // Running averages that began at 0 amount to 1 - (1 - f)^t of what they estimate.
    const double full = 1 - std::pow(1 - rates.forgetting, static_cast<double>(additions_));
    const auto take = [&](const Matrix<Scalar>& memory, Matrix<Scalar>& root) {
      if (roots_.compute(worker, memory, rates.damping, root)) {
        root *= static_cast<Scalar>(std::sqrt(full));
      } else if (root.size() == 0) {
        root.setIdentity(memory.rows(), memory.rows());
      }
    };
    take(input_memory_, input_root_);
    take(output_memory_, output_root_);
    forget_norm();
    next_root_ = steps_ == 0 ? 1 : std::min(2 * steps_, steps_ + rates.root_interval);
  }

  double input_root_norm() {
    if (input_root_norm_ < 0) input_root_norm_ = static_cast<double>(input_root_.norm());
    return input_root_norm_;
  }
  void forget_norm() { input_root_norm_ = -1; }
  void forget_norm() const {}

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
  detail::Provenance provenance_;  // of the velocity
  InverseRoot<Scalar> roots_;
  Buffer<Scalar> scaled_;  // the inputs, or the gradient, before or after A^(-1/2)
  Buffer<Scalar> scaled_residual_;
};

}  // namespace altmin
