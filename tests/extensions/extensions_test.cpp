// Extensions as users write them, taken from the examples: a layer, a loss, a weight rule, a signal and a code rule.

#include <Eigen/QR>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "../../examples/extensions/feedback_alignment.hpp"
#include "../../examples/extensions/huber.hpp"
#include "../../examples/extensions/lion.hpp"
#include "../../examples/extensions/ridge_codes.hpp"
#include "../../examples/extensions/swish.hpp"
#include "allocations.hpp"
#include "catch.hpp"
#include "support.hpp"

using altmin::Adam;
using altmin::AdamRule;
using altmin::AmAdam;
using altmin::AmMem;
using altmin::BatchNorm;
using altmin::DataError;
using altmin::Dense;
using altmin::Identity;
using altmin::Index;
using altmin::Matrix;
using altmin::MovedCodes;
using altmin::OptionError;
using altmin::Pair;
using altmin::Seed;
using altmin::ShapeError;
using altmin::Tanh;
using Catch::Matchers::ContainsSubstring;
using support::random_matrix;

namespace {

using Network = altmin::Network<double>;
using Layers = altmin::Layers<double>;

using AmLion = Pair<MovedCodes<>, Lion>;
using FeedbackAdam = Pair<FeedbackAlignment, AdamRule>;
using RidgeAdam = Pair<MovedCodes<RidgeCodes>, AdamRule>;

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

/// The block above the second code is linear: RidgeCodes has a closed form there.
template <class Algorithm>
Network network(const Algorithm& algorithm, Index features = 6, Index hidden = 12, int threads = 1) {
  Layers layers{features};
  layers.add(Dense{hidden}).add(BatchNorm{}).add(Swish{});
  layers.add(Dense{hidden}).add(Identity{}).add(Dense{hidden}).add(Swish{-0.5}).add(Dense{2});
  Network net{layers, Huber{}, algorithm, Seed{2}};
  net.set_threads(threads);
  return net;
}

/// Calls check(name, algorithm): algorithms of the library on the user's layer and loss, and the user's own.
template <class Check>
void for_each_algorithm(Check&& check) {
  check("AmAdam", AmAdam{});
  check("AmMem", AmMem{});
  check("AmMemFull", altmin::AmMemFull{});
  check("Adam", Adam{});
  check("moved codes, Lion", AmLion{});
  check("feedback alignment, Adam", FeedbackAdam{});
  check("ridge codes, Adam", RidgeAdam{});
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
    CHECK(net.layers()[2].template as<Swish>() != nullptr);
    CHECK(net.layers()[2].parameters()[0].value()(0, 0) != 1);
    CHECK(net.layers()[6].parameters()[0].value()(0, 0) != -0.5);
    CHECK(net.algorithm().template options<std::decay_t<decltype(algorithm)>>() != nullptr);
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
  using Loss = altmin::AnyLoss<double>;
  const Loss loss{Huber{1}};
  CHECK(loss == Loss{Huber{1}});
  CHECK_FALSE(loss == Loss{Huber{2}});
  CHECK_FALSE(loss == Loss{altmin::MeanSquaredError{}});
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
  FeedbackAdam feedback;
  feedback.signal_options.seed = Seed{2};
  CHECK(network(feedback) != network(FeedbackAdam{}));
  AmLion lion;
  lion.rule_options.beta2 = 0.5;
  CHECK(network(lion) != network(AmLion{}));
  RidgeAdam ridge;
  ridge.signal_options.rule.descent.momentum = 0.5;
  CHECK(network(ridge) != network(RidgeAdam{}));
  CHECK(network(AmLion{}) != network(AmAdam{}));
}

TEST_CASE("extensions end with the same bits for any number of threads") {
  // Large enough for products, slices and ranges of columns to be divided.
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
    if (std::is_same_v<std::decay_t<decltype(algorithm)>, RidgeAdam>) return;  // Eigen's decomposition does
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
  CHECK(message<OptionError>([&] { Layers{6}.add(Dense{3}).add(Swish{nan}); }) ==
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
  lion.rule_options.beta1 = 1;
  CHECK(message<OptionError>([&] { net.set_algorithm(lion); }) == "Lion: beta1 must be 0 to below 1, got 1.000000");
  lion = {};
  lion.signal_options.mu = 0;
  CHECK(message<OptionError>([&] { net.set_algorithm(lion); }) == "MovedCodes: mu must be above 0, got 0");
  FeedbackAdam feedback;
  feedback.rule_options.learning_rate = -1;
  CHECK(message<OptionError>([&] { net.set_algorithm(feedback); }) ==
        "AdamRule: learning_rate must be 0 or more, got -1");
  RidgeAdam ridge;
  ridge.signal_options.rule.descent.iterations = 0;
  CHECK(message<OptionError>([&] { net.set_algorithm(ridge); }) ==
        "RidgeCodes: code_iterations must be 1 or more, got 0");
  CHECK(net == before);
}

TEST_CASE("an own loss that overflows is reported, and moves no weight") {
  Problem problem{6, 20};
  problem.x *= 1e300;
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Layers layers{6};
    layers.add(Dense{4}).add(Swish{}).add(Dense{2});
    Network net{layers, Huber{}, algorithm};
    for (auto& weight : net.layers()[0].parameters()[0].values().reshaped()) weight = 1e10;
    const auto weights = net.layers();
    CHECK(net.step(problem.x, problem.y).status == altmin::Status::loss_not_finite);
    CHECK(net.layers() == weights);
  });
}

