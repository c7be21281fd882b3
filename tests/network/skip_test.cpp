// Residual blocks: against products of matrices, central differences, and what holds of every network.

#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "message_of.hpp"
#include "problem.hpp"

namespace skip_test {

using altmin::Adam;
using altmin::AmAdam;
using altmin::BatchNorm;
using altmin::Conv2d;
using altmin::Dense;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::MaxPool2d;
using altmin::MeanSquaredError;
using altmin::Network;
using altmin::Relu;
using altmin::Seed;
using altmin::Sgd;
using altmin::ShapeError;
using altmin::Skip;
using altmin::SoftmaxCrossEntropy;
using altmin::Tanh;
using support::Problem;

/// Maps without bias alone: units -> units, `blocks` times, each with a skip, and the last one to `outputs`.
template <class Scalar>
Layers<Scalar> linear(Index units, int blocks, Index outputs, double branch) {
  Layers<Scalar> layers{units};
  for (int l = 0; l < blocks; ++l) layers.add(Dense{units, false}).add(Skip{branch});
  return layers.add(Dense{outputs, false});
}

/// I + branch W_l of each block, and the last W.
template <class Scalar>
std::vector<Matrix<double>> factors(const Network<Scalar>& net, double branch) {
  std::vector<Matrix<double>> result;
  for (const auto& layer : net.layers()) {
    if (layer.parameters().size() == 0) continue;
    const Matrix<double> w = layer.parameters()[0].value().template cast<double>();
    result.push_back(branch * w);
    if (result.size() < static_cast<std::size_t>(net.layers().size() + 1) / 2) {
      result.back() += Matrix<double>::Identity(w.rows(), w.cols());
    } else {
      result.back() = w;
    }
  }
  return result;
}

/// Residual blocks of several kinds of layers: the first and the last one skip, too.
template <class Scalar>
Layers<Scalar> kinds() {
  Layers<Scalar> layers{altmin::Shape{2, 4, 4}};
  layers.add(Conv2d{2, 3, 1, 1}).add(Skip{0.5}).add(Tanh{}).add(Conv2d{2, 3, 1, 1}).add(BatchNorm{}).add(Skip{});
  layers.add(BatchNorm{}).add(Tanh{}).add(Conv2d{2, 3, 1, 1}).add(Skip{0.3}).add(MaxPool2d{}).add(Tanh{});
  layers.add(Dense{6}).add(Tanh{}).add(altmin::Dropout{0.3}).add(Dense{6}).add(BatchNorm{}).add(Skip{0.7});
  return layers.add(Tanh{}).add(Dense{3}).add(Tanh{}).add(Dense{3}).add(Skip{0.4});
}

template <class Scalar>
constexpr double tolerance = std::is_same_v<Scalar, float> ? 1e-4 : 1e-12;

}  // namespace skip_test

TEMPLATE_TEST_CASE("fifty linear residual blocks are the product of I + branch W", "[skip]", float, double) {
  using namespace skip_test;
  const double branch = 1 / std::sqrt(50.0);
  const Problem<TestType> problem{6, 3, 20};
  altmin::Random random{Seed{7}};
  const Matrix<TestType> y = support::random_matrix<TestType>(2, 20, random);
  Sgd plain;
  plain.learning_rate = 1;
  plain.momentum = 0;
  Network<TestType> net{linear<TestType>(6, 50, 2, branch), MeanSquaredError{}, plain, Seed{2}};
  const auto product = factors(net, branch);
  REQUIRE(product.size() == 51);

  std::vector<Matrix<double>> codes{problem.x.template cast<double>()};
  for (const auto& factor : product) codes.push_back(factor * codes.back());
  CHECK(support::relative_error(net.predict(problem.x), codes.back()) < tolerance<TestType>);
  for (const Index t : {0, 5}) {
    CHECK(support::relative_error(net.predict_one(problem.x.col(t)), codes.back().col(t)) < tolerance<TestType>);
  }

  // The derivatives of the mean loss, from the top down.
  Matrix<double> residual(2, 20);
  const Matrix<double> target = y.template cast<double>();
  MeanSquaredError{}.evaluate<double>(codes.back(), altmin::Target<double>{altmin::ConstView<double>{target}},
                                      residual);
  residual /= -20;
  const auto before = support::parameters(net);
  REQUIRE(net.step(problem.x, y));
  const auto after = support::parameters(net);
  for (std::size_t l = 51; l-- > 0;) {
    INFO("block " << l);
    const Matrix<double> move = (l == 50 ? 1 : branch) * residual * codes[l].transpose();
    const Matrix<double> got = after[l].template cast<double>() - before[l].template cast<double>();
    CHECK((got - move).norm() < 30 * tolerance<TestType> * move.norm());
    residual = product[l].transpose() * residual;
  }
}

