// The network as a value and a citizen: copies, threads, memory, bad input.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "catch.hpp"
#include "forked.hpp"
#include "problem.hpp"

using altmin::Adam;
using altmin::AmAdam;
using altmin::AmMem;
using altmin::AmSgd;
using altmin::BatchNorm;
using altmin::DataError;
using altmin::Dense;
using altmin::Dropout;
using altmin::Index;
using altmin::Labels;
using altmin::Layers;
using altmin::Matrix;
using altmin::Network;
using altmin::OptionError;
using altmin::Relu;
using altmin::Seed;
using altmin::Sgd;
using altmin::ShapeError;
using altmin::SoftmaxCrossEntropy;
using altmin::Vector;
using Catch::Matchers::ContainsSubstring;
using support::mlp;
using support::parameters;
using support::Problem;

namespace {

/// Calls check(name, algorithm) for every algorithm.
template <class Check>
void for_each_algorithm(Check&& check) {
  check("AmAdam", AmAdam{});
  check("AmAdam, moving", support::moving());
  check("AmMem", AmMem{});
  check("AmMemFull", altmin::AmMemFull{});
  check("AmMemDescent", altmin::AmMemDescent{});
  check("backprop with the memory", altmin::Pair{altmin::Backprop{}, altmin::MemoryRule{}});
  check("AmSgd", AmSgd{});
  check("Adam", Adam{});
  check("Sgd", Sgd{});
}

template <class Scalar>
Layers<Scalar> everything() {
  auto layers = Layers<Scalar>{12};
  layers.add(Dropout{0.1}).add(Dense{10}).add(BatchNorm{}).add(Relu{}).add(Dense{9}).add(altmin::Tanh{});
  return layers.add(Dropout{0.2}).add(Dense{8}).add(altmin::LeakyRelu{}).add(Dense{3});
}

// A growing vector of networks moves them.
static_assert(std::is_nothrow_move_constructible_v<Network<float>>);

template <class Error, class Action>
std::string message(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEMPLATE_TEST_CASE("every algorithm learns", "", float, double) {
  const Problem<TestType> problem{12, 3, 60};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network<TestType> net{everything<TestType>(), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    const double before = net.loss(problem.x, problem.y);
    for (int s = 0; s < 100; ++s) REQUIRE(net.step(problem.x, problem.y));
    CHECK(net.loss(problem.x, problem.y) < 0.5 * before);
    CHECK((net.classify(problem.x).array() == problem.y.array()).count() > 50);
    CHECK(net.steps() == 100);
  });
}

TEST_CASE("a copy goes on as the original does, and apart from it") {
  const Problem<double> problem{12, 3, 20};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network<double> net{everything<double>(), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    net.step(problem.x, problem.y);
    Network<double> copy = net;
    CHECK(copy == net);
    net.step(problem.x, problem.y);
    CHECK(copy != net);
    copy.step(problem.x, problem.y);
    CHECK(copy == net);

    Network<double> moved = std::move(copy);
    CHECK(moved == net);
    copy = net;  // a moved-from network can be assigned to
    CHECK(copy == moved);
    std::swap(copy, moved);
    moved = std::move(copy);
    net.step(problem.x, problem.y);
    moved.step(problem.x, problem.y);
    CHECK(moved == net);
    auto& self = moved;
    moved = self;
    CHECK(moved == net);
  });
}

