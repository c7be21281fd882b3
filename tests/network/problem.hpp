#pragma once

// Small seeded problems, and networks to learn them.

#include <cmath>

#include "altmin/altmin.hpp"
#include "support.hpp"

namespace support {

using altmin::Labels;

/// Points around `classes` centres.
template <class Scalar>
struct Problem {
  Problem(Index features, Index classes, Index samples, altmin::Seed seed = {1}) : x(features, samples), y(samples) {
    Random random{seed};
    for (Index t = 0; t < samples; ++t) {
      y(t) = static_cast<int>(random.below(static_cast<std::uint32_t>(classes)));
      for (Index i = 0; i < features; ++i) {
        x(i, t) = static_cast<Scalar>(random.normal() + (i % classes == y(t) ? 2 : 0));
      }
    }
  }

  Matrix<Scalar> x;
  Labels y;
};

template <class Scalar>
altmin::Layers<Scalar> mlp(std::initializer_list<Index> sizes, bool batch_norm = false) {
  altmin::Layers<Scalar> layers{*sizes.begin()};
  for (const Index* size = sizes.begin() + 1; size != sizes.end(); ++size) {
    layers.add(altmin::Dense{*size});
    if (size + 1 == sizes.end()) break;
    if (batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(altmin::Relu{});
  }
  return layers;
}

/// A map, residual blocks of `units` units, and a map. `blocks` = 1 / branch^2.
template <class Scalar>
altmin::Layers<Scalar> residual(Index inputs, Index units, int blocks, Index outputs, bool batch_norm = false) {
  altmin::Layers<Scalar> layers{inputs};
  layers.add(altmin::Dense{units});
  for (int l = 0; l < blocks; ++l) {
    layers.add(altmin::Relu{}).add(altmin::Dense{units});
    if (batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(altmin::Skip{1 / std::sqrt(static_cast<double>(blocks))});
  }
  return layers.add(altmin::Relu{}).add(altmin::Dense{outputs});
}

/// Signs, also of the input, and maps of sign-valued weights.
template <class Scalar>
altmin::Layers<Scalar> sign_net(std::initializer_list<Index> sizes, bool batch_norm = false) {
  altmin::Layers<Scalar> layers{*sizes.begin()};
  for (const Index* size = sizes.begin() + 1; size != sizes.end(); ++size) {
    layers.add(altmin::Sign{}).add(altmin::BinaryDense{*size});
    if (batch_norm) layers.add(altmin::BatchNorm{});
  }
  return layers;
}

/// A sequence of `steps` steps to one target.
template <class Scalar>
altmin::Layers<Scalar> recurrent(Index steps, Index features, Index units, Index outputs) {
  altmin::Layers<Scalar> layers{altmin::Shape{1, steps, features}};
  layers.add(altmin::Recurrent{units}).add(altmin::Tanh{}).add(altmin::Recurrent{units});
  return layers.add(altmin::LastStep{}).add(altmin::Tanh{}).add(altmin::Dense{outputs});
}

/// Images of one channel.
template <class Scalar>
altmin::Layers<Scalar> convolutional(Index height, Index width, Index outputs, bool batch_norm = false) {
  altmin::Layers<Scalar> layers{altmin::Shape{1, height, width}};
  layers.add(altmin::Conv2d{5, 3}).add(altmin::MaxPool2d{}).add(altmin::Relu{}).add(altmin::Conv2d{7, 3, 1, 1});
  if (batch_norm) layers.add(altmin::BatchNorm{});
  return layers.add(altmin::Relu{}).add(altmin::AvgPool2d{2}).add(altmin::Dense{outputs});
}

/// All parameters of a network, in one list.
template <class Scalar>
std::vector<Matrix<Scalar>> parameters(const altmin::Network<Scalar>& net) {
  std::vector<Matrix<Scalar>> result;
  for (const auto& layer : net.layers()) {
    for (const auto& parameter : layer.parameters()) result.push_back(parameter.value());
  }
  return result;
}

}  // namespace support
