// Networks as values: whatever a network was before, once another one has been assigned to it, it goes on as that one
// does, bit for bit. The sanitizer presets run this.

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "problem.hpp"

namespace assignment {

using altmin::AmAdam;
using altmin::AmMem;
using altmin::BatchNorm;
using altmin::Dense;
using altmin::Index;
using altmin::Labels;
using altmin::Layers;
using altmin::Matrix;
using altmin::Network;
using altmin::Seed;
using altmin::SoftmaxCrossEntropy;
using support::Problem;

/// Calls check(name, algorithm) for every algorithm, in every form that keeps state of its own.
template <class Check>
void for_each_algorithm(Check&& check) {
  check("Adam", altmin::Adam{});
  check("Sgd", altmin::Sgd{});
  check("AmAdam", AmAdam{});
  check("AmAdam, moving", support::moving());
  check("AmAdam, published", AmAdam::published());
  AmAdam twice = support::moving();
  twice.weight_iterations = 2;
  check("AmAdam, two weight iterations", twice);
  check("AmSgd", altmin::AmSgd{});
  check("AmMem", AmMem{});
  check("AmMemFull", altmin::AmMemFull{});
  check("AmMemDescent", altmin::AmMemDescent{});
  check("Backprop, memory", altmin::Pair{altmin::Backprop{}, altmin::MemoryRule{}});
}

template <class Scalar>
Layers<Scalar> usual() {
  Layers<Scalar> layers{12};
  return layers.add(altmin::Dropout{0.1}).add(Dense{10}).add(BatchNorm{}).add(altmin::Relu{}).add(Dense{3});
}

/// Other sizes, more blocks, other kinds.
template <class Scalar>
Layers<Scalar> larger() {
  Layers<Scalar> layers{altmin::Shape{1, 3, 4}};
  layers.add(altmin::Conv2d{4, 3, 1, 1}).add(altmin::MaxPool2d{2, 1}).add(altmin::Tanh{}).add(Dense{14});
  return layers.add(BatchNorm{}).add(altmin::Relu{}).add(Dense{11}).add(altmin::Sigmoid{}).add(Dense{3});
}

/// The problem of all networks here.
template <class Scalar>
const Problem<Scalar>& batch() {
  static const Problem<Scalar> problem{12, 3, 20};
  return problem;
}

/// A network of its own after so many steps: two that are made alike have nothing in common but their values.
template <class Scalar, class Algorithm>
Network<Scalar> trained(const Layers<Scalar>& layers, const Algorithm& algorithm, int steps) {
  Network<Scalar> net{layers, SoftmaxCrossEntropy{}, algorithm, Seed{7}};
  net.set_threads(2);
  for (int s = 0; s < steps; ++s) REQUIRE(net.step(batch<Scalar>().x, batch<Scalar>().y));
  return net;
}

/// Both go on alike.
template <class Scalar>
void check_twins(Network<Scalar>& net, Network<Scalar>& twin) {
  const auto& problem = batch<Scalar>();
  CHECK(net == twin);
  for (const Index samples : {20, 8, 20}) {
    const auto report = net.step(problem.x.leftCols(samples), problem.y.head(samples));
    const auto expected = twin.step(problem.x.leftCols(samples), problem.y.head(samples));
    CHECK(report.status == expected.status);
    CHECK(report.loss == expected.loss);
    REQUIRE(report.penalties.size() == expected.penalties.size());
    for (Index l = 0; l < report.penalties.size(); ++l) CHECK(report.penalties[l] == expected.penalties[l]);
    CHECK(net == twin);
    CHECK(net.predict(problem.x) == twin.predict(problem.x));
  }
}

/// What may stand on the left of an assignment to a network trained by `algorithm`.
template <class Scalar, class Algorithm>
std::vector<std::pair<std::string, std::function<Network<Scalar>()>>> targets(const Algorithm& algorithm) {
  const auto make = [algorithm](int steps) { return trained<Scalar>(usual<Scalar>(), algorithm, steps); };
  return {
      {"before its first step", [=] { return make(0); }},
      {"stepped", [=] { return make(3); }},
      {"a copy whose original is gone",
       [=] {
         const std::optional<Network<Scalar>> original{make(2)};
         return Network<Scalar>{*original};
       }},
      {"a copy of a copy that has stepped",
       [=] {
         Network<Scalar> copy{make(1)};
         const Network<Scalar> second{copy};
         copy.step(batch<Scalar>().x, batch<Scalar>().y);
         return second;
       }},
      {"of other sizes", [=] { return trained<Scalar>(larger<Scalar>(), algorithm, 2); }},
      {"of other sizes, before its first step", [=] { return trained<Scalar>(larger<Scalar>(), algorithm, 0); }},
      {"of another algorithm", [] { return trained<Scalar>(usual<Scalar>(), altmin::AmSgd{}, 2); }},
  };
}

}  // namespace assignment