TEST_CASE("whatever differs between two networks is seen") {
  const auto make = [](auto change) {
    Network<double> net{everything<double>(), SoftmaxCrossEntropy{}, support::moving(), Seed{2}};
    change(net);
    return net;
  };
  const auto same = make([](auto&) {});
  CHECK(same == make([](auto&) {}));
  CHECK(same != make([](auto& net) { net.layers()[1].parameters()[0].values()(2, 3) += 1e-12; }));
  CHECK(same != make([](auto& net) { net.layers()[2].statistics()[0].values()(0, 0) = 1; }));
  CHECK(same != make([](auto& net) { net.layers()[1].parameters()[1].freeze(); }));
  CHECK(same != make([](auto& net) { net.set_algorithm(Adam{}); }));
  AmAdam options;
  options.mu = 2;
  CHECK(same != make([&](auto& net) { net.set_algorithm(options); }));
  CHECK(same != Network<double>(everything<double>(), SoftmaxCrossEntropy{}, support::moving(), Seed{3}));
  CHECK(same != Network<double>(everything<double>(), altmin::Hinge{}, support::moving(), Seed{2}));
  CHECK(same == make([](auto& net) { net.set_threads(3); }));
}

TEMPLATE_TEST_CASE("the same seed makes the same bits with any number of threads", "", float, double) {
  // Large enough for products and slices to be cut.
  const Problem<TestType> problem{150, 3, 200};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    for (const auto& layers :
         {mlp<TestType>({150, 200, 180, 3}), mlp<TestType>({150, 200, 180, 3}, true),
          support::residual<TestType>(150, 180, 2, 3), support::residual<TestType>(150, 180, 2, 3, true),
          support::sign_net<TestType>({150, 200, 180, 3}, true), support::convolutional<TestType>(10, 15, 3, true),
          support::recurrent<TestType>(10, 15, 20, 3)}) {
      INFO(name << ", " << layers.summary());
      const auto train = [&](int threads) {
        Network<TestType> net{layers, SoftmaxCrossEntropy{}, algorithm, Seed{2}};
        net.set_threads(threads);
        for (int s = 0; s < 3; ++s) net.step(problem.x, problem.y);
        return net;
      };
      const auto one = train(1);
      for (const int threads : {2, 5}) {
        const auto more = train(threads);
        CHECK(more == one);
        CHECK(more.predict(problem.x) == one.predict(problem.x));
      }
    }
  });
}

#if ALTMIN_COUNTS_ALLOCATIONS
TEST_CASE("a step does not allocate after the first of its batch size") {
  const Problem<float> problem{784, 10, 200};
  const auto check = [&](const std::string& name, const auto& layers, const auto& algorithm) {
    for (const int threads : {1, 2}) {
      INFO(name << ", " << threads << " threads");
      Network<float> net{layers, SoftmaxCrossEntropy{}, algorithm, Seed{2}};
      net.set_threads(threads);
      net.step(problem.x.leftCols(64), problem.y.head(64));
      CHECK(support::allocations([&] { net.step(problem.x.leftCols(64), problem.y.head(64)); }) == 0);
      net.step(problem.x, problem.y);
      CHECK(support::allocations([&] {
              for (const Index samples : {200, 64, 200}) {
                const auto report = net.step(problem.x.leftCols(samples), problem.y.head(samples));
                if (!report) throw altmin::Error("the step failed");
              }
            }) == 0);
    }
  };
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    check(name, mlp<float>({784, 500, 500, 10}), algorithm);
    check(name, support::convolutional<float>(28, 28, 10), algorithm);
    check(name, support::recurrent<float>(28, 28, 30, 10), algorithm);
    check(name, support::residual<float>(784, 100, 3, 10, true), algorithm);
  });
  check("signs", support::sign_net<float>({784, 500, 500, 10}), support::moving());
  AmAdam twice = support::moving();
  twice.weight_iterations = 2;
  check("two weight iterations", mlp<float>({784, 50, 50, 10}, true), twice);
  Sgd decayed;
  decayed.weight_decay = 0.001;
  check("weight decay", mlp<float>({784, 50, 50, 10}, true), decayed);
}

