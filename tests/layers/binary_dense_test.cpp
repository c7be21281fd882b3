#include "altmin/layers/binary_dense.hpp"

#include "altmin/layers/dense.hpp"
#include "catch.hpp"
#include "probe.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;
using support::roundings;

TEMPLATE_TEST_CASE("a binary layer is the signs of its weights, at a scale an output", "[layers]", float, double) {
  Matrix<TestType> x(3, 2), weight(2, 3), bias(2, 1), expected(2, 2);
  x << 1, 0, 2, 1, 3, -1;
  weight << 1, -2, 3, 0, -1, 5;
  bias << 10, 20;
  expected << 2 * (1 - 2 + 3) + 10, 2 * (0 - 1 - 1) + 10, 2 * (-1 - 2 + 3) + 20, 2 * (0 - 1 - 1) + 20;
  auto probe = support::probe(BinaryDense{2}, x);
  probe.layer.parameters()[0].set(weight);
  probe.layer.parameters()[1].set(bias);
  CHECK(probe.forward(x) == expected);
  CHECK(probe.predict(x) == expected);
  CHECK(probe.layer.parameters()[0].is_weight());
  CHECK_THROWS_WITH((BinaryDense::Layer<float>{BinaryDense{0}, 3}), "outputs must be at least 1, got 0");
}

// So its gradients are those of a dense layer, straight through to the weights behind the signs, and the matrix is the
// step's: moves of the input do not need a new one.
TEMPLATE_TEST_CASE("a binary layer does what a dense one of its matrix does", "[layers]", float, double) {
  Random random{Seed{1}};
  const auto x = random_matrix<TestType>(37, 6, random);
  for (const bool bias : {true, false}) {
    auto binary = support::probe(BinaryDense{11, bias}, x, Seed{2});
    auto dense = support::probe(Dense{11, bias}, x);
    const Matrix<TestType> weight = binary.layer.parameters()[0].value();
    const Matrix<TestType> scale = weight.cwiseAbs().rowwise().mean();
    Matrix<TestType> matrix(11, 37);
    binary.layer.write_matrix(Workers<TestType>{1}.worker(), matrix);
    CHECK((matrix.array() > 0).isApprox(weight.array() > 0));
    CHECK(relative_error(matrix.cwiseAbs(), scale.replicate(1, 37)) < 1e-4);
    dense.layer.parameters()[0].set(matrix);
    if (bias) {
      binary.layer.parameters()[1].values().setConstant(TestType(0.3));
      dense.layer.parameters()[1].values().setConstant(TestType(0.3));
    }
    CHECK(relative_error(binary.forward(x), dense.forward(x)) < roundings<TestType>());
    CHECK(relative_error(binary.predict(x), dense.y) < roundings<TestType>());

    for (const double size : {1., 1e-6}) {
      const auto dx = random_matrix<TestType>(37, 6, random, -size, size);
      CHECK(binary.move(dx) == dense.move(dx));
      const auto dy = random_matrix<TestType>(11, 6, random);
      CHECK(binary.backward(dy) == dense.backward(dy));
      CHECK(binary.gradients(dy) == dense.gradients(dy));
    }
  }
}

// What packing relies on.
TEMPLATE_TEST_CASE("sums of signs are exact, in any order", "[layers]", float, double) {
  Random random{Seed{1}};
  for (const Index inputs : {1, 2, 64, 1000}) {
    Matrix<TestType> x = random_matrix<TestType>(inputs, 5, random).array().sign();
    Matrix<TestType> weight = random_matrix<TestType>(9, inputs, random);
    auto probe = support::probe(BinaryDense{9}, x);
    probe.layer.parameters()[0].set(weight);
    const Matrix<TestType> scale = probe.forward(Matrix<TestType>::Identity(inputs, 5)).col(0).cwiseAbs();
    const Matrix<TestType> sums = Matrix<TestType>{weight.array().sign()} * x;
    CHECK(probe.forward(x) == sums.cwiseProduct(scale.replicate(1, 5)));
  }
}
