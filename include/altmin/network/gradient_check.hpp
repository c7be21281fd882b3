#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/network/backprop.hpp"
#include "altmin/network/gradients.hpp"

namespace altmin {

/// The largest disagreement between derivatives and central differences. In double, at derivatives of order 1, what is
/// right stays below about 1e-7. Pseudo-gradients (Sign) disagree by design, and kinks (Relu) where a unit is within a
/// step of them.
struct GradientCheck {
  double error = 0;       ///< |derivative - difference| / max(1, |derivative|, |difference|)
  std::string where;      ///< "layer 2 (Dense) weight(3, 1)"
  double derivative = 0;  ///< by backprop
  double difference = 0;  ///< by central differences
};

/// Checks the derivatives of the mean training loss (batch statistics, one dropout mask) by every parameter of
/// `layers`.
template <class Scalar>
GradientCheck check_gradients(Layers<Scalar> layers, const LossInterface<Scalar>& loss, ConstView<Scalar> x,
                              const Target<Scalar>& target, const Random& random, double step = 1e-6) {
  Workers<Scalar> workers{1};
  Workspace<Scalar> workspace{layers};
  Random same = random;
  const StepContext<Scalar> context{layers, loss, x, target, same, {}, workers.worker()};
  const auto mean_loss = [&] {
    same = random;  // the same masks at each evaluation
    return run_forward(context, workspace);
  };

  mean_loss();
  typename Backprop::template Signal<Scalar> signal{{}, layers};
  signal.propagate(context, workspace);
  std::vector<Matrix<Scalar>> gradients;
  for (Index l = 0; l < workspace.blocks(); ++l) {
    const auto block = workspace.block(layers, l);
    const auto found = signal.block_signal(context, workspace, l, 0);
    Gradients<Scalar>::derive(context.worker, {block, found, workspace[l], 1});
    for (const auto& gradient : workspace[l].gradient_views) gradients.push_back(-gradient);
  }

  GradientCheck worst;
  std::size_t next = 0;
  for (Index k = 0; k < layers.size(); ++k) {
    for (auto& parameter : layers[k].parameters()) {
      const Matrix<Scalar>& gradient = gradients[next++];
      View<Scalar> values = parameter.values();
      for (Index j = 0; j < values.cols(); ++j) {
        for (Index i = 0; i < values.rows(); ++i) {
          const Scalar kept = values(i, j);
          values(i, j) = kept + static_cast<Scalar>(step);
          const double above = mean_loss();
          values(i, j) = kept - static_cast<Scalar>(step);
          const double difference = (above - mean_loss()) / (2 * step);
          values(i, j) = kept;
          const auto derivative = static_cast<double>(gradient(i, j));
          const double error =
              std::abs(derivative - difference) / std::max({1.0, std::abs(derivative), std::abs(difference)});
          if (error <= worst.error) continue;  // a NaN is not skipped
          worst = {error,
                   "layer " + detail::text(k) + " (" + layers[k].name() + ") " + parameter.name() + "(" +
                       detail::text(i) + ", " + detail::text(j) + ")",
                   derivative, difference};
          if (std::isnan(error)) return worst;
        }
      }
    }
  }
  return worst;
}

}  // namespace altmin