TEST_CASE("a step on samples with weights, of clipped gradients, does not allocate after the first") {
  const Problem<float> problem{40, 3, 64};
  const altmin::Vector<float> weights = altmin::Vector<float>::LinSpaced(64, 0, 3);
  const auto check = [&](const auto& algorithm) {
    Network<float> net{mlp<float>({40, 30, 20, 3}), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    net.set_gradient_limit(0.1);
    const auto step = [&](Index samples) {
      return net.step(problem.x.leftCols(samples), problem.y.head(samples), weights.head(samples));
    };
    step(64);
    step(20);
    CHECK(support::allocations([&] {
            for (const Index samples : {64, 20, 64}) {
              if (!step(samples)) throw altmin::Error("the step failed");
            }
          }) == 0);
  };
  check(altmin::AmMem{});
  check(altmin::AmAdam{});
  check(altmin::Adam{});
}

TEST_CASE("learn_one and predict_one do not allocate after the first calls") {
  const Problem<float> problem{40, 3, 100};
  const auto check = [&](const auto& algorithm) {
    Network<float> net{mlp<float>({40, 30, 20, 3}), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    const auto learn = [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        net.learn_one(problem.x.col(t), problem.y(t));
        net.predict_one(problem.x.col(t));
      }
    };
    learn(0, 2);
    CHECK(support::allocations([&] { learn(2, 98); }) == 0);
  };
  check(altmin::AmRecursive{});
  check(altmin::AmRecursive::blocks());
  check(altmin::AmMem{});
  check(support::moving());
  check(altmin::Adam{});
  altmin::AmRecursive small_blocks;
  small_blocks.block_size = 16;
  Network<float> net{mlp<float>({40, 30, 20, 3}), SoftmaxCrossEntropy{}, small_blocks, Seed{2}};
  net.step(problem.x.leftCols(16), problem.y.head(16));
  CHECK(support::allocations([&] { net.step(problem.x.leftCols(16), problem.y.head(16)); }) == 0);
}
#endif

TEST_CASE("a batch with a bad number, label or shape throws and changes nothing") {
  const Problem<double> problem{12, 3, 20};
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  const auto inf = std::numeric_limits<double>::infinity();
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network<double> net{everything<double>(), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    for (int s = 0; s < 2; ++s) net.step(problem.x, problem.y);
    const auto before = net;
    for (const double bad : {nan, inf, -inf}) {
      for (const Index at : {Index{0}, Index{7 * 12 + 5}, problem.x.size() - 1}) {
        Matrix<double> x = problem.x;
        x.reshaped()(at) = bad;
        CHECK(message<DataError>([&] { net.step(x, problem.y); }) == "samples: feature " + std::to_string(at % 12) +
                                                                         " of sample " + std::to_string(at / 12) +
                                                                         " is not finite");
      }
    }
    Labels y = problem.y;
    y(4) = 3;
    CHECK(message<DataError>([&] { net.step(problem.x, y); }) ==
          "SoftmaxCrossEntropy: label of sample 4: expected 0 to 2, got 3");
    y(4) = -1;
    CHECK_THROWS_AS(net.step(problem.x, y), DataError);
    CHECK(message<ShapeError>([&] { net.step(problem.x, problem.y.head(19)); }) ==
          "target: expected 20 samples, got 19");
    CHECK(message<ShapeError>([&] { net.step(problem.x.topRows(11), problem.y); }) ==
          "samples: expected 12 features (rows), got 11 x 20");
    CHECK(message<ShapeError>([&] { net.step(problem.x.leftCols(0), problem.y.head(0)); }) ==
          "samples: expected at least 1, got an empty batch");
    CHECK_THROWS_AS(net.step(problem.x, Matrix<double>::Zero(3, 20)), ShapeError);
    CHECK(message<ShapeError>([&] { net.step(problem.x.leftCols(1), problem.y.head(1)); }) ==
          "layer 2 (BatchNorm): expected at least 2 samples in a training batch, got 1");
    CHECK_THROWS_AS(net.predict(problem.x.topRows(3)), ShapeError);
    CHECK(net == before);
  });
}

