#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/network/block.hpp"
#include "altmin/network/forward_pass.hpp"

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
template <class Layers, class Loss, class Scalar = typename Layers::Scalar>
GradientCheck check_gradients(Layers layers, const Loss& loss, ConstView<Scalar> x, const Target<Scalar>& target,
                              const Random& random, double step = 1e-6) {
  Workers<Scalar> workers{1};
  ForwardPass<Layers> pass{layers};
  Buffer<Scalar> slope;
  const auto mean_loss = [&] {
    Random same = random;  // the same masks at each evaluation
    StepContext<Layers, Loss> context{layers, loss, x, target, same, 1, workers.lane()};
    return pass.run(context, slope);
  };

  mean_loss();
  Random same = random;
  StepContext<Layers, Loss> context{layers, loss, x, target, same, 1, workers.lane()};
  std::vector<Matrix<Scalar>> gradients;
  Buffer<Scalar> below;
  Scratch<Scalar> scratch;
  slope.view() /= static_cast<Scalar>(x.cols());
  for (Index l = pass.blocks() - 1; l >= 0; --l) {
    const auto block = pass.block(layers, l);
    std::vector<Matrix<Scalar>> own;
    block.for_each_parameter([&](const auto& parameter, Index, Index) { own.push_back(parameter.value()); });
    auto end = static_cast<Index>(own.size());
    block.walk_down(context.lane, pass.at(context, l), slope.view(), scratch,
                    [&](Index k, const Point<Scalar>& here, ConstView<Scalar> dy) {
                      const Index count = block[k].parameters().size();
                      end -= count;
                      std::vector<View<Scalar>> views(own.begin() + end, own.begin() + end + count);
                      if (count > 0) block[k].gradient(context.lane, here, dy, {views.data(), count});
                    });
    gradients.insert(gradients.begin(), own.begin(), own.end());
    if (l == 0) break;
    below.fit(block.inputs(), x.cols());
    block.pull_back(context.lane, pass.at(context, l), slope.view(), below.view(), scratch);
    std::swap(slope, below);
    pass.block(layers, l - 1).spread_in_time(context.lane, pass.at(context, l - 1), slope.view(), scratch);
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
          if (error <= worst.error) continue;  // what is not a number goes on
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
