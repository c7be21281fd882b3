// The layers that map each element by itself: activations.hpp, dropout.hpp, elementwise.hpp.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "altmin/layers/activations.hpp"
#include "altmin/layers/dropout.hpp"
#include "catch.hpp"
#include "probe.hpp"

using namespace altmin;
using support::random_matrix;
using support::roundings;

namespace {

template <class Scalar>
Matrix<Scalar> row(std::initializer_list<Scalar> values) {
  Matrix<Scalar> result(1, static_cast<Index>(values.size()));
  std::copy(values.begin(), values.end(), result.data());
  return result;
}

/// f(x) by the layer `config` for a row of values.
template <class Scalar, class Config>
Matrix<Scalar> value(const Config& config, std::initializer_list<Scalar> values) {
  return support::probe(config, row(values)).y;
}

/// f'(x), or what stands for it.
template <class Scalar, class Config>
Matrix<Scalar> slope(const Config& config, std::initializer_list<Scalar> values) {
  auto probe = support::probe(config, row(values));
  return probe.backward(Matrix<Scalar>::Ones(1, probe.y.cols()));
}

template <class Scalar>
constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();

}  // namespace

TEMPLATE_TEST_CASE("activations have their values and slopes", "[layers]", float, double) {
  using S = TestType;
  CHECK(value<S>(Identity{}, {-2, 0, 3}) == row<S>({-2, 0, 3}));
  CHECK(slope<S>(Identity{}, {-2, 0, 3}) == row<S>({1, 1, 1}));

  CHECK(value<S>(Relu{}, {-2, 0, 3}) == row<S>({0, 0, 3}));
  CHECK(slope<S>(Relu{}, {-2, 0, S(-0.), 3}) == row<S>({0, 0, 0, 1}));

  CHECK(value<S>(LeakyRelu{0.25}, {-2, 0, 3}) == row<S>({-0.5, 0, 3}));
  CHECK(slope<S>(LeakyRelu{0.25}, {-2, 0, 3}) == row<S>({0.25, 0.25, 1}));

  const S t = std::tanh(S(1)), s = 1 / (1 + std::exp(S(-1)));
  CHECK(support::relative_error(value<S>(Tanh{}, {-1, 0, 1, 50}), row<S>({-t, 0, t, 1})) < roundings<S>());
  CHECK(support::relative_error(slope<S>(Tanh{}, {-1, 0, 1, 50}), row<S>({1 - t * t, 1, 1 - t * t, 0})) <
        roundings<S>());
  CHECK(support::relative_error(value<S>(Sigmoid{}, {-1, 0, 1, 50}), row<S>({1 - s, S(0.5), s, 1})) < roundings<S>());
  CHECK(support::relative_error(slope<S>(Sigmoid{}, {-1, 0, 1, 50}), row<S>({s * (1 - s), S(0.25), s * (1 - s), 0})) <
        roundings<S>());
}

TEMPLATE_TEST_CASE("sign(x) is +1 above 0, else -1; its slope is the chosen stand-in", "[layers]", float, double) {
  using S = TestType;
  const auto x = {S(-2), S(-1), S(-0.), S(0), S(0.5), S(1), S(1.5)};
  CHECK(value<S>(Sign{}, x) == row<S>({-1, -1, -1, -1, 1, 1, 1}));
  CHECK(slope<S>(Sign{}, x) == row<S>({0, 1, 1, 1, 1, 1, 0}));
  CHECK(slope<S>(Sign{PseudoGradient::straight_through}, x) == row<S>({1, 1, 1, 1, 1, 1, 1}));
  CHECK(slope<S>(Sign{PseudoGradient::tanh}, x).isApprox(slope<S>(Tanh{}, x), S(roundings<S>())));

  auto probe = support::probe(Sign{}, row<S>({-2, -1, 3, 4}));
  CHECK(probe.move(row<S>({1, 5, -1, -5})) == row<S>({0, 2, 0, -2}));
  CHECK(probe.y == row<S>({-1, 1, 1, -1}));
}

TEMPLATE_TEST_CASE("what is not a number stays not a number", "[layers]", float, double) {
  const auto nan = std::numeric_limits<TestType>::quiet_NaN();
  CHECK(std::isnan(value<TestType>(Identity{}, {nan, 1, 1, 1, 1, 1, 1, 1})(0)));
  CHECK(std::isnan(value<TestType>(Relu{}, {nan, 1, 1, 1, 1, 1, 1, 1})(0)));
  CHECK(std::isnan(value<TestType>(Relu{}, {nan})(0)));
  CHECK(std::isnan(value<TestType>(LeakyRelu{}, {nan, 1, 1, 1, 1, 1, 1, 1})(0)));
  CHECK(std::isnan(value<TestType>(Tanh{}, {nan, 1, 1, 1, 1, 1, 1, 1})(0)));
  CHECK(std::isnan(value<TestType>(Sigmoid{}, {nan, 1, 1, 1, 1, 1, 1, 1})(0)));
}