TEST_CASE("regression takes a matrix, and a vector is not one") {
  const Problem<double> problem{12, 3, 20};
  Network<double> net{mlp<double>({12, 10, 1}), altmin::MeanSquaredError{}, AmAdam{}};
  const Vector<double> target = problem.x.row(0).transpose();
  CHECK(message<ShapeError>([&] { net.step(problem.x, target); }) ==
        "target: expected 1 x 20, got 20 x 1: a vector is a column, one sample; pass y.transpose() for one value a "
        "sample");
  CHECK_THROWS_AS(net.step(problem.x, problem.y), ShapeError);
  Matrix<double> bad = target.transpose();
  bad(0, 3) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(net.step(problem.x, bad), DataError);
  const double before = net.loss(problem.x, target.transpose());
  for (int s = 0; s < 200; ++s) REQUIRE(net.step(problem.x, target.transpose()));
  CHECK(net.loss(problem.x, target.transpose()) < 0.3 * before);
}

TEST_CASE("two classes learn by the logistic loss, any number by the hinge") {
  const Problem<double> problem{12, 2, 40};
  Network<double> logistic{mlp<double>({12, 10, 1}), altmin::Logistic{}, AmAdam{}};
  Network<double> hinge{mlp<double>({12, 10, 2}), altmin::Hinge{}, AmAdam{}};
  for (int s = 0; s < 100; ++s) {
    REQUIRE(logistic.step(problem.x, problem.y));
    REQUIRE(hinge.step(problem.x, problem.y));
  }
  CHECK((logistic.classify(problem.x).array() == problem.y.array()).count() > 35);
  CHECK((hinge.classify(problem.x).array() == problem.y.array()).count() > 35);
  CHECK_THROWS_AS((Network<double>{mlp<double>({12, 2}), altmin::Logistic{}, AmAdam{}}.step(problem.x, problem.y)),
                  ShapeError);
}

TEST_CASE("one sample at a time, labelled by a number") {
  const Problem<double> problem{12, 3, 40};
  Network<double> net{mlp<double>({12, 10, 3}), SoftmaxCrossEntropy{}, AmAdam{}};
  const double before = net.loss(problem.x, problem.y);
  for (int pass = 0; pass < 10; ++pass) {
    for (Index t = 0; t < 40; ++t) REQUIRE(net.step(problem.x.col(t), problem.y(t)));
  }
  CHECK(net.loss(problem.x, problem.y) < 0.5 * before);
}

TEST_CASE("a network without hidden layers is a linear model, the same by AmAdam as by Adam") {
  const Problem<double> problem{12, 3, 40};
  Network<double> am{mlp<double>({12, 3}), SoftmaxCrossEntropy{}, AmAdam{}};
  AmAdam options;
  Adam adam;
  adam.learning_rate = options.output_learning_rate;
  Network<double> bp{mlp<double>({12, 3}), SoftmaxCrossEntropy{}, adam};
  for (int s = 0; s < 20; ++s) {
    CHECK(am.step(problem.x, problem.y).penalties.empty());
    bp.step(problem.x, problem.y);
  }
  CHECK(parameters(am)[0].isApprox(parameters(bp)[0], 1e-14));
}

TEST_CASE("freezing a weight leaves its bias to learn") {
  const Problem<double> problem{12, 3, 40};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network<double> net{mlp<double>({12, 10, 3}), SoftmaxCrossEntropy{}, algorithm};
    net.layers()[0].parameters()[0].freeze();
    const auto before = parameters(net);
    net.step(problem.x, problem.y);
    const auto after = parameters(net);
    CHECK(before[0] == after[0]);
    CHECK(before[1] != after[1]);
  });
}

TEST_CASE("frozen parameters stay, the others learn") {
  const Problem<double> problem{12, 3, 40};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network<double> net{everything<double>(), SoftmaxCrossEntropy{}, algorithm};
    for (auto& parameter : net.layers()[4].parameters()) parameter.freeze();
    const auto before = parameters(net);
    net.step(problem.x, problem.y);
    const auto after = parameters(net);
    for (std::size_t i = 0; i < before.size(); ++i) CHECK((before[i] == after[i]) == (i == 4 || i == 5));
  });
}

