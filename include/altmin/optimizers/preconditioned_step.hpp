#pragma once

#include <algorithm>
#include <cmath>

#include "altmin/core/buffer.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/product.hpp"
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

  /// Takes up a batch's inputs and residuals (outputs x columns) into M, and the memories. Returns 1 - momentum^t.
  /// for_each_part(use) calls use(first, a) for parts of the inputs that make up the whole: inputs x some columns, from
  /// the column `first` on.
  template <class ForEachPart>
  double advance(const Lane<Scalar>& lane, const PreconditionedRates& rates, ConstView<Scalar> residual,
                 ForEachPart&& for_each_part) {
    const auto columns = static_cast<double>(residual.cols());
    if (steps_ % rates.memory_interval == 0 || steps_ < rates.memory_interval) {
      ++additions_;
      const auto weight = static_cast<Scalar>(rates.forgetting / columns);
      const auto kept = static_cast<Scalar>(1 - rates.forgetting);
      for_each_part([&](Index first, ConstView<Scalar> a) {
        multiply_symmetric<Scalar>(lane, a, transposed(a), input_memory_, weight,
                                   {input_memory_, first == 0 ? kept : Scalar(1)});
      });
      multiply_symmetric<Scalar>(lane, residual, transposed(residual), output_memory_, weight, {output_memory_, kept});
    }
    if (steps_ == next_root_) take_roots(lane, rates);
    scaled_residual_.fit(residual.rows(), residual.cols());
    multiply<Scalar>(lane, output_root_, residual, scaled_residual_.view());
    ++steps_;
    // The roots lag behind the residuals and see but their larger directions: what they leave of the size is taken out.
    const auto square =
        static_cast<double>(scaled_residual_.view().squaredNorm()) / (static_cast<double>(residual.rows()) * columns);
    mean_square_ = rates.momentum * mean_square_ + (1 - rates.momentum) * square;
    const double correction = 1 - std::pow(rates.momentum, static_cast<double>(steps_));
    const double size = std::sqrt(mean_square_ / correction) + 1e-30;
    const auto momentum = static_cast<Scalar>(rates.momentum);
    const auto share = static_cast<Scalar>((1 - rates.momentum) / (size * columns));
    const bool few_outputs = residual.rows() < residual.cols();
    if (few_outputs) scaled_.fit(residual.rows(), velocity_.cols());
    for_each_part([&](Index first, ConstView<Scalar> a) {
      const auto part = scaled_residual_.view().slice(first, a.cols());
      if (few_outputs) {
        const auto before = first == 0 ? Addend<Scalar>{} : scaled_.view();
        multiply<Scalar>(lane, part, transposed(a), scaled_.view(), Scalar(1), before);
      } else {
        scaled_.fit(a.rows(), a.cols());
        multiply<Scalar>(lane, input_root_, a, scaled_.view());
        multiply<Scalar>(lane, part, transposed(scaled_.view()), velocity_, share,
                         {velocity_, first == 0 ? momentum : Scalar(1)});
      }
    });
    if (few_outputs) multiply<Scalar>(lane, scaled_.view(), input_root_, velocity_, share, {velocity_, momentum});
    return correction;
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
  void take_roots(const Lane<Scalar>& lane, const PreconditionedRates& rates) {
    // Running averages that began at 0 amount to 1 - (1 - f)^t of what they estimate.
    const double full = 1 - std::pow(1 - rates.forgetting, static_cast<double>(additions_));
    roots_.compute(lane, input_memory_, rates.damping, input_root_);
    input_root_ *= static_cast<Scalar>(std::sqrt(full));
    roots_.compute(lane, output_memory_, rates.damping, output_root_);
    output_root_ *= static_cast<Scalar>(std::sqrt(full));
    next_root_ = steps_ == 0 ? 1 : std::min(2 * steps_, steps_ + rates.root_interval);
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
  InverseRoot<Scalar> roots_;
  Buffer<Scalar> scaled_;  // the inputs, or the gradient, before or after A^(-1/2)
  Buffer<Scalar> scaled_residual_;
};

}  // namespace altmin
