#include "altmin/network/packed.hpp"

#include <thread>
#include <vector>

#include "catch.hpp"
#include "problem.hpp"

using namespace altmin;
using support::random_matrix;
using support::sign_net;

namespace {

/// A network whose parameters and statistics are random, of either sign where that is allowed.
template <class Scalar>
Network<Scalar> scrambled(const Layers<Scalar>& layers, Seed seed) {
  Network<Scalar> net{layers, SoftmaxCrossEntropy{}, Adam{}, seed};
  net.set_threads(2);
  Random random{seed};
  for (auto& layer : net.layers()) {
    for (auto& parameter : layer.parameters()) {
      parameter.set(random_matrix<Scalar>(parameter.value().rows(), parameter.value().cols(), random));
    }
    if (layer.template as<BatchNorm>() == nullptr) continue;
    const Index features = layer.output().size();
    layer.statistics()[0].set(random_matrix<Scalar>(features, 1, random, -3, 3));
    layer.statistics()[1].set(random_matrix<Scalar>(features, 1, random, 0.1, 3));
  }
  return net;
}

/// Inputs among which there are zeros of both signs.
template <class Scalar>
Matrix<Scalar> inputs(Index features, Index samples, Random& random) {
  Matrix<Scalar> x(features, samples);
  for (auto& value : x.reshaped()) value = static_cast<Scalar>(random.below(5)) - 2;
  return (x.array() == Scalar(2)).select(Scalar(-0.), x);
}

}  // namespace

TEMPLATE_TEST_CASE("a packed network predicts the same bits", "", float, double) {
  Random random{Seed{1}};
  for (const bool batch_norm : {false, true}) {
    for (const auto& layers :
         {sign_net<TestType>({1, 1, 1}, batch_norm), sign_net<TestType>({64, 3}, batch_norm),
          sign_net<TestType>({63, 65, 128, 70}, batch_norm), sign_net<TestType>({200, 130, 1, 64, 5}, batch_norm)}) {
      const auto net = scrambled(layers, Seed{static_cast<std::uint64_t>(layers.size())});
      const auto packed = pack(net);
      for (const Index samples : {1, 300}) {
        const auto x = inputs<TestType>(layers.input().size(), samples, random);
        CAPTURE(layers.summary(), samples);
        CHECK(packed.predict(x) == net.predict(x));
      }
    }
  }
}

TEMPLATE_TEST_CASE("a bias and a normalization decide ties as they do in the network", "", float, double) {
  // Sums of -3, -1, 1 and 3, at which outputs are 0, or the smallest step beside it.
  const TestType next = std::nextafter(TestType(1), TestType(0));
  Network<TestType> net{Layers<TestType>{3}.add(Sign{}).add(BinaryDense{6}).add(Sign{}).add(BinaryDense{6, false}),
                        SoftmaxCrossEntropy{}, Adam{}};
  net.layers()[1].parameters()[0].values().setOnes();
  net.layers()[1].parameters()[1].values() << 1, next, -1, -next, 3, -4;
  net.layers()[3].parameters()[0].values().setConstant(-1);
  net.layers()[3].parameters()[0].values().diagonal().setOnes();
  Matrix<TestType> x(3, 4);
  x << 1, 1, 1, 0, 1, 1, 0, 0, 1, -1, 0, 0;
  const auto expected = net.predict(x);
  CHECK(pack(net).predict(x) == expected);
  // 1 - 1 is no positive sum: the network sees it, too.
  CHECK((expected.col(2).array() != expected.col(1).array()).any());
}

TEST_CASE("a trained network packs with dropout, and may be asked by several threads") {
  const support::Problem<float> problem{70, 3, 200};
  Layers<float> layers = sign_net<float>({70, 90, 80}, true);
  layers.add(Sign{PseudoGradient::hard_tanh}).add(Dropout{0.2}).add(Identity{}).add(BinaryDense{3});
  Network<float> net{layers, SoftmaxCrossEntropy{}, support::moving(), Seed{1}};
  for (int s = 0; s < 20; ++s) REQUIRE(net.step(problem.x, problem.y));
  CHECK((net.classify(problem.x).array() == problem.y.array()).count() > 150);

  const auto packed = pack(net);
  const Matrix<float> expected = net.predict(problem.x);
  std::vector<Matrix<float>> results(3);
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = packed.predict(problem.x); });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) CHECK(result == expected);
  const auto copy = packed;
  CHECK(copy.predict(problem.x) == expected);

  CHECK_THROWS_WITH(packed.predict(problem.x.topRows(5)), "samples: expected 70 features (rows), got 5 x 200");
  CHECK_THROWS_WITH(packed.predict(problem.x.leftCols(0)), "samples: expected at least 1, got an empty batch");
  Matrix<float> bad = problem.x;
  bad(2, 7) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(packed.predict(bad), "samples: feature 2 of sample 7 is not finite");
}

TEST_CASE("what is not a network of signs is not packed") {
  const auto pack_layers = [](const Layers<float>& layers) { return PackedNetwork<float>{layers}; };
  CHECK_THROWS_WITH(pack_layers(Layers<float>{4}.add(BinaryDense{3})),
                    "pack: layer 0 (BinaryDense): expected a Sign in front of it");
  CHECK_THROWS_WITH(pack_layers(Layers<float>{4}.add(Sign{}).add(BinaryDense{3}).add(BatchNorm{}).add(BinaryDense{3})),
                    "pack: layer 3 (BinaryDense): expected a Sign in front of it");
  CHECK_THROWS_WITH(pack_layers(Layers<float>{4}.add(BatchNorm{}).add(Sign{}).add(BinaryDense{3})),
                    "pack: layer 0 (BatchNorm): expected a BinaryDense in front of it");
  CHECK_THROWS_WITH(pack_layers(Layers<float>{4}.add(Sign{}).add(Dense{3})),
                    "pack: layer 1 (Dense): expected BinaryDense, BatchNorm, Sign, Dropout or Identity");
  CHECK_THROWS_WITH(pack_layers(Layers<float>{4}.add(Sign{}).add(BinaryDense{3}).add(Sign{})),
                    "pack: expected a BinaryDense behind the last Sign, got none");
  CHECK_THROWS_AS(pack_layers(Layers<float>{4}.add(Sign{})), OptionError);
}
