// Adam with centred inputs.

#include "catch.hpp"
#include "problem.hpp"

using altmin::Backprop;
using altmin::CentredAdamRule;
using altmin::Dense;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::Network;
using altmin::Pair;
using altmin::Seed;
using altmin::SoftmaxCrossEntropy;
using support::Problem;

TEST_CASE("a shift of all inputs is of no matter to Adam with centred inputs") {
  const Problem<double> problem{6, 3, 30};
  const auto train = [&](double shift, const auto& rule) {
    Network<double> net{Layers<double>{6}.add(Dense{3}), SoftmaxCrossEntropy{}, Pair{Backprop{}, rule}, Seed{7}};
    const Matrix<double> x = problem.x.array() + shift;
    auto& bias = net.layers()[0].parameters()[1];
    bias.set(bias.value() - shift * net.layers()[0].parameters()[0].value().rowwise().sum());
    for (int s = 0; s < 25; ++s) REQUIRE(net.step(x, problem.y));
    return Matrix<double>(net.predict(x));
  };
  CHECK(train(0, CentredAdamRule{}).isApprox(train(50, CentredAdamRule{}), 1e-6));
  CHECK_FALSE(train(0, altmin::AdamRule{}).isApprox(train(50, altmin::AdamRule{}), 1e-2));
}

TEST_CASE("inputs of mean 0, or a map without bias, move as by Adam") {
  Problem<double> problem{6, 3, 30};
  problem.x.colwise() -= problem.x.rowwise().mean().eval();
  for (const bool bias : {true, false}) {
    const Layers<double> layers = Layers<double>{6}.add(Dense{3, bias});
    Network<double> centred{layers, SoftmaxCrossEntropy{}, Pair{Backprop{}, CentredAdamRule{}}, Seed{7}};
    Network<double> adam{layers, SoftmaxCrossEntropy{}, altmin::Adam{}, Seed{7}};
    for (int s = 0; s < 5; ++s) {
      REQUIRE(centred.step(problem.x, problem.y));
      REQUIRE(adam.step(problem.x, problem.y));
    }
    CHECK(centred.layers()[0].parameters()[0].value().isApprox(adam.layers()[0].parameters()[0].value(), 1e-9));
  }
}
