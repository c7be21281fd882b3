// Codes solved exactly, all together: recursive AM-mem.

#include <Eigen/LU>
#include <cmath>

#include "catch.hpp"
#include "problem.hpp"

using altmin::AmRecursive;
using altmin::ConstView;
using altmin::Dense;
using altmin::Index;
using altmin::Layers;
using altmin::Logistic;
using altmin::Matrix;
using altmin::MeanSquaredError;
using altmin::Network;
using altmin::OptionError;
using altmin::Seed;
using altmin::ShapeError;
using altmin::SoftmaxCrossEntropy;
using support::Problem;

namespace {

namespace exact_codes {

template <class Loss>
Matrix<double> slopes(const Loss& loss, const Matrix<double>& z, const altmin::Target<double>& target) {
  Matrix<double> gradient(z.rows(), z.cols());
  loss.evaluate(ConstView<double>{z}, target, altmin::View<double>{gradient});
  return gradient;
}

}  // namespace exact_codes

}  // namespace

TEST_CASE("the curvature of each loss is the derivative of its derivative") {
  const auto check = [](const auto& loss, const Matrix<double>& z, const altmin::Target<double>& target) {
    Matrix<double> hessian(z.rows(), z.rows());
    loss.curvature(ConstView<double>{z}, hessian);
    for (Index j = 0; j < z.rows(); ++j) {
      Matrix<double> up = z;
      Matrix<double> down = z;
      up(j, 0) += 1e-5;
      down(j, 0) -= 1e-5;
      const Matrix<double> expected =
          (exact_codes::slopes(loss, up, target) - exact_codes::slopes(loss, down, target)) / 2e-5;
      CHECK((hessian.col(j) - expected).norm() < 1e-8);
    }
  };
  altmin::Random random{Seed{1}};
  const int label = 1;
  const Matrix<double> z = support::random_matrix<double>(4, 1, random);
  check(SoftmaxCrossEntropy{}, z, altmin::Target<double>{&label, 1});
  check(Logistic{}, z.topRows(1), altmin::Target<double>{&label, 1});
  const Matrix<double> values = support::random_matrix<double>(4, 1, random);
  check(MeanSquaredError{}, z, altmin::Target<double>{ConstView<double>{values}});
}

TEST_CASE("a linear map moves to the minimum of the loss and the distance in the memory's norm") {
  // One map and a squared error: the proximal step has a closed form, W + eta R (P a)', R = -loss'(z + R M).
  const Problem<double> problem{5, 3, 4};
  altmin::Random random{Seed{3}};
  const Matrix<double> y = support::random_matrix<double>(2, 4, random);
  AmRecursive options;
  options.learning_rate = 2;
  options.forgetting = 0.01;
  options.damping = 3;
  options.return_rate = 0;
  options.least_weight = 1;
  for (const Index samples : {1, 4}) {
    INFO(samples << " samples");
    Network<double> net{Layers<double>{5}.add(Dense{2}), MeanSquaredError{}, options, Seed{5}};
    const auto before = net;
    REQUIRE(net.step(problem.x.leftCols(samples), y.leftCols(samples)));
    // A after the samples, each of weight 2 tr loss'' = 4.
    Matrix<double> a(6, samples);
    a << problem.x.leftCols(samples), Matrix<double>::Ones(1, samples);
    double square = 0;
    for (Index t = 0; t < samples; ++t) square += a.col(t).squaredNorm() / 6 / static_cast<double>(samples);
    Matrix<double> A = options.damping * square * Matrix<double>::Identity(6, 6);
    for (Index t = 0; t < samples; ++t) A = 0.99 * A + 4 * a.col(t) * a.col(t).transpose();
    const Matrix<double> moved = A.inverse() * a;
    const Matrix<double> M = options.learning_rate * a.transpose() * moved;
    const Matrix<double> z = before.predict(problem.x.leftCols(samples));
    // R = -(z + R M - y): of each row R (I + M) = y - z, as the derivative of a mean over 2 outputs is z - y.
    const Matrix<double> R = (y.leftCols(samples) - z) * (Matrix<double>::Identity(samples, samples) + M).inverse();
    const Matrix<double> step = options.learning_rate * R * moved.transpose();
    const auto& layer = net.layers()[0];
    const auto& old = before.layers()[0];
    CHECK((layer.parameters()[0].value() - old.parameters()[0].value()).isApprox(step.leftCols(5), 1e-9));
    CHECK((layer.parameters()[1].value() - old.parameters()[1].value()).isApprox(step.rightCols(1), 1e-9));
  }
}