TEST_CASE("Adam's first step moves two equal layers alike, by exactly the rate") {
  Network<double> net{Layers<double>{2}.add(Dense{2}).add(altmin::Identity{}).add(Dense{2}), altmin::MeanSquaredError{},
                      Adam{}};
  for (const Index i : {0, 2}) net.layers()[i].parameters()[0].set(Matrix<double>::Identity(2, 2));
  const auto before = parameters(net);
  net.step(Matrix<double>::Constant(2, 1, 2.0), Matrix<double>::Zero(2, 1));
  const auto after = parameters(net);
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK((before[i] - after[i]).isApproxToConstant(0.001, 1e-6));
  }
}

TEST_CASE("running statistics move once a step") {
  const Problem<double> problem{12, 3, 40};
  AmAdam still;
  still.learning_rate = 0;
  still.output_learning_rate = 0;
  const auto layers = Layers<double>{12}.add(Dense{10}).add(BatchNorm{}).add(Relu{}).add(Dense{3});
  Network<double> am{layers, SoftmaxCrossEntropy{}, still};
  Adam frozen;
  frozen.learning_rate = 0;
  Network<double> bp{layers, SoftmaxCrossEntropy{}, frozen};
  am.step(problem.x, problem.y);
  bp.step(problem.x, problem.y);
  CHECK(am.layers()[1].statistics()[0] == bp.layers()[1].statistics()[0]);
  CHECK(am.layers()[1].statistics()[1] == bp.layers()[1].statistics()[1]);
  CHECK_FALSE(am.layers()[1].statistics()[0].value().isZero(0));
}

TEST_CASE("a trained network goes on with another algorithm") {
  const Problem<double> problem{12, 3, 40};
  Network<double> net{everything<double>(), SoftmaxCrossEntropy{}, support::moving()};
  CHECK(net.algorithm().options<AmAdam>() != nullptr);
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    const auto weights = parameters(net);
    net.set_algorithm(algorithm);
    CHECK(parameters(net) == weights);
    CHECK(net.step(problem.x, problem.y));
  });
  CHECK(net.algorithm().options<AmAdam>() == nullptr);
  CHECK(net.algorithm().options<Sgd>() != nullptr);
}

TEST_CASE("predictions are the same from many threads at once, and for any cut of the samples") {
  const Problem<float> problem{30, 3, 400};
  Network<float> net{mlp<float>({30, 40, 3}, true), SoftmaxCrossEntropy{}, AmAdam{}};
  for (int s = 0; s < 5; ++s) net.step(problem.x, problem.y);
  const Matrix<float> expected = net.predict(problem.x);
  std::vector<int> equal(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < equal.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) equal[i] += net.predict(problem.x) == expected ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(equal == std::vector<int>(4, 20));
  for (Index t = 0; t < 400; t += 37) {
    CHECK(net.predict(problem.x.col(t)).isApprox(expected.col(t), 1e-4F));
  }
}

TEST_CASE("derivatives agree with central differences, through every layer and loss") {
  const Problem<double> problem{12, 3, 6};
  CHECK((Network<double>{everything<double>(), SoftmaxCrossEntropy{}, Adam{}}
             .check_gradients(problem.x, problem.y)
             .error) < 1e-7);
  const auto other =
      Layers<double>{12}.add(Dense{6}).add(BatchNorm{}).add(altmin::Sigmoid{}).add(Dense{3}).add(altmin::Tanh{});
  const Matrix<double> target = problem.x.topRows(3);
  CHECK((Network<double>{other, altmin::MeanSquaredError{}, Adam{}}.check_gradients(problem.x, target).error) < 1e-7);
  CHECK((Network<double>{other, altmin::Hinge{}, Adam{}}.check_gradients(problem.x, problem.y).error) < 1e-7);
}