TEST_CASE("an own weight rule that would overflow is reported, and moves no weight") {
  const Problem problem{6, 20};
  AmLion lion;
  lion.rule_options.learning_rate = 1e300;
  auto net = network(lion);
  const auto before = net;
  CHECK(net.step(problem.x, problem.y).status == altmin::Status::weights_not_finite);
  CHECK(net == before);
}

TEST_CASE("a network of extensions streams its summary, and takes the library's losses and algorithms as well") {
  const Problem problem{6, 20};
  auto net = network(FeedbackAdam{});
  CHECK_THAT(net.layers().summary(), ContainsSubstring("Swish") && ContainsSubstring("slope 1 x 1"));
  CHECK(std::string{net.loss()->name()} == "Huber");
  net.set_algorithm(altmin::Sgd{});
  CHECK(net.step(problem.x, problem.y));
  Network labelled{Layers{6}.add(Dense{2}), altmin::SoftmaxCrossEntropy{}, AmLion{}};
  CHECK(labelled.step(problem.x, altmin::Labels::Zero(20)));
}

namespace {

/// Two codes below linear blocks, and one below a nonlinear block.
struct LinearProblem {
  LinearProblem() {
    layers.add(Dense{8}).add(Dense{6}).add(Identity{}).add(Dense{7}).add(Tanh{}).add(Dense{2});
    altmin::Random random{Seed{3}};
    layers.initialize(random);
  }

  /// A network that has taken one step.
  template <class Algorithm>
  Network trained(const Algorithm& algorithm) const {
    Network net{layers, altmin::MeanSquaredError{}, algorithm, altmin::Initialized{}};
    REQUIRE(net.step(problem.x, problem.y));
    return net;
  }

  Problem problem{6, 9};
  Layers layers{6};
};

/// Codes that move as far as their objective lets them.
template <class CodeRule>
Pair<MovedCodes<CodeRule>, AdamRule> converged(const CodeRule& rule, bool preserve_scale,
                                               altmin::Reduction reduction = altmin::Reduction::sum) {
  MovedCodes<CodeRule> options;
  options.rule = rule;
  options.preserve_scale = preserve_scale;
  options.reduction = reduction;
  return {options, {}};
}

altmin::CodeDescent long_descent() {
  altmin::CodeDescent descent;
  descent.iterations = 1000;
  descent.learning_rate = 0.02;  // below 1.3 over the largest curvature, where Nesterov's steps diverge
  descent.limit_rate = false;
  return descent;
}

}  // namespace

