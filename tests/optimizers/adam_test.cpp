#include "altmin/optimizers/adam.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

#include "catch.hpp"
#include "parameter.hpp"

using namespace altmin;
using support::parameter;
using support::random_matrix;

namespace {

constexpr AdamOptions usual{0.001, 0.9, 0.999, 1e-8, 0};

}  // namespace

TEMPLATE_TEST_CASE("Adam's first step moves every parameter by the rate", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  for (const double size : {1e-3, 1., 1e3}) {
    const Matrix<TestType> gradient = TestType(size) * Matrix<TestType>{{1, -2}, {-3, 0.5}};
    auto first = parameter<TestType>(Matrix<TestType>::Zero(2, 2));
    auto second = first;
    AdamMoments<TestType> of_first, of_second;  // each counts its own steps
    of_first.update(workers.worker(), usual, first, 1, gradient);
    of_second.update(workers.worker(), usual, second, 1, gradient);
    CHECK(first == second);
    const Matrix<TestType> expected = TestType(-0.001) * gradient.cwiseSign();
    CHECK(support::relative_error(first.value(), expected) < 1e-8 / (0.5 * size) + support::roundings<TestType>());
  }
}

TEST_CASE("Adam is its formula", "[optimizers]") {
  const AdamOptions rates{0.01, 0.8, 0.95, 1e-4, GENERATE(0., 0.3)};
  const bool decays = GENERATE(true, false);
  Random random{Seed{1}};
  Workers<double> workers{2};
  auto values = parameter(random_matrix<double>(3, 5, random), decays);
  Matrix<double> expected = values.value();
  AdamMoments<double> moments;
  Matrix<double> m = Matrix<double>::Zero(3, 5), v = m;
  for (int t = 1; t <= 20; ++t) {
    const auto gradient = random_matrix<double>(3, 5, random);
    moments.update(workers.worker(), rates, values, 1, gradient);
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
  CHECK((values.value() - expected).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((moments.first() - m).cwiseAbs().maxCoeff() < 1e-14);
  CHECK((moments.second() - v).cwiseAbs().maxCoeff() < 1e-14);
  CHECK(moments.steps() == 20);
  CHECK(moments.bytes() == 2 * 15 * 8);
}

TEMPLATE_TEST_CASE("Adam takes gradients of 0 and of denormal squares", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  auto values = parameter<TestType>(Matrix<TestType>::Zero(1, 2));
  Matrix<TestType> gradient = values.value();
  gradient(1) = std::sqrt(std::numeric_limits<TestType>::min()) / 100;
  AdamMoments<TestType> moments;
  moments.update(workers.worker(), usual, values, 1, gradient);
  CHECK(values.value()(0) == 0);
  CHECK(values.value().allFinite());
}

TEMPLATE_TEST_CASE("Adam tells whether a step stays finite", "[optimizers]", float, double) {
  Workers<TestType> workers{1};
  const auto largest = std::numeric_limits<TestType>::max();
  const auto root = static_cast<double>(std::sqrt(largest));
  const auto check = [&](const AdamOptions& rates, double value, double size, bool expected,
                         AdamMoments<TestType> moments = {}) {
    INFO(rates.learning_rate << ", " << value << ", " << size);
    auto values = parameter<TestType>(Matrix<TestType>::Constant(1, 2, static_cast<TestType>(value)));
    Matrix<TestType> gradient = values.value();
    gradient << static_cast<TestType>(size), 0;
    CHECK(moments.stays_finite(rates, values, 1, gradient, 1, std::abs(size)) == expected);
    moments.update(workers.worker(), rates, values, 1, gradient);
    const bool finite = values.value().allFinite() && moments.first().allFinite() && moments.second().allFinite();
    CHECK(finite == expected);
  };
  const auto max = static_cast<double>(largest);
  check(usual, 1, 1, true);
  check(usual, -max / 2, 1, true);
  check(usual, 1, 0.9 * root, true);
  check(usual, 1, -0.9 * root, true);
  AdamOptions rates = usual;
  rates.learning_rate = max / 2;  // over 1 - beta1 it is infinite
  check(rates, 1, 1, false);
  rates.learning_rate = max / 100;
  check(rates, 1, 1, true);
  check(rates, 1, 1e4, false);  // in the order of the formula
  rates = usual;
  rates.weight_decay = 1e10;  // 1 - 1e7 times the value
  check(rates, 1, 1, true);
  check(rates, max / 2, 1, false);
  rates = usual;
  rates.epsilon = 1e-320;
  if (std::is_same_v<TestType, float>) check(rates, 1, 1, false);  // 0 / 0 where there is no gradient

  // Moments from outside are bounded by nothing, until a step has brought them down.
  const Matrix<TestType> ones = Matrix<TestType>::Ones(1, 2);
  auto values = parameter(ones);
  AdamMoments<TestType> moments;
  moments.update(workers.worker(), usual, values, 1, ones);
  moments.first()(0, 1) = largest / 2;
  moments.second().setZero();
  check(usual, 1, 1, false, moments);
  moments.first()(0, 1) = 1;
  check(usual, 1, 1, true, moments);
}

TEMPLATE_TEST_CASE("Adam proves that steps stay finite, without a look at its moments", "[optimizers]", float, double) {
  // The gradient's values are never read where bounds suffice: NaN here shows that they do.
  const Matrix<TestType> unread = Matrix<TestType>::Constant(1, 2, std::numeric_limits<TestType>::quiet_NaN());
  const Matrix<TestType> ones = Matrix<TestType>::Ones(1, 2);
  Workers<TestType> workers{1};
  auto values = parameter(ones);
  for (const double epsilon : {1e-8, 1e-16, 1e-30}) {
    AdamOptions options = usual;
    options.epsilon = epsilon;
    AdamMoments<TestType> moments;
    CHECK(moments.stays_finite(options, values, 1, unread, 1, 1e10));
    moments.update(workers.worker(), options, values, 1, ones);
    CHECK(moments.stays_finite(options, values, 1, unread, 1, 1e10));
    moments.first()(0, 1) *= 2;  // from outside: read once
    CHECK_FALSE(moments.stays_finite(options, values, 1, unread, 1, 1e10));
    moments.update(workers.worker(), options, values, 1, ones);
    CHECK(moments.stays_finite(options, values, 1, unread, 1, 1e10));
  }
}

TEST_CASE("Adam's state is a value", "[optimizers]") {
  Workers<double> workers{1};
  const Matrix<double> gradient = Matrix<double>::Ones(2, 2);
  auto values = parameter(gradient);
  AdamMoments<double> moments;
  moments.update(workers.worker(), usual, values, 1, gradient);
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
    auto values = parameter(start);
    AdamMoments<float> moments;
    moments.update(workers.worker(), usual, values, 1, gradient);
    return values.value();
  };
  const Matrix<float> alone = stepped(1);
  CHECK(alone != start);
  CHECK(stepped(3) == alone);
}

TEST_CASE("Adam's options are checked", "[optimizers]") {
  CHECK_NOTHROW(usual.validate("Adam"));
  CHECK_THROWS_WITH((AdamOptions{-1, .9, .999, 1e-8, 0}.validate("Adam")),
                    "Adam: learning_rate must be 0 or more, got -1");
  CHECK_THROWS_WITH((AdamOptions{.1, 1, .999, 1e-8, 0}.validate("Adam")), "Adam: beta1 must be 0 to below 1, got 1");
  CHECK_THROWS_WITH((AdamOptions{.1, .9, -.1, 1e-8, 0}.validate("AmAdam")),
                    "AmAdam: beta2 must be 0 to below 1, got -0.1");
  CHECK_THROWS_WITH((AdamOptions{.1, .9, .999, 0, 0}.validate("Adam")), "Adam: epsilon must be above 0, got 0");
  CHECK_THROWS_WITH((AdamOptions{.1, .9, .999, 1e-8, std::nan("")}.validate("Adam")),
                    "Adam: weight_decay must be 0 or more and finite, got nan");
  CHECK_THROWS_AS((AdamOptions{INFINITY, .9, .999, 1e-8, 0}.validate("Adam")), OptionError);
}
