// What holds for every layer: backward and gradient are derivatives, difference is exact however small the move.

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "altmin/layers/layers.hpp"
#include "catch.hpp"
#include "probe.hpp"
#include "swish.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;

namespace {

template <class Scalar>
using AnyProbe = support::Probe<AnyLayer<Scalar>, Scalar>;

/// Every layer, evaluated at a random input away from 0, where some have a kink, with random parameters.
template <class Scalar>
std::vector<AnyProbe<Scalar>> every_layer(Seed seed) {
  Random random{seed};
  Matrix<Scalar> x = random_matrix<Scalar>(5, 6, random, -2, 2);
  x = (x.array().abs() < Scalar(0.05)).select(Scalar(0.3), x);

  Layers<Scalar> layers{5};
  layers.add(Identity{}).add(Relu{}).add(LeakyRelu{0.2}).add(Tanh{}).add(Sigmoid{}).add(Dropout{0.3}).add(Skip{0.7});
  layers.add(Softsign{}).add(Swish{0.7}).add(BatchNorm{}).add(BatchNorm{0.5}).add(Dense{5, false}).add(Dense{7});
  std::vector<AnyProbe<Scalar>> probes;
  const auto add = [&](const LayerInterface<Scalar>& layer, const Matrix<Scalar>& input) {
    auto& probe = probes.emplace_back(AnyLayer<Scalar>{layer.clone()}, input);
    for (auto& parameter : probe.layer->parameters()) {
      parameter.set(random_matrix<Scalar>(parameter.value().rows(), parameter.value().cols(), random));
    }
    probe.forward(input);
  };
  for (const auto& layer : layers) add(layer, x);

  const Shape image{2, 5, 6};
  const Matrix<Scalar> images = random_matrix<Scalar>(image.size(), 3, random, -2, 2);
  const auto add_to_image = [&](const auto& config) { add(Layers<Scalar>{image}.add(config)[0], images); };
  add_to_image(Conv2d{3, 3});
  add_to_image(Conv2d{2, {2, 3}, {3, 2}, {1, 2}, false});
  add_to_image(MaxPool2d{});
  add_to_image(MaxPool2d{3, Extent{1, 2}});
  add_to_image(AvgPool2d{{2, 3}});
  add_to_image(BatchNorm{});
  return probes;
}

}  // namespace

TEST_CASE("backward() and gradient() are derivatives", "[layers]") {
  Random random{Seed{1}};
  for (auto& probe : every_layer<double>(Seed{2})) {
    CAPTURE(std::string(probe.layer->name()));
    const Matrix<double> x = probe.x;
    const auto direction = random_matrix<double>(probe.y.rows(), probe.y.cols(), random);
    const auto along = [&](const Matrix<double>& at) { return probe.forward(at).cwiseProduct(direction).sum(); };

    const auto slope = probe.backward(direction);
    const auto gradients = probe.gradients(direction);
    CHECK(relative_error(slope, support::numerical_gradient(x, along)) < 1e-8);
    for (std::size_t k = 0; k < gradients.size(); ++k) {
      auto& parameter = probe.layer->parameters()[static_cast<Index>(k)];
      CAPTURE(std::string(parameter.name()));
      const Matrix<double> value = parameter.value();
      const auto by_parameter = [&](const Matrix<double>& at) {
        parameter.set(at);
        return along(x);
      };
      CHECK(relative_error(gradients[k], support::numerical_gradient(value, by_parameter)) < 1e-8);
      parameter.set(value);
    }
  }
}

TEST_CASE("difference() of any size agrees with forward()", "[layers]") {
  Random random{Seed{1}};
  for (const double size : {0.01, 1., 10.}) {
    for (auto& probe : every_layer<double>(Seed{2})) {
      CAPTURE(std::string(probe.layer->name()), size);
      const Matrix<double> before = probe.y;
      const auto dx = random_matrix<double>(probe.x.rows(), probe.x.cols(), random, -size, size);
      const auto direction = random_matrix<double>(before.rows(), before.cols(), random);
      const auto change = probe.move(dx);
      const Matrix<double> after = probe.y;
      const auto slope = probe.backward(direction);
      const auto gradients = probe.gradients(direction);

      // The moved point serves as one that was evaluated there.
      const Matrix<double> expected = probe.forward(probe.x);
      CHECK(relative_error(change, expected - before) < 1e-12);
      CHECK(relative_error(after, expected) < 1e-12);
      CHECK(relative_error(slope, probe.backward(direction)) < 1e-11);
      const auto expected_gradients = probe.gradients(direction);
      for (std::size_t k = 0; k < gradients.size(); ++k) {
        CHECK(relative_error(gradients[k], expected_gradients[k]) < 1e-12);
      }
    }
  }
}

TEST_CASE("what a map lowers itself to has its gradient", "[layers]") {
  Random random{Seed{5}};
  int maps = 0;
  const auto check = [&](auto& probe) {
    if (probe.layer->lowered_shape().rows == 0) return;
    ++maps;
    CAPTURE(std::string(probe.layer->name()));
    const auto direction = random_matrix<double>(probe.y.rows(), probe.y.cols(), random);
    const auto gradients = probe.gradients(direction);
    const Matrix<double> lowered = probe.lowered_gradient(direction);
    Index first = 0;
    for (const auto& gradient : gradients) {
      CHECK(relative_error(lowered.middleCols(first, gradient.cols()), gradient) < 1e-12);
      first += gradient.cols();
    }
    CHECK(first == lowered.cols());
  };
  for (auto& probe : every_layer<double>(Seed{6})) check(probe);
  const auto sequences = random_matrix<double>(4 * 3, 6, random);
  for (const bool bias : {true, false}) {
    const auto layers = Layers<double>{Shape{1, 4, 3}}.add(Recurrent{5, Nonlinearity::tanh, bias});
    AnyProbe<double> recurrent{AnyLayer<double>{layers[0].clone()}, sequences};
    check(recurrent);
  }
  CHECK(maps == 6);
}

// Subtracting the outputs would leave one digit in float and four in double.
TEMPLATE_TEST_CASE("difference() of a tiny move is J dx to full precision", "[layers]", float, double) {
  const double size = std::is_same_v<TestType, float> ? 1e-6 : 1e-12;
  Random random{Seed{3}};
  for (auto& probe : every_layer<TestType>(Seed{4})) {
    if (std::string{probe.layer->name()} == Swish::name) continue;  // has the common one, which subtracts
    CAPTURE(std::string(probe.layer->name()));
    for (int moves = 0; moves < 2; ++moves) {  // the second starts where the first went
      const auto dx = random_matrix<TestType>(probe.x.rows(), probe.x.cols(), random, -size, size);
      const auto expected = probe.jacobian_times(dx);
      CHECK(relative_error(probe.move(dx), expected) < 30 * size);
    }
  }
}