TEST_CASE("derivatives of a residual network agree with central differences", "[skip]") {
  using namespace skip_test;
  const Problem<double> problem{32, 3, 6};
  CHECK(
      (Network<double>{kinds<double>(), SoftmaxCrossEntropy{0.1}, Adam{}}.check_gradients(problem.x, problem.y).error) <
      1e-7);

  Layers<double> deep{32};
  deep.add(Dense{4});
  for (int l = 0; l < 50; ++l) {
    deep.add(Tanh{}).add(Dense{4});
    if (l % 3 == 0) deep.add(BatchNorm{});
    deep.add(Skip{1 / std::sqrt(50.0)});
  }
  deep.add(Tanh{}).add(Dense{3});
  const auto check =
      Network<double>{deep, SoftmaxCrossEntropy{}, Adam{}, Seed{3}}.check_gradients(problem.x, problem.y);
  INFO(check.where);
  CHECK(check.error < 1e-7);
}

TEMPLATE_TEST_CASE("in the first-order limit, moved codes of a residual network move along backprop's direction",
                   "[skip]", float, double) {
  using namespace skip_test;
  const Problem<TestType> problem{32, 3, 20};
  altmin::AmSgd am;
  am.learning_rate = am.output_learning_rate = 1;
  am.momentum = 0;
  am.code_iterations = 1;
  am.code_learning_rate = 0.01;
  am.weight_inputs = altmin::WeightInputs::forward;
  Sgd plain;
  plain.learning_rate = 1;
  plain.momentum = 0;
  const auto layers = support::residual<TestType>(32, 8, 50, 3);
  for (const auto& each : {layers, kinds<TestType>()}) {
    const auto moves = [&](const auto& algorithm) {
      Network<TestType> net{each, SoftmaxCrossEntropy{}, algorithm, Seed{3}};
      auto before = support::parameters(net);
      REQUIRE(net.step(problem.x, problem.y));
      auto after = support::parameters(net);
      for (std::size_t i = 0; i < after.size(); ++i) after[i] -= before[i];
      return after;
    };
    const auto alternating = moves(am);
    const auto backprop = moves(plain);
    for (std::size_t i = 0; i < backprop.size(); ++i) {
      const Matrix<double> a = alternating[i].template cast<double>();
      const Matrix<double> b = backprop[i].template cast<double>();
      INFO("parameter " << i);
      if (b.norm() < 1e-6) continue;  // a bias below a batch normalization
      CHECK(a.cwiseProduct(b).sum() / (a.norm() * b.norm()) == Approx(1).margin(tolerance<TestType>));
    }
  }
}

TEMPLATE_TEST_CASE("a moved residual block is where the forward pass would put it", "[skip]", float, double) {
  using namespace skip_test;
  // The code rule carries displacements; the block is evaluated anew at the moved code.
  const Problem<TestType> problem{32, 3, 20};
  for (auto layers : {support::residual<TestType>(32, 8, 3, 3), kinds<TestType>()}) {
    altmin::Random random{Seed{5}};
    layers.initialize(random);
    AmAdam options;
    options.code_learning_rate = 0.05;
    options.mu = 0.1;
    const altmin::AnyLoss<TestType> loss{SoftmaxCrossEntropy{}};
    altmin::Workers<TestType> workers{1};
    altmin::Algorithm<TestType> algorithm{altmin::AnyAlgorithm<TestType>{options}, layers};
    const altmin::Target<TestType> target{problem.y.data(), problem.y.size()};
    const altmin::StepContext<TestType> context{layers, *loss, problem.x, target, random, {}, workers.worker()};
    auto& workspace = algorithm.workspace();
    altmin::run_forward(context, workspace);
    REQUIRE(algorithm.signal().propagate(context, workspace) == altmin::Status::updated);
    for (Index l = 1; l < workspace.last(); ++l) {
      INFO("block " << l);
      const auto block = workspace.block(layers, l);
      const Matrix<TestType> residual = workspace[l].residual.view();
      const Matrix<TestType> asked =
          workspace.code(l).target_scale * workspace.code(l).target() + workspace[l].output.view();
      Matrix<TestType> output(residual.rows(), residual.cols());
      const auto moved = workspace.moved_point(l);
      block.forward(workers.worker(), {moved.x, output, moved.inner, moved.step});
      CHECK((asked - output - residual).norm() < 100 * support::roundings<TestType>() * asked.norm());
    }
  }
}

TEST_CASE("a residual network of 128 layers starts with signals of one size, and learns", "[skip]") {
  using namespace skip_test;
  const Problem<float> problem{20, 3, 100};
  for (const bool moved : {false, true}) {
    const auto layers = support::residual<float>(20, 16, 128, 3);
    Network<float> net = moved ? Network<float>{layers, SoftmaxCrossEntropy{}, AmAdam{}, Seed{2}}
                               : Network<float>{layers, SoftmaxCrossEntropy{}, Adam{}, Seed{2}};
    const double first = net.step(problem.x, problem.y).loss;
    if (moved) {
      const auto low = static_cast<double>(net.algorithm().forward_code(0).norm());
      const auto high = static_cast<double>(net.algorithm().forward_code(128).norm());
      CHECK(high / low > 0.5);
      CHECK(high / low < 4);
      CHECK(static_cast<double>(net.algorithm().target_displacement(0).norm()) ==
            Approx(static_cast<double>(net.algorithm().displacement(128).norm())).epsilon(1e-3));
    }
    for (int s = 0; s < 30; ++s) REQUIRE(net.step(problem.x, problem.y));
    CHECK(net.loss(problem.x, problem.y) < 0.3 * first);
  }
}

