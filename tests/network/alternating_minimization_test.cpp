// The method against what must hold of it exactly, in float and double.

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "problem.hpp"

using altmin::AmAdam;
using altmin::AmSgd;
using altmin::BatchNorm;
using altmin::Dense;
using altmin::Dropout;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::Network;
using altmin::Relu;
using altmin::Seed;
using altmin::SoftmaxCrossEntropy;
using altmin::Tanh;
using support::mlp;
using support::parameters;
using support::Problem;

namespace {

/// Plain gradient steps of rate 1 show the gradient itself.
template <class Options>
Options plain(Options options) {
  options.learning_rate = 1;
  options.momentum = 0;
  return options;
}

template <class Scalar>
double cosine(const Matrix<Scalar>& a, const Matrix<Scalar>& b) {
  const Matrix<double> p = a.template cast<double>();
  const Matrix<double> q = b.template cast<double>();
  return p.cwiseProduct(q).sum() / (p.norm() * q.norm());
}

/// What one step of `algorithm` adds to each parameter.
template <class Scalar, class Algorithm>
std::vector<Matrix<Scalar>> moves(const Layers<Scalar>& layers, const Algorithm& algorithm,
                                  const Problem<Scalar>& problem) {
  Network<Scalar> net{layers, SoftmaxCrossEntropy{}, algorithm, Seed{3}};
  auto before = parameters(net);
  REQUIRE(net.step(problem.x, problem.y));
  auto after = parameters(net);
  for (std::size_t i = 0; i < after.size(); ++i) after[i] -= before[i];
  return after;
}

/// The parts of a step, one by one.
template <class Scalar>
struct Bench {
  Bench(Layers<Scalar> layers_, const AmAdam& options, const Problem<Scalar>& problem_)
      : layers{initialized(std::move(layers_))},
        problem{problem_},
        algorithm{altmin::AnyAlgorithm<Scalar>{options}, layers} {}

  altmin::StepContext<Scalar> context() {
    return {layers, *loss, problem.x,       altmin::Target<Scalar>{problem.y.data(), problem.y.size()},
            random, {},    workers.worker()};
  }

  void encode() { altmin::run_forward(context(), algorithm.workspace()); }
  bool update_codes() {
    return algorithm.signal().propagate(context(), algorithm.workspace()) == altmin::Status::updated;
  }
  /// Of one block alone.
  void update_weights(Index l) {
    const auto now = context();
    auto& workspace = algorithm.workspace();
    const auto block = workspace.block(layers, l);
    const auto signal = algorithm.signal().block_signal(now, workspace, l, 0);
    const altmin::BlockStep<Scalar> step{block, signal, workspace[l], 1};
    altmin::AdamRule::Rule<Scalar> rule{altmin::AdamRule{}, block};
    rule.derive(now.worker, step);
    CHECK(rule.stays_finite(step));
    rule.apply(now.worker, step);
  }

  static Layers<Scalar> initialized(Layers<Scalar> layers) {
    altmin::Random random{Seed{3}};
    layers.initialize(random);
    return layers;
  }

  Layers<Scalar> layers;
  Problem<Scalar> problem;
  altmin::AnyLoss<Scalar> loss{SoftmaxCrossEntropy{}};
  altmin::Random random{Seed{4}};
  altmin::Workers<Scalar> workers{1};
  altmin::Algorithm<Scalar> algorithm;
};

}  // namespace

TEMPLATE_TEST_CASE("one code iteration with forward inputs moves every layer along backprop's direction", "", float,
                   double) {
  const Problem<TestType> problem{12, 3, 20};
  AmSgd am = plain(support::moving(AmSgd{}));
  am.output_learning_rate = 1;
  am.code_iterations = 1;
  am.code_learning_rate = 0.01;  // so that what is left of it at the lowest layer still moves a float
  am.weight_inputs = altmin::WeightInputs::forward;
  const double tolerance = std::is_same_v<TestType, float> ? 1e-4 : 1e-12;
  for (const bool preserve_scale : {true, false}) {
    for (const bool batch_norm : {true, false}) {
      am.preserve_scale = preserve_scale;
      const auto layers = mlp<TestType>({12, 9, 8, 7, 3}, batch_norm);
      const auto alternating = moves(layers, am, problem);
      const auto backprop = moves(layers, plain(altmin::Sgd{}), problem);
      for (std::size_t i = 0; i < backprop.size(); ++i) {
        // A bias below a batch normalization has no gradient at all.
        if (batch_norm && i % 4 == 1 && i + 1 < backprop.size()) continue;
        INFO("parameter " << i << ", batch norm " << batch_norm);
        CHECK(cosine(alternating[i], backprop[i]) == Approx(1).margin(tolerance));
      }
    }
  }
}

