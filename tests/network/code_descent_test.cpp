// The code phase against closed forms: one code, the block above it, and a target.

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <type_traits>

#include "catch.hpp"
#include "problem.hpp"

namespace code_descent {

using altmin::CodeDescent;
using altmin::CodePenalties;
using altmin::Dense;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::Random;
using altmin::Seed;
using support::random_matrix;

/// A network 6-code-outputs-3 after its forward pass, with `front` between the code and the map above it, and a skip of
/// this `branch` (0: none) around both. Only the first `rows` outputs of that map have weights and targets that are not
/// 0.
template <class Scalar>
struct Case {
  Case(Index features, Index outputs, Index rows, bool front = false, double branch = 0)
      : layers{make(features, outputs, front, branch)} {
    layers.initialize(random);
    Random values{Seed{5}};
    weight().setZero();
    weight().topRows(rows) = random_matrix<Scalar>(rows, features, values);
    altmin::run_forward(context(), workspace);
    for (Index l = 0; l < 2; ++l) {
      workspace.code(l).fit(l == 0 ? features : outputs, samples);
      workspace.block(layers, l + 1).fit(workspace[l + 1].moved, samples);
    }
    workspace.threads.resize(2);
    workspace.slice_sums.resize(samples);
    workspace.code(1).displacement.view().setZero();
    workspace.code(1).displacement.view().topRows(rows) = random_matrix<Scalar>(rows, samples, values);
    workspace.code(1).target_scale = Scalar(0.7);
    workspace.prediction.fit(3, samples);
  }

  static Layers<Scalar> make(Index features, Index outputs, bool front, double branch) {
    Layers<Scalar> result{6};
    result.add(Dense{features});
    if (front) result.add(altmin::Relu{});
    result.add(Dense{outputs});
    if (branch > 0) result.add(altmin::Skip{branch});
    return result.add(Dense{3});
  }

  altmin::View<Scalar> weight() {
    const auto block = workspace.block(layers, 1);
    return block[block.top()].parameters()[0].values();
  }

  altmin::StepContext<Scalar> context() {
    return {layers, *loss, problem.x,       altmin::Target<Scalar>{problem.y.data(), problem.y.size()},
            random, {},    workers.worker()};
  }

  /// Solves for the code below block l + 1, by steps of one over the largest curvature; returns its displacement.
  Matrix<Scalar> solve(Index l, int iterations, const CodePenalties& penalties) {
    const auto block = workspace.block(layers, l + 1);
    auto& residual = workspace[l + 1].residual;
    residual.fit(block.outputs(), samples);
    const auto now = context();
    const altmin::CodeProblem<Scalar> code{
        block,
        workspace.forward_point(now, l + 1),
        workspace.moved_point(l + 1),
        penalties.top ? altmin::BlockTarget<Scalar>{*loss, now.target}
                      : altmin::BlockTarget<Scalar>{workspace.code(l + 1)},
        {workspace.code(l).displacement.view(), workspace.code(l).code.view(), residual.view()}};
    const Matrix<double> w = block.matrix().template cast<double>();
    CodeDescent options;
    options.iterations = iterations;
    options.limit_rate = false;
    const double norm = (block.skips() ? 1 : 0) + static_cast<double>(block.branch()) * w.norm();
    options.learning_rate = 1 / (penalties.target * norm * norm + penalties.proximity);
    CodeDescent::Rule<Scalar> rule{options};
    sums = rule.solve(workers.worker(), code, penalties, workspace, l);
    return workspace.code(l).displacement.view();
  }

  static constexpr Index samples = 40;

  Layers<Scalar> layers;
  support::Problem<Scalar> problem{6, 3, samples};
  altmin::AnyLoss<Scalar> loss{altmin::SoftmaxCrossEntropy{}};
  Random random{Seed{4}};
  altmin::Workers<Scalar> workers{2};
  altmin::Workspace<Scalar> workspace{layers};
  altmin::CodeSums sums;
};

template <class Scalar>
constexpr double tolerance = std::is_same_v<Scalar, float> ? 1e-4 : 1e-11;

}  // namespace code_descent

TEMPLATE_TEST_CASE("descent on a code below a linear block ends at the ridge solution", "[codes]", float, double) {
  using namespace code_descent;
  const CodePenalties penalties{0.8, 0.3, 0, false};
  for (const Index outputs : {8, 2}) {  // by W'W, and by W and W' in turn
    INFO("outputs " << outputs);
    Case<TestType> one{5, outputs, outputs};
    const Matrix<double> found = one.solve(0, 3000, penalties).template cast<double>();
    const Matrix<double> w = one.weight().template cast<double>();
    const Matrix<double> r = 0.7 * one.workspace.code(1).displacement.view().template cast<double>();
    const Matrix<double> normal =
        penalties.target * w.transpose() * w + penalties.proximity * Matrix<double>::Identity(5, 5);
    const Matrix<double> expected = normal.ldlt().solve(penalties.target * w.transpose() * r);
    CHECK(support::relative_error(found, expected) < tolerance<TestType>);

    // What it leaves behind: the code, the residual at it, and the sums.
    const auto& code = one.workspace.code(0).code;
    CHECK(support::relative_error(code.view(), one.workspace[0].output.view().template cast<double>() + expected) <
          tolerance<TestType>);
    const Matrix<double> residual = r - w * expected;
    CHECK(support::relative_error(one.workspace[1].residual.view(), residual) < tolerance<TestType>);
    CHECK(one.sums.displacement == Approx(expected.squaredNorm()).epsilon(tolerance<TestType>));
    CHECK(one.sums.change == Approx((w * expected).squaredNorm()).epsilon(tolerance<TestType>));
    CHECK(one.sums.residual == Approx(residual.squaredNorm()).epsilon(tolerance<TestType>));
  }
}