TEST_CASE("a pair that does not suit is refused at construction") {
  const altmin::Pair descent{altmin::Backprop{}, altmin::DescentRule{}};
  CHECK(message<OptionError>([&] {
          Network<double>{mlp<double>({4, 5, 3}), SoftmaxCrossEntropy{}, descent};
        }) == "Pair: its weight rule requires a signal that moves codes, such as MovedCodes");
}

TEST_CASE("options out of range are named") {
  const auto made = [](const auto& algorithm) {
    return [&] { Network<double>{mlp<double>({4, 5, 3}), SoftmaxCrossEntropy{}, algorithm}; };
  };
  AmAdam am;
  am.mu = 0;
  CHECK(message<OptionError>(made(am)) == "AmAdam: mu must be above 0, got 0");
  am = AmAdam{};
  am.code_iterations = 0;
  CHECK(message<OptionError>(made(am)) == "AmAdam: code_iterations must be 1 or more, got 0");
  am = AmAdam{};
  am.learning_rate = std::numeric_limits<double>::quiet_NaN();
  CHECK_THAT(message<OptionError>(made(am)), ContainsSubstring("AmAdam: learning_rate must be 0 or more"));
  Adam adam;
  adam.beta1 = 1;
  CHECK(message<OptionError>(made(adam)) == "Adam: beta1 must be 0 to below 1, got 1");
  AmMem mem;
  mem.forgetting = 0;
  CHECK(message<OptionError>(made(mem)) == "AmMem: forgetting must be above 0, to 1, got 0");
  mem = AmMem{};
  mem.lambda_weight = 0.1;
  CHECK_THAT(message<OptionError>(made(mem)), ContainsSubstring("AmMem: lambda_weight must be 0"));
  CHECK_THROWS_AS((Network<double>{Layers<double>{4}, SoftmaxCrossEntropy{}, AmAdam{}}), ShapeError);

  Network<double> net{mlp<double>({4, 5, 3}), SoftmaxCrossEntropy{}, AmAdam{}};
  const auto before = net;
  for (const int threads : {-1, 1025, std::numeric_limits<int>::max()}) {
    CHECK(message<OptionError>([&] { net.set_threads(threads); }) ==
          "threads must be 0 (all that are available) to 1024, got " + std::to_string(threads));
  }
  net.set_threads(1024);
  CHECK(net.threads() == 1024);
  CHECK_THROWS_AS(net.set_algorithm(adam), OptionError);
  CHECK(net == before);
}

TEST_CASE("streaming a network prints its summary") {
  std::ostringstream out;
  out << Network<float>{mlp<float>({784, 500, 10}), SoftmaxCrossEntropy{}, AmAdam{}};
  CHECK_THAT(out.str(), ContainsSubstring("weight 500 x 784, bias 500 x 1"));
  CHECK_THAT(out.str(), ContainsSubstring("397510 parameters"));
}

TEST_CASE("a single label is an integer of any type, and fits into an int") {
  const Problem<double> problem{4, 3, 6};
  const Network<double> net{mlp<double>({4, 5, 3}), SoftmaxCrossEntropy{}, Adam{}};
  const auto stepped = [&](auto label) {
    auto copy = net;
    copy.step(problem.x.col(0), label);
    return copy;
  };
  const auto expected = stepped(1);
  CHECK(stepped(1L) == expected);
  CHECK(stepped(true) == expected);
  CHECK(stepped(static_cast<unsigned char>(1)) == expected);
  CHECK(stepped(std::size_t{1}) == expected);
  CHECK_FALSE(stepped(2) == expected);
  CHECK(message<DataError>([&] { stepped(std::int64_t{1} << 32 | 1); }) == "label: expected an int, got 4294967297");
  CHECK(message<DataError>([&] { stepped(4294967295U); }) == "label: expected an int, got 4294967295");
  CHECK(message<DataError>([&] { stepped(-1L); }) == "SoftmaxCrossEntropy: label of sample 0: expected 0 to 2, got -1");
}