TEMPLATE_TEST_CASE("where codes do not move, hidden weights stand still exactly", "", float, double) {
  const Problem<TestType> problem{12, 3, 20};
  AmAdam am = support::moving();
  am.code_learning_rate = 0;
  auto layers = Layers<TestType>{12};
  layers.add(Dropout{0.2}).add(Dense{9}).add(Relu{}).add(Dropout{0.3}).add(Dense{8}).add(Tanh{}).add(Dense{3});
  const auto change = moves(layers, am, problem);
  for (std::size_t i = 0; i < 4; ++i) CHECK(change[i].isZero(0));
  CHECK_FALSE(change[4].isZero(0));

  Network<TestType> net{layers, SoftmaxCrossEntropy{}, am};
  const auto report = net.step(problem.x, problem.y);
  REQUIRE(report.penalties.size() == 2);
  for (const double penalty : report.penalties) CHECK(penalty == 0);
}

TEST_CASE("the code update minimises its objective") {
  // Identity activations make each code's problem a linear least squares problem, solved here in closed form.
  const Problem<double> problem{6, 3, 5};
  AmAdam am = support::moving();
  am.code_iterations = 3000;
  am.preserve_scale = false;
  Layers<double> layers{6};
  layers.add(Dense{5}).add(altmin::Identity{}).add(Dense{4}).add(altmin::Identity{}).add(Dense{3});
  Bench<double> bench{layers, am, problem};
  bench.encode();
  REQUIRE(bench.update_codes());

  const Matrix<double> above = bench.algorithm.displacement(1);
  const Matrix<double>& w = bench.layers[2].parameters()[0].value();
  const Matrix<double> normal = w.transpose() * w + Matrix<double>::Identity(5, 5);
  const Matrix<double> residual = normal * bench.algorithm.displacement(0) - w.transpose() * above;
  CHECK(residual.norm() / above.norm() < 1e-10);

  // The top code: the gradient of loss / mu + |delta|^2 vanishes.
  const Matrix<double> scores = (bench.layers[4].parameters()[0].value() * bench.algorithm.code(1)).colwise() +
                                bench.layers[4].parameters()[1].value().col(0);
  Matrix<double> slope(3, 5);
  SoftmaxCrossEntropy{}.evaluate<double>(scores, {problem.y.data(), 5}, slope);
  const Matrix<double> gradient = bench.layers[4].parameters()[0].value().transpose() * slope + 2 * above;
  CHECK(gradient.norm() / above.norm() < 1e-10);
}

TEMPLATE_TEST_CASE("every code iteration brings the objective down, and the penalties are what is reported", "", float,
                   double) {
  const Problem<TestType> problem{12, 3, 30};
  double before = std::numeric_limits<double>::infinity();
  for (const int iterations : {1, 2, 4, 8, 16}) {
    AmAdam am = support::moving();
    am.code_iterations = iterations;
    am.code_momentum = 0;
    am.code_learning_rate = 0.02;
    am.preserve_scale = false;
    Bench<TestType> bench{mlp<TestType>({12, 9, 8, 3}), am, problem};
    bench.encode();
    REQUIRE(bench.update_codes());
    const auto code = [&](Index l) { return bench.algorithm.code(l); };
    const Matrix<TestType> scores = (bench.layers[4].parameters()[0].value() * code(1).cwiseMax(0)).colwise() +
                                    bench.layers[4].parameters()[1].value().col(0);
    Matrix<TestType> slope(3, 30);
    const double top = SoftmaxCrossEntropy{}.evaluate<TestType>(scores, {problem.y.data(), 30}, slope) +
                       static_cast<double>(bench.algorithm.displacement(1).squaredNorm());
    CHECK(top < before);
    before = top;
  }
}

TEST_CASE("an exact least squares fit of one block never increases the objective") {
  // Coordinate descent without shrinkage, to convergence, on the whole batch: the block's penalty can only go down.
  const Problem<double> problem{6, 3, 60};
  AmAdam am = support::moving();
  Bench<double> bench{mlp<double>({6, 5, 4, 3}), am, problem};
  for (int round = 0; round < 5; ++round) {
    bench.encode();
    REQUIRE(bench.update_codes());
    auto parameters = bench.layers[2].parameters();
    Matrix<double> inputs(6, 60);
    inputs.topRows(5) = bench.algorithm.code(0).cwiseMax(0);
    inputs.row(5).setOnes();
    Matrix<double> weight(4, 6);
    weight << parameters[0].value(), parameters[1].value();
    const Matrix<double> target = bench.algorithm.code(1);
    const double before = (target - weight * inputs).squaredNorm();
    altmin::CoactivationMemory<double> memory{4, 6};
    memory.add(bench.workers.worker(), inputs, target, 0);
    double last = before;
    for (int sweep = 0; sweep < 50; ++sweep) {
      memory.descend(bench.workers.worker(), weight, 0, 1, 0);
      const double now = (target - weight * inputs).squaredNorm();
      CHECK(now <= last * (1 + 1e-12));
      last = now;
    }
    CHECK(last < before);
    parameters[0].set(weight.leftCols(5));
    parameters[1].set(weight.rightCols(1));
  }
}

