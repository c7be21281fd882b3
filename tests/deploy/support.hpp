#pragma once

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "../support.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/losses/losses.hpp"
#include "altmin/network/algorithms.hpp"
#include "altmin/network/network.hpp"
#include "folder.hpp"

namespace support {

using namespace altmin;

inline bool runs(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

/// A network whose parameters and statistics are random.
template <class Scalar>
Network<Scalar> random_net(const Layers<Scalar>& layers) {
  Network<Scalar> net{layers, MeanSquaredError{}, Adam{}, Seed{1}};
  Random random{Seed{2}};
  const Matrix<Scalar> x = random_matrix<Scalar>(layers.input().size(), 8, random, -2, 5);  // for Standardize
  net.step(x, random_matrix<Scalar>(layers.output().size(), 8, random));
  for (auto& layer : net.layers()) {
    for (auto& p : layer.parameters()) {
      const double size = 1.5 / std::sqrt(static_cast<double>(p.value().cols()));
      p.set(random_matrix<Scalar>(p.value().rows(), p.value().cols(), random, -size, size));
    }
    if (layer.template as<BatchNorm>() == nullptr) continue;
    const Index channels = layer.statistics()[0].value().rows();
    layer.statistics()[0].set(random_matrix<Scalar>(channels, 1, random));
    layer.statistics()[1].set(random_matrix<Scalar>(channels, 1, random, 0.1, 3));
  }
  return net;
}

template <class Scalar>
std::vector<Layers<Scalar>> exported_nets() {
  using Stack = Layers<Scalar>;
  return {
      Stack{5}.add(Identity{}),
      Stack{20}
          .add(Standardize{})
          .add(Dense{30})
          .add(BatchNorm{})
          .add(Relu{})
          .add(Dropout{})
          .add(Dense{7, false})
          .add(Identity{})
          .add(BatchNorm{})
          .add(LeakyRelu{0.1})
          .add(Dense{3}),
      Stack{Shape{2, 9, 8}}
          .add(Standardize{true})
          .add(BatchNorm{})
          .add(Conv2d{5, {3, 2}, {2, 1}, {1, 0}})
          .add(BatchNorm{})
          .add(Tanh{})
          .add(MaxPool2d{2, Extent{1, 2}})
          .add(Conv2d{4, 2, 1, 1, false})
          .add(Sigmoid{})
          .add(AvgPool2d{{2, 3}})
          .add(BatchNorm{})
          .add(Dense{3}),
      Stack{Shape{1, 6, 4}}
          .add(Standardize{})
          .add(Recurrent{5})
          .add(BatchNorm{})
          .add(Tanh{})
          .add(Recurrent{4, Nonlinearity::relu, false})
          .add(LastStep{})
          .add(Sigmoid{})
          .add(Dense{2}),
      Stack{Shape{1, 4, 5}}
          .add(Conv2d{3, 3, 1, 1})
          .add(Identity{})
          .add(BatchNorm{})
          .add(Relu{})
          .add(Conv2d{3, 3, 1, 1})
          .add(BatchNorm{})
          .add(Skip{0.5})
          .add(Dense{20})
          .add(Dropout{})
          .add(Tanh{})
          .add(Dense{20})
          .add(Skip{})
          .add(Dense{3}),
      Stack{Shape{1, 2, 3}}
          .add(Dense{6})
          .add(Relu{})
          .add(Dense{6})
          .add(Skip{})
          .add(Relu{})
          .add(Dense{6})
          .add(Skip{2.})
          .add(Dense{2}),
      Stack{40}.add(BinaryDense{33}).add(BatchNorm{}).add(Sign{}).add(BinaryDense{4, false}),
  };
}

/// f(x) = x^2: a layer that the library does not have.
struct Square {
  static constexpr const char* name = "Square";

  template <class Scalar>
  struct Layer : ElementwiseLayer<Layer<Scalar>, Scalar> {
    using Config = Square;
    Layer(const Square&, Shape input) : ElementwiseLayer<Layer, Scalar>{input} {}
    static Square config() { return {}; }
    template <class X>
    auto value(const X& x) const {
      return x.square();
    }
    template <class X, class Y, class D>
    auto slope_times(const X& x, const Y&, const D& dy) const {
      return Scalar(2) * x * dy;
    }
    template <class X, class Y, class D, class M>
    auto change(const X& x, const Y&, const D& dx, const M& moved) const {
      return dx * (x + moved);
    }
  };
  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

}  // namespace support