TEMPLATE_TEST_CASE("the gradient of the top code's objective vanishes where descent ends", "[codes]", float, double) {
  using namespace code_descent;
  const CodePenalties penalties{0.8, 0.3, 0, true};
  Case<TestType> one{5, 8, 8};
  const Matrix<double> found = one.solve(1, 3000, penalties).template cast<double>();
  const auto& top = one.layers[2].parameters();
  const Matrix<double> w = top[0].value().template cast<double>();
  const Matrix<double> scores = (w * one.workspace.code(1).code.view().template cast<double>()).colwise() +
                                top[1].value().col(0).template cast<double>();
  Matrix<double> slope(3, one.samples);
  altmin::SoftmaxCrossEntropy{}.evaluate<double>(scores, {one.problem.y.data(), one.samples}, slope);
  const Matrix<double> gradient = penalties.target * w.transpose() * slope + penalties.proximity * found;
  CHECK(found.norm() > 0.1);
  CHECK(gradient.norm() / found.norm() < tolerance<TestType>);
}

TEMPLATE_TEST_CASE("descent by W'W and by W and W' in turn take the same steps", "[codes]", float, double) {
  // Outputs without weights and targets change nothing but the way that is cheaper.
  using namespace code_descent;
  const CodePenalties penalties{0.8, 0.3, 0.01, false};
  for (const bool front : {false, true}) {
    for (const int iterations : {1, 2, 7}) {
      INFO("a nonlinearity in front: " << front << ", iterations " << iterations);
      Case<TestType> in_turn{10, 4, 4, front};
      Case<TestType> by_normal{10, 60, 4, front};
      const auto expected = in_turn.solve(0, iterations, penalties);
      const auto found = by_normal.solve(0, iterations, penalties);
      CHECK(in_turn.workspace.matrix_target.rows() == 0);
      CHECK((by_normal.workspace.matrix_target.rows() > 0) == (iterations > 1));
      const double most = 20 * support::roundings<TestType>();
      CHECK(support::relative_error(found, expected) < most);
      CHECK(support::relative_error(by_normal.workspace[1].residual.view().topRows(4),
                                    in_turn.workspace[1].residual.view()) < most);
      CHECK(by_normal.sums.change == Approx(in_turn.sums.change).epsilon(most));
      CHECK(by_normal.sums.residual == Approx(in_turn.sums.residual).epsilon(most));
    }
  }
}

TEMPLATE_TEST_CASE("descent on a code below a residual block ends where its objective is least", "[codes]", float,
                   double) {
  using namespace code_descent;
  const CodePenalties penalties{0.8, 0.3, 0, false};
  for (const bool front : {false, true}) {
    INFO("front " << front);
    Case<TestType> one{5, 5, 5, front, 0.6};
    const Matrix<double> found = one.solve(0, 6000, penalties).template cast<double>();
    const Matrix<double> w = one.weight().template cast<double>();
    const Matrix<double> r = 0.7 * one.workspace.code(1).displacement.view().template cast<double>();
    if (!front) {  // a ridge regression on M = I + branch W
      const Matrix<double> m = Matrix<double>::Identity(5, 5) + 0.6 * w;
      const Matrix<double> normal =
          penalties.target * m.transpose() * m + penalties.proximity * Matrix<double>::Identity(5, 5);
      const Matrix<double> expected = normal.ldlt().solve(penalties.target * m.transpose() * r);
      CHECK(support::relative_error(found, expected) < tolerance<TestType>);
      CHECK(one.sums.residual == Approx((r - m * expected).squaredNorm()).epsilon(tolerance<TestType>));
      CHECK(one.sums.change == Approx((m * expected).squaredNorm()).epsilon(tolerance<TestType>));
      continue;
    }
    // The derivative of the objective is 0, except in samples where a unit rests on the kink of its ReLU.
    const Matrix<double> start = one.workspace[0].output.view().template cast<double>();
    const Matrix<double> code = start + found;
    const Matrix<double> change = found + 0.6 * w * (code.cwiseMax(0) - start.cwiseMax(0));
    const Matrix<double> residual = r - change;
    const Matrix<double> below = 0.6 * w.transpose() * residual;
    const Matrix<double> slope = (code.array() > 0).select(below.array(), 0).matrix();
    const Matrix<double> gradient = penalties.target * (slope + residual) - penalties.proximity * found;
    Index smooth = 0;
    for (Index t = 0; t < code.cols(); ++t) {
      if (code.col(t).cwiseAbs().minCoeff() < 1e-2) continue;
      ++smooth;
      CHECK(gradient.col(t).norm() < 10 * tolerance<TestType>);
    }
    CHECK(smooth > code.cols() / 4);
  }
}
