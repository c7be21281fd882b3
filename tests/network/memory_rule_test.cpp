// The memory of low rank as a weight rule: what a step does, against dense algebra.

#include <Eigen/Eigenvalues>
#include <cmath>

#include "catch.hpp"
#include "problem.hpp"

using altmin::AmMem;
using altmin::Backprop;
using altmin::Conv2d;
using altmin::Dense;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::MemoryRule;
using altmin::Network;
using altmin::Pair;
using altmin::Seed;
using altmin::SoftmaxCrossEntropy;
using support::Problem;

namespace {

namespace memory_steps {

/// All that a first step of a rule moves a map by, from its inputs (rows x columns, without that of the bias) and its
/// residuals, by dense algebra: [W, b] where there is a bias.
Matrix<double> first_move(const Matrix<double>& a, const Matrix<double>& residual, const MemoryRule& options, bool bias,
                          const altmin::LowRankMemory<double>& memory) {
  const auto columns = static_cast<double>(a.cols());
  const Matrix<double> mean = bias ? Matrix<double>(a.rowwise().mean()) : Matrix<double>::Zero(a.rows(), 1);
  CHECK(memory.mean().isApprox(mean, 1e-12));
  const Matrix<double> c = a.colwise() - mean.col(0);
  const double total = c.squaredNorm() / columns;
  CHECK(memory.trace() == Approx(total));
  const Matrix<double> q = memory.basis();
  const auto n = static_cast<double>(a.rows() + 1);
  const double lambda = options.damping * total / n;
  const double tail = std::max((total - memory.variances().sum()) / std::max(1.0, n - static_cast<double>(q.cols())),
                               1e-3 * total / n) +
                      lambda;
  Matrix<double> A = tail * (Matrix<double>::Identity(a.rows(), a.rows()) - q * q.transpose());
  A += q * (memory.variances().col(0).array() + lambda).max(tail).matrix().asDiagonal() * q.transpose();
  const Matrix<double> root = Eigen::SelfAdjointEigenSolver<Matrix<double>>{A}.operatorInverseSqrt();
  const Matrix<double> v = residual.array().square().rowwise().mean();
  const Matrix<double> scaled =
      (v.array() + options.output_damping * v.mean()).rsqrt().matrix().col(0).asDiagonal() * residual;
  const Matrix<double> D = options.learning_rate * scaled * (root * c).transpose() / columns;
  if (!bias) return D;
  Matrix<double> move(D.rows(), D.cols() + 1);
  move << D, options.learning_rate * scaled.rowwise().mean() - D * mean;
  return move;
}

MemoryRule options() {
  MemoryRule rule;
  rule.rank = 3;
  rule.weight_decay = 0;
  return rule;
}

template <class Layer>
Matrix<double> moved(const Layer& before, const Layer& after) {
  Matrix<double> move = after.parameters()[0].value() - before.parameters()[0].value();
  if (after.parameters().size() == 1) return move;
  Matrix<double> both(move.rows(), move.cols() + 1);
  both << move, after.parameters()[1].value() - before.parameters()[1].value();
  return both;
}

}  // namespace memory_steps

}  // namespace

TEST_CASE("a first step by the memory is that of dense algebra") {
  using namespace memory_steps;
  const Problem<double> problem{8, 3, 40};
  for (const bool bias : {true, false}) {
    INFO("bias " << bias);
    auto layers = Layers<double>{8}.add(Dense{3, bias});
    Network<double> net{layers, SoftmaxCrossEntropy{}, Pair{Backprop{}, options()}, Seed{5}};
    const auto before = net;
    REQUIRE(net.step(problem.x, problem.y));
    Matrix<double> residual;
    const Matrix<double> scores = before.predict(problem.x).array().exp();
    residual = -(scores.array().rowwise() / scores.array().colwise().sum()).matrix();
    for (Index t = 0; t < 40; ++t) residual(problem.y(t), t) += 1;
    const auto* rule = net.algorithm().rule<MemoryRule::Rule<double>>(0);
    REQUIRE(rule != nullptr);
    const auto expected = first_move(problem.x, residual, options(), bias, rule->memory());
    CHECK(support::relative_error(moved(before.layers()[0], net.layers()[0]), expected) < 1e-10);
  }
}

TEST_CASE("the memory of a convolution is that of its patches, whatever the parts they come in") {
  using namespace memory_steps;
  const altmin::Shape image{2, 6, 6};
  const Problem<double> problem{72, 3, 10};
  auto layers = Layers<double>{image}.add(Conv2d{3, 6});  // one position a sample: a dense map of the same input
  auto dense = Layers<double>{72}.add(Dense{3});
  Network<double> by_patches{layers, SoftmaxCrossEntropy{}, Pair{Backprop{}, options()}, Seed{5}};
  Network<double> by_samples{dense, SoftmaxCrossEntropy{}, Pair{Backprop{}, options()}, Seed{5}};
  for (Index i : {0, 1}) {
    by_samples.layers()[0].parameters()[i].set(by_patches.layers()[0].parameters()[i].value());
  }
  for (int s = 0; s < 14; ++s) {
    REQUIRE(by_patches.step(problem.x, problem.y));
    REQUIRE(by_samples.step(problem.x, problem.y));
  }
  CHECK(by_patches.layers()[0].parameters()[0].value().isApprox(by_samples.layers()[0].parameters()[0].value(), 1e-9));
  CHECK(by_patches.layers()[0].parameters()[1].value().isApprox(by_samples.layers()[0].parameters()[1].value(), 1e-9));
}

TEST_CASE("the first-order limit of the codes with the memory is the chain rule with the memory") {
  // Each block's residual is that of backprop but for a factor, which the memory takes out.
  const Problem<double> problem{8, 3, 40};
  const auto layers = support::mlp<double>({8, 7, 6, 3});
  AmMem options;
  Network<double> codes{layers, SoftmaxCrossEntropy{}, options, Seed{5}};
  Network<double> chain{layers, SoftmaxCrossEntropy{}, Pair{Backprop{}, options.rule(false)}, Seed{5}};
  REQUIRE(codes.step(problem.x, problem.y));
  REQUIRE(chain.step(problem.x, problem.y));
  for (Index l = 0; l < codes.layers().size(); ++l) {
    for (Index i = 0; i < codes.layers()[l].parameters().size(); ++i) {
      CHECK(codes.layers()[l].parameters()[i].value().isApprox(chain.layers()[l].parameters()[i].value(), 1e-6));
    }
  }
}

TEST_CASE("an input that is always the same moves nothing but the bias") {
  // The output moves by D (a - mu): a shift of all inputs leaves the predictions' path as it is.
  const Problem<double> problem{6, 3, 30};
  const auto train = [&](double shift) {
    auto layers = Layers<double>{6}.add(Dense{3});
    Network<double> net{layers, SoftmaxCrossEntropy{}, Pair{Backprop{}, memory_steps::options()}, Seed{7}};
    const Matrix<double> x = problem.x.array() + shift;
    auto& bias = net.layers()[0].parameters()[1];
    bias.set(bias.value() - shift * net.layers()[0].parameters()[0].value().rowwise().sum());
    for (int s = 0; s < 25; ++s) REQUIRE(net.step(x, problem.y));
    return Matrix<double>(net.predict(x));
  };
  CHECK(train(0).isApprox(train(50), 1e-6));
}