TEST_CASE("exact codes see the derivatives of residual blocks", "[skip]") {
  using namespace skip_test;
  // One sample, a squared error, linear blocks, memories that are the identity: S has a closed form.
  altmin::AmRecursive options;
  options.learning_rate = 1e-3;
  options.forgetting = 1e-9;
  options.damping = 1e9;  // a_i' P a_j: to first order proportional to the identity
  options.return_rate = 0;
  options.output_memory = false;
  options.trust = 1e9;
  const double branch = 0.6;
  const Problem<double> problem{5, 2, 1};
  altmin::Random random{Seed{7}};
  const Matrix<double> y = support::random_matrix<double>(2, 1, random);
  Network<double> net{linear<double>(5, 3, 2, branch), MeanSquaredError{}, options, Seed{5}};
  const auto product = factors(net, branch);
  const auto before = support::parameters(net);
  REQUIRE(net.step(problem.x, y));
  const auto after = support::parameters(net);
  // What backprop's rule would move, scaled to the step: every block moves along branch J' r x'.
  Matrix<double> code = problem.x;
  std::vector<Matrix<double>> inputs;
  for (const auto& factor : product) {
    inputs.push_back(code);
    code = factor * code;
  }
  Matrix<double> r = after[3] - before[3];  // r (P a)', in the block without a skip
  r = (r * inputs[3] / inputs[3].squaredNorm()).eval();
  Matrix<double> above = product[3].transpose() * r;
  for (std::size_t l = 3; l-- > 0;) {
    const Matrix<double> expected = branch * above * inputs[l].transpose();
    const Matrix<double> got = after[l] - before[l];
    INFO("block " << l);
    const double cosine = got.cwiseProduct(expected).sum() / (got.norm() * expected.norm());
    CHECK(cosine == Approx(1).margin(1e-6));
    above = (product[l].transpose() * above).eval();
  }
}

TEST_CASE("a skip ends its block, even that of the last map", "[skip]") {
  using namespace skip_test;
  Layers<double> layers{4};
  layers.add(Dense{4}).add(Skip{0.5}).add(Relu{}).add(Dense{4}).add(BatchNorm{}).add(Skip{}).add(BatchNorm{});
  layers.add(Relu{}).add(Dense{3}).add(Dense{3}).add(Skip{}).add(Relu{});
  const auto blocks = altmin::divide_into_blocks(layers);
  const Index first[] = {0, 2, 6, 9, 11};
  const Index count[] = {1, 3, 3, 1, 1};
  const bool skips[] = {true, true, false, true, false};
  REQUIRE(blocks.size() == 5);
  for (std::size_t l = 0; l < 5; ++l) {
    INFO("block " << l);
    CHECK(blocks[l].first == first[l]);
    CHECK(blocks[l].count == count[l]);
    CHECK(blocks[l].skips == skips[l]);
    CHECK(blocks[l].branch == (l == 0 ? 0.5 : 1));
  }
  const Problem<double> problem{4, 3, 12};
  Network<double> net{layers, SoftmaxCrossEntropy{}, AmAdam{}, Seed{2}};
  for (int s = 0; s < 5; ++s) REQUIRE(net.step(problem.x, problem.y));
}

TEST_CASE("a skip that does not fit is refused", "[skip]") {
  using namespace skip_test;
  const auto refusal = [](const Layers<float>& layers) {
    return support::message_of<ShapeError>([&] { Network<float>{layers, SoftmaxCrossEntropy{}, Adam{}}; });
  };
  const std::string place = "expected a map that is not recurrent, or its normalization, directly below it";
  CHECK(refusal(Layers<float>{4}.add(Dense{5}).add(Relu{}).add(Dense{3}).add(Skip{}).add(Dense{2})) ==
        "layer 3 (Skip): expected a block of one shape, got the input 5 and the output 3");
  CHECK(refusal(Layers<float>{4}.add(Dense{4}).add(Relu{}).add(Skip{}).add(Dense{2})) == "layer 2 (Skip): " + place);
  CHECK(refusal(Layers<float>{4}.add(Dense{4}).add(Skip{}).add(Skip{}).add(Dense{2})) == "layer 2 (Skip): " + place);
  CHECK(refusal(Layers<float>{4}.add(Skip{}).add(Dense{2})) == "layer 0 (Skip): " + place);
  CHECK(refusal(Layers<float>{altmin::Shape{1, 3, 4}}.add(altmin::Recurrent{4}).add(Skip{}).add(Dense{2})) ==
        "layer 1 (Skip): " + place);
  CHECK(refusal(Layers<float>{4}.add(altmin::Standardize{}).add(Dense{4}).add(Skip{}).add(Dense{2})) ==
        "layer 2 (Skip): expected a block without preprocessing, got layer 0 (Standardize)");
  CHECK(support::message_of<altmin::OptionError>([] { Layers<float>{4}.add(Dense{4}).add(Skip{0}); }) ==
        "layer 1 (Skip): branch must be above 0, got 0");
}
