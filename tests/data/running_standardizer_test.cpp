#include "altmin/data/running_standardizer.hpp"

#include <cfenv>
#include <cmath>
#include <limits>
#include <string>

#include "catch.hpp"
#include "support.hpp"

using altmin::DataError;
using altmin::Index;
using altmin::Matrix;
using altmin::Random;
using altmin::RunningStandardizer;
using altmin::Seed;
using altmin::ShapeError;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using support::message_of;

TEMPLATE_TEST_CASE("running statistics are those of all samples", "[standardize]", float, double) {
  for (const double offset : {0.0, 4096.0}) {
    Matrix<TestType> x = support::random_matrix<TestType>(3, 1000, 1);
    x.array() += static_cast<TestType>(offset);
    x.row(2).setConstant(TestType(0.1));
    RunningStandardizer<TestType> running{3};
    for (Index t = 0; t < x.cols(); ++t) running.observe(x.col(t));
    const Matrix<double> wide = x.template cast<double>();
    const altmin::Vector<double> mean = wide.rowwise().mean();
    const altmin::Vector<double> deviation =
        (wide.colwise() - mean).rowwise().squaredNorm().array().sqrt() / std::sqrt(1000.0);
    CHECK(running.count() == 1000);
    for (Index i = 0; i < 2; ++i) {
      CHECK_THAT(running.mean()[i], WithinAbs(mean[i], 1e-11));
      CHECK_THAT(running.deviation()[i], WithinRel(deviation[i], 1e-9));
    }
    CHECK(running.deviation()[2] == 1);
    running.apply(x);
    CHECK((x.row(2).array() == 0).all());
  }
}

TEST_CASE("one outlier changes running statistics by what is known of the others", "[standardize]") {
  std::feclearexcept(FE_ALL_EXCEPT);
  for (const double outlier : {1e200, -1e200, 1e8, -std::numeric_limits<double>::max()}) {
    for (const int at : {3, 50, 9999}) {
      CAPTURE(outlier, at);
      RunningStandardizer<double> running{1};
      for (int i = 0; i < 10000; ++i) running.observe(Matrix<double>::Constant(1, 1, i == at ? outlier : i % 2));
      CHECK(std::abs(running.mean()[0] - 0.5) < 0.1);  // 1000 deviations of 0.5, by 10000 samples: 0.05
      CHECK_THAT(running.deviation()[0], WithinRel(0.5 * std::sqrt(1 + 1e6 / 10000), 0.2));
      Matrix<double> x = (Matrix<double>(1, 3) << 0, 1, outlier).finished();
      running.apply(x);
      CHECK(x.allFinite());
      CHECK(x(0, 1) - x(0, 0) > 0.1);
      CHECK(std::abs(x(0, 2)) > 1e7);
    }
  }
  RunningStandardizer<double> first{1};  // nothing is known yet: all stays finite
  for (int i = 0; i < 1000; ++i) first.observe(Matrix<double>::Constant(1, 1, i == 0 ? 1e308 : i % 2));
  CHECK(std::isfinite(first.mean()[0]));
  CHECK(std::isfinite(first.deviation()[0]));
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}

TEST_CASE("a value within 1000 deviations counts as it is", "[standardize]") {
  RunningStandardizer<double> running{1};
  for (int i = 0; i < 100; ++i) running.observe(Matrix<double>::Constant(1, 1, i % 2 == 0 ? 1 : -1));
  running.observe(Matrix<double>::Constant(1, 1, 999));
  const double mean = 999.0 / 101;
  CHECK_THAT(running.mean()[0], WithinRel(mean, 1e-12));
  CHECK_THAT(running.deviation()[0], WithinRel(std::sqrt((100 + 999.0 * 999) / 101 - mean * mean), 1e-12));
}

TEMPLATE_TEST_CASE("what overflows when it is standardized becomes the largest number", "[standardize]", float,
                   double) {
  using Limits = std::numeric_limits<TestType>;
  RunningStandardizer<TestType> running{1};
  running.observe(Matrix<TestType>::Constant(1, 1, TestType(0.001)));
  running.observe(Matrix<TestType>::Constant(1, 1, TestType(0.003)));
  std::feclearexcept(FE_ALL_EXCEPT);
  Matrix<TestType> x(1, 5);
  x << Limits::max(), Limits::lowest(), Limits::infinity(), Limits::quiet_NaN(), TestType(0.004);
  running.apply(x);
  CHECK((x(0, 0) > TestType(0.999999) * Limits::max() && x(0, 0) <= Limits::max()));
  CHECK((x(0, 1) < TestType(-0.999999) * Limits::max() && x(0, 1) >= Limits::lowest()));
  CHECK(x(0, 2) == Limits::infinity());  // left to the network, which refuses it
  CHECK(std::isnan(x(0, 3)));
  CHECK_THAT(x(0, 4), WithinAbs(2, 1e-5));
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}

TEST_CASE("running statistics refuse what does not fit, and keep what they have", "[standardize]") {
  RunningStandardizer<float> running{2};
  running.observe(Eigen::Vector2f{1, 2});
  const float bad = std::numeric_limits<float>::infinity();
  CHECK(message_of<DataError>([&] {
          running.observe(Eigen::Vector2f{5, bad});
        }) == "RunningStandardizer: observe: feature 1 is not finite");
  CHECK(message_of<ShapeError>([&] {
          running.observe(Eigen::Vector3f{1, 2, 3});
        }) == "RunningStandardizer: expected 2 features, got 3");
  Matrix<float> x = Matrix<float>::Ones(3, 1);
  CHECK_THROWS_AS(running.apply(x), ShapeError);
  CHECK(running.count() == 1);
  CHECK(running.mean() == Eigen::Vector2d{1, 2});
}
