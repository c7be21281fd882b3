#include <altmin/data/standardize.hpp>
#include <cfenv>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "catch.hpp"
#include "support.hpp"

using altmin::DataError;
using altmin::Dataset;
using altmin::Index;
using altmin::Labels;
using altmin::Matrix;
using altmin::OptionError;
using altmin::ShapeError;
using altmin::Standardizer;
using Catch::Matchers::WithinAbs;

TEMPLATE_TEST_CASE("fitted features get mean 0 and deviation 1", "[standardize]", float, double) {
  Matrix<TestType> x = support::random_matrix<TestType>(5, 1000, 1);
  for (Index i = 0; i < 5; ++i) x.row(i).array() = x.row(i).array() * TestType(i + 1) + TestType(3 * i);
  const auto standardizer = Standardizer<TestType>::fit(x);
  CHECK(standardizer.mean().size() == 5);
  CHECK(std::abs(standardizer.mean()[4] - 12) < 0.5);
  CHECK(std::abs(standardizer.deviation()[4] - 5) < 0.5);
  standardizer.apply(x);
  const double tolerance = 10 * double(std::numeric_limits<TestType>::epsilon());
  for (Index i = 0; i < 5; ++i) {
    const altmin::Vector<double> row = x.row(i).transpose().template cast<double>();
    CHECK(std::abs(row.mean()) < tolerance);
    CHECK(std::abs(std::sqrt((row.array() - row.mean()).square().mean()) - 1) < tolerance);
  }
}

TEST_CASE("a fit of known numbers", "[standardize]") {
  Matrix<double> x(2, 4);
  x << 1, 2, 3, 4,  //
      -1, 1, -1, 1;
  const auto standardizer = Standardizer<double>::fit(x);
  CHECK_THAT(standardizer.mean()[0], WithinAbs(2.5, 1e-14));
  CHECK_THAT(standardizer.deviation()[0], WithinAbs(std::sqrt(1.25), 1e-14));
  CHECK_THAT(standardizer.mean()[1], WithinAbs(0, 1e-15));
  CHECK_THAT(standardizer.deviation()[1], WithinAbs(1, 1e-14));
  const auto shared = Standardizer<double>::fit_shared(x);
  REQUIRE(shared.mean().size() == 1);
  CHECK_THAT(shared.mean()[0], WithinAbs(1.25, 1e-14));
  CHECK_THAT(shared.deviation()[0], WithinAbs(std::sqrt(34.0 / 8 - 1.25 * 1.25), 1e-14));
}

TEST_CASE("a large offset costs no accuracy", "[standardize]") {
  const Index count = 100000;
  Matrix<double> x(1, count);
  for (Index i = 0; i < count; ++i) x(0, i) = 1e9 + (i % 2 == 0 ? 0.25 : -0.25);
  const auto standardizer = Standardizer<double>::fit(x);
  CHECK(std::abs(standardizer.mean()[0] - 1e9) < 1e-6);
  CHECK(std::abs(standardizer.deviation()[0] - 0.25) < 1e-9);
  CHECK(std::abs(Standardizer<double>::fit_shared(x).deviation()[0] - 0.25) < 1e-9);

  Matrix<float> y(1, count);  // floats: a naive sum of 100,000 loses digits
  for (Index i = 0; i < count; ++i) y(0, i) = i % 2 == 0 ? 4096.5F : 4095.5F;
  CHECK(std::abs(Standardizer<float>::fit(y).mean()[0] - 4096) < 1e-9);
  CHECK(std::abs(Standardizer<float>::fit(y).deviation()[0] - 0.5) < 1e-9);
}

TEMPLATE_TEST_CASE("a constant feature becomes 0", "[standardize]", float, double) {
  Matrix<TestType> x = Matrix<TestType>::Constant(2, 999, TestType(0.1));
  x(1, 0) = 5;
  const auto standardizer = Standardizer<TestType>::fit(x);
  CHECK(standardizer.deviation()[0] == 1);
  CHECK(standardizer.deviation()[1] > 0);
  standardizer.apply(x);
  CHECK((x.row(0).array() == 0).all());

  Matrix<TestType> all = Matrix<TestType>::Constant(3, 7, TestType(0.3));
  Standardizer<TestType>::fit_shared(all).apply(all);
  CHECK((all.array() == 0).all());

  Matrix<TestType> single = Matrix<TestType>::Constant(3, 1, TestType(0.3));
  Standardizer<TestType>::fit(single).apply(single);
  CHECK((single.array() == 0).all());
}

