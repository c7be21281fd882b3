// Recurrent layers in a network: what backprop and alternating minimization do in time.

#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"
#include "problem.hpp"

using namespace altmin;
using support::parameters;
using support::relative_error;

namespace {

constexpr Index sequence_length = 5, step_features = 3, sequences = 8;

/// Two recurrent layers, a target a sequence or a step.
template <class Scalar>
Layers<Scalar> stacked(Nonlinearity nonlinearity, bool every_step) {
  Layers<Scalar> layers{Shape{1, sequence_length, step_features}};
  layers.add(Recurrent{4, nonlinearity}).add(Tanh{}).add(Recurrent{2, nonlinearity});
  if (every_step) return layers.add(Tanh{});
  return layers.add(LastStep{}).add(Tanh{}).add(Dense{2 * sequence_length});
}

/// Calls check(layers) for each of them.
template <class Scalar, class Check>
void for_each_stack(Check&& check) {
  for (const auto nonlinearity : {Nonlinearity::tanh, Nonlinearity::relu}) {
    for (const bool every_step : {true, false}) {
      INFO("nonlinearity " << names(nonlinearity)[static_cast<std::size_t>(nonlinearity)] << ", every step "
                           << every_step);
      check(stacked<Scalar>(nonlinearity, every_step));
    }
  }
}

template <class Scalar>
struct Regression {
  Random random{Seed{1}};
  Matrix<Scalar> x = support::random_matrix<Scalar>(sequence_length * step_features, sequences, random, -2, 2);
  Matrix<Scalar> y = support::random_matrix<Scalar>(2 * sequence_length, sequences, random);
};

/// What one step of `algorithm` adds to each parameter.
template <class Scalar, class Algorithm>
std::vector<Matrix<Scalar>> moves(const Layers<Scalar>& layers, const Algorithm& algorithm) {
  Regression<Scalar> problem;
  Network<Scalar> net{layers, MeanSquaredError{}, algorithm, Seed{3}};
  const auto before = parameters(net);
  REQUIRE(net.step(problem.x, problem.y));
  auto after = parameters(net);
  for (std::size_t i = 0; i < after.size(); ++i) after[i] -= before[i];
  return after;
}

AmSgd plain() {
  AmSgd am = support::moving(AmSgd{});
  am.learning_rate = am.output_learning_rate = 1e-6;
  am.momentum = 0;
  return am;
}

}  // namespace

TEST_CASE("backprop goes back through time") {
  for_each_stack<double>([](const auto& layers) {
    Regression<double> problem;
    const Network<double> net{layers, MeanSquaredError{}, Adam{}, Seed{3}};
    const auto check = net.check_gradients(problem.x, problem.y);
    INFO(check.where);
    CHECK(check.error < 1e-7);
  });
}

TEMPLATE_TEST_CASE("one code iteration with forward inputs is backprop through time", "", float, double) {
  // A step that moves at a rate of 1/2, without momentum, passes on exactly what it is asked for.
  AmSgd am = plain();
  am.learning_rate = 1;
  am.output_learning_rate = 1;
  am.code_iterations = 1;
  am.code_learning_rate = 0.5 * sequence_length;
  am.code_momentum = 0;
  am.preserve_scale = false;
  am.weight_inputs = WeightInputs::forward;
  Sgd sgd;
  sgd.learning_rate = 1;
  sgd.momentum = 0;
  for_each_stack<TestType>([&](const auto& layers) {
    const auto alternating = moves(layers, am);
    const auto backprop = moves(layers, sgd);
    for (std::size_t i = 0; i < backprop.size(); ++i) {
      INFO("parameter " << i);
      CHECK(relative_error(alternating[i].normalized(), backprop[i].normalized()) < support::roundings<TestType>(100));
    }
  });
}

TEST_CASE("a step is asked for what brings the next one to its target") {
  // With every unit above 0 the problem in time is linear least squares: (W'W + I) e_t = W' d_{t+1}.
  const support::Problem<double> problem{sequence_length * step_features, 3, sequences};
  AmAdam am = support::moving();
  am.code_iterations = 3000;
  am.preserve_scale = false;
  Layers<double> layers{Shape{1, sequence_length, step_features}};
  layers.add(Recurrent{4, Nonlinearity::relu}).add(LastStep{}).add(Dense{3});
  Network<double> net{layers, SoftmaxCrossEntropy{}, am, Seed{3}};
  net.layers()[0].parameters()[2].values().setConstant(100);
  net.layers()[0].parameters()[1].values() = net.layers()[0].parameters()[1].value().cwiseAbs();
  const Matrix<double> w = net.layers()[0].parameters()[1].value();
  REQUIRE(net.step(problem.x, problem.y));
  const Matrix<double> displacement = net.algorithm().displacement(0);
  const Matrix<double> normal = w.transpose() * w + Matrix<double>::Identity(4, 4);
  for (Index t = 0; t + 1 < sequence_length; ++t) {
    const Matrix<double> asked = w.transpose() * displacement.middleRows(4 * (t + 1), 4);
    CHECK(relative_error(normal * displacement.middleRows(4 * t, 4), asked) < 1e-9);
  }
}

