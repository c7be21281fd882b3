#include "altmin/layers/layers.hpp"

#include <sstream>
#include <type_traits>

#include "catch.hpp"
#include "support.hpp"
#include "swish.hpp"

using namespace altmin;

namespace {

template <class Scalar>
Layers<Scalar> small() {
  Layers<Scalar> layers{784};
  layers.add(Dense{500}).add(BatchNorm{}).add(Relu{}).add(Dropout{0.2}).add(Dense{10, false});
  Random random{Seed{1}};
  layers.initialize(random);
  return layers;
}

}  // namespace

TEMPLATE_TEST_CASE("sizes are inferred as layers are added", "[layers]", float, double) {
  const auto layers = small<TestType>();
  CHECK(layers.size() == 5);
  CHECK(layers.input() == Shape{784});
  CHECK(layers.output() == Shape{10});
  CHECK(layers[3].output() == Shape{500});
  CHECK(layers[0].name() == std::string("Dense"));
  CHECK(layers[4].parameters()[0].value().cols() == 500);
  CHECK(layers.parameter_count() == 784 * 500 + 500 + 2 * 500 + 500 * 10);
  CHECK(Layers<TestType>{Shape{3, 4, 5}}.output() == Shape(3, 4, 5));
  CHECK(Layers<TestType>{Shape{3, 4, 5}}.add(Relu{}).output() == Shape(3, 4, 5));
  CHECK(Layers<TestType>{Shape{3, 4, 5}}.add(Dense{2})[0].parameters()[0].value().cols() == 60);

  Index samples_coupled = 0;
  for (const auto& layer : layers) samples_coupled += layer.traits().couples_samples ? 1 : 0;
  CHECK(samples_coupled == 1);
  CHECK((layers[0].traits().role == Role::map && layers[1].traits().role == Role::normalization &&
         layers[2].traits().role == Role::nonlinearity));
}

TEST_CASE("errors name the layer, and add nothing", "[layers]") {
  Layers<float> layers{4};
  layers.add(Dense{3}).add(Relu{});
  CHECK_THROWS_WITH(layers.add(Dense{0}), "layer 2 (Dense): outputs must be at least 1, got 0");
  CHECK_THROWS_AS(layers.add(Dense{-1}), OptionError);
  CHECK_THROWS_WITH(layers.add(Dropout{1.5}), "layer 2 (Dropout): rate must be 0 to below 1, got 1.5");
  CHECK_THROWS_WITH(layers.add(BatchNorm{-1e-9}), "layer 2 (BatchNorm): epsilon must be above 0, got -1e-09");
  CHECK(layers.size() == 2);
  CHECK_THROWS_WITH(Layers<float>{0}, "Layers: the input needs at least 1 feature, got 0");
  CHECK_THROWS_AS(Layers<float>(Shape{3, -1, -1}), ShapeError);
}

TEMPLATE_TEST_CASE("parameters can be read, set and frozen", "[layers]", float, double) {
  Layers<TestType> layers{3};
  layers.add(Dense{2});
  auto& weight = layers[0].parameters()[0];
  const Matrix<TestType> value = Matrix<TestType>::Constant(2, 3, 7);
  weight.set(value);
  CHECK(weight.value() == value);
  weight.values()(1, 2) = 8;
  CHECK(weight.value()(1, 2) == 8);

  const Matrix<TestType> before = weight.value();
  CHECK_THROWS_WITH(weight.set(Matrix<TestType>::Zero(3, 2)), "parameter 'weight': expected 2 x 3, got 3 x 2");
  CHECK_THROWS_AS(weight.set(Matrix<TestType>::Zero(2, 2)), ShapeError);
  CHECK(weight.value() == before);
  weight.set(Matrix<TestType>::Zero(6, 3).topRows(2));
  CHECK(weight.value().isZero(0));

  CHECK_FALSE(weight.frozen());
  weight.freeze();
  CHECK(weight.frozen());
  weight.freeze(false);
  CHECK_FALSE(weight.frozen());
}

TEST_CASE("a layer can be had by its kind", "[layers]") {
  auto layers = small<double>();
  REQUIRE(layers[1].as<BatchNorm>() != nullptr);
  CHECK(layers[1].as<BatchNorm>()->config() == BatchNorm{});
  CHECK(layers[1].as<Dense>() == nullptr);
  const auto& constant = layers;
  CHECK(constant[0].as<Dense>()->config() == Dense{500});
}

TEMPLATE_TEST_CASE("stacks are values", "[layers]", float, double) {
  const auto layers = small<TestType>();
  CHECK(layers == small<TestType>());
  auto copy = layers;
  CHECK(copy == layers);
  copy[0].parameters()[0].values()(0, 0) += 1;
  CHECK(copy != layers);
  CHECK(layers == small<TestType>());

  copy = layers;
  copy[4].parameters()[0].freeze();
  CHECK(copy != layers);
  copy = layers;
  copy[1].statistics()[0].values()(0, 0) = 1;
  CHECK(copy != layers);

  const auto moved = std::move(copy = layers);
  CHECK(moved == layers);

  CHECK(Layers<TestType>{3} != Layers<TestType>{4});
  CHECK(Layers<TestType>{3}.add(Relu{}) != Layers<TestType>{3}.add(Tanh{}));
  CHECK(Layers<TestType>{3}.add(Dropout{0.1}) != Layers<TestType>{3}.add(Dropout{0.2}));
  CHECK(Layers<TestType>{3}.add(Sign{}) != Layers<TestType>{3}.add(Sign{PseudoGradient::tanh}));
}

TEST_CASE("the summary has a line for each layer", "[layers]") {
  Layers<float> layers{Shape{1, 2, 2}};
  layers.add(Dense{3}).add(Relu{});
  layers[0].parameters()[1].freeze();
  std::ostringstream out;
  out << layers;
  CHECK(out.str() ==
        "    layer         output          parameters\n"
        "    input         1 x 2 x 2       \n"
        "0   Dense         3               weight 3 x 4, bias 3 x 1 (frozen)\n"
        "1   Relu          3               \n"
        "    15 parameters");
}

TEST_CASE("layers of one's own are added like the library's", "[layers]") {
  Layers<double> layers{3};
  layers.add(Dense{4}).add(Swish{0.5}).add(Softsign{});
  CHECK(layers.output() == Shape{4});
  CHECK(layers[1].name() == std::string("Swish"));
  CHECK(layers[1].parameters()[0].value()(0, 0) == 0.5);
  CHECK(layers.parameter_count() == 3 * 4 + 4 + 1);
  CHECK(layers[1].as<Swish>()->config().start == 0.5);
  CHECK_THROWS_WITH(layers.add(Swish{0}), "layer 3 (Swish): start must not be 0");
  auto copy = layers;
  CHECK(copy == layers);
  copy[1].parameters()[0].values()(0, 0) = 2;
  CHECK(copy != layers);
}