TEST_CASE("known constants suit any number of features", "[standardize]") {
  const auto mnist = Standardizer<float>::constant(0.1307, 0.3081);
  for (const Index features : {1, 2, 784}) {
    Matrix<float> x = Matrix<float>::Constant(features, 3, 1);
    mnist.apply(x);
    CHECK_THAT(x.minCoeff(), WithinAbs((1 - 0.1307) / 0.3081, 1e-6));
    CHECK(x.maxCoeff() == x.minCoeff());
  }
  Matrix<float> same = support::random_matrix<float>(3, 4, 2);
  const Matrix<float> before = same;
  Standardizer<float>{}.apply(same);
  CHECK(same == before);
}

TEMPLATE_TEST_CASE("each channel has its own mean and deviation", "[standardize]", float, double) {
  const auto standardizer = Standardizer<TestType>::channels({0.5, 2}, {0.25, 4});
  Matrix<TestType> x = Matrix<TestType>::Constant(6, 2, 1);
  standardizer.apply(x);
  CHECK((x.topRows(3).array() == 2).all());
  CHECK((x.bottomRows(3).array() == TestType(-0.25)).all());
}

TEST_CASE("a standardizer applies to sets, blocks and single samples", "[standardize]") {
  const Matrix<float> x = support::random_matrix<float>(3, 40, 3);
  const auto standardizer = Standardizer<float>::fit(x);
  Matrix<float> expected = x;
  standardizer.apply(expected);

  Dataset<float> data{x, Labels::Zero(40)};
  auto parts = altmin::TrainTest<float>{data.take(30), data};
  standardizer.apply(data);
  CHECK(data.x() == expected);
  standardizer.apply(parts);
  CHECK(parts.train.x() == expected.leftCols(30));
  CHECK(parts.test.x() == expected);

  Matrix<float> half = x;
  standardizer.apply(half.rightCols(20));
  CHECK(half.leftCols(20) == x.leftCols(20));
  CHECK(half.rightCols(20) == expected.rightCols(20));

  altmin::Vector<float> sample = x.col(5);
  standardizer.apply(sample);
  CHECK(sample == expected.col(5));
}

TEST_CASE("a standardizer refuses what does not fit", "[standardize]") {
  const auto standardizer = Standardizer<float>::fit(support::random_matrix<float>(1, 4, 2));
  Matrix<float> x = Matrix<float>::Zero(3, 4);
  CHECK_THAT(support::message_of<ShapeError>([&] { standardizer.apply(x); }),
             Catch::Matchers::ContainsSubstring("expected 1 features, got 3"));
  CHECK_THROWS_AS(Standardizer<float>::fit(Matrix<float>(3, 0)), DataError);
  CHECK_THROWS_AS(Standardizer<float>::fit_shared(Matrix<float>(0, 3)), DataError);
  CHECK_THROWS_AS(Standardizer<float>::constant(0, 0), OptionError);
  CHECK_THROWS_AS(Standardizer<float>::constant(0, -1), OptionError);
  CHECK_THROWS_AS(Standardizer<float>::constant(0, std::numeric_limits<double>::infinity()), OptionError);
  CHECK_THROWS_AS(Standardizer<float>::constant(std::numeric_limits<double>::quiet_NaN(), 1), OptionError);

  Matrix<float> odd = Matrix<float>::Zero(5, 1);
  CHECK_THAT(support::message_of<ShapeError>([&] {
               Standardizer<float>::channels({0, 0}, {1, 1}).apply(odd);
             }),
             Catch::Matchers::ContainsSubstring("expected a multiple of 2 features, got 5"));
  CHECK_THROWS_AS(Standardizer<float>::channels({0, 0}, {1}), OptionError);
  CHECK_THROWS_AS(Standardizer<float>::channels({}, {}), OptionError);
  CHECK_THROWS_AS(Standardizer<float>::channels({0, 0}, {1, 0}), OptionError);
}

