// Weights of samples.

#include <algorithm>
#include <altmin/altmin.hpp>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>

#include "altmin/parallel/thread_ranks.hpp"
#include "catch.hpp"
#include "problem.hpp"
#include "support.hpp"

namespace {

using altmin::Index;
using altmin::Labels;
using altmin::Matrix;
using altmin::Vector;

template <class Scalar>
Matrix<Scalar> drawn_samples(Index rows, Index columns, std::uint64_t seed) {
  altmin::Random random{altmin::Seed{seed}};
  return support::random_matrix<Scalar>(rows, columns, random);
}

template <class Scalar, class Algorithm>
altmin::Network<Scalar> weighted_net(const Algorithm& algorithm, bool regression = false) {
  altmin::Layers<Scalar> layers{5};
  layers.add(altmin::Dense{7}).add(altmin::Tanh{}).add(altmin::Dense{6}).add(altmin::Relu{}).add(altmin::Dense{3});
  if (regression) return {layers, altmin::MeanSquaredError{}, algorithm, altmin::Seed{1}};
  return {layers, altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
}

template <class Scalar>
double distance(altmin::Network<Scalar>& a, altmin::Network<Scalar>& b) {
  double largest = 0;
  for (Index i = 0; i < a.layers().size(); ++i) {
    for (Index p = 0; p < static_cast<Index>(a.layers()[i].parameters().size()); ++p) {
      const auto& one = a.layers()[i].parameters()[p].value();
      const auto& other = b.layers()[i].parameters()[p].value();
      largest = std::max(largest, static_cast<double>((one - other).cwiseAbs().maxCoeff()));
    }
  }
  return largest;
}

/// Trains one network on samples of the weights 0, 1, 2, 3, 1, ... and another one on each sample as often.
template <class Scalar, class Algorithm>
void check_repeated(const Algorithm& algorithm, bool regression = false) {
  CAPTURE(Algorithm::name, regression);
  auto weighted = weighted_net<Scalar>(algorithm, regression);
  auto repeated = weighted_net<Scalar>(algorithm, regression);
  auto plain = weighted_net<Scalar>(algorithm, regression);
  const Labels all = Labels::LinSpaced(9, 0, 8).unaryExpr([](int i) { return i % 3; });
  Vector<Scalar> weights(9);
  weights << 0, 1, 2, 3, 1, 1, 0, 2, 1;
  for (std::uint64_t step = 0; step < 12; ++step) {
    const Matrix<Scalar> x = drawn_samples<Scalar>(5, 9, step + 1);
    const Matrix<Scalar> targets = drawn_samples<Scalar>(3, 9, step + 100);
    Matrix<Scalar> more(5, 11);
    Matrix<Scalar> more_targets(3, 11);
    Labels labels(11);
    Index next = 0;
    for (Index t = 0; t < 9; ++t) {
      for (Scalar copy = 0; copy < weights[t]; copy += 1) {
        more.col(next) = x.col(t);
        more_targets.col(next) = targets.col(t);
        labels[next++] = all[t];
      }
    }
    REQUIRE(next == 11);
    const auto one = regression ? weighted.step(x, targets, Scalar(0.5) * weights)
                                : weighted.step(x, all, Scalar(0.5) * weights);  // their scale does not matter
    const auto other = regression ? repeated.step(more, more_targets) : repeated.step(more, labels);
    REQUIRE(one);
    const double rounding = std::is_same_v<Scalar, double> ? 1e-9 : 1e-3;
    REQUIRE(one.loss == Approx(other.loss).epsilon(rounding));
    REQUIRE(one.penalties.size() == other.penalties.size());
    for (Index l = 0; l < one.penalties.size(); ++l)
      REQUIRE(one.penalties[l] == Approx(other.penalties[l]).epsilon(rounding));
    if (regression) {
      plain.step(x, targets);
    } else {
      plain.step(x, all);
    }
  }
  CHECK(distance(weighted, repeated) < (std::is_same_v<Scalar, double> ? 1e-9 : 2e-3));
  CHECK(distance(weighted, plain) > 1e-2);
}

}  // namespace

TEMPLATE_TEST_CASE("a sample of weight 2 is the sample twice", "[weights]", float, double) {
  check_repeated<TestType>(altmin::Adam{0.01});
  check_repeated<TestType>(altmin::Sgd{});
  check_repeated<TestType>(altmin::Adam{0.01}, true);
  altmin::AmAdam am = support::moving();
  am.learning_rate = 0.01;
  check_repeated<TestType>(am);
  check_repeated<TestType>(am, true);
  am.weight_iterations = 2;
  am.lambda_weight = 1e-3;
  check_repeated<TestType>(am);
  check_repeated<TestType>(altmin::AmMem{});
  check_repeated<TestType>(altmin::AmMem{}, true);
  check_repeated<TestType>(support::moving(altmin::AmMem{}));
  check_repeated<TestType>(altmin::Pair{altmin::Backprop{}, altmin::MemoryRule{}});
}

TEST_CASE("a convolution's samples have weights, too", "[weights]") {
  const auto net = [] {
    altmin::Layers<double> layers{altmin::Shape{1, 4, 4}};
    layers.add(altmin::Conv2d{2, 3}).add(altmin::Relu{}).add(altmin::Dense{2});
    return altmin::Network<double>{layers, altmin::SoftmaxCrossEntropy{}, altmin::AmMem{}, altmin::Seed{1}};
  };
  auto weighted = net();
  auto repeated = net();
  Vector<double> weights = Vector<double>::Ones(20);  // more than a map has inputs, whose memory has full rank then
  weights[19] = 3;
  for (std::uint64_t step = 0; step < 5; ++step) {
    Matrix<double> x = drawn_samples<double>(16, 22, step + 1);
    x.col(20) = x.col(21) = x.col(19);
    Labels y = Labels::LinSpaced(22, 0, 21).unaryExpr([](int i) { return i % 2; });
    y[20] = y[21] = y[19];
    REQUIRE(weighted.step(x.leftCols(20), y.head(20), weights));
    REQUIRE(repeated.step(x, y));
  }
  CHECK(distance(weighted, repeated) < 1e-9);
}

TEST_CASE("weights of 1 are none, but for rounding", "[weights]") {
  auto a = weighted_net<double>(support::moving());
  auto b = weighted_net<double>(support::moving());
  const Matrix<double> x = drawn_samples<double>(5, 6, 1);
  const Labels y = Labels::LinSpaced(6, 0, 5).unaryExpr([](int i) { return i % 3; });
  for (int i = 0; i < 5; ++i) {
    a.step(x, y);
    b.step(x, y, Vector<double>::Constant(6, 7).transpose());
  }
  CHECK(distance(a, b) < 1e-10);
}

TEST_CASE("batch normalization counts each sample once, its loss by its weight", "[weights]") {
  const auto net = [] {
    return altmin::Network<double>{altmin::Layers<double>{5}
                                       .add(altmin::Dense{4})
                                       .add(altmin::BatchNorm{})
                                       .add(altmin::Relu{})
                                       .add(altmin::Dense{3}),
                                   altmin::SoftmaxCrossEntropy{}, altmin::Sgd{0.1}, altmin::Seed{1}};
  };
  // The gradient of a weighted sum is the weighted sum of gradients: weights w + v move as w and v together.
  const Matrix<double> x = drawn_samples<double>(5, 6, 1);
  const Labels y = Labels::LinSpaced(6, 0, 5).unaryExpr([](int i) { return i % 3; });
  Vector<double> first(6);
  Vector<double> second(6);
  first << 1, 2, 0, 4, 1, 1;
  second << 3, 0, 2, 1, 2, 1;  // the same sum
  const auto moved = [&](const Vector<double>& weights) {
    auto trained = net();
    REQUIRE(trained.step(x, y, weights));
    return Matrix<double>{trained.layers()[0].parameters()[0].value() - net().layers()[0].parameters()[0].value()};
  };
  CHECK((moved(first) + moved(second) - 2 * moved(first + second)).cwiseAbs().maxCoeff() < 1e-12);
  CHECK((moved(first) - moved(second)).cwiseAbs().maxCoeff() > 1e-3);
}

TEST_CASE("weights are summed over ranks", "[weights]") {
  const auto algorithms = [](auto&& use) {
    use(support::moving());
    use(altmin::AmMem{});
    use(altmin::Adam{});
  };
  const Matrix<double> x = drawn_samples<double>(5, 7, 1);
  const Labels y = Labels::LinSpaced(7, 0, 6).unaryExpr([](int i) { return i % 3; });
  Vector<double> weights(7);
  weights << 0, 0, 1, 5, 2, 1, 3;  // rank 0 has no weight at all
  algorithms([&](const auto& algorithm) {
    auto one = weighted_net<double>(algorithm);
    for (int i = 0; i < 4; ++i) REQUIRE(one.step(x, y, weights));
    const double loss = one.step(x, y, weights).loss;
    altmin::ThreadRanks{3}.run([&](altmin::Communicator& communicator) {
      auto net = weighted_net<double>(algorithm);
      net.set_threads(1);
      net.set_communicator(communicator);
      const Index first = communicator.rank() == 2 ? 7 : 2 * communicator.rank();  // rank 2 has no sample
      const Index count = communicator.rank() == 0 ? 2 : communicator.rank() == 1 ? 5 : 0;
      const auto step = [&] {
        return net.step(x.middleCols(first, count), y.segment(first, count), weights.segment(first, count));
      };
      for (int i = 0; i < 4; ++i) step();
      const double of_ranks = step().loss;
      if (communicator.rank() == 0) {
        CHECK(of_ranks == Approx(loss).epsilon(1e-10));
        CHECK(distance(net, one) < 1e-9);
      }
    });
  });
}

TEST_CASE("weights that cannot be are refused, and change nothing", "[weights]") {
  auto net = weighted_net<double>(support::moving());
  const auto before = net;
  const Matrix<double> x = drawn_samples<double>(5, 3, 1);
  const Labels y = Labels::Zero(3);
  const auto message = [&](auto& trained, const Vector<double>& weights) {
    try {
      trained.step(x, y, weights);
    } catch (const altmin::Error& error) {
      return std::string{error.what()};
    }
    return std::string{};
  };
  CHECK(message(net, Eigen::Vector2d{1, 1}) == "weights: expected 3, one a sample, got 2");
  CHECK(message(net, Eigen::Vector3d{1, -1, 1}) == "weights: sample 1: expected a finite weight of 0 or more, got -1");
  CHECK(message(net, Eigen::Vector3d{1, 1, NAN}) ==
        "weights: sample 2: expected a finite weight of 0 or more, got nan");
  CHECK(message(net, Eigen::Vector3d::Zero()) == "weights: expected at least one above 0 in a batch, got none");
  CHECK(net == before);
  auto exact = weighted_net<double>(altmin::AmRecursive{});
  const auto untouched = exact;
  CHECK(message(exact, Eigen::Vector3d{1, 1, 2}) ==
        "AmRecursive: its signal takes no weights of samples: expected another algorithm, or samples without weights");
  CHECK(exact == untouched);
  auto full = weighted_net<double>(altmin::AmMemFull{});
  CHECK_THROWS_AS(full.step(x, y, Eigen::Vector3d{1, 1, 2}), altmin::OptionError);
}