TEST_CASE("all steps of a sequence learn from a signal of the same size") {
  const support::Problem<double> problem{30 * step_features, 3, sequences};
  Layers<double> layers{Shape{1, 30, step_features}};
  layers.add(Recurrent{4}).add(LastStep{}).add(Tanh{}).add(Dense{3});
  Network<double> net{layers, SoftmaxCrossEntropy{}, support::moving(), Seed{3}};
  REQUIRE(net.step(problem.x, problem.y));
  const auto& am = net.algorithm();
  const Matrix<double> asked = am.target_displacement(0);
  const double last = am.displacement(0).bottomRows(4).norm();
  for (Index t = 0; t < 30; ++t) CHECK(asked.middleRows(4 * t, 4).norm() == Approx(last));
}

TEST_CASE("the weights of a recurrent layer see the updated codes of the steps before") {
  // Codes that move far, so that the states do.
  for (const bool preserve_scale : {false, true}) {
    AmSgd am = plain();
    am.code_learning_rate = 0.1;
    am.preserve_scale = preserve_scale;
    Regression<double> problem;
    Network<double> net{stacked<double>(Nonlinearity::tanh, true), MeanSquaredError{}, am, Seed{3}};
    const auto weights = parameters(net);
    const auto report = net.step(problem.x, problem.y);
    const auto& algorithm = net.algorithm();
    for (const Index l : {0, 1}) {
      const auto* weight = &weights[static_cast<std::size_t>(3 * l)];
      const Index units = weight[1].rows();
      const Matrix<double> x = l == 0 ? problem.x : Matrix<double>(algorithm.code(0).array().tanh());
      const Index width = x.rows() / sequence_length;
      const Matrix<double> code = algorithm.code(l);
      Matrix<double> residual = algorithm.forward_code(l) + algorithm.target_displacement(l);
      Matrix<double> by_state = Matrix<double>::Zero(units, units);
      for (Index t = 0; t < sequence_length; ++t) {
        Matrix<double> state = Matrix<double>::Zero(units, sequences);
        if (t > 0) state = code.middleRows(units * (t - 1), units).array().tanh();
        auto lacks = residual.middleRows(units * t, units);
        lacks -= weight[0] * x.middleRows(width * t, width) + weight[1] * state;
        by_state += lacks * state.transpose();
      }
      CHECK(report.penalties[l] == Approx(residual.squaredNorm() / sequences));
      const Matrix<double> move = net.layers()[2 * l].parameters()[1].value() - weight[1];
      CHECK(relative_error(move, (2e-6 / sequences) * by_state) < 1e-6);
    }
    // A second iteration of so small a size finds the same direction again.
    const auto once = moves(stacked<double>(Nonlinearity::tanh, true), am);
    am.weight_iterations = 2;
    const auto twice = moves(stacked<double>(Nonlinearity::tanh, true), am);
    for (std::size_t i = 0; i < once.size(); ++i) CHECK(relative_error(twice[i], 2 * once[i]) < 1e-4);
  }
}

TEST_CASE("where codes do not move, a recurrent layer stands still exactly") {
  AmAdam am = support::moving();
  am.code_learning_rate = 0;
  for_each_stack<double>([&](const auto& layers) {
    const auto change = moves(layers, am);
    for (std::size_t i = 0; i < 6; ++i) CHECK(change[i].isZero(0));
  });
}

TEST_CASE("a block ends with a recurrent layer") {
  Layers<double> layers{Shape{1, sequence_length, step_features}};
  layers.add(Recurrent{4}).add(BatchNorm{}).add(Tanh{}).add(LastStep{}).add(Dense{3});
  const auto parts = divide_into_blocks(layers);
  REQUIRE(parts.size() == 2);
  CHECK(parts[1].first == 1);
  CHECK_THROWS_WITH((Network<double>{Layers<double>{Shape{1, sequence_length, step_features}}.add(Recurrent{4}),
                                     MeanSquaredError{}, support::moving()}),
                    "layer 0 (Recurrent): expected a layer above it, got the end of the network");
}

TEST_CASE("every algorithm learns to remember the first step") {
  Random random{Seed{1}};
  const auto x = support::random_matrix<double>(sequence_length * step_features, 60, random);
  const Labels y = (x.row(0).array() > 0).cast<int>().transpose();
  const auto check = [&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Layers<double> layers{Shape{1, sequence_length, step_features}};
    layers.add(Recurrent{8}).add(BatchNorm{}).add(LastStep{}).add(Tanh{}).add(Dense{2});
    Network<double> net{layers, SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    for (int s = 0; s < 300; ++s) REQUIRE(net.step(x, y));
    CHECK((net.classify(x).array() == y.array()).count() > 55);
  };
  check("AmAdam", AmAdam{});
  check("AmAdam, moving", support::moving());
  check("AmMem", AmMem{});
  check("AmMemFull", altmin::AmMemFull{});
  check("AmSgd", AmSgd{});
  check("Adam", Adam{});
  check("Sgd", Sgd{});
}
