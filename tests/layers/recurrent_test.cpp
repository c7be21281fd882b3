#include "altmin/layers/recurrent.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "altmin/layers/layers.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;
using support::roundings;

namespace {

constexpr Index steps = 5, features = 3, units = 4, samples = 6;

/// A recurrent layer with random parameters, at a sequence.
template <class Scalar>
struct Sequence {
  explicit Sequence(const Recurrent& config, Seed seed = Seed{1})
      : layer{config, Shape{1, steps, features}},
        random{seed},
        x{random_matrix<Scalar>(steps * features, samples, random)},
        y{Matrix<Scalar>::Constant(steps * units, samples, 1e10)},
        states{y} {
    for (auto& parameter : layer.parameters()) {
      parameter.set(random_matrix<Scalar>(parameter.value().rows(), parameter.value().cols(), random));
    }
  }

  Point<Scalar> point() { return {x, y, {states, {}}}; }

  Recurrent::Layer<Scalar> layer;
  Random random;
  Matrix<Scalar> x, y, states;
  Workers<Scalar> workers{1};
};

}  // namespace

TEMPLATE_TEST_CASE("a recurrent layer goes through the steps one by one", "[layers]", float, double) {
  for (const auto nonlinearity : {Nonlinearity::tanh, Nonlinearity::relu}) {
    for (const bool bias : {true, false}) {
      Sequence<TestType> sequence{Recurrent{units, nonlinearity, bias}};
      const auto parameters = sequence.layer.parameters();
      REQUIRE(parameters.size() == (bias ? 3 : 2));
      Matrix<TestType> expected(steps * units, samples);
      Matrix<TestType> state = Matrix<TestType>::Zero(units, samples);
      for (Index t = 0; t < steps; ++t) {
        auto y = expected.middleRows(t * units, units);
        y = parameters[0].value() * sequence.x.middleRows(t * features, features) + parameters[1].value() * state;
        if (bias) y.colwise() += parameters[2].value().col(0);
        if (nonlinearity == Nonlinearity::tanh) state = y.array().tanh();
        if (nonlinearity == Nonlinearity::relu) state = y.cwiseMax(TestType(0));
      }
      const auto worker = sequence.workers.worker();
      sequence.layer.forward(worker, sequence.point());
      CHECK(relative_error(sequence.y, expected) < roundings<TestType>());
      const Matrix<TestType> states = sequence.states;
      sequence.layer.forward_from_states(worker, sequence.point());
      CHECK(relative_error(sequence.y, expected) < roundings<TestType>());
      CHECK(sequence.states == states);
      sequence.layer.predict(worker, sequence.x, sequence.y);
      CHECK(relative_error(sequence.y, expected) < roundings<TestType>());
    }
  }
}

TEST_CASE("with given states the steps of a recurrent layer are apart", "[layers]") {
  Sequence<double> sequence{Recurrent{units}};
  auto& layer = sequence.layer;
  const auto worker = sequence.workers.worker();
  layer.forward(worker, sequence.point());
  const Matrix<double> x = sequence.x;
  const Matrix<double> before = sequence.y;
  const auto direction = random_matrix<double>(steps * units, samples, sequence.random);
  const auto along = [&](const Matrix<double>& at) {
    sequence.x = at;
    layer.forward_from_states(worker, sequence.point());
    return sequence.y.cwiseProduct(direction).sum();
  };

  Matrix<double> slope(steps * features, samples);
  layer.backward(worker, sequence.point(), direction, slope);
  CHECK(relative_error(slope, support::numerical_gradient(x, along)) < 1e-8);
  sequence.x = x;

  std::vector<Matrix<double>> gradients;
  for (const auto& parameter : layer.parameters()) gradients.push_back(parameter.value());
  std::vector<View<double>> views(gradients.begin(), gradients.end());
  layer.gradient(worker, sequence.point(), direction, {views.data(), 3});
  for (std::size_t k = 0; k < 3; ++k) {
    auto& parameter = layer.parameters()[static_cast<Index>(k)];
    const Matrix<double> value = parameter.value();
    const auto by_parameter = [&](const Matrix<double>& at) {
      parameter.set(at);
      return along(x);
    };
    CHECK(relative_error(gradients[k], support::numerical_gradient(value, by_parameter)) < 1e-8);
    parameter.set(value);
  }

  const auto dx = random_matrix<double>(steps * features, samples, sequence.random);
  const Matrix<double> moved = x + dx;
  Matrix<double> to_y = before, dy = before;
  sequence.x = x;
  sequence.y = before;
  layer.difference(worker, sequence.point(), dx, {moved, to_y, {sequence.states, {}}}, dy);
  along(moved);
  CHECK(relative_error(dy, sequence.y - before) < 1e-13);
}

