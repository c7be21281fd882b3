// The inverse of a memory, kept by recursion.

#include "altmin/optimizers/inverse_memory.hpp"

#include <Eigen/LU>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "support.hpp"

using altmin::ConstView;
using altmin::Index;
using altmin::InverseMemory;
using altmin::InverseMemoryRates;
using altmin::Matrix;
using altmin::Random;
using altmin::Seed;
using support::random_matrix;

namespace {

namespace inverse_memories {

/// The memory itself, in double: what InverseMemory keeps the inverse of.
struct Direct {
  Direct(Index size, const InverseMemoryRates& rates_)
      : rates{rates_},
        every{static_cast<Index>(std::min(std::max(0.6 / (rates.forgetting * double(size)), 1.0), 4.0))},
        memory{rates.floor * Matrix<double>::Identity(size, size)} {}

  void push(const Matrix<double>& a, const Matrix<double>& weights) {
    const auto n = static_cast<double>(a.rows());
    Index turns = 0;
    for (Index t = 0; t < a.cols(); ++t) {
      memory = (1 - rates.forgetting) * memory + weights(0, t) * a.col(t) * a.col(t).transpose();
      if (++pushed % every == 0) ++turns;
    }
    for (; turns > 0; --turns, turn = (turn + 1) % a.rows()) {
      memory(turn, turn) += static_cast<double>(every) * rates.forgetting * rates.floor * n;
    }
  }

  InverseMemoryRates rates;
  Index every;
  Matrix<double> memory;
  Index pushed = 0;
  Index turn = 0;
};

}  // namespace inverse_memories

}  // namespace

TEMPLATE_TEST_CASE("an inverse memory is the inverse of the memory", "", float, double) {
  using inverse_memories::Direct;
  Random random{Seed{1}};
  altmin::Workers<TestType> workers{1};
  const Index n = 30;
  const InverseMemoryRates rates{0.002, 5};
  for (const Index samples : {1, 3, 40}) {  // more than are pending
    INFO(samples << " samples at once");
    InverseMemory<TestType> memory{n};
    Direct direct{n, rates};
    Matrix<TestType> moved(n, samples);
    for (int s = 0; s < 3000 / samples; ++s) {
      Matrix<TestType> a = random_matrix<TestType>(n, samples, random);
      a.row(3).setZero();                  // an input that is dead
      a.row(4) = TestType(20) * a.row(5);  // and two that go together
      const Matrix<TestType> weights = random_matrix<TestType>(1, samples, random).cwiseAbs();
      REQUIRE(memory.push(rates, a, weights, moved));
      const Matrix<double> before = direct.memory;
      memory.commit(workers.worker(), rates);
      direct.push(a.template cast<double>(), weights.template cast<double>());
      if (s % 50 != 7) continue;
      // What push() said is P a, after its vectors and before the diagonal was raised.
      Matrix<double> pushed = before;
      for (Index t = 0; t < samples; ++t) {
        const Matrix<double> one = a.col(t).template cast<double>();
        pushed = (1 - rates.forgetting) * pushed + double(weights(0, t)) * one * one.transpose();
      }
      CHECK(support::relative_error(moved, Matrix<double>(pushed.inverse() * a.template cast<double>())) < 1e-2);
    }
    const double error = support::relative_error(memory.inverse(), Matrix<double>(direct.memory.inverse()));
    CHECK(error < (std::is_same_v<TestType, float> ? 1e-3 : 1e-9));
    CHECK(memory.trace() == Approx(static_cast<double>(memory.inverse().trace())).epsilon(1e-3));
    const Matrix<TestType> a = random_matrix<TestType>(n, 4, random);
    Matrix<TestType> result(n, 4);
    memory.multiply_inverse(workers.worker(), a, result);
    CHECK(support::relative_error(result, Matrix<TestType>(memory.inverse() * a)) < 1e-3);
  }
}

TEST_CASE("what is pushed and not committed changes nothing") {
  Random random{Seed{2}};
  altmin::Workers<float> workers{1};
  const InverseMemoryRates rates{0.01, 1};
  InverseMemory<float> memory{6};
  Matrix<float> moved(6, 2);
  const Matrix<float> a = random_matrix<float>(6, 2, random);
  REQUIRE(memory.push(rates, a, {}, moved));
  memory.commit(workers.worker(), rates);
  const auto before = memory;
  REQUIRE(memory.push(rates, Matrix<float>(3 * a), {}, moved));
  CHECK_FALSE(
      memory.push(rates, Matrix<float>(Matrix<float>::Constant(6, 2, std::numeric_limits<float>::max())), {}, moved));
  CHECK(altmin::equal(memory, before));
}

TEST_CASE("an inverse memory stays symmetric, positive and finite in float for 50,000 samples", "[slow]") {
  Random random{Seed{3}};
  altmin::Workers<float> workers{1};
  const Index n = 24;
  InverseMemory<float> memory{n};
  Matrix<float> moved(n, 1);
  for (int t = 0; t < 50000; ++t) {
    // Sizes over many decades, zeros, denormal numbers and long times without any input.
    const float size = t % 1000 < 100 ? 0.0F : t % 7 == 0 ? 1e-30F : t % 11 == 0 ? 1e4F : 1.0F;
    Matrix<float> a = size * random_matrix<float>(n, 1, random);
    a(2, 0) = 0;
    const InverseMemoryRates rates{0.001, 10};
    REQUIRE(memory.push(rates, a, {}, moved));
    memory.commit(workers.worker(), rates);
  }
  const Matrix<float> inverse = memory.inverse();
  REQUIRE(inverse.allFinite());
  CHECK((inverse - inverse.transpose()).norm() < 1e-5F * inverse.norm());
  CHECK(inverse.diagonal().minCoeff() > 0);
  CHECK(inverse.diagonal().maxCoeff() < 1);  // A is kept at about 10 or more
}
