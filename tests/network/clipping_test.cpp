// Clipping of gradients, block by block.

#include <algorithm>
#include <altmin/altmin.hpp>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "support.hpp"

namespace {

using altmin::Index;
using altmin::Matrix;

template <class Scalar, class Algorithm>
altmin::Network<Scalar> clipped_net(const Algorithm& algorithm) {
  return {altmin::Layers<Scalar>{4}.add(altmin::Dense{5}).add(altmin::Tanh{}).add(altmin::Dense{3}),
          altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
}

/// How far one step moves the parameters of a layer, as one vector.
template <class Scalar>
Matrix<Scalar> move_of(altmin::Network<Scalar> net, Index layer) {
  altmin::Random random{altmin::Seed{5}};
  const Matrix<Scalar> x = support::random_matrix<Scalar>(4, 6, random, -3, 3);
  const auto values = [&] {
    const auto& parameters = net.layers()[layer].parameters();
    const Matrix<Scalar> weight = parameters[0].value();
    const Matrix<Scalar> bias = parameters[1].value();
    Matrix<Scalar> all(weight.rows(), weight.cols() + 1);
    all << weight, bias;
    return all;
  };
  const Matrix<Scalar> before = values();
  REQUIRE(net.step(x, altmin::Labels::LinSpaced(6, 0, 5).unaryExpr([](int i) { return i % 3; })));
  return values() - before;
}

}  // namespace

TEMPLATE_TEST_CASE("the gradient of each block is shortened to the limit, and no other", "[clipping]", float, double) {
  const altmin::Sgd sgd{1};
  const auto net = clipped_net<TestType>(sgd);
  const double first = static_cast<double>(move_of(net, 0).norm());
  const double last = static_cast<double>(move_of(net, 2).norm());
  const double limit = (first + last) / 2;
  auto limited = net;
  limited.set_gradient_limit(limit);
  for (const Index layer : {0, 2}) {
    const Matrix<TestType> plain = move_of(net, layer);
    const double norm = static_cast<double>(plain.norm());
    const Matrix<TestType> expected = static_cast<TestType>(std::min(1.0, limit / norm)) * plain;
    CHECK((move_of(limited, layer) - expected).cwiseAbs().maxCoeff() < TestType(1e-6));
  }
  CHECK(std::min(first, last) < limit * 0.99);  // one of the two is above the limit
  limited.set_gradient_limit(std::numeric_limits<double>::infinity());
  CHECK(limited == net);
}

TEST_CASE("codes and memories have gradients that are clipped", "[clipping]") {
  const auto check = [](const auto& algorithm) {
    const auto net = clipped_net<double>(algorithm);
    auto limited = net;
    limited.set_gradient_limit(1e-3);
    auto loose = net;
    loose.set_gradient_limit(1e9);
    for (const Index layer : {0, 2}) {
      CHECK(move_of(limited, layer).norm() < 0.9 * move_of(net, layer).norm());
      CHECK(move_of(loose, layer) == move_of(net, layer));
    }
    CHECK(limited != net);
  };
  altmin::AmSgd am;
  am.learning_rate = 0.1;
  check(am);
  altmin::AmMem memory;
  memory.weight_decay = 0;
  check(memory);
}

TEST_CASE("a gradient limit is refused where it is none, or cannot be kept", "[clipping]") {
  auto net = clipped_net<double>(altmin::Adam{});
  for (const double limit : {0.0, -1.0, double{NAN}})
    CHECK_THROWS_AS(net.set_gradient_limit(limit), altmin::OptionError);
  net.set_gradient_limit(2);
  CHECK(net.gradient_limit() == 2);
  CHECK_THROWS_WITH(net.set_algorithm(altmin::AmRecursive{}),
                    "AmRecursive: its weight rule does not clip gradients: expected another algorithm, or no gradient "
                    "limit");
  CHECK(net.algorithm().template options<altmin::Adam>() != nullptr);
  auto exact = clipped_net<double>(altmin::AmRecursive{});
  CHECK_THROWS_AS(exact.set_gradient_limit(1), altmin::OptionError);
}
