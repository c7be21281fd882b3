// What ranks say to each other in a step: what is refused and agreed on, what happens where one fails, and how much is
// sent.

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "altmin/altmin.hpp"
#include "altmin/parallel/thread_ranks.hpp"
#include "catch.hpp"
#include "message_of.hpp"
#include "problem.hpp"

using altmin::Communicator;
using altmin::Index;
using altmin::Network;
using altmin::ThreadRanks;
using support::message_of;
using support::Problem;

namespace {

/// Counts what goes through another communicator; before its n-th call, from 0, it fails.
class CountingRanks : public Communicator {
 public:
  struct Failure : altmin::Error {
    using altmin::Error::Error;
  };

  explicit CountingRanks(Communicator& ranks, Index fails_at = std::numeric_limits<Index>::max())
      : ranks_{ranks}, fails_at_{fails_at} {}

  int rank() const override { return ranks_.rank(); }
  int size() const override { return ranks_.size(); }
  void run(const altmin::RankOperation& operation) override {
    if (calls_++ == fails_at_) throw Failure("the network is down");
    bytes_ += operation.bytes();
    ranks_.run(operation);
  }

  Index calls() const { return calls_; }
  Index bytes() const { return bytes_; }
  void restart(Index fails_at = std::numeric_limits<Index>::max()) {
    calls_ = bytes_ = 0;
    fails_at_ = fails_at;
  }