TEST_CASE("networks that share threads train to the same bits, also from two threads at once") {
  const Problem<float> problem{12, 3, 40};
  std::vector<Network<float>> alone;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    alone.emplace_back(everything<float>(), SoftmaxCrossEntropy{}, support::moving(), Seed{seed});
    alone.back().set_threads(1);
  }
  auto shared = alone;
  shared[0].set_threads(3);
  for (auto& net : shared) net.share_threads(shared.front());
  CHECK(shared[2].threads() == 3);
  auto copy = shared[1];
  CHECK(copy.shares_threads());
  CHECK_FALSE(alone[0].shares_threads());

  const auto train = [&](Network<float>& net) {
    for (int i = 0; i < 20; ++i) {
      net.step(problem.x, problem.y);
      net.predict(problem.x);
    }
  };
  for (auto& net : alone) train(net);
  std::vector<std::thread> users;
  for (auto& net : shared) users.emplace_back([&train, &net] { train(net); });
  train(copy);
  for (auto& user : users) user.join();
  CHECK(shared == alone);
  CHECK(copy == alone[1]);

  shared.resize(1, copy);  // the others go; the pool stays
  shared[0].set_threads(1);
  CHECK_FALSE(shared[0].shares_threads());
  CHECK(copy.threads() == 3);
  train(copy);
  train(alone[1]);
  CHECK(copy == alone[1]);
}

#if ALTMIN_TESTS_FORK
TEST_CASE("a child process trains, predicts with and destroys the network of its parent") {
  const Problem<float> problem{12, 3, 40};
  auto net = std::make_unique<Network<float>>(everything<float>(), SoftmaxCrossEntropy{}, support::moving(), Seed{1});
  net->set_threads(3);
  net->step(problem.x, problem.y);
  CHECK(support::holds_in_child([&] {
    net.reset();
    return true;
  }));
#if ALTMIN_FORKED_THREADS
  auto expected = *net;
  expected.step(problem.x, problem.y);
  const Matrix<float> scores = net->predict(problem.x);
  CHECK(support::holds_in_child([&] {
    const bool same = net->predict(problem.x) == scores;
    net->step(problem.x, problem.y);
    const bool trained = *net == expected;
    net.reset();
    return same && trained;
  }));
#endif
  CHECK(net->step(problem.x, problem.y));
}
#endif

// What a program meets that opens both namespaces: of our names for users, Eigen has Dense, Matrix and Vector as well.
namespace both {

using namespace Eigen;
using namespace altmin;
using altmin::Dense;

Network<double> network() {
  Layers<double> layers{Shape{1, 6, 6}};
  layers.add(Conv2d{2, 3}).add(MaxPool2d{2}).add(AvgPool2d{2}).add(Identity{}).add(Dense{4}).add(BatchNorm{});
  layers.add(Relu{}).add(Dropout{0.5}).add(Dense{4}).add(LeakyRelu{}).add(Dense{4}).add(Tanh{}).add(Dense{4});
  layers.add(Sigmoid{}).add(Dense{4}).add(Sign{}).add(BinaryDense{2});
  return {layers, SoftmaxCrossEntropy{}, support::moving(), Seed{1}};
}

FitReport train(Network<double>& net, const Dataset<double>& data) {
  FitOptions options;
  options.last_batch = LastBatch::drop;
  options.epochs = 1;
  options.batch_size = 10;
  return fit(net, data, options, Validation{data}, History{}, EarlyStopping{}, TimeLimit{1e6}, CosineDecay{});
}

}  // namespace both

TEST_CASE("a program may open Eigen's namespace as well, and name ours where both have one") {
  auto net = both::network();
  altmin::Random random{Seed{1}};
  const altmin::Dataset<double> data{support::random_matrix<double>(36, 20, random), Labels::Zero(20)};
  CHECK(both::train(net, data));
  CHECK(evaluate(net, data).samples == 20);
}