TEMPLATE_TEST_CASE("a weight update reads its own block and the codes at its ends, nothing else", "", float, double) {
  const Problem<TestType> problem{12, 3, 20};
  const auto poison = std::numeric_limits<TestType>::quiet_NaN();
  const auto layers = mlp<TestType>({12, 9, 8, 7, 3}, true);
  for (Index l = 0; l < 4; ++l) {
    Bench<TestType> clean{layers, support::moving(), problem};
    Bench<TestType> poisoned{layers, support::moving(), problem};
    for (auto* bench : {&clean, &poisoned}) {
      bench->encode();
      REQUIRE(bench->update_codes());
    }
    // Layers 0-1, 2-4, 5-7 and 8-9 are the blocks; codes stand between them.
    const Index first[] = {0, 2, 5, 8, 10};
    for (Index i = 0; i < poisoned.layers.size(); ++i) {
      if (i >= first[l] && i < first[l + 1]) continue;
      for (auto& parameter : poisoned.layers[i].parameters()) parameter.values().setConstant(poison);
    }
    for (Index c = 0; c < 3; ++c) {
      if (c == l || c == l - 1) continue;
      for (const auto& values :
           {poisoned.algorithm.displacement(c), poisoned.algorithm.forward_code(c), poisoned.algorithm.code(c)}) {
        Eigen::Map<Matrix<TestType>>{const_cast<TestType*>(values.data()), values.rows(), values.cols()}.setConstant(
            poison);
      }
    }
    if (l > 0) poisoned.problem.x.setConstant(poison);
    if (l < 3) poisoned.problem.y.setConstant(-1);
    for (auto* bench : {&clean, &poisoned}) {
      bench->update_weights(l);
    }
    for (Index i = first[l]; i < first[l + 1]; ++i) {
      INFO("block " << l << ", layer " << i);
      CHECK(clean.layers[i].parameters().size() == poisoned.layers[i].parameters().size());
      for (Index p = 0; p < clean.layers[i].parameters().size(); ++p) {
        CHECK(clean.layers[i].parameters()[p] == poisoned.layers[i].parameters()[p]);
      }
    }
  }
}

TEMPLATE_TEST_CASE("the scale of the signal survives thirty layers", "", float, double) {
  const Problem<TestType> problem{20, 3, 30};
  Layers<TestType> layers{20};
  for (int l = 0; l < 30; ++l) layers.add(Dense{20}).add(Relu{});
  layers.add(Dense{3});
  Bench<TestType> bench{layers, support::moving(), problem};
  bench.encode();
  REQUIRE(bench.update_codes());
  const auto top = static_cast<double>(bench.algorithm.displacement(29).norm());
  const auto asked = static_cast<double>(bench.algorithm.target_displacement(0).norm());
  CHECK(asked == Approx(top).epsilon(1e-3));

  const auto change =
      moves(layers, support::moving(), problem);  // Adam's first step is its rate, where epsilon is small enough
  CHECK(change[0].cwiseAbs().maxCoeff() == Approx(AmAdam{}.learning_rate).epsilon(1e-3));
}

TEST_CASE("the displacement is as precise in float as in double") {
  // Targets of 1e-7 and below: what subtracting two codes in float would drown in rounding.
  AmAdam am = support::moving();
  am.preserve_scale = false;
  am.mu = 1e6;
  const Problem<float> problem{20, 3, 30};
  const Problem<double> same{20, 3, 30};
  auto layers = mlp<float>({20, 16, 14, 12, 3});
  auto layers_in_double = mlp<double>({20, 16, 14, 12, 3});
  Bench<float> bench{layers, am, problem};
  Bench<double> reference{layers_in_double, am, same};
  reference.problem.x = problem.x.cast<double>();
  for (Index i = 0; i < bench.layers.size(); ++i) {
    for (Index p = 0; p < bench.layers[i].parameters().size(); ++p) {
      reference.layers[i].parameters()[p].set(bench.layers[i].parameters()[p].value().cast<double>());
    }
  }
  bench.encode();
  reference.encode();
  REQUIRE(bench.update_codes());
  REQUIRE(reference.update_codes());
  CHECK(reference.algorithm.displacement(0).cwiseAbs().maxCoeff() < 1e-6);
  for (Index l = 0; l < 3; ++l) {
    CHECK(support::relative_error(bench.algorithm.displacement(l), reference.algorithm.displacement(l)) < 1e-4);
  }
}