TEST_CASE("a recurrent layer starts by summing up the steps, or as PyTorch's", "[layers]") {
  Random random{Seed{1}};
  Recurrent config{units};
  Recurrent::Layer<double> layer{config, Shape{1, steps, features}};
  layer.initialize(random);
  CHECK(layer.parameters()[1].value().isIdentity(0));
  const double largest = layer.parameters()[0].value().cwiseAbs().maxCoeff();
  CHECK(largest < std::sqrt(3.0 / (steps * features)));
  CHECK(largest > 0.7 * std::sqrt(3.0 / (steps * features)));
  CHECK(layer.parameters()[2].value().isZero(0));

  config.initialization = Initialization::pytorch;
  Recurrent::Layer<double> pytorch{config, Shape{1, steps, features}};
  pytorch.initialize(random);
  const char* names[] = {"weight_ih", "weight_hh", "bias_ih"};
  for (Index k = 0; k < 3; ++k) {
    const auto& parameter = pytorch.parameters()[k];
    CHECK(parameter.name() == std::string(names[k]));
    CHECK(parameter.is_weight() == (k < 2));
    CHECK(parameter.value().cwiseAbs().maxCoeff() < 0.5);
    CHECK(parameter.value().cwiseAbs().maxCoeff() > 0.2);
  }
}

TEST_CASE("sequences are of one channel", "[layers]") {
  CHECK_THROWS_WITH((Layers<float>{784}.add(Recurrent{2})),
                    "layer 0 (Recurrent): expected a sequence, 1 x steps x features, got 784");
  CHECK_THROWS_WITH((Layers<float>{Shape{2, 3, 4}}.add(LastStep{})),
                    "layer 0 (LastStep): expected a sequence, 1 x steps x features, got 2 x 3 x 4");
  CHECK_THROWS_WITH((Layers<float>{Shape{1, 3, 4}}.add(Recurrent{0})),
                    "layer 0 (Recurrent): units must be at least 1, got 0");
}

TEST_CASE("steps of a recurrent layer act on the next by their states", "[layers]") {
  for (const auto nonlinearity : {Nonlinearity::tanh, Nonlinearity::relu}) {
    Sequence<double> sequence{Recurrent{units, nonlinearity}};
    const auto worker = sequence.workers.worker();
    const Recurrent::Layer<double>& layer = sequence.layer;
    layer.forward(worker, sequence.point());
    const Matrix<double> w = layer.parameters()[1].value();
    const auto state = [&](const Matrix<double>& c) -> Matrix<double> {
      return nonlinearity == Nonlinearity::tanh ? Matrix<double>(c.array().tanh()) : Matrix<double>(c.cwiseMax(0));
    };
    for (Index t = 0; t + 1 < steps; ++t) {
      const Matrix<double> c0 = sequence.y.middleRows(t * units, units);
      const auto dx = random_matrix<double>(units, samples, sequence.random);
      Matrix<double> scratch(units, samples), change(units, samples), residual(units, samples);
      layer.step_difference(worker, sequence.point(), t, dx, scratch, change);
      CHECK(relative_error(change, w * (state(c0 + dx) - state(c0))) < 1e-13);

      const auto dy = random_matrix<double>(units, samples, sequence.random);
      for (const bool moved : {false, true}) {
        const Matrix<double> at = moved ? Matrix<double>(c0 + dx) : c0;
        layer.backward_step(worker, sequence.point(), t, moved ? ConstView<double>{dx} : ConstView<double>{}, dy,
                            residual);
        const auto along = [&](const Matrix<double>& c) { return (w * state(c)).cwiseProduct(dy).sum(); };
        CHECK(relative_error(residual, support::numerical_gradient(at, along)) < 1e-8);
      }

      layer.move_state(sequence.point(), t, dx);
      CHECK(relative_error(sequence.states.middleRows((t + 1) * units, units), state(c0 + dx)) < 1e-13);
      layer.forward(worker, sequence.point());
    }
  }
}