TEST_CASE("the solve of a hidden network meets its optimality condition") {
  // To first order the prediction moves to z + S r, and r = -loss'(z + S r): after a step with small weights' moves,
  // the derivative of the loss at the new prediction is close to minus the residual at the top.
  const Problem<double> problem{6, 3, 2};
  AmRecursive options;
  options.learning_rate = 0.5;
  options.trust = 1e9;
  options.newton_steps = 50;
  options.return_rate = 0;
  for (const bool output_memory : {false, true}) {
    options.output_memory = output_memory;
    auto layers = Layers<double>{6};
    layers.add(Dense{8}).add(altmin::Tanh{}).add(Dense{7}).add(altmin::Relu{}).add(Dense{3});
    Network<double> net{layers, SoftmaxCrossEntropy{}, options, Seed{2}};
    REQUIRE(net.step(problem.x, problem.y));
    const Matrix<double> after = net.predict(problem.x);
    const Matrix<double> slope =
        exact_codes::slopes(SoftmaxCrossEntropy{}, after, altmin::Target<double>{problem.y.data(), 2});
    const Matrix<double> residual = net.algorithm().workspace()[2].residual.view();
    CHECK((slope + residual).norm() < 0.02 * residual.norm());
  }
}

TEST_CASE("what recursive AM-mem cannot train is refused in one sentence") {
  const auto made = [](Layers<float> layers) {
    return [layers] { Network<float>{layers, SoftmaxCrossEntropy{}, AmRecursive{}}; };
  };
  CHECK_THROWS_WITH(made(Layers<float>{4}.add(Dense{3}).add(altmin::BatchNorm{}).add(altmin::Relu{}).add(Dense{2}))(),
                    "ExactCodes: layer 1 (BatchNorm): expected layers that do not couple samples and have no steps "
                    "in time");
  CHECK_THROWS_AS(made(Layers<float>{altmin::Shape{1, 6, 6}}.add(altmin::Conv2d{2, 3}).add(Dense{2}))(), OptionError);
  Network<float> hinge{Layers<float>{4}.add(Dense{2}), altmin::Hinge{}, AmRecursive{}};
  const Problem<float> problem{4, 2, 300};
  CHECK_THROWS_WITH(hinge.step(problem.x, problem.y), "ExactCodes: expected a loss with curvature(), got Hinge");
  Network<float> net{Layers<float>{4}.add(Dense{2}), SoftmaxCrossEntropy{}, AmRecursive{}};
  const auto before = net;
  CHECK_THROWS_AS(net.step(problem.x, problem.y), ShapeError);
  CHECK(net == before);
  // What is drawn in a step is not drawn by one that is refused.
  Network<float> dropping{Layers<float>{4}.add(altmin::Dropout{0.5}).add(Dense{2}), SoftmaxCrossEntropy{},
                          AmRecursive{}};
  const auto undrawn = dropping;
  CHECK_THROWS_AS(dropping.step(problem.x, problem.y), ShapeError);
  CHECK(dropping == undrawn);
  CHECK_THROWS_AS((Network<float>{Layers<float>{4}.add(Dense{2}), SoftmaxCrossEntropy{},
                                  altmin::Pair{altmin::ExactCodes{}, altmin::AdamRule{}}}),
                  OptionError);
}

TEST_CASE("recursive AM-mem learns from single samples, in blocks too, and goes on alike for any number of threads") {
  const Problem<float> problem{40, 3, 300};
  for (const int block : {0, 7}) {
    AmRecursive options;
    options.block_size = block;
    const auto train = [&](int threads) {
      Network<float> net{support::mlp<float>({40, 30, 20, 3}), SoftmaxCrossEntropy{}, options, Seed{2}};
      net.set_threads(threads);
      for (Index t = 0; t < 300; ++t) REQUIRE(net.learn_one(problem.x.col(t), problem.y(t)));
      return net;
    };
    auto one = train(1);
    CHECK(one == train(3));
    CHECK(one.loss(problem.x, problem.y) < 0.5);
    const Matrix<float> together = one.predict(problem.x.leftCols(5));
    for (Index t = 0; t < 5; ++t) CHECK(one.predict_one(problem.x.col(t)).isApprox(together.col(t), 1e-5F));
  }
}