 private:
  Communicator& ranks_;
  Index fails_at_;
  Index calls_ = 0;
  Index bytes_ = 0;
};

template <class Algorithm>
Network<double> small_network(const Algorithm& algorithm, bool batch_norm = true) {
  return {support::mlp<double>({6, 5, 4, 3}, batch_norm), altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
}

/// With all that a layer may keep: running statistics, and random numbers.
template <class Algorithm>
Network<double> network_with_state(const Algorithm& algorithm) {
  altmin::Layers<double> layers{6};
  layers.add(altmin::Standardize{})
      .add(altmin::Dense{5})
      .add(altmin::BatchNorm{})
      .add(altmin::Dropout{})
      .add(altmin::Relu{});
  return {layers.add(altmin::Dense{4}).add(altmin::Relu{}).add(altmin::Dense{3}), altmin::SoftmaxCrossEntropy{},
          algorithm, altmin::Seed{1}};
}

/// The errors that call(communicator) throws on each rank.
template <class Error>
std::vector<std::string> errors_on(int ranks, const std::function<void(Communicator&)>& call) {
  std::vector<std::string> errors(static_cast<std::size_t>(ranks));
  ThreadRanks{ranks}.run([&](Communicator& communicator) {
    try {
      call(communicator);
    } catch (const Error& error) {
      errors[std::size_t(communicator.rank())] = error.what();
    }
  });
  return errors;
}

bool all_are(const std::vector<std::string>& errors, const std::string& expected) {
  for (const auto& error : errors) {
    if (error != expected) UNSCOPED_INFO(error);
    if (error != expected) return false;
  }
  return !errors.empty();
}

}  // namespace

TEST_CASE("ranks: bad input on one is the same error on all, and changes nothing", "[ranks]") {
  const Problem<double> problem{6, 3, 12};
  const auto step = [&](Communicator& communicator, const auto& spoil) {
    Network<double> net = small_network(support::moving());
    net.set_communicator(communicator);
    altmin::Matrix<double> x = problem.x.middleCols(4 * communicator.rank(), 4);
    altmin::Labels y = problem.y.segment(4 * communicator.rank(), 4);
    net.step(x, y);
    const Network<double> before = net;
    if (communicator.rank() == 1) spoil(x, y);
    try {
      net.step(x, y);
    } catch (const altmin::Error&) {
      if (!(net == before)) throw std::logic_error("changed");
      throw;
    }
  };
  using altmin::DataError;
  using altmin::ShapeError;
  CHECK(all_are(errors_on<DataError>(3,
                                     [&](Communicator& communicator) {
                                       step(communicator,
                                            [](auto& x, auto&) { x(2, 3) = std::numeric_limits<double>::quiet_NaN(); });
                                     }),
                "rank 1: samples: feature 2 of sample 3 is not finite"));
  CHECK(all_are(errors_on<DataError>(
                    3, [&](Communicator& communicator) { step(communicator, [](auto&, auto& y) { y(0) = 3; }); }),
                "rank 1: SoftmaxCrossEntropy: label of sample 0: expected 0 to 2, got 3"));
  CHECK(all_are(errors_on<ShapeError>(
                    3, [&](Communicator& communicator) { step(communicator, [](auto& x, auto&) { x.resize(5, 4); }); }),
                "rank 1: samples: expected 6 features (rows), got 5 x 4"));
}

TEST_CASE("ranks: a batch may be empty on some, not on all", "[ranks]") {
  const Problem<double> problem{6, 3, 4};
  const auto step = [&](Communicator& communicator, Index samples) {
    Network<double> net = small_network(support::moving());
    net.set_communicator(communicator);
    const Index own = communicator.rank() == 1 ? samples : 0;
    net.step(problem.x.leftCols(own), problem.y.head(own));
    net.step(altmin::Matrix<double>(problem.x.leftCols(own)), altmin::Labels(problem.y.head(own)));
  };
  CHECK(all_are(errors_on<altmin::ShapeError>(2, [&](Communicator& communicator) { step(communicator, 0); }),
                "samples: expected at least 1, got an empty batch on all ranks"));
  CHECK(all_are(errors_on<altmin::ShapeError>(2, [&](Communicator& communicator) { step(communicator, 1); }),
                "layer 1 (BatchNorm): expected at least 2 samples in a training batch, got 1"));
  CHECK(all_are(errors_on<altmin::ShapeError>(2, [&](Communicator& communicator) { step(communicator, 2); }), ""));
}

TEST_CASE("ranks: all samples have weights, or none has", "[ranks]") {
  const Problem<double> problem{6, 3, 6};
  const auto step = [&](Communicator& communicator, Index samples_of_rank_2, bool rank_1_weighs) {
    Network<double> net = small_network(altmin::AmAdam{});
    net.set_communicator(communicator);
    const Index own = communicator.rank() == 2 ? samples_of_rank_2 : 2;
    const auto x = problem.x.leftCols(own);
    const auto y = problem.y.head(own);
    const bool weighs = communicator.rank() == 0 || (communicator.rank() == 1 && rank_1_weighs);
    const Network<double> before = net;
    try {
      weighs ? net.step(x, y, altmin::Vector<double>::Constant(own, 2)) : net.step(x, y);
    } catch (const altmin::DataError&) {
      if (!(net == before)) throw std::logic_error("changed");
      throw;
    }
  };
  const auto errors = [&](Index samples_of_rank_2, bool rank_1_weighs) {
    return errors_on<altmin::DataError>(
        3, [&](Communicator& communicator) { step(communicator, samples_of_rank_2, rank_1_weighs); });
  };
  CHECK(all_are(errors(2, false), "rank 1: expected samples with weights, as on the ranks before it, got others"));
  CHECK(all_are(errors(1, true), "rank 2: expected samples with weights, as on the ranks before it, got others"));
  CHECK(all_are(errors(0, true), ""));
}

TEST_CASE("ranks: networks that differ, or cannot sum over ranks, are refused", "[ranks]") {
  using altmin::OptionError;
  const auto refused = [](const auto& make) {
    return errors_on<OptionError>(3, [&](Communicator& communicator) {
      Network<double> net = make(communicator.rank());
      const Network<double> before = net;
      try {
        net.set_communicator(communicator);
      } catch (const OptionError&) {
        if (!(net == before) || net.communicator() != nullptr) throw std::logic_error("changed");
        throw;
      }
    });
  };
  CHECK(all_are(refused([](int rank) {
                  altmin::AmAdam options = support::moving();
                  if (rank == 2) options.mu = 1 + 1e-15;
                  return small_network(options);
                }),
                "rank 2: network: expected algorithm: mu 1, as on rank 0, got algorithm: mu 1.000000000000001"));
  CHECK(all_are(refused([](int rank) { return small_network(support::moving(), rank < 1); }),
                "rank 1: network: expected layer 1: kind BatchNorm, as on rank 0, got layer 1: kind Relu"));
  CHECK(all_are(refused([](int rank) {
                  Network<double> net = small_network(support::moving());
                  if (rank == 1) net.layers()[0].parameters()[0].freeze();
                  return net;
                }),
                "rank 1: network: expected layer 0: weight 5 x 6, as on rank 0, got layer 0: weight 5 x 6 (frozen)"));
  CHECK(all_are(refused([](int) { return small_network(altmin::AmRecursive{}, false); }),
                "rank 0: the signal of AmRecursive does not sum over ranks: expected a network that can train on "
                "several ranks"));
}

TEST_CASE("ranks: another algorithm is checked as the first one is", "[ranks]") {
  const auto errors = errors_on<altmin::OptionError>(2, [&](Communicator& communicator) {
    Network<double> net = small_network(support::moving(), false);
    net.set_communicator(communicator);
    net.set_algorithm(altmin::Adam{});
    try {
      net.set_algorithm(altmin::AmRecursive{});
    } catch (const altmin::OptionError&) {
      if (std::string{net.algorithm().name()} != "Adam") throw std::logic_error("changed");
      throw;
    }
  });
  CHECK(
      all_are(errors,
              "rank 0: the signal of AmRecursive does not sum over ranks: expected a network that can train on several "
              "ranks"));
}

TEST_CASE("ranks: a copy is among the same ranks; one alone trains for itself again", "[ranks]") {
  const Problem<double> problem{6, 3, 8};
  std::vector<int> failed(2);
  ThreadRanks{2}.run([&](Communicator& communicator) {
    const auto fail = [&](bool holds) { failed[std::size_t(communicator.rank())] += holds ? 0 : 1; };
    Network<double> net = small_network(support::moving());
    net.set_communicator(communicator);
    Network<double> copy = net;
    fail(copy.communicator() == &communicator);
    net.step(problem.x, problem.y);
    copy.step(problem.x, problem.y);
    fail(copy == net);
    altmin::Alone alone;
    copy.set_communicator(alone);
    fail(copy.communicator() == nullptr);
    if (communicator.rank() == 0) copy.step(problem.x, problem.y);
  });
  CHECK(failed == std::vector<int>{0, 0});
}

TEST_CASE("ranks: where one fails, at whatever call, all get an error, and nothing has changed", "[ranks]") {
  const Problem<double> problem{6, 3, 12};
  const auto check = [&](const auto& algorithm) {
    constexpr int ranks = 3;
    Index calls = 1;
    for (Index at = 0; at < calls; ++at) {
      CAPTURE(at);
      std::vector<std::string> errors(ranks);
      std::vector<int> changed(ranks);
      std::string failure;
      try {
        ThreadRanks{ranks}.run([&](Communicator& communicator) {
          const int rank = communicator.rank();
          CountingRanks counting{communicator};
          Network<double> net = network_with_state(algorithm);
          net.set_communicator(counting);
          const auto step = [&] { net.step(problem.x.middleCols(4 * rank, 4), problem.y.segment(4 * rank, 4)); };
          for (int i = 0; i < 3; ++i) step();
          const Network<double> before = net;
          counting.restart();
          Network<double>{net}.step(problem.x.middleCols(4 * rank, 4), problem.y.segment(4 * rank, 4));
          if (rank == 0) calls = counting.calls();
          counting.restart(rank == at % ranks ? at : std::numeric_limits<Index>::max());
          try {
            step();
          } catch (const altmin::Error& error) {
            errors[std::size_t(rank)] = error.what();
            changed[std::size_t(rank)] = net == before ? 0 : 1;
            throw;
          }
        });
      } catch (const CountingRanks::Failure& error) {
        failure = error.what();
      }
      CHECK(failure == "the network is down");
      CHECK(changed == std::vector<int>(ranks, 0));
      for (int rank = 0; rank < ranks; ++rank) {
        const std::string& error = errors[std::size_t(rank)];
        CAPTURE(error);
        if (rank == at % ranks) {
          CHECK(error == failure);
        } else {
          CHECK(error.find("rank " + std::to_string(at % ranks) + " has failed (the network is down) while others " +
                           "waited for it in a sum of ") != std::string::npos);
        }
      }
    }
    CHECK(calls > 3);
  };
  SECTION("AmAdam") { check(support::moving()); }
  SECTION("AmMem") { check(altmin::AmMem{}); }
  SECTION("AmMem, moving") { check(support::moving(altmin::AmMem{})); }
  SECTION("AmMemFull") {  // with memories in each step, roots in the first ones
    altmin::AmMemFull options;
    options.memory_interval = 1;
    check(options);
    options.root_interval = 1;
    check(options);
  }
  SECTION("AmMemDescent") { check(altmin::AmMemDescent{}); }
  SECTION("AmSgd") { check(altmin::AmSgd{}); }
  SECTION("Adam") { check(altmin::Adam{}); }
  SECTION("Sgd") { check(altmin::Sgd{}); }
  SECTION("centred Adam") { check(altmin::Pair{altmin::Backprop{}, altmin::CentredAdamRule{}}); }
  SECTION("backprop with a memory") { check(altmin::Pair{altmin::Backprop{}, altmin::MemoryRule{}}); }
  SECTION("AmAdam, two weight updates a step") {
    altmin::AmAdam options;
    options.weight_iterations = 2;
    check(options);
  }
}

TEST_CASE("ranks: what a step sends", "[ranks]") {
  const Problem<float> problem{20, 3, 12};
  constexpr int ranks = 2;
  struct Sent {
    Index calls, bytes;
  };
  // Of the fifth step: a memory of low rank is updated in its first ones.
  const auto sent = [&](const altmin::Layers<float>& layers, const auto& algorithm) {
    Sent result{};
    ThreadRanks{ranks}.run([&](Communicator& communicator) {
      CountingRanks counting{communicator};
      Network<float> net{layers, altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
      net.set_communicator(counting);
      const auto step = [&] { net.step(problem.x.leftCols(6), problem.y.head(6)); };
      for (int i = 0; i < 4; ++i) step();
      counting.restart();
      step();
      if (communicator.rank() == 0) result = {counting.calls(), counting.bytes()};
    });
    return result;
  };
  constexpr Index a = 20, h = 9, g = 8, c = 3;  // units
  const auto dense = support::mlp<float>({a, h, g, c});
  constexpr Index parameters = h * (a + 1) + g * (h + 1) + c * (g + 1);
  constexpr Index blocks = 3, codes = 2;
  constexpr Index start = 2 * 8 /* samples of each rank */ + 8 /* loss */;

  // A sum a block.
  const Sent adam = sent(dense, altmin::Adam{});
  CHECK(adam.calls == 2 + blocks);
  CHECK(adam.bytes == start + 4 * parameters);

  // Three squares of each code, and the penalty of the first block.
  const Sent am_adam = sent(dense, support::moving());
  CHECK(am_adam.calls == 2 + codes + 1 + blocks);
  CHECK(am_adam.bytes == start + codes * 24 + 8 + 4 * parameters);

  // Of each map's residuals the mean squares, and the penalties of all codes.
  // In the first ten steps its memory is updated: the inputs' sum, what they make of the directions, a square.
  altmin::AmMem mem;
  mem.rank = 4;
  const Sent am_mem = sent(dense, mem);
  constexpr Index inputs = a + h + g;
  CHECK(am_mem.calls == 2 + codes + 1 + blocks * 2 + blocks * 3);
  CHECK(am_mem.bytes ==
        start + codes * 24 + codes * 8 + 4 * parameters + 4 * (h + g + c) + 4 * inputs * (1 + 4) + 8 * blocks);

  // Of each map two squares before the weights move, and then the residuals' and the velocity; every few steps both
  // memories, whole.
  const auto square = [](Index n) { return n * n; };
  constexpr Index full_bytes = start + codes * 24 + 8 + 4 * parameters + 24 * blocks;
  altmin::AmMemFull full = support::moving(altmin::AmMemFull{});
  full.memory_interval = 3;
  const Sent without_memory = sent(dense, full);
  CHECK(without_memory.calls == 2 + codes + 1 + 3 * blocks);
  CHECK(without_memory.bytes == full_bytes);
  full.memory_interval = 4;
  const Sent with_memory = sent(dense, full);
  CHECK(with_memory.calls == 2 + codes + 1 + 5 * blocks);
  CHECK(with_memory.bytes ==
        full_bytes + 4 * (square(a + 1) + square(h + 1) + square(g + 1) + square(h) + square(g) + square(c)));

  // Batch normalization: forward two lists of a number a channel, one after the other; backward two in one message,
  // once where the residual passes to the block below, and once to the map.
  const Sent normalized = sent(support::mlp<float>({a, h, g, c}, true), altmin::Adam{});
  CHECK(normalized.calls == adam.calls + 2 * 2 + 1 /* to the code below */ + 2 /* to the maps */);
  CHECK(normalized.bytes ==
        adam.bytes + 4 * 2 * (h + g) /* gains and shifts */ + 4 * (2 * h + 2 * g) + 4 * 2 * g + 4 * 2 * (h + g));
}
