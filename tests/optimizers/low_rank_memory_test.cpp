// The memory of inputs of low rank, and the eigenvalues that it needs.

#include <Eigen/Eigenvalues>
#include <cmath>

#include "altmin/optimizers/low_rank_memory.hpp"
#include "catch.hpp"
#include "support.hpp"

using altmin::ConstView;
using altmin::Index;
using altmin::LowRankMemory;
using altmin::Matrix;
using altmin::Random;
using altmin::Seed;
using altmin::Vector;

namespace {

namespace low_rank {

/// Updates by all columns of `a`, in two parts.
template <class Scalar>
bool update(LowRankMemory<Scalar>& memory, const Matrix<Scalar>& a, double forgetting, bool centred = true) {
  altmin::Workers<Scalar> workers{2};
  LowRankMemory<Scalar> next{memory.inputs(), memory.rank()};
  const Index half = a.cols() / 2;
  const bool finite = next.update(workers.worker(), memory, forgetting, centred, a.cols(), [&](auto&& use) {
    use(0, ConstView<Scalar>{a}.slice(0, half));
    use(half, ConstView<Scalar>{a}.slice(half, a.cols() - half));
  });
  memory.swap(next);
  return finite;
}

}  // namespace low_rank

}  // namespace

TEST_CASE("rotations find the eigenvalues and eigenvectors of a small matrix") {
  Random random{Seed{1}};
  for (const Index n : {1, 2, 7, 16}) {
    const Matrix<double> half = support::random_matrix<double>(n, n, random);
    const Matrix<double> matrix = half * half.transpose();
    Matrix<double> values = matrix;
    Matrix<double> vectors;
    altmin::detail::symmetric_eigen(values, vectors);
    const Vector<double> diagonal = values.diagonal();
    CHECK((vectors.transpose() * vectors).isApprox(Matrix<double>::Identity(n, n), 1e-13));
    CHECK((vectors * diagonal.asDiagonal() * vectors.transpose()).isApprox(matrix, 1e-13));
  }
  Matrix<double> zero = Matrix<double>::Zero(3, 3);
  Matrix<double> vectors;
  altmin::detail::symmetric_eigen(zero, vectors);
  CHECK(vectors == Matrix<double>::Identity(3, 3));
}

TEMPLATE_TEST_CASE("a memory of low rank holds what has that rank", "", float, double) {
  // Inputs in a plane of three dimensions about a mean, with a little noise.
  Random random{Seed{2}};
  const Index n = 20;
  const Matrix<TestType> plane = support::random_matrix<TestType>(n, 3, random);
  const Matrix<TestType> mean = TestType(5) * support::random_matrix<TestType>(n, 1, random);
  LowRankMemory<TestType> memory{n, 3};
  Matrix<double> covariance = Matrix<double>::Zero(n, n);
  for (int batch = 0; batch < 60; ++batch) {
    const Matrix<TestType> z = support::random_matrix<TestType>(3, 200, random);
    const Matrix<TestType> a =
        (plane * z + TestType(0.01) * support::random_matrix<TestType>(n, 200, random)).colwise() + mean.col(0);
    REQUIRE(low_rank::update(memory, a, 0.05));
    const Matrix<double> centred = a.template cast<double>().colwise() - mean.col(0).template cast<double>();
    covariance = batch == 0 ? (centred * centred.transpose() / 200).eval()
                            : (0.95 * covariance + 0.05 * centred * centred.transpose() / 200).eval();
  }
  const Matrix<double> q = memory.basis().template cast<double>();
  CHECK((q.transpose() * q).isApprox(Matrix<double>::Identity(3, 3), 1e-5));
  const Matrix<double> held = q * memory.variances().template cast<double>().col(0).asDiagonal() * q.transpose();
  CHECK((held - covariance).norm() < 0.05 * covariance.norm());
  CHECK(memory.trace() == Approx(covariance.trace()).epsilon(0.05));
  CHECK((memory.mean() - mean).norm() < 0.1 * mean.norm());

  // The inverse root is that of Q diag(h) Q' + tail (I - QQ') + lambda.
  Matrix<TestType> f(3, 1);
  const double scale = memory.inverse_root(0.03, f);
  const double lambda = 0.03 * memory.trace() / (n + 1);
  const double h = memory.variances().template cast<double>().sum();
  const double tail = std::max((memory.trace() - h) / (n + 1 - 3), 1e-3 * memory.trace() / (n + 1)) + lambda;
  Matrix<double> full = tail * (Matrix<double>::Identity(n, n) - q * q.transpose());
  full +=
      q * (memory.variances().template cast<double>().col(0).array() + lambda).matrix().asDiagonal() * q.transpose();
  const Matrix<double> root = Eigen::SelfAdjointEigenSolver<Matrix<double>>{full}.operatorInverseSqrt();
  const Matrix<double> found =
      scale * (Matrix<double>::Identity(n, n) + q * f.template cast<double>().col(0).asDiagonal() * q.transpose());
  CHECK(found.isApprox(root, 1e-4));
}

TEMPLATE_TEST_CASE("a memory survives inputs without variance, and refuses those that overflow", "", float, double) {
  LowRankMemory<TestType> memory{4, 2};
  Matrix<TestType> f(2, 1);
  for (int batch = 0; batch < 3; ++batch) {
    REQUIRE(low_rank::update(memory, Matrix<TestType>(Matrix<TestType>::Constant(4, 6, TestType(3))), 0.05));
  }
  CHECK(memory.mean().isApproxToConstant(TestType(3)));
  CHECK(memory.inverse_root(0.03, f) == 1);
  CHECK(f.isZero(0));
  CHECK((memory.basis().transpose() * memory.basis()).isIdentity(TestType(1e-5)));
  Matrix<TestType> large = Matrix<TestType>::Constant(4, 6, std::numeric_limits<TestType>::max() / 2);
  large.col(2) *= TestType(-1);
  CHECK_FALSE(low_rank::update(memory, large, 0.05));
}

TEST_CASE("a memory that is not centred has mean 0") {
  Random random{Seed{3}};
  LowRankMemory<double> memory{5, 1};
  const Matrix<double> a = support::random_matrix<double>(5, 300, random).array() + 10;
  REQUIRE(low_rank::update(memory, a, 0.05, false));
  CHECK(memory.mean().isZero(0));
  CHECK(memory.trace() == Approx(a.squaredNorm() / 300));
  CHECK(std::abs(memory.basis().col(0).dot(a.rowwise().mean())) == Approx(a.rowwise().mean().norm()).epsilon(1e-2));
}
