#include "altmin/optimizers/adam.hpp"

#include <cmath>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using support::random_matrix;

namespace {

constexpr AdamRates usual{0.001, 0.9, 0.999, 1e-8, 0};

}  // namespace

TEMPLATE_TEST_CASE("Adam's first step moves every parameter by the rate", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  for (const double size : {1e-3, 1., 1e3}) {
    const Matrix<TestType> gradient = TestType(size) * Matrix<TestType>{{1, -2}, {-3, 0.5}};
    Matrix<TestType> first = Matrix<TestType>::Zero(2, 2), second = first;
    AdamMoments<TestType> of_first, of_second;  // each counts its own steps
    of_first.update(workers.lane(), usual, first, gradient, true);
    of_second.update(workers.lane(), usual, second, gradient, true);
    CHECK(first == second);
    const Matrix<TestType> expected = TestType(-0.001) * gradient.cwiseSign();
    CHECK(support::relative_error(first, expected) < 1e-8 / (0.5 * size) + support::roundings<TestType>());
  }
}

TEST_CASE("Adam is its formula", "[optimizers]") {
  const AdamRates rates{0.01, 0.8, 0.95, 1e-4, GENERATE(0., 0.3)};
  const bool decays = GENERATE(true, false);
  Random random{Seed{1}};
  Workers<double> workers{2};
  Matrix<double> values = random_matrix<double>(3, 5, random), expected = values;
  AdamMoments<double> moments;
  Matrix<double> m = Matrix<double>::Zero(3, 5), v = m;
  for (int t = 1; t <= 20; ++t) {
    const auto gradient = random_matrix<double>(3, 5, random);
    moments.update(workers.lane(), rates, values, gradient, decays);
    for (Index i = 0; i < 15; ++i) {
      double &mi = m.data()[i], &vi = v.data()[i], &w = expected.data()[i];
      const double g = gradient.data()[i];
      mi = rates.beta1 * mi + (1 - rates.beta1) * g;
      vi = rates.beta2 * vi + (1 - rates.beta2) * g * g;
      if (decays) w -= rates.learning_rate * rates.weight_decay * w;  // of AdamW: beside the gradient
      w -= rates.learning_rate * (mi / (1 - std::pow(rates.beta1, t))) /
           (std::sqrt(vi / (1 - std::pow(rates.beta2, t))) + rates.epsilon);
    }
  }
  CHECK((values - expected).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((moments.first() - m).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((moments.second() - v).cwiseAbs().maxCoeff() < 1e-14);
  CHECK(moments.steps() == 20);
  CHECK(moments.bytes() == 2 * 15 * 8);
}

TEMPLATE_TEST_CASE("Adam takes gradients of 0 and of denormal squares", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  Matrix<TestType> values = Matrix<TestType>::Zero(1, 2), gradient = values;
  gradient(1) = std::sqrt(std::numeric_limits<TestType>::min()) / 100;
  AdamMoments<TestType> moments;
  moments.update(workers.lane(), usual, values, gradient, true);
  CHECK(values(0) == 0);
  CHECK(values.allFinite());
}

TEST_CASE("Adam's state is a value", "[optimizers]") {
  Workers<double> workers{1};
  const Matrix<double> gradient = Matrix<double>::Ones(2, 2);
  Matrix<double> values = gradient;
  AdamMoments<double> moments;
  moments.update(workers.lane(), usual, values, gradient, true);
  AdamMoments<double> copy = moments;
  CHECK(copy == moments);
  copy.set_steps(7);
  CHECK_FALSE(copy == moments);
  copy = moments;
  copy.second()(0, 0) += 1;
  CHECK_FALSE(copy == moments);
}

TEST_CASE("Adam gives the same bits for any number of threads", "[optimizers]") {
  Random random{Seed{2}};
  const auto gradient = random_matrix<float>(300, 400, random), start = random_matrix<float>(300, 400, random);
  const auto stepped = [&](int threads) {
    Workers<float> workers{threads};
    Matrix<float> values = start;
    AdamMoments<float> moments;
    moments.update(workers.lane(), usual, values, gradient, true);
    return values;
  };
  const Matrix<float> alone = stepped(1);
  CHECK(alone != start);
  CHECK(stepped(3) == alone);
}

TEST_CASE("Adam's rates are checked", "[optimizers]") {
  CHECK_NOTHROW(usual.validate("Adam"));
  CHECK_THROWS_WITH((AdamRates{-1, .9, .999, 1e-8, 0}.validate("Adam")),
                    "Adam: learning_rate must be 0 or more, got -1");
  CHECK_THROWS_WITH((AdamRates{.1, 1, .999, 1e-8, 0}.validate("Adam")), "Adam: beta1 must be 0 to below 1, got 1");
  CHECK_THROWS_WITH((AdamRates{.1, .9, -.1, 1e-8, 0}.validate("AmAdam")),
                    "AmAdam: beta2 must be 0 to below 1, got -0.1");
  CHECK_THROWS_WITH((AdamRates{.1, .9, .999, 0, 0}.validate("Adam")), "Adam: epsilon must be above 0, got 0");
  CHECK_THROWS_WITH((AdamRates{.1, .9, .999, 1e-8, std::nan("")}.validate("Adam")),
                    "Adam: weight_decay must be 0 or more, got nan");
  CHECK_THROWS_AS((AdamRates{INFINITY, .9, .999, 1e-8, 0}.validate("Adam")), OptionError);
}
