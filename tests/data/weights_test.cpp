#include <altmin/data/batches.hpp>
#include <altmin/data/fingerprint.hpp>
#include <altmin/data/weights.hpp>
#include <cmath>

#include "catch.hpp"

namespace {

using altmin::DataError;
using altmin::Dataset;
using altmin::Index;
using altmin::Labels;
using altmin::Matrix;
using altmin::Vector;

}  // namespace

TEMPLATE_TEST_CASE("balanced weights give each class the same sum", "[weights]", float, double) {
  Labels y(8);
  y << 0, 0, 0, 0, 0, 3, 3, 1;
  const auto weights = altmin::balanced_weights<TestType>(y);
  for (Index i = 0; i < 5; ++i) CHECK(weights[i] == Approx(8.0 / 15));
  CHECK(weights[5] == Approx(8.0 / 6));
  CHECK(weights[7] == Approx(8.0 / 3));
  CHECK(weights.sum() == Approx(8));
  CHECK(altmin::balanced_weights<TestType>(Labels{}).size() == 0);
  y[2] = -1;
  CHECK_THROWS_AS(altmin::balanced_weights<TestType>(y), DataError);
}

TEST_CASE("class weights are those of the labels", "[weights]") {
  const Eigen::Vector3i y{2, 0, 2};
  CHECK(altmin::class_weights<double>(y, Eigen::Vector3d{1, 5, 9}) == Eigen::Vector3d{9, 1, 9});
  CHECK_THROWS_AS(altmin::class_weights<double>(y, Eigen::Vector2d{1, 5}), DataError);
}

TEST_CASE("weights go with their samples", "[weights]") {
  Dataset<float> data{Matrix<float>::Ones(1, 6), Labels::LinSpaced(6, 0, 5)};
  const auto without = altmin::detail::fingerprint(data);
  CHECK(data.weights().size() == 0);
  data.set_weights(Vector<float>::LinSpaced(6, 10, 15));
  CHECK(altmin::detail::fingerprint(data) != without);
  const auto parts = data.split(4);
  for (const auto* part : {&parts.train, &parts.test}) {
    for (Index i = 0; i < part->size(); ++i) CHECK(part->weights()[i] == static_cast<float>(10 + part->y()[i]));
  }
  altmin::Batches<float> batches{data, {4, altmin::Seed{1}}};
  Index samples = 0;
  while (const auto* batch = batches.next()) {
    REQUIRE(batch->weights.rows() == 1);
    REQUIRE(batch->weights.cols() == batch->size());
    for (Index i = 0; i < batch->size(); ++i) CHECK(batch->weights(0, i) == static_cast<float>(10 + batch->y[i]));
    samples += batch->size();
  }
  CHECK(samples == 6);
  CHECK_THROWS_AS(data.set_weights(Vector<float>::Ones(5)), altmin::ShapeError);
  CHECK_THROWS_WITH(data.set_weights(Vector<float>::Constant(6, -1)),
                    "Dataset: sample 0: expected a finite weight of 0 or more, got -1");
  CHECK_THROWS_AS(data.set_weights(Vector<float>::Constant(6, INFINITY)), DataError);
  CHECK(data.weights()[5] == 15);
}
