// Extensions as users write them, taken from the examples: a layer, a loss, a weight rule and a whole algorithm.

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "../../examples/extensions/am_lion.hpp"
#include "../../examples/extensions/feedback_alignment.hpp"
#include "../../examples/extensions/huber.hpp"
#include "../../examples/extensions/swish.hpp"
#include "allocations.hpp"
#include "catch.hpp"
#include "support.hpp"

using altmin::Adam;
using altmin::AmAdam;
using altmin::AmMem;
using altmin::BatchNorm;
using altmin::DataError;
using altmin::Dense;
using altmin::Index;
using altmin::Matrix;
using altmin::OptionError;
using altmin::Seed;
using altmin::ShapeError;
using Catch::Matchers::ContainsSubstring;
using support::random_matrix;

namespace {

// All of them in one network.
using Network = altmin::Network<double, Swish, Huber, AmLion, FeedbackAlignment>;

template <class Error, class Action>
std::string message(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// A smooth map of the samples, to be learned.
struct Problem {
  Problem(Index features, Index samples) : x(features, samples), y(2, samples) {
    altmin::Random random{Seed{1}};
    x = random_matrix<double>(features, samples, random, -2, 2);
    y.row(0) = x.row(0).cwiseProduct(x.row(1));
    y.row(1) = x.row(2).array().sin();
  }

  Matrix<double> x, y;
};

template <class Algorithm>
Network network(const Algorithm& algorithm, Index features = 6, Index hidden = 12, int threads = 1) {
  Network::Layers layers{features};
  layers.add(Dense{hidden}).add(Swish{}).add(Dense{hidden}).add(BatchNorm{}).add(Swish{-0.5}).add(Dense{2});
  Network net{layers, Huber{}, algorithm, Seed{2}};
  net.set_threads(threads);
  return net;
}

/// Calls check(name, algorithm): algorithms of the library on the user's layer and loss, and the user's own.
template <class Check>
void for_each_algorithm(Check&& check) {
  check("AmAdam", AmAdam{});
  check("AmMem", AmMem{});
  check("Adam", Adam{});
  check("AmLion", AmLion{});
  check("FeedbackAlignment", FeedbackAlignment{});
}

}  // namespace

TEST_CASE("derivatives of an own layer and an own loss agree with central differences") {
  Problem problem{6, 8};
  problem.y *= 2;  // errors on both sides of Huber's delta
  auto net = network(Adam{});
  const auto before = net;
  const auto check = net.check_gradients(problem.x, problem.y);
  INFO(check.where);
  CHECK(check.error < 1e-7);
  CHECK(net == before);
}

TEMPLATE_TEST_CASE("an own layer moves without cancellation", "", float, double) {
  using Array = Eigen::ArrayXX<TestType>;
  altmin::Random random{Seed{1}};
  for (const double slope : {1.0, -0.7, 2.0}) {
    Swish::Layer<TestType> layer{Swish{slope}, 40};
    layer.initialize(random);
    for (const double size : {1e-9, 1e-5, 1e-2, 3.0}) {
      const Array x = random_matrix<TestType>(40, 5, random, -6, 6);
      const Array dx = random_matrix<TestType>(40, 5, random, -size, size);
      const Array moved = x + dx;
      const Array y = layer.value(x);
      const Array change = layer.change(x, y, dx, moved);
      const auto f = [slope](long double at) { return at / (1 + std::exp(-static_cast<long double>(slope) * at)); };
      for (Index i = 0; i < x.size(); ++i) {
        const auto from = static_cast<long double>(x(i));
        const auto exact = static_cast<double>(f(from + static_cast<long double>(dx(i))) - f(from));
        // By the move, not by the values: this is what subtracting these cannot do.
        CHECK(std::abs(static_cast<double>(change(i)) - exact) <=
              support::roundings<TestType>(40) * std::abs(static_cast<double>(dx(i))) + 1e-18);
      }
    }
  }
}

TEST_CASE("every algorithm learns through an own layer and an own loss, the slopes included") {
  const Problem problem{6, 60};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = network(algorithm);
    const double before = net.loss(problem.x, problem.y);
    for (int s = 0; s < 300; ++s) REQUIRE(net.step(problem.x, problem.y));
    CHECK(net.loss(problem.x, problem.y) < 0.6 * before);
    CHECK(net.layers()[1].template as<Swish>() != nullptr);
    CHECK(net.layers()[1].parameters()[0].value()(0, 0) != 1);
    CHECK(net.layers()[4].parameters()[0].value()(0, 0) != -0.5);
    CHECK(net.template algorithm<std::decay_t<decltype(algorithm)>>() != nullptr);
    CHECK(net.bytes() > 0);
  });
}

TEST_CASE("own algorithms follow the network's rate scale") {
  const Problem problem{6, 20};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = network(algorithm);
    const auto weights = [&] { return net.layers()[0].parameters()[0].value(); };
    const Matrix<double> before = weights();
    net.set_rate_scale(0);
    net.step(problem.x, problem.y);
    CHECK(weights() == before);
    net.set_rate_scale(1);
    net.step(problem.x, problem.y);
    CHECK(weights() != before);
  });
}