TEMPLATE_TEST_CASE("a fit names the number that is not finite", "[standardize]", float, double) {
  using Limits = std::numeric_limits<TestType>;
  Matrix<TestType> x = support::random_matrix<TestType>(3, 5, 4);
  std::feclearexcept(FE_ALL_EXCEPT);
  for (const TestType bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    x(2, 3) = bad;
    const std::string expected = "Standardizer: feature 2 of sample 3 is not finite";
    CHECK(support::message_of<DataError>([&] { Standardizer<TestType>::fit(x); }) == expected);
    CHECK(support::message_of<DataError>([&] { Standardizer<TestType>::fit_shared(x); }) == expected);
    Standardizer<TestType>::constant(1, 1e-30).apply(x);  // left to the network, which refuses it
    CHECK_FALSE(std::isfinite(x(2, 3)));
    x.setRandom();
  }
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}

TEST_CASE("no number is too large to be standardized", "[standardize]") {
  std::feclearexcept(FE_ALL_EXCEPT);
  Matrix<double> x(2, 4);
  x << 1e200, -1e200, 1e200, -1e200,  //
      1.6e308, -1.6e308, 0, 0;
  const auto standardizer = Standardizer<double>::fit(x);
  {
    CHECK_THAT(standardizer.mean()[0] / 1e200, WithinAbs(0, 1e-15));
    CHECK_THAT(standardizer.deviation()[0] / 1e200, WithinAbs(1, 1e-15));
    CHECK_THAT(standardizer.mean()[1] / 1e308, WithinAbs(0, 1e-15));
    CHECK_THAT(standardizer.deviation()[1] / 1e308, WithinAbs(1.6 / std::sqrt(2.0), 1e-14));
    Matrix<double> z = x;
    standardizer.apply(z);
    CHECK((z - (Matrix<double>(2, 4) << 1, -1, 1, -1, std::sqrt(2.0), -std::sqrt(2.0), 0, 0).finished()).norm() <
          1e-14);
  }
  CHECK_THAT(Standardizer<double>::fit_shared(x.topRows(1)).deviation()[0] / 1e200, WithinAbs(1, 1e-15));

  const double most = std::numeric_limits<double>::max();
  Matrix<double> wide(1, 3);
  wide << most, -most, 3;
  Standardizer<double>::constant(most, 1e-3).apply(wide);
  CHECK(wide(0, 0) == 0);
  CHECK((wide(0, 1) < -0.999999 * most && wide(0, 1) >= -most));
  CHECK((wide(0, 2) < -0.999999 * most && wide(0, 2) >= -most));

  const float largest = std::numeric_limits<float>::max();
  Matrix<float> y(1, 4);
  y << largest, -largest, 1e36F, -2e-3F;
  Standardizer<float>::constant(1e-3, 1e-3).apply(y);
  CHECK((y(0, 0) > 0.999999F * largest && y(0, 0) <= largest));
  CHECK((y(0, 1) < -0.999999F * largest && y(0, 1) >= -largest));
  CHECK((y(0, 2) > 0.999999F * largest && y(0, 2) <= largest));
  CHECK_THAT(y(0, 3), WithinAbs(-3, 1e-6));
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}

TEST_CASE("standardizers are values", "[standardize]") {
  const Matrix<double> x = support::random_matrix<double>(3, 20, 5);
  auto from = std::make_unique<Standardizer<double>>(Standardizer<double>::fit(x));
  const altmin::Vector<double> mean = from->mean();
  auto target = Standardizer<double>::fit(support::random_matrix<double>(7, 20, 6));
  target = *from;
  const Standardizer<double> moved{std::move(*from)};
  from.reset();
  CHECK(target.mean() == mean);
  CHECK(moved.mean() == mean);
  Matrix<double> a = x;
  Matrix<double> b = x;
  target.apply(a);
  moved.apply(b);
  CHECK(a == b);
}