TEMPLATE_TEST_CASE("a network goes on as the one that was assigned to it", "", float, double) {
  using namespace assignment;
  using Net = Network<TestType>;
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    for (const auto& [kind, make] : targets<TestType>(algorithm)) {
      for (const auto& [large, steps] : {std::pair{false, 0}, {false, 2}, {true, 1}}) {
        INFO(name << ": to one " << kind << (large ? ", of larger layers" : "") << ", after steps " << steps);
        const auto layers = large ? larger<TestType>() : usual<TestType>();
        const auto source = [&, steps = steps] { return trained(layers, algorithm, steps); };
        Net copied = make();
        {
          const Net from = source();
          copied = from;
        }
        Net twin = source();
        check_twins(copied, twin);

        Net moved = make();
        moved = source();
        Net other_twin = source();
        check_twins(moved, other_twin);
      }
    }
  });
}

TEMPLATE_TEST_CASE("going back to the best network so far", "", float, double) {
  using namespace assignment;
  const auto& problem = batch<TestType>();
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = trained(usual<TestType>(), algorithm, 2);
    const auto best = net;
    for (int s = 0; s < 3; ++s) {
      net.step(problem.x, problem.y);
      net = best;
    }
    auto twin = trained(usual<TestType>(), algorithm, 2);
    check_twins(net, twin);
    CHECK(best == trained(usual<TestType>(), algorithm, 2));
  });
}

TEMPLATE_TEST_CASE("a network survives assignments to itself, swaps and growing vectors", "", float, double) {
  using namespace assignment;
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = trained(usual<TestType>(), algorithm, 2);
    const auto& self = net;
    net = self;
    auto twin = trained(usual<TestType>(), algorithm, 2);
    check_twins(net, twin);

    auto small = trained(usual<TestType>(), algorithm, 1);
    auto large = trained(larger<TestType>(), algorithm, 2);
    std::swap(small, large);
    auto small_twin = trained(usual<TestType>(), algorithm, 1);
    auto large_twin = trained(larger<TestType>(), algorithm, 2);
    check_twins(large, small_twin);
    check_twins(small, large_twin);

    std::vector<Network<TestType>> nets;
    for (int n = 0; n < 5; ++n) nets.push_back(trained(usual<TestType>(), algorithm, n));
    nets.erase(nets.begin());
    for (int n = 0; n < 4; ++n) {
      auto same = trained(usual<TestType>(), algorithm, n + 1);
      check_twins(nets[static_cast<std::size_t>(n)], same);
    }
  });
}

TEMPLATE_TEST_CASE("a network that has been moved from throws until another one is assigned to it", "", float, double) {
  using namespace assignment;
  const auto& problem = batch<TestType>();
  const std::string expected = "Network: expected a network, got one that has been moved from";
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    for (const int steps : {0, 2}) {
      auto net = trained(usual<TestType>(), algorithm, steps);
      auto taken = std::move(net);
      // NOLINTBEGIN(bugprone-use-after-move): this is what is tested
      CHECK_THROWS_WITH(net.predict(problem.x), expected);
      CHECK_THROWS_WITH(net.classify(problem.x), expected);
      CHECK_THROWS_WITH(net.step(problem.x, problem.y), expected);
      CHECK_THROWS_WITH(net.step(problem.x.col(0), 1), expected);
      CHECK_THROWS_WITH(net.loss(problem.x, problem.y), expected);
      CHECK_THROWS_WITH(net.check_gradients(problem.x, problem.y), expected);
      CHECK_THROWS_AS(net.set_algorithm(algorithm), altmin::Error);
      CHECK_THROWS_AS(altmin::evaluate(net, altmin::Dataset<TestType>(problem.x, problem.y)), altmin::Error);
      CHECK_THROWS_AS(altmin::pack(net), altmin::Error);
      CHECK(net.bytes() >= 0);
      const auto empty = net;  // as empty
      CHECK_THROWS_WITH(empty.predict(problem.x), expected);
      net = taken;
      // NOLINTEND(bugprone-use-after-move)
      auto twin = trained(usual<TestType>(), algorithm, steps);
      check_twins(net, twin);
      auto other_twin = trained(usual<TestType>(), algorithm, steps);
      check_twins(taken, other_twin);
    }
  });
}