TEST_CASE("networks differ where an own loss has other options") {
  const altmin::AnyLoss<Huber> loss{Huber{1}};
  CHECK(loss == altmin::AnyLoss<Huber>{Huber{1}});
  CHECK_FALSE(loss == altmin::AnyLoss<Huber>{Huber{2}});
  CHECK_FALSE(loss == altmin::AnyLoss<Huber>{altmin::MeanSquaredError{}});
}

TEST_CASE("a network of extensions is a value") {
  const Problem problem{6, 20};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = network(algorithm);
    net.step(problem.x, problem.y);
    Network copy = net;
    CHECK(copy == net);
    net.step(problem.x, problem.y);
    CHECK(copy != net);
    copy.step(problem.x, problem.y);
    CHECK(copy == net);
    copy = network(Adam{});
    CHECK(copy != net);
    copy = std::move(net);
    net = copy;
    net.step(problem.x, problem.y);
    CHECK(copy != net);
  });
  FeedbackAlignment other;
  other.seed = Seed{2};
  CHECK(network(other) != network(FeedbackAlignment{}));
  AmLion options;
  options.beta2 = 0.5;
  CHECK(network(options) != network(AmLion{}));
  CHECK(network(AmLion{}) != network(AmAdam{}));
}

TEST_CASE("extensions end with the same bits for any number of threads") {
  // Large enough for products, slices and ranges of columns to be cut.
  const Problem problem{150, 200};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    const auto train = [&](int threads) {
      auto net = network(algorithm, 150, 190, threads);
      for (int s = 0; s < 3; ++s) net.step(problem.x, problem.y);
      return net;
    };
    const auto one = train(1);
    for (const int threads : {2, 5}) {
      const auto more = train(threads);
      CHECK(more == one);
      CHECK(more.predict(problem.x) == one.predict(problem.x));
    }
  });
}

#if ALTMIN_COUNTS_ALLOCATIONS
TEST_CASE("a step with extensions does not allocate after the first of its batch size") {
  const Problem problem{150, 200};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = network(algorithm, 150, 190, 2);
    net.step(problem.x, problem.y);
    net.step(problem.x.leftCols(64), problem.y.leftCols(64));
    CHECK(support::allocations([&] {
            for (const Index samples : {200, 64, 200}) {
              net.step(problem.x.leftCols(samples), problem.y.leftCols(samples));
            }
          }) == 0);
  });
}
#endif

TEST_CASE("errors of extensions say where they come from") {
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(message<OptionError>([&] { Network::Layers{6}.add(Dense{3}).add(Swish{nan}); }) ==
        "layer 1 (Swish): slope must be finite, got nan");

  Problem problem{6, 20};
  auto net = network(AmLion{});
  const auto before = net;
  CHECK(message<ShapeError>([&] { net.step(problem.x, problem.y.topRows(1)); }) ==
        "Huber: target: expected 2 rows, got 1");
  CHECK(message<ShapeError>([&] { net.step(problem.x, altmin::Labels::Zero(20)); }) ==
        "Huber: expected a matrix of values, got labels");
  problem.y(1, 3) = nan;
  CHECK(message<DataError>([&] { net.step(problem.x, problem.y); }) == "Huber: a target is not finite");
  CHECK(net == before);

  AmLion lion;
  lion.mu = 0;
  CHECK_THROWS_AS(net.set_algorithm(lion), OptionError);
  FeedbackAlignment feedback;
  feedback.learning_rate = -1;
  CHECK(message<OptionError>([&] { net.set_algorithm(feedback); }) ==
        "FeedbackAlignment: learning_rate must be 0 or more, got -1");
  CHECK(net == before);
}

TEST_CASE("an own loss that overflows is reported, and moves no weight") {
  Problem problem{6, 20};
  problem.x *= 1e300;
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network::Layers layers{6};
    layers.add(Dense{4}).add(Swish{}).add(Dense{2});
    Network net{layers, Huber{}, algorithm};
    for (auto& weight : net.layers()[0].parameters()[0].values().reshaped()) weight = 1e10;
    const auto weights = net.layers();
    CHECK(net.step(problem.x, problem.y).status == altmin::Status::loss_not_finite);
    CHECK(net.layers() == weights);
  });
}

TEST_CASE("a network of extensions streams its summary, and takes the library's losses and algorithms as well") {
  const Problem problem{6, 20};
  auto net = network(FeedbackAlignment{});
  CHECK_THAT(net.layers().summary(), ContainsSubstring("Swish") && ContainsSubstring("slope 1 x 1"));
  CHECK(std::string{net.loss().name()} == "Huber");
  net.set_algorithm(altmin::Sgd{});
  CHECK(net.step(problem.x, problem.y));
  Network labelled{Network::Layers{6}.add(Dense{2}), altmin::SoftmaxCrossEntropy{}, AmLion{}};
  CHECK(labelled.step(problem.x, altmin::Labels::Zero(20)));
}
