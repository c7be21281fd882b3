// AM-mem: the memory, its two uses, bias and batch normalization.

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <type_traits>

#include "catch.hpp"
#include "problem.hpp"

using altmin::AmMem;
using altmin::AmMemFull;
using altmin::CoactivationMemory;
using altmin::Dense;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::Network;
using altmin::Random;
using altmin::Seed;
using altmin::SoftmaxCrossEntropy;
using support::Problem;
using support::random_matrix;

TEMPLATE_TEST_CASE("coordinate descent without shrinkage converges to B A^-1", "", float, double) {
  Random random{Seed{1}};
  altmin::Workers<TestType> workers{2};
  const auto a = random_matrix<TestType>(70, 400, random);  // wider than a block of columns
  const auto c = random_matrix<TestType>(90, 400, random);  // taller than a band of rows
  CoactivationMemory<TestType> memory{90, 70};
  memory.add(workers.worker(), a, c, 0);
  Matrix<TestType> weight = random_matrix<TestType>(90, 70, random);
  memory.descend(workers.worker(), weight, 0, 2000, 0);
  const Matrix<double> A = a.template cast<double>() * a.template cast<double>().transpose();
  const Matrix<double> B = c.template cast<double>() * a.template cast<double>().transpose();
  const Matrix<double> expected = A.ldlt().solve(B.transpose()).transpose();
  CHECK(support::relative_error(weight, expected) < (std::is_same_v<TestType, float> ? 1e-4 : 1e-11));
}

TEST_CASE("shrinkage leads to the optimality conditions of the l1 problem") {
  Random random{Seed{2}};
  altmin::Workers<double> workers{1};
  const auto a = random_matrix<double>(20, 100, random);
  const auto c = random_matrix<double>(8, 100, random);
  CoactivationMemory<double> memory{8, 20};
  memory.add(workers.worker(), a, c, 0);
  Matrix<double> weight = Matrix<double>::Zero(8, 20);
  const double lambda = 0.02;
  memory.descend(workers.worker(), weight, lambda, 5000, 0);
  const Matrix<double> gradient = weight * memory.inputs() - memory.targets();
  Index zeros = 0;
  for (Index j = 0; j < 20; ++j) {
    const double threshold = lambda * memory.inputs()(j, j);  // the true weight of |w_j|
    for (Index i = 0; i < 8; ++i) {
      if (weight(i, j) == 0) {
        ++zeros;
        CHECK(std::abs(gradient(i, j)) <= threshold * (1 + 1e-9));
      } else {
        CHECK(gradient(i, j) == Approx(weight(i, j) > 0 ? -threshold : threshold).margin(1e-8));
      }
    }
  }
  CHECK(zeros > 0);
  CHECK(zeros < weight.size());
}

TEST_CASE("forgetting makes the memory a running average") {
  Random random{Seed{3}};
  altmin::Workers<double> workers{1};
  const auto a = random_matrix<double>(3, 4, random);
  const auto c = random_matrix<double>(2, 4, random);
  CoactivationMemory<double> memory{2, 3};
  memory.add(workers.worker(), a, c, 0.25);
  memory.add(workers.worker(), Matrix<double>(2 * a), c, 0.25);
  const Matrix<double> expected = (0.75 * 0.25 + 0.25 * 4) * a * a.transpose();
  CHECK(memory.inputs().isApprox(expected, 1e-14));
}

TEMPLATE_TEST_CASE("the inverse root agrees with the eigenvalues'", "", float, double) {
  Random random{Seed{4}};
  altmin::Workers<TestType> workers{2};
  Matrix<TestType> a = random_matrix<TestType>(60, 30, random);  // of rank 30
  a.row(0) *= TestType(30);
  const Matrix<TestType> memory = a * a.transpose();
  altmin::InverseRoot<TestType> roots;
  Matrix<TestType> root;
  REQUIRE(roots.compute(workers.worker(), memory, 0.03, root));
  Matrix<double> damped = memory.template cast<double>();
  damped.diagonal().array() += 0.03 * damped.trace() / 60;
  const Matrix<double> expected = Eigen::SelfAdjointEigenSolver<Matrix<double>>{damped}.operatorInverseSqrt();
  CHECK(support::relative_error(root, expected) < 1e-3);

  REQUIRE(roots.compute(workers.worker(), Matrix<TestType>::Zero(5, 5), 0.03, root));
  CHECK(root == Matrix<TestType>::Identity(5, 5));

  // Numbers whose squares are lost.
  const auto tiny = static_cast<TestType>(std::sqrt(std::numeric_limits<TestType>::min()) / 1000);
  REQUIRE(roots.compute(workers.worker(), tiny * Matrix<TestType>::Identity(5, 5), 0.03, root));
  CHECK(root.isApprox(Matrix<TestType>::Identity(5, 5) / std::sqrt(TestType(1.03) * tiny), TestType(1e-3)));
}