TEST_CASE("ridge codes are the exact minimiser of a linear block's objective") {
  const LinearProblem linear;
  for (const bool preserve_scale : {false, true}) {
    for (const auto reduction : {altmin::Reduction::sum, altmin::Reduction::mean}) {
      CAPTURE(preserve_scale, altmin::names(reduction)[std::size_t(reduction)]);
      const Network net = linear.trained(converged(RidgeCodes{long_descent()}, preserve_scale, reduction));
      const Index maps[] = {1, 3};  // the layers that are the maps above the codes 0 and 1
      for (Index l = 0; l < 2; ++l) {
        const Matrix<double>& w = linear.layers[maps[l]].parameters()[0].value();
        const Matrix<double> r = net.algorithm().target_displacement(l + 1);
        // |W delta - r|^2 / m + |delta|^2 / n as one least-squares problem; m = n = 1 for sums.
        const bool mean = reduction == altmin::Reduction::mean;
        const double target = std::sqrt(mean ? 1 / static_cast<double>(w.rows()) : 1);
        const double proximity = std::sqrt(mean ? 1 / static_cast<double>(w.cols()) : 1);
        Matrix<double> a(w.rows() + w.cols(), w.cols());
        a << target * w, proximity * Matrix<double>::Identity(w.cols(), w.cols());
        Matrix<double> b(a.rows(), r.cols());
        b << target * r, Matrix<double>::Zero(w.cols(), r.cols());
        const Matrix<double> expected = a.householderQr().solve(b);
        REQUIRE(expected.cwiseAbs().maxCoeff() > 1e-6);
        CHECK(support::relative_error(Matrix<double>{net.algorithm().displacement(l)}, expected) < 1e-10);
        CHECK(support::relative_error(Matrix<double>{net.algorithm().code(l) - net.algorithm().forward_code(l)},
                                      expected) < 1e-9);
      }
    }
  }
}

TEST_CASE("ridge codes agree with code descent that has converged") {
  const LinearProblem linear;
  for (const bool preserve_scale : {false, true}) {
    CAPTURE(preserve_scale);
    const Network ridge = linear.trained(converged(RidgeCodes{long_descent()}, preserve_scale));
    const Network descent = linear.trained(converged(long_descent(), preserve_scale));
    for (Index l = 0; l < 3; ++l) {
      CAPTURE(l);
      CHECK(support::relative_error(Matrix<double>{ridge.algorithm().displacement(l)},
                                    descent.algorithm().displacement(l)) < 1e-10);
    }
    // The weights have moved alike, too: the rule has left all that the weight updates read.
    for (Index i = 0; i < ridge.layers().size(); ++i) {
      for (Index k = 0; k < ridge.layers()[i].parameters().size(); ++k) {
        CHECK(support::relative_error(ridge.layers()[i].parameters()[k].value(),
                                      descent.layers()[i].parameters()[k].value()) < 1e-9);
      }
    }
  }
}

TEST_CASE("ridge codes descend where there is no closed form") {
  const LinearProblem linear;
  const auto same = [&](auto options, const Layers& layers) {
    Pair<MovedCodes<RidgeCodes>, AdamRule> ridge;
    static_cast<altmin::CodeOptions&>(ridge.signal_options) = options;
    Pair<MovedCodes<>, AdamRule> descent;
    static_cast<altmin::CodeOptions&>(descent.signal_options) = options;
    Network a{layers, altmin::MeanSquaredError{}, ridge, Seed{1}};
    Network b{layers, altmin::MeanSquaredError{}, descent, Seed{1}};
    for (int s = 0; s < 3; ++s) {
      a.step(linear.problem.x, linear.problem.y);
      b.step(linear.problem.x, linear.problem.y);
    }
    return a.layers() == b.layers();
  };
  altmin::CodeOptions options;
  CHECK_FALSE(same(options, linear.layers));
  CHECK(same(options, Layers{6}.add(Dense{5}).add(Tanh{}).add(Dense{4}).add(Tanh{}).add(Dense{2})));
  CHECK(same(options, Layers{6}.add(Dense{5}).add(Dense{4}).add(BatchNorm{}).add(Tanh{}).add(Dense{2})));
  options.lambda_code = 0.1;
  CHECK(same(options, linear.layers));
  options = {};
  options.proximity = false;
  CHECK(same(options, linear.layers));
}
