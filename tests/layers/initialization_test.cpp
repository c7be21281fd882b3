#include "altmin/layers/initialization.hpp"

#include <cmath>

#include "altmin/layers/dense.hpp"
#include "altmin/layers/layer_stack.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace altmin;

namespace {

constexpr Index inputs = 300, outputs = 100;

template <class Scalar>
Matrix<Scalar> initialized(Initialization kind, Index rows = outputs, Index columns = inputs, Seed seed = Seed{1}) {
  Matrix<Scalar> weight(rows, columns);
  Random random{seed};
  initialize<Scalar>(weight, kind, columns, rows, random);
  return weight;
}

}  // namespace

TEMPLATE_TEST_CASE("uniform initializations fill their interval", "[layers]", float, double) {
  const auto check = [](Initialization kind, double limit) {
    const Matrix<double> weight = initialized<TestType>(kind).template cast<double>();
    CHECK(weight.maxCoeff() <= limit * (1 + 1e-6));
    CHECK(weight.maxCoeff() > 0.999 * limit);
    CHECK(weight.minCoeff() < -0.999 * limit);
    CHECK(std::abs(weight.mean()) < 0.014 * limit);  // 4 standard deviations, as below
    CHECK(std::abs(weight.squaredNorm() / (inputs * outputs) - limit * limit / 3) < 0.007 * limit * limit);
  };
  check(Initialization::he_uniform, std::sqrt(6. / inputs));
  check(Initialization::glorot_uniform, std::sqrt(6. / (inputs + outputs)));
  check(Initialization::lecun_uniform, std::sqrt(3. / inputs));
  check(Initialization::pytorch, std::sqrt(1. / inputs));
}

TEMPLATE_TEST_CASE("normal initializations have their variance", "[layers]", float, double) {
  const auto check = [](Initialization kind, double variance) {
    const Matrix<double> z = initialized<TestType>(kind).template cast<double>() / std::sqrt(variance);
    constexpr double count = inputs * outputs;
    CHECK(std::abs(z.mean()) < 4 / std::sqrt(count));
    CHECK(std::abs(z.squaredNorm() / count - 1) < 4 * std::sqrt(2 / count));
    CHECK(std::abs(z.array().pow(4).mean() - 3) < 4 * std::sqrt(96 / count));
  };
  check(Initialization::he_normal, 2. / inputs);
  check(Initialization::glorot_normal, 2. / (inputs + outputs));
  check(Initialization::lecun_normal, 1. / inputs);
}

TEMPLATE_TEST_CASE("the orthogonal initialization has orthogonal rows or columns", "[layers]", float, double) {
  const auto check = [](const Matrix<TestType>& gram) {
    CHECK((gram - 2 * Matrix<TestType>::Identity(gram.rows(), gram.cols())).cwiseAbs().maxCoeff() <
          support::roundings<TestType>(20));
  };
  const auto wide = initialized<TestType>(Initialization::orthogonal, 40, 70);
  const auto tall = initialized<TestType>(Initialization::orthogonal, 70, 40);
  const auto square = initialized<TestType>(Initialization::orthogonal, 50, 50);
  check(wide * wide.transpose());
  check(tall.transpose() * tall);
  check(square * square.transpose());
}

TEMPLATE_TEST_CASE("initial weights follow from the seed", "[layers]", float, double) {
  for (const auto kind : {Initialization::he_uniform, Initialization::glorot_normal, Initialization::orthogonal}) {
    CHECK(initialized<TestType>(kind, 10, 20) == initialized<TestType>(kind, 10, 20));
    CHECK(initialized<TestType>(kind, 10, 20) != initialized<TestType>(kind, 10, 20, Seed{2}));
  }
}

TEST_CASE("biases start at 0, as PyTorch's at random in the weights' interval", "[layers]") {
  Random random{Seed{1}};
  for (const auto kind : {Initialization::he_uniform, Initialization::pytorch}) {
    Dense::Layer<double> layer{Dense{1000, true, kind}, 4};
    layer.parameters()[1].values().setConstant(7);
    layer.initialize(random);
    const double largest = layer.parameters()[1].value().cwiseAbs().maxCoeff();
    if (kind == Initialization::pytorch) {
      CHECK(std::abs(largest - 0.495) < 0.005);
    } else {
      CHECK(largest == 0);
    }
    CHECK(layer.parameters()[0].value().cwiseAbs().maxCoeff() > 0.4);
  }
}

TEMPLATE_TEST_CASE("a gain multiplies the initial weights", "[layers]", float, double) {
  const auto weight = [](double gain) {
    Layers<TestType> layers = Layers<TestType>{9}.add(Dense{5, true, Initialization::he_normal, gain});
    Random random{Seed{1}};
    layers.initialize(random);
    CHECK(layers[0].parameters()[1].value().isZero(0));
    return layers[0].parameters()[0].value();
  };
  CHECK(weight(0.5) == TestType(0.5) * weight(1));
  CHECK(weight(0).isZero(0));
  CHECK_THROWS_AS((Layers<TestType>{9}.add(Dense{5, true, Initialization::he_normal, -1})), OptionError);
}