TEST_CASE("mu grows by its increment until ten times its start") {
  AmAdam am = support::moving();
  am.mu = 0.5;
  am.mu_increment = 2;
  const Problem<double> problem{4, 3, 8};
  Network<double> net{mlp<double>({4, 5, 3}), SoftmaxCrossEntropy{}, am};
  for (const double expected : {2.5, 4.5, 6.5, 6.5}) {
    REQUIRE(net.step(problem.x, problem.y));
    CHECK(net.algorithm().signal<altmin::CodesSignal<double>>()->mu() == Approx(expected));
  }
}

TEST_CASE("a code rate that would diverge gives way") {
  const Problem<double> problem{12, 3, 40};
  AmAdam am = support::moving();
  am.code_learning_rate = 0.5;
  am.code_iterations = 40;
  for (const bool limited : {true, false}) {
    am.limit_code_rate = limited;
    Network<double> net{mlp<double>({12, 30, 30, 3}), SoftmaxCrossEntropy{}, am};
    double penalty = 0;
    for (int s = 0; s < 10; ++s) penalty = net.step(problem.x, problem.y).penalties[1];
    CHECK((penalty < 1) == limited);
  }
}

TEMPLATE_TEST_CASE("a code rate that would diverge gives way in the first step", "", float, double) {
  const Problem<TestType> problem{12, 3, 40};
  for (const double rate : {1.0, 1e3, 1e20}) {
    for (const Index samples : {1, 40}) {
      CAPTURE(rate, samples);
      AmAdam am = AmAdam::equilibrium();
      am.code_learning_rate = rate;
      Network<TestType> net{mlp<TestType>({12, 30, 30, 3}), SoftmaxCrossEntropy{}, am};
      for (int s = 0; s < 3; ++s) {
        for (const auto& block : net.inspect(problem.x.leftCols(samples), problem.y.head(samples))) {
          CHECK_FALSE(block.displacement > 10);
          CHECK(std::isfinite(block.cosine));
        }
        REQUIRE(net.step(problem.x.leftCols(samples), problem.y.head(samples)));
      }
    }
  }
}

TEST_CASE("a step whose codes diverge moves no weight and says so") {
  const Problem<double> problem{12, 3, 40};
  AmAdam am = support::moving();
  am.code_learning_rate = 1e30;
  am.limit_code_rate = false;
  Network<double> net{mlp<double>({12, 10, 10, 3}, true), SoftmaxCrossEntropy{}, am};
  const auto before = parameters(net);
  const auto report = net.step(problem.x, problem.y);
  CHECK(report.status == altmin::Status::codes_not_finite);
  CHECK_FALSE(report);
  CHECK(parameters(net) == before);

  Network<float> overflow{mlp<float>({12, 10, 3}), altmin::MeanSquaredError{}, support::moving()};
  overflow.layers()[0].parameters()[0].values().setConstant(1e25F);
  overflow.layers()[2].parameters()[0].values().setConstant(1e25F);
  const auto still = parameters(overflow);
  const Matrix<float> x = problem.x.cast<float>().cwiseAbs();
  CHECK(overflow.step(x, Matrix<float>::Zero(3, 40)).status == altmin::Status::loss_not_finite);
  CHECK(parameters(overflow) == still);
}

TEST_CASE("lambda_code and lambda_weight make codes and weights smaller") {
  const Problem<double> problem{12, 3, 60};
  const auto train = [&](double lambda_weight) {
    AmAdam am = support::moving();
    am.lambda_weight = lambda_weight;
    Network<double> net{mlp<double>({12, 20, 20, 3}), SoftmaxCrossEntropy{}, am};
    for (int s = 0; s < 200; ++s) REQUIRE(net.step(problem.x, problem.y));
    return parameters(net)[2].cwiseAbs().mean();
  };
  CHECK(train(0.1) < 0.7 * train(0));

  const auto size = [&](double lambda_code) {
    AmAdam am = support::moving();
    am.lambda_code = lambda_code;
    Network<double> net{mlp<double>({12, 20, 20, 3}), SoftmaxCrossEntropy{}, am};
    REQUIRE(net.step(problem.x, problem.y));
    return net.algorithm().code(1).cwiseAbs().mean();
  };
  CHECK(size(0.5) < size(0));
}