TEMPLATE_TEST_CASE("activations stand extreme inputs", "[layers]", float, double) {
  using S = TestType;
  const auto x = {-infinity<S>, S(-1e30), S(1e30), infinity<S>};
  CHECK(value<S>(Relu{}, x) == row<S>({0, 0, S(1e30), infinity<S>}));
  CHECK(value<S>(Tanh{}, x) == row<S>({-1, -1, 1, 1}));
  CHECK(slope<S>(Tanh{}, x).isZero(0));
  CHECK((value<S>(Sigmoid{}, x) - row<S>({0, 0, 1, 1})).template lpNorm<Eigen::Infinity>() < 1e-30);
  CHECK(slope<S>(Sigmoid{}, x).array().abs().maxCoeff() < 1e-30);
}

TEMPLATE_TEST_CASE("difference() is f(x + dx) - f(x) for large dx, from and into saturation", "[layers]", float,
                   double) {
  using S = TestType;
  Random random{Seed{1}};
  const auto check = [&](const auto& config) {
    for (const double size : {0.1, 1., 5., 30., 300.}) {
      auto probe = support::probe(config, random_matrix<S>(5, 200, random, -size, size));
      CAPTURE(std::string(probe.layer.name()), size);
      const Matrix<S> before = probe.y;
      const auto change = probe.move(random_matrix<S>(5, 200, random, -2 * size, 2 * size));
      const Matrix<S> after = probe.y;
      const Matrix<S> expected = probe.forward(probe.x);
      const double tolerance = roundings<S>(20) * std::max(1., static_cast<double>(expected.cwiseAbs().maxCoeff()));
      CHECK((change - (expected - before)).cwiseAbs().maxCoeff() < tolerance);
      CHECK((after - expected).cwiseAbs().maxCoeff() < tolerance);
    }
  };
  check(Identity{});
  check(Relu{});
  check(LeakyRelu{0.2});
  check(Tanh{});
  check(Sigmoid{});
  check(Dropout{0.3});
}

TEMPLATE_TEST_CASE("piecewise linear activations are exact, however small a move or a slope is", "[layers]", float,
                   double) {
  using S = TestType;
  const S tiny = S(1e-20);
  Random random{Seed{2}};
  const auto check = [&](const auto& config, S below) {
    auto probe = support::probe(config, random_matrix<S>(5, 30, random, -1, 1));
    probe.x.col(0).setZero();
    CAPTURE(std::string(probe.layer.name()));
    const auto side = [&](Index i) { return probe.x(i) > 0 ? S(1) : below; };
    const auto dx = random_matrix<S>(5, 30, random, -tiny, tiny);
    const auto slopes = probe.backward(dx);
    for (Index i = 0; i < dx.size(); ++i) CHECK(slopes(i) == side(i) * dx(i));
    const auto change = probe.move(dx);
    for (Index i = 5; i < dx.size(); ++i) CHECK(change(i) == side(i) * dx(i));
  };
  check(Relu{}, S(0));
  check(LeakyRelu{0.25}, S(0.25));
}

TEST_CASE("dropout keeps one mask for a step, and the mean", "[layers]") {
  const Matrix<double> ones = Matrix<double>::Ones(100, 100);
  auto probe = support::probe(Dropout{0.2}, ones);
  const Matrix<double> mask = probe.y;
  CHECK(((mask.array() == 0) || (mask.array() == 1.25)).all());
  CHECK(std::abs((mask.array() == 0).template cast<double>().mean() - 0.2) < 0.016);  // 4 standard deviations
  CHECK(std::abs(mask.mean() - 1) < 0.02);

  CHECK(probe.forward(3 * ones) == 3 * mask);
  CHECK(probe.backward(2 * ones) == 2 * mask);
  CHECK(probe.move(2 * ones) == 2 * mask);
  CHECK(probe.y == 5 * mask);
  CHECK(probe.predict(ones) == ones);

  CHECK(support::probe(Dropout{0.2}, ones, Seed{1}).y == mask);
  CHECK(support::probe(Dropout{0.2}, ones, Seed{2}).y != mask);
  CHECK(support::probe(Dropout{0}, ones).y == ones);
}

TEST_CASE("options of activations are checked", "[layers]") {
  CHECK_THROWS_WITH((LeakyRelu::Layer<float>{LeakyRelu{-0.1}, 3}), "slope must be 0 to 1, got -0.1");
  CHECK_THROWS_AS((LeakyRelu::Layer<float>{LeakyRelu{1.1}, 3}), OptionError);
  CHECK_THROWS_WITH((Dropout::Layer<float>{Dropout{1}, 3}), "rate must be 0 to below 1, got 1");
  CHECK_THROWS_AS((Dropout::Layer<float>{Dropout{-0.1}, 3}), OptionError);
  CHECK_THROWS_AS((Dropout::Layer<float>{Dropout{std::nan("")}, 3}), OptionError);
}
