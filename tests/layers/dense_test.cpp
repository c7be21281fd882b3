#include "altmin/layers/dense.hpp"

#include "catch.hpp"
#include "probe.hpp"

using namespace altmin;

TEMPLATE_TEST_CASE("a dense layer is W x + b", "[layers]", float, double) {
  Matrix<TestType> x(3, 2), weight(2, 3), bias(2, 1), expected(2, 2);
  x << 1, 0, 2, 1, 3, -1;
  weight << 1, 2, 3, -1, 0, 1;
  bias << 10, 20;
  expected << 24, 9, 22, 19;
  auto probe = support::probe(Dense{2}, x);
  probe.layer.parameters()[0].set(weight);
  probe.layer.parameters()[1].set(bias);
  CHECK(probe.forward(x) == expected);
  CHECK(probe.predict(x) == expected);
  CHECK(probe.layer.output().size() == 2);

  auto unbiased = support::probe(Dense{2, false}, x);
  REQUIRE(unbiased.layer.parameters().size() == 1);
  unbiased.layer.parameters()[0].set(weight);
  CHECK(unbiased.forward(x) == weight * x);
}

TEST_CASE("a dense layer names its parameters as PyTorch does", "[layers]") {
  const Dense::Layer<float> layer{Dense{2}, 3};
  REQUIRE(layer.parameters().size() == 2);
  CHECK(layer.parameters()[0].name() == std::string("weight"));
  CHECK(layer.parameters()[0].is_weight());
  CHECK(layer.parameters()[1].name() == std::string("bias"));
  CHECK_FALSE(layer.parameters()[1].is_weight());
  CHECK_THROWS_WITH((Dense::Layer<float>{Dense{0}, 3}), "outputs must be at least 1, got 0");
}
