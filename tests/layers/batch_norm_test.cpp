#include "altmin/layers/batch_norm.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include "catch.hpp"
#include "probe.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;
using support::roundings;

TEMPLATE_TEST_CASE("batch norm centres and scales each feature of a batch", "[layers]", float, double) {
  Random random{Seed{1}};
  Matrix<TestType> x = random_matrix<TestType>(7, 50, random, -3, 5);
  x.row(2).array() += 1000;
  auto probe = support::probe(BatchNorm{1e-8}, x);
  CHECK(probe.y.rowwise().mean().cwiseAbs().maxCoeff() < 1e-4);
  CHECK((probe.y.rowwise().squaredNorm() / TestType(50)).isApproxToConstant(1, TestType(1e-4)));

  probe.layer.parameters()[0].set(Matrix<TestType>::Constant(7, 1, 2));
  probe.layer.parameters()[1].set(Matrix<TestType>::Constant(7, 1, 3));
  const Matrix<TestType> standard = probe.y;
  CHECK(relative_error(probe.forward(x), (2 * standard.array() + 3).matrix()) < roundings<TestType>());
}

TEST_CASE("batch norm divides by the root of the biased variance plus epsilon", "[layers]") {
  Matrix<double> x(1, 4);
  x << 1, 2, 3, 6;  // mean 3, variance (4 + 1 + 0 + 9) / 4
  Matrix<double> expected(1, 4);
  expected << -2, -1, 0, 3;
  CHECK(relative_error(support::probe(BatchNorm{0.5}, x).y, expected / std::sqrt(3.5 + 0.5)) < 1e-15);
}

TEMPLATE_TEST_CASE("running statistics are PyTorch's, inference uses them", "[layers]", float, double) {
  Matrix<TestType> x(2, 4);
  x << 1, 2, 3, 6,  //
      0, 0, 0, 4;   // means 3 and 1; variances, unbiased, 14/3 and 4
  auto probe = support::probe(BatchNorm{}, x);
  probe.move(Matrix<TestType>::Random(2, 4));  // code iterations leave no trace
  probe.forward(x);
  auto& layer = probe.layer;
  CHECK(probe.predict(x).isApprox(x / std::sqrt(TestType(1 + 1e-5))));  // of mean 0, variance 1

  probe.update_statistics();
  Matrix<TestType> mean(2, 1), variance(2, 1);
  mean << TestType(0.3), TestType(0.1);
  variance << TestType(0.9 + 1.4 / 3), TestType(0.9 + 0.4);
  CHECK(relative_error(layer.statistics()[0].value(), mean) < roundings<TestType>());
  CHECK(relative_error(layer.statistics()[1].value(), variance) < roundings<TestType>());
  probe.update_statistics();
  CHECK(relative_error(layer.statistics()[0].value(), TestType(1.9) * mean) < roundings<TestType>());

  layer.parameters()[0].values()(0, 0) = 2;
  layer.parameters()[1].values()(0, 0) = 5;
  const auto m = layer.statistics()[0].value()(0), v = layer.statistics()[1].value()(0);
  CHECK(relative_error(probe.predict(x).row(0),
                       (2 * (x.row(0).array() - m) / std::sqrt(v + TestType(1e-5)) + 5).matrix()) <
        roundings<TestType>());
  CHECK(relative_error(probe.predict(x.col(3)), probe.predict(x).col(3)) == 0);  // one sample will do
}

TEMPLATE_TEST_CASE("batch norm stands a constant feature, and a move to one", "[layers]", float, double) {
  Random random{Seed{2}};
  const Matrix<TestType> constant = Matrix<TestType>::Constant(3, 20, 5);
  auto probe = support::probe(BatchNorm{}, constant);
  CHECK(probe.y.isZero(0));
  CHECK(probe.backward(constant).allFinite());

  // The variance after the move is one of rounding errors: it must not come out below 0.
  for (int round = 0; round < 50; ++round) {
    const auto x = random_matrix<TestType>(3, 20, random, -1000, 1000);
    probe.forward(x);
    CHECK(probe.move(constant - x).allFinite());
    CHECK(probe.backward(constant).allFinite());
  }
}

TEMPLATE_TEST_CASE("frozen running statistics stay, each by itself", "[layers]", float, double) {
  Random random{Seed{4}};
  for (const auto& [mean_frozen, variance_frozen] : {std::pair{true, false}, {false, true}, {true, true}}) {
    auto probe = support::probe(BatchNorm{}, random_matrix<TestType>(3, 8, random));
    const auto before = probe.layer;
    probe.layer.statistics()[0].freeze(mean_frozen);
    probe.layer.statistics()[1].freeze(variance_frozen);
    probe.update_statistics();
    const auto& mean = probe.layer.statistics()[0].value();
    const auto& variance = probe.layer.statistics()[1].value();
    CHECK((mean == before.statistics()[0].value()) == mean_frozen);
    CHECK((variance == before.statistics()[1].value()) == variance_frozen);
    probe.layer.statistics()[0].freeze(false);
    probe.layer.statistics()[1].freeze(false);
    CHECK((probe.layer == before) == (mean_frozen && variance_frozen));
    probe.update_statistics();
    CHECK(mean != before.statistics()[0].value());
    CHECK(variance != before.statistics()[1].value());
  }
}

TEMPLATE_TEST_CASE("batch norm tells of statistics that would overflow", "[layers]", float, double) {
  Random random{Seed{5}};
  auto x = random_matrix<TestType>(3, 8, random);
  auto probe = support::probe(BatchNorm{}, x);
  const auto stay_finite = [&] { return probe.statistics_stay_finite(); };
  CHECK(stay_finite());
  const auto largest = std::numeric_limits<TestType>::max();
  for (const TestType size : {2 * std::sqrt(largest), largest}) {
    x(1, 2) = size;
    probe.forward(x);
    CHECK_FALSE(stay_finite());
  }
  x(1, 2) = std::sqrt(largest) / 10;
  probe.forward(x);
  CHECK(stay_finite());
  for (int s = 0; s < 100; ++s) probe.update_statistics();
  CHECK(probe.layer.statistics()[1].value().allFinite());
}

TEST_CASE("initialize() sets batch norm back", "[layers]") {
  Random random{Seed{3}};
  auto probe = support::probe(BatchNorm{}, random_matrix<double>(3, 5, random));
  const auto fresh = probe.layer;
  probe.update_statistics();
  probe.layer.parameters()[0].values().setZero();
  CHECK_FALSE(probe.layer == fresh);
  probe.layer.initialize(random);
  CHECK(probe.layer == fresh);
}

TEST_CASE("options of batch norm are checked", "[layers]") {
  CHECK_THROWS_WITH((BatchNorm::Layer<float>{BatchNorm{0}, 3}), "epsilon must be above 0, got 0");
  CHECK_THROWS_WITH((BatchNorm::Layer<float>{BatchNorm{1e-5, 1.5}, 3}), "momentum must be 0 to 1, got 1.5");
}
