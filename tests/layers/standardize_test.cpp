#include "altmin/layers/standardize.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "altmin/data/running_standardizer.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/losses/losses.hpp"
#include "altmin/network/algorithms.hpp"
#include "altmin/network/network.hpp"
#include "catch.hpp"
#include "support.hpp"

using altmin::Dense;
using altmin::Index;
using altmin::Labels;
using altmin::Layers;
using altmin::Matrix;
using altmin::Network;
using altmin::Seed;
using altmin::Shape;
using altmin::Standardize;

namespace {

template <class Scalar>
Matrix<Scalar> seeded_matrix(Index rows, Index columns, std::uint64_t seed) {
  altmin::Random random{Seed{seed}};
  return support::random_matrix<Scalar>(rows, columns, random);
}

template <class Scalar>
Network<Scalar> standardizing(Shape input, Standardize options = {}, Index outputs = 2) {
  return {Layers<Scalar>{input}.add(options).add(Dense{outputs}), altmin::SoftmaxCrossEntropy{}, altmin::Adam{},
          Seed{1}};
}

Labels some_labels(Index size) {
  Labels y(size);
  for (Index t = 0; t < size; ++t) y(t) = static_cast<int>(t % 2);
  return y;
}

/// Raw features: of unlike size, far from 0, one constant, and one wild value.
template <class Scalar>
Matrix<Scalar> raw_features(Index count) {
  Matrix<Scalar> x = seeded_matrix<Scalar>(4, count, 3);
  x.row(0) = x.row(0) * Scalar(100) + Matrix<Scalar>::Constant(1, count, 4096);
  x.row(1) *= Scalar(1e-3);
  x.row(2).setConstant(7);
  x(3, count / 2) = Scalar(1e30);
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("the input is standardized by all samples so far, for any batches", "[standardize]", float, double) {
  const Matrix<TestType> x = raw_features<TestType>(60);
  altmin::RunningStandardizer<TestType> expected{4};
  for (Index t = 0; t < x.cols(); ++t) expected.observe(x.col(t));
  for (const Index batch : {1, 7, 60}) {
    Network<TestType> net = standardizing<TestType>(4);
    for (Index first = 0; first < x.cols(); first += batch) {
      const Index count = std::min(batch, x.cols() - first);
      REQUIRE(net.step(x.middleCols(first, count), some_labels(count)));
    }
    const auto* layer = net.layers()[0].template as<Standardize>();
    REQUIRE(layer != nullptr);
    CHECK(layer->count() == 60);
    CHECK((layer->mean().array() == expected.mean().array()).all());
    CHECK((layer->deviation().array() == expected.deviation().array()).all());

    // By inference the network is the dense map of standardized features.
    Matrix<TestType> standardized = x;
    expected.apply(standardized);
    const auto& parameters = net.layers()[1].parameters();
    const Matrix<TestType> dense = (parameters[0].value() * standardized).colwise() + parameters[1].value().col(0);
    CHECK(support::relative_error(net.predict(x), dense) < (sizeof(TestType) == 4 ? 1e-5 : 1e-12));
  }
}

TEMPLATE_TEST_CASE("a training step standardizes by its own batch, too", "[standardize]", float, double) {
  const Matrix<TestType> x = raw_features<TestType>(20);
  Network<TestType> raw = standardizing<TestType>(4);
  altmin::RunningStandardizer<TestType> by{4};
  for (Index t = 0; t < x.cols(); ++t) by.observe(x.col(t));
  Matrix<TestType> standardized = x;
  by.apply(standardized);
  Network<TestType> plain{Layers<TestType>{4}.add(Dense{2}), altmin::SoftmaxCrossEntropy{}, altmin::Adam{}, Seed{1}};
  const auto first = raw.step(x, some_labels(20));
  const auto second = plain.step(standardized, some_labels(20));
  CHECK(first.loss == second.loss);
  CHECK(raw.layers()[1].parameters()[0].value() == plain.layers()[0].parameters()[0].value());
}

TEMPLATE_TEST_CASE("channels of images have one mean and deviation each", "[standardize]", float, double) {
  Matrix<TestType> x = seeded_matrix<TestType>(2 * 3 * 2, 30, 5);
  x.bottomRows(6).array() = x.bottomRows(6).array() * TestType(20) - TestType(50);
  Network<TestType> net = standardizing<TestType>({2, 3, 2}, Standardize{true});
  REQUIRE(net.step(x, some_labels(30)));
  const auto* layer = net.layers()[0].template as<Standardize>();
  for (Index channel = 0; channel < 2; ++channel) {
    const Matrix<double> values = x.middleRows(6 * channel, 6).template cast<double>();
    const double mean = values.mean();
    CHECK(layer->mean()(channel) == Approx(mean).epsilon(1e-12).margin(1e-12));
    CHECK(layer->deviation()(channel) == Approx(std::sqrt((values.array() - mean).square().mean())).epsilon(1e-12));
  }
}

TEST_CASE("a step that changes nothing leaves the statistics", "[standardize]") {
  Network<double> net = standardizing<double>(4);
  const Matrix<double> x = raw_features<double>(10);
  REQUIRE(net.step(x, some_labels(10)));
  const Network<double> before = net;
  Matrix<double> bad = x;
  bad(1, 3) = std::nan("");
  CHECK_THROWS_AS(net.step(bad, some_labels(10)), altmin::DataError);
  CHECK(net == before);

  net.layers()[1].parameters()[0].values().setConstant(1e308);
  const Network<double> large = net;
  CHECK_FALSE(net.step(x, some_labels(10)));
  CHECK(net == large);
}

TEST_CASE("the same bits for any number of threads, also by codes", "[standardize]") {
  const Matrix<float> x = seeded_matrix<float>(150, 50, 2);
  const auto trained = [&](int threads) {
    Network<float> net{Layers<float>{150}.add(Standardize{}).add(Dense{20}).add(altmin::Relu{}).add(Dense{2}),
                       altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, Seed{1}};
    net.set_threads(threads);
    for (int i = 0; i < 3; ++i) net.step(x, some_labels(50));
    return net;
  };
  for (const int threads : {2, 3}) CHECK(trained(1) == trained(threads));
}

TEST_CASE("standardizing stands before the first map", "[standardize]") {
  CHECK_THROWS_WITH(Layers<float>{4}.add(Dense{3}).add(Standardize{}),
                    "layer 1 (Standardize): expected a place before the first map, got one behind a Dense");
}