TEST_CASE("a step fits weight and bias to the codes, through the batch normalization") {
  // Full sweeps on one batch: the block's penalty falls to that of the least squares fit of the codes pulled back.
  const Problem<double> problem{6, 3, 60};
  for (const bool batch_norm : {false, true}) {
    INFO("batch norm " << batch_norm);
    altmin::AmMemDescent mem;
    mem.forgetting = 0;
    mem.sweeps = 3000;
    mem.sweep_tolerance = 1e-14;
    mem.preserve_scale = false;
    mem.adam_learning_rate = 0;
    mem.output_learning_rate = 0;
    auto layers = Layers<double>{6}.add(Dense{5});
    if (batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(altmin::Tanh{}).add(Dense{3});
    Network<double> net{layers, SoftmaxCrossEntropy{}, mem, Seed{5}};
    const auto before = net;
    REQUIRE(net.step(problem.x, problem.y));

    const auto& am = net.algorithm();
    Matrix<double> inputs(7, 60);
    inputs << problem.x, Matrix<double>::Ones(1, 60);
    Matrix<double> weight(5, 7);
    weight << before.layers()[0].parameters()[0].value(), before.layers()[0].parameters()[1].value();
    Matrix<double> residual = am.displacement(0);
    if (batch_norm) {
      const Matrix<double> z = weight * inputs;
      const Matrix<double> centred = z.colwise() - z.rowwise().mean();
      const Matrix<double> variance = centred.rowwise().squaredNorm() / 60;
      residual = (variance.array() + 1e-5).sqrt().matrix().asDiagonal() * residual;
    }
    const Matrix<double> target = weight * inputs + residual;
    const Matrix<double> expected = (inputs * inputs.transpose()).ldlt().solve(inputs * target.transpose()).transpose();
    CHECK(support::relative_error(net.layers()[0].parameters()[0].value(), expected.leftCols(6)) < 1e-8);
    CHECK(support::relative_error(net.layers()[0].parameters()[1].value(), expected.rightCols(1)) < 1e-8);
  }
}

TEST_CASE("shrinkage leaves the columns after the last weight alone") {
  altmin::Workers<double> workers{1};
  CoactivationMemory<double> memory{1, 2};
  memory.inputs() << 1, 0, 0, 1;
  memory.targets() << 3, 4;
  Matrix<double> weight = Matrix<double>::Zero(1, 2);
  memory.descend(workers.worker(), weight, 1, 1, 0, 1);
  CHECK(weight(0, 0) == Approx(2));
  CHECK(weight(0, 1) == Approx(4));
}

TEST_CASE("the preconditioned step does not depend on the scale of inputs or residuals") {
  Random random{Seed{6}};
  altmin::Workers<double> workers{1};
  const auto a = random_matrix<double>(12, 40, random);
  const auto r = random_matrix<double>(7, 40, random);
  const auto move = [&](double input_scale, double residual_scale) {
    altmin::PreconditionedStep<double> step{7, 12};
    Matrix<double> weight = Matrix<double>::Zero(7, 12);
    for (int s = 0; s < 3; ++s) {
      const Matrix<double> inputs = input_scale * a;
      Matrix<double> residual = residual_scale * r;
      const auto in_two_parts = [&](auto&& use) {
        use(0, altmin::ConstView<double>{inputs}.slice(0, 25));
        use(25, altmin::ConstView<double>{inputs}.slice(25, 15));
      };
      const altmin::PreconditionedRates rates{0.05, 0.9, 0.03, 5, 200};
      REQUIRE(step.stays_finite(rates, 0.01, residual.squaredNorm(), inputs.squaredNorm()));
      const double correction = step.correction(rates);
      step.advance(workers.worker(), rates, residual, inputs.squaredNorm(), in_two_parts);
      weight += 0.01 / correction * step.velocity();
    }
    return weight;
  };
  const auto expected = move(1, 1);
  CHECK(expected.norm() > 0.01);
  CHECK(move(1e3, 1).isApprox(expected, 1e-8));
  CHECK(move(1, 1e-6).isApprox(expected, 1e-8));
}

TEMPLATE_TEST_CASE("a preconditioned step stays finite whatever its residuals were before", "", float, double) {
  // Roots of a memory of tiny residuals multiply the next ones by as much.
  Random random{Seed{7}};
  altmin::Workers<TestType> workers{1};
  const altmin::PreconditionedRates rates{0.05, 0.9, 0.03, 5, 200};
  const Matrix<TestType> a = random_matrix<TestType>(12, 40, random);
  const Matrix<TestType> r = random_matrix<TestType>(7, 40, random);
  const double largest = std::sqrt(altmin::largest_gradient<TestType>()) / 100;  // of a number: squares are summed
  const double tiny = std::sqrt(static_cast<double>(std::numeric_limits<TestType>::min()));
  for (const double before : {1., 100 * tiny, tiny / 100}) {
    altmin::PreconditionedStep<TestType> step{7, 12};
    for (const double size : {before, before, before, largest, largest, 1.}) {
      INFO("residuals of size " << before << ", then " << size);
      const Matrix<TestType> residual = static_cast<TestType>(size) * r;
      REQUIRE(step.stays_finite(rates, 0.01, static_cast<double>(residual.squaredNorm()),
                                static_cast<double>(a.squaredNorm())));
      step.advance(workers.worker(), rates, residual, static_cast<double>(a.squaredNorm()),
                   [&](auto&& use) { use(0, altmin::ConstView<TestType>{a}); });
      bool finite = true;
      altmin::PreconditionedStep<TestType>::fields(
          [&](const char*, const auto& part) {
            if constexpr (altmin::detail::is_matrix<std::decay_t<decltype(part)>>) finite = finite && part.allFinite();
          },
          step);
      CHECK(finite);
      CHECK(step.velocity().cwiseAbs().maxCoeff() <= static_cast<TestType>(altmin::largest_gradient<TestType>()));
    }
  }
}