TEMPLATE_TEST_CASE("layers can be assigned, as stacks and one by one, and their values taken over", "", float, double) {
  using namespace assignment;
  const auto& problem = batch<TestType>();
  const auto net = trained(usual<TestType>(), support::moving(), 3);
  Layers<TestType> layers = usual<TestType>();
  layers = larger<TestType>();
  CHECK(layers == larger<TestType>());
  const auto& self = layers;
  layers = self;
  layers = Layers<TestType>{usual<TestType>()};
  CHECK(layers == usual<TestType>());

  auto other = trained(usual<TestType>(), support::moving(), 1);
  other.layers().set_values(net.layers());
  CHECK(other.layers() == net.layers());
  const auto& itself = other.layers();
  other.layers().set_values(itself);
  CHECK(other.layers() == net.layers());
  CHECK_THROWS_AS(other.layers().set_values(larger<TestType>()), altmin::ShapeError);
  CHECK(other.layers() == net.layers());
  altmin::AnyLayer<TestType> layer{net.layers()[1].clone()};
  layer = altmin::AnyLayer<TestType>{net.layers()[2].clone()};  // of another kind
  CHECK(layer->equals(net.layers()[2]));
  const auto& same = layer;
  layer = same;
  CHECK(layer->equals(net.layers()[2]));
  CHECK(other.predict(problem.x) == net.predict(problem.x));
  REQUIRE(other.step(problem.x, problem.y));
  CHECK(net == trained(usual<TestType>(), support::moving(), 3));

  auto& weight = other.layers()[1].parameters()[0];
  weight.values() = net.layers()[1].parameters()[0].value();
  auto copy = other;
  copy.layers()[1].parameters()[0].values().setZero();
  CHECK(weight.value() == net.layers()[1].parameters()[0].value());
  weight.values() = copy.layers()[1].parameters()[0].values();  // writes
  CHECK(weight.value().isZero(0));
}

TEMPLATE_TEST_CASE("batches and samples may be indexed views", "", float, double) {
  using namespace assignment;
  using Eigen::all;
  using Eigen::seq;
  const auto& problem = batch<TestType>();
  const std::vector<int> numbers{0, 2, 4, 6, 8, 10};
  Matrix<TestType> x(12, 6);
  Labels y(6);
  for (Index j = 0; j < 6; ++j) {
    x.col(j) = problem.x.col(2 * j);
    y(j) = problem.y(2 * j);
  }
  auto net = trained(usual<TestType>(), support::moving(), 1);
  CHECK(net.predict(problem.x(all, seq(0, 10, 2))) == net.predict(x));
  CHECK(net.predict(problem.x(all, numbers)) == net.predict(x));
  CHECK(net.predict(problem.x(all, seq(10, 0, -2))) == net.predict(x.rowwise().reverse()));
  CHECK(net.predict(problem.x(all, seq(0, 5))) == net.predict(problem.x.leftCols(6)));
  CHECK(net.classify(problem.x(all, seq(0, 10, 2))) == net.classify(x));
  CHECK(net.loss(problem.x(all, seq(0, 10, 2)), problem.y(seq(0, 10, 2))) == net.loss(x, y));
  auto twin = trained(usual<TestType>(), support::moving(), 1);
  REQUIRE(net.step(problem.x(all, seq(0, 10, 2)), problem.y(seq(0, 10, 2))));
  REQUIRE(net.step(problem.x(all, numbers), problem.y(numbers)));
  REQUIRE(twin.step(x, y));
  REQUIRE(twin.step(x, y));
  CHECK(net == twin);
  CHECK(altmin::roc_auc(problem.x.row(0), problem.y) ==
        altmin::roc_auc(problem.x.row(0).reverse(), problem.y(seq(19, 0, -1))));

  Network<TestType> values{support::mlp<TestType>({12, 5, 2}), altmin::MeanSquaredError{}, altmin::Adam{}};
  auto same = values;
  REQUIRE(values.step(problem.x(all, seq(0, 10, 2)), problem.x(seq(0, 1), seq(0, 10, 2))));
  REQUIRE(same.step(x, x.topRows(2)));
  CHECK(values == same);
}
