#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "altmin/layers/initialization.hpp"
#include "altmin/layers/layer_base.hpp"

namespace altmin {

/// A fully connected map, y = W x + b.
struct Dense {
  template <class Scalar>
  class Layer;

  Index outputs = 1;  ///< at least 1
  bool bias = true;   ///< starts at 0 (PyTorch's initialization: random)
  Initialization initialization = Initialization::he_uniform;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("outputs", self.outputs...);
    visit("bias", self.bias...);
    visit("initialization", self.initialization...);
  }
};

/// `weight` is outputs x inputs, `bias` outputs x 1.
template <class Scalar>
class Dense::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Dense;
  static constexpr const char* name = "Dense";
  static constexpr Role role = Role::map;
  static constexpr bool affine = true;

  Layer(const Dense& config, Shape input) : config_{config}, inputs_{input.size()} {
    if (config.outputs < 1) throw OptionError("outputs must be at least 1, got " + detail::text(config.outputs));
    for (const auto& shape : parameter_shapes(config, input)) this->parameters_.emplace_back(shape);
  }

  static std::vector<ParameterShape> parameter_shapes(const Dense& config, Shape input) {
    std::vector<ParameterShape> shapes{{"weight", config.outputs, input.size(), true}};
    if (config.bias) shapes.push_back({"bias", config.outputs, 1});
    return shapes;
  }

  const Dense& config() const { return config_; }
  Shape output() const { return config_.outputs; }

  void initialize(Random& random) {
    altmin::initialize(this->parameters_[0].values(), config_.initialization, inputs_, config_.outputs, random);
    if (!config_.bias) return;
    this->parameters_[1].values().setZero();
    if (config_.initialization == Initialization::pytorch) {
      altmin::initialize(this->parameters_[1].values(), config_.initialization, inputs_, config_.outputs, random);
    }
  }

  ConstView<Scalar> matrix() const { return weight(); }

  LoweredShape lowered_shape() const { return {inputs_, 1}; }
  void lower(const Lane<Scalar>& lane, const Point<Scalar>& at, View<Scalar> a) const {
    lane.parallel_ranges(a.cols(), a.rows(),
                         [&](Index first, Index count) { a.slice(first, count) = at.x.slice(first, count); });
  }
  void lower_output(const Lane<Scalar>& lane, ConstView<Scalar> dy, View<Scalar> r) const {
    lane.parallel_ranges(r.cols(), r.rows(),
                         [&](Index first, Index count) { r.slice(first, count) = dy.slice(first, count); });
  }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    View<Scalar> y = at.y;
    if (config_.bias) {
      y.colwise() = this->parameters_[1].value().col(0);
      multiply<Scalar>(lane, weight(), at.x, y, Scalar(1), Write::add);
    } else {
      multiply<Scalar>(lane, weight(), at.x, y);
    }
  }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const {
    multiply<Scalar>(lane, weight(), dx, dy);
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    multiply<Scalar>(lane, transposed(weight()), dy, dx);
  }

  void gradient(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    multiply<Scalar>(lane, dy, transposed(at.x), gradients[0]);
    if (config_.bias) {
      gradients[1].setZero();
      for (Index t = 0; t < dy.cols(); ++t) gradients[1] += dy.col(t);
    }
  }

 private:
  const Matrix<Scalar>& weight() const { return this->parameters_[0].value(); }

  Dense config_;
  Index inputs_;
};

}  // namespace altmin
