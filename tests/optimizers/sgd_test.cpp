#include "altmin/optimizers/sgd.hpp"

#include <cmath>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using support::random_matrix;

// torch.optim.SGD with dampening 0: g += decay w; u = g at first, then momentum u + g; g = nesterov ? g + momentum u :
// u; w -= rate g.
TEST_CASE("Sgd is PyTorch's", "[optimizers]") {
  const double momentum = GENERATE(0., 0.9);
  const bool nesterov = GENERATE(true, false);
  const bool decays = GENERATE(true, false);
  const SgdRates rates{0.05, momentum, nesterov, 0.2};
  Random random{Seed{1}};
  Workers<double> workers{2};
  Matrix<double> values = random_matrix<double>(3, 5, random), expected = values, velocity;
  SgdMoments<double> moments;
  for (int t = 1; t <= 20; ++t) {
    const auto gradient = random_matrix<double>(3, 5, random);
    moments.update(workers.lane(), rates, values, gradient, decays);
    Matrix<double> g = gradient;
    if (decays) g += 0.2 * expected;
    velocity = t == 1 ? g : Matrix<double>(momentum * velocity + g);
    expected -= 0.05 * (nesterov ? Matrix<double>(g + momentum * velocity) : velocity);
  }
  CHECK((values - expected).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((moments.velocity() - velocity).cwiseAbs().maxCoeff() < 1e-13);
  CHECK(moments.bytes() == 15 * 8);

  SgdMoments<double> copy = moments;
  CHECK(copy == moments);
  copy.velocity()(0, 0) += 1;
  CHECK_FALSE(copy == moments);
}

TEMPLATE_TEST_CASE("without momentum a step is the rate times the gradient", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  Matrix<TestType> values = Matrix<TestType>::Ones(2, 2);
  const Matrix<TestType> gradient = Matrix<TestType>::Constant(2, 2, 4);
  SgdMoments<TestType> moments;
  moments.update(workers.lane(), {0.125, 0, false, 0}, values, gradient, true);
  CHECK(values == Matrix<TestType>::Constant(2, 2, 0.5));
}

TEST_CASE("Sgd's rates are checked", "[optimizers]") {
  CHECK_NOTHROW((SgdRates{.1, .9, true, 0}.validate("Sgd")));
  CHECK_THROWS_WITH((SgdRates{-.1, .9, true, 0}.validate("Sgd")), "Sgd: learning_rate must be 0 or more, got -0.1");
  CHECK_THROWS_WITH((SgdRates{.1, 1, true, 0}.validate("Sgd")), "Sgd: momentum must be 0 to below 1, got 1");
  CHECK_THROWS_WITH((SgdRates{.1, .9, true, -1}.validate("AmSgd")), "AmSgd: weight_decay must be 0 or more, got -1");
  CHECK_THROWS_AS((SgdRates{std::nan(""), .9, true, 0}.validate("Sgd")), OptionError);
}
