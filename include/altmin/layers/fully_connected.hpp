#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "altmin/kernels/elementwise.hpp"
#include "altmin/layers/initialization.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// What fully connected maps have in common: `weight`, outputs x inputs, and `bias`, outputs x 1. `Config` has the
/// options `outputs`, `bias` and `initialization`. `Layer` says what the weight means: it adds forward(), difference()
/// and backward().
template <class Config_, class Layer, class Scalar>
class FullyConnectedLayer : public LayerBase<Layer, Scalar> {
 public:
  using Config = Config_;
  static constexpr LayerTraits layer_traits{Role::map, false, true};

  FullyConnectedLayer(const Config& config, Shape input) : config_{config}, inputs_{input.size()} {
    if (config.outputs < 1) throw OptionError("outputs must be at least 1, got " + detail::text(config.outputs));
    for (const auto& shape : parameter_shapes(config, input)) this->parameters_.emplace_back(shape);
  }

  static std::vector<ParameterShape> parameter_shapes(const Config& config, Shape input) {
    std::vector<ParameterShape> shapes{{"weight", config.outputs, input.size(), true}};
    if (config.bias) shapes.push_back({"bias", config.outputs, 1});
    return shapes;
  }

  const Config& config() const { return config_; }
  Shape output() const override { return config_.outputs; }

  void initialize(Random& random) override {
    altmin::initialize(this->parameters_[0].values(), config_.initialization, inputs_, config_.outputs, random);
    if (!config_.bias) return;
    this->parameters_[1].values().setZero();
    if (config_.initialization == Initialization::pytorch) {
      altmin::initialize(this->parameters_[1].values(), config_.initialization, inputs_, config_.outputs, random);
    }
  }

  void gradient(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const override {
    multiply<Scalar>(worker, dy, transposed(at.x), gradients[0]);
    if (!config_.bias) return;
    gradients[1].setZero();
    for (Index t = 0; t < dy.cols(); ++t) gradients[1] += dy.col(t);
  }

  /// By Cauchy and Schwarz: |sum_t dy_it x_jt| <= |dy| |x|.
  double gradient_bound(const Point<Scalar>& at, ConstView<Scalar> dy) const override {
    if (dy.size() + at.x.size() >= inputs_ * config_.outputs) return std::numeric_limits<double>::infinity();
    const double inputs = detail::square_sum<Scalar>(at.x) + static_cast<double>(at.x.cols());
    const double lost = static_cast<double>(dy.size()) * static_cast<double>(std::numeric_limits<Scalar>::min());
    return std::sqrt(inputs) * std::sqrt(detail::square_sum<Scalar>(dy) + lost);
  }

 protected:
  const Matrix<Scalar>& weight() const { return this->parameters_[0].value(); }
  const Matrix<Scalar>& bias() const { return this->parameters_[1].value(); }
  Index inputs() const { return inputs_; }
  Index outputs() const { return config_.outputs; }

 private:
  Config config_;
  Index inputs_;
};

}  // namespace altmin
