#include <altmin/data/standardize.hpp>
#include <cmath>
#include <limits>

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
