#include "altmin/optimizers/sgd.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "parameter.hpp"

using namespace altmin;
using support::parameter;
using support::random_matrix;

// torch.optim.SGD with dampening 0: g += decay w; u = g at first, then momentum u + g; g = nesterov ? g + momentum u :
// u; w -= rate g.
TEST_CASE("Sgd is PyTorch's", "[optimizers]") {
  const double momentum = GENERATE(0., 0.9);
  const bool nesterov = GENERATE(true, false);
  const bool decays = GENERATE(true, false);
  const SgdOptions rates{0.05, momentum, nesterov, 0.2};
  Random random{Seed{1}};
  Workers<double> workers{2};
  auto values = parameter(random_matrix<double>(3, 5, random), decays);
  Matrix<double> expected = values.value(), velocity;
  SgdMoments<double> moments;
  for (int t = 1; t <= 20; ++t) {
    const auto gradient = random_matrix<double>(3, 5, random);
    moments.update(workers.worker(), rates, values, 1, gradient);
    Matrix<double> g = gradient;
    if (decays) g += 0.2 * expected;
    velocity = t == 1 ? g : Matrix<double>(momentum * velocity + g);
    expected -= 0.05 * (nesterov ? Matrix<double>(g + momentum * velocity) : velocity);
  }
  CHECK((values.value() - expected).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((moments.velocity() - velocity).cwiseAbs().maxCoeff() < 1e-13);
  CHECK(moments.bytes() == 15 * 8);

  SgdMoments<double> copy = moments;
  CHECK(copy == moments);
  copy.velocity()(0, 0) += 1;
  CHECK_FALSE(copy == moments);
}

TEMPLATE_TEST_CASE("without momentum a step is the rate times the gradient", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  auto values = parameter<TestType>(Matrix<TestType>::Ones(2, 2));
  const Matrix<TestType> gradient = Matrix<TestType>::Constant(2, 2, 4);
  SgdMoments<TestType> moments;
  moments.update(workers.worker(), {0.125, 0, false, 0}, values, 1, gradient);
  CHECK(values.value() == Matrix<TestType>::Constant(2, 2, 0.5));
}

TEMPLATE_TEST_CASE("Sgd tells whether a step stays finite", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  const auto max = static_cast<double>(std::numeric_limits<TestType>::max());
  const auto check = [&](const SgdOptions& rates, double value, double size, bool expected,
                         SgdMoments<TestType> moments = {}) {
    INFO(rates.learning_rate << ", " << value << ", " << size);
    auto values = parameter<TestType>(Matrix<TestType>::Constant(1, 2, static_cast<TestType>(value)));
    const Matrix<TestType> gradient = Matrix<TestType>::Constant(1, 2, static_cast<TestType>(size));
    CHECK(moments.stays_finite(rates, values, 1, gradient, 1, std::abs(size)) == expected);
    moments.update(workers.worker(), rates, values, 1, gradient);
    CHECK((values.value().allFinite() && moments.velocity().allFinite()) == expected);
  };
  for (const bool nesterov : {false, true}) {
    check({0.1, 0.9, nesterov, 0}, 1, 1, true);
    check({0.1, 0.9, nesterov, 0.0001}, max / 2, -1, true);
    check({0.1, 0.9, nesterov, 0}, 1, 0.9 * std::sqrt(max), true);
    check({max / 4, 0.9, nesterov, 0}, 1, 1, true);
    check({max / 4, 0.9, nesterov, 0}, 1, 10, false);
    check({0.1, 0.9, nesterov, 10}, max / 2, 1, false);
  }
  const Matrix<TestType> ones = Matrix<TestType>::Ones(1, 2);
  auto values = parameter(ones);
  SgdMoments<TestType> moments;
  moments.update(workers.worker(), {0.1, 0.9, false, 0}, values, 1, ones);
  moments.velocity().setConstant(static_cast<TestType>(-0.9 * max));
  check({1, 0.9, false, 0}, max / 2, 1, false, moments);
  check({0.1, 0.9, false, 0}, 1, 1, true, moments);
}

TEST_CASE("Sgd's options are checked", "[optimizers]") {
  CHECK_NOTHROW((SgdOptions{.1, .9, true, 0}.validate("Sgd")));
  CHECK_THROWS_WITH((SgdOptions{-.1, .9, true, 0}.validate("Sgd")), "Sgd: learning_rate must be 0 or more, got -0.1");
  CHECK_THROWS_WITH((SgdOptions{.1, 1, true, 0}.validate("Sgd")), "Sgd: momentum must be 0 to below 1, got 1");
  CHECK_THROWS_WITH((SgdOptions{.1, .9, true, -1}.validate("AmSgd")), "AmSgd: weight_decay must be 0 or more, got -1");
  CHECK_THROWS_AS((SgdOptions{std::nan(""), .9, true, 0}.validate("Sgd")), OptionError);
}
