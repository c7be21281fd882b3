// Several ranks, as threads, that train one network: they do what one rank does on the whole batch.

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "altmin/altmin.hpp"
#include "altmin/parallel/thread_ranks.hpp"
#include "catch.hpp"
#include "message_of.hpp"
#include "problem.hpp"

using altmin::Communicator;
using altmin::Index;
using altmin::Matrix;
using altmin::Network;
using altmin::Random;
using altmin::Seed;
using altmin::ThreadRanks;
using support::message_of;
using support::Problem;

namespace {

template <class Scalar>
using MakeNetwork = std::function<Network<Scalar>(Seed)>;

template <class Scalar, class Algorithm>
MakeNetwork<Scalar> network_maker(const altmin::Layers<Scalar>& layers, const Algorithm& algorithm) {
  return [=](Seed seed) { return Network<Scalar>{layers, altmin::SoftmaxCrossEntropy{}, algorithm, seed}; };
}

/// Where the share of each rank in a batch begins, and the last one's ends: at random places, so that some are empty.
std::vector<Index> random_shares(Index samples, int ranks, Random& random) {
  std::vector<Index> places{0, samples};
  for (int i = 1; i < ranks; ++i) places.push_back(random.below(static_cast<std::uint32_t>(samples + 1)));
  std::sort(places.begin(), places.end());
  return places;
}

/// What becomes of a network, and of its reports.
template <class Scalar>
struct Trained {
  Network<Scalar> net;
  std::vector<double> figures;  // losses and penalties
};

/// Trains on so many ranks; the result of each. All but rank 0 begin with other weights.
template <class Scalar>
std::vector<Trained<Scalar>> train_on(int ranks, const MakeNetwork<Scalar>& make, const Problem<Scalar>& problem,
                                      Index batch, int steps, int threads = 1) {
  std::vector<Trained<Scalar>> results(std::size_t(ranks), {make(Seed{1}), {}});
  ThreadRanks{ranks}.run([&](Communicator& communicator) {
    auto& [net, figures] = results[std::size_t(communicator.rank())];
    net = make(Seed{static_cast<std::uint64_t>(communicator.rank() + 1)});
    net.set_threads(threads);
    net.set_communicator(communicator);
    Random random{Seed{5}};
    for (int i = 0; i < steps; ++i) {
      const Index first = i * batch % (problem.x.cols() - batch + 1);
      const auto shares = random_shares(batch, communicator.size(), random);
      const Index begin = shares[std::size_t(communicator.rank())];
      const Index count = shares[std::size_t(communicator.rank()) + 1] - begin;
      const auto report = net.step(problem.x.middleCols(first + begin, count), problem.y.segment(first + begin, count));
      figures.push_back(report ? report.loss : -1);
      figures.insert(figures.end(), report.penalties.begin(), report.penalties.end());
    }
  });
  return results;
}

/// The largest relative difference of parameters, statistics and figures.
template <class Scalar>
double difference(const Trained<Scalar>& a, const Trained<Scalar>& b) {
  double largest = 0;
  const auto compare = [&](const Matrix<double>& x, const Matrix<double>& y) {
    if (y.size() > 0) largest = std::max(largest, support::relative_error(x, y));
  };
  for (Index i = 0; i < a.net.layers().size(); ++i) {
    const auto& x = a.net.layers()[i];
    const auto& y = b.net.layers()[i];
    for (Index k = 0; k < x.parameters().size(); ++k) {
      compare(x.parameters()[k].value().template cast<double>(), y.parameters()[k].value().template cast<double>());
    }
    if (const auto* of_x = x.template as<altmin::Standardize>()) {
      const auto* of_y = y.template as<altmin::Standardize>();
      compare(of_x->mean(), of_y->mean());
      compare(of_x->deviation(), of_y->deviation());
      REQUIRE(of_x->count() == of_y->count());
    }
    for (Index k = 0; k < x.statistics().size(); ++k) {
      compare(x.statistics()[k].value().template cast<double>(), y.statistics()[k].value().template cast<double>());
    }
  }
  compare(Eigen::Map<const altmin::Vector<double>>{a.figures.data(), static_cast<Index>(a.figures.size())},
          Eigen::Map<const altmin::Vector<double>>{b.figures.data(), static_cast<Index>(b.figures.size())});
  return largest;
}

/// That any number of ranks ends as one does, all of them with the same bits, in every run and with any threads.
void check_ranks(const MakeNetwork<double>& make, const Problem<double>& problem, Index batch, int steps) {
  const auto one = train_on(1, make, problem, batch, steps).front();
  REQUIRE(*std::min_element(one.figures.begin(), one.figures.end()) >= 0);  // no step failed
  REQUIRE(one.net.communicator() == nullptr);
  for (const int ranks : {2, 3, 4, 7}) {
    CAPTURE(ranks);
    const auto several = train_on(ranks, make, problem, batch, steps);
    const double off = difference(several.front(), one);
    CHECK(off < 1e-10);
    for (const auto& other : several) {
      CHECK(other.net == several.front().net);
      CHECK(other.figures == several.front().figures);
    }
    if (ranks == 3) {
      CHECK(train_on(ranks, make, problem, batch, steps, 2).front().net == several.front().net);
    }
  }
}

/// With batch normalization. A bias below one would have gradients of rounding alone, which Adam makes as large as any.
altmin::Layers<double> normalized() {
  return altmin::Layers<double>{12}
      .add(altmin::Dense{9, false})
      .add(altmin::BatchNorm{})
      .add(altmin::Relu{})
      .add(altmin::Dense{8, false})
      .add(altmin::BatchNorm{})
      .add(altmin::Relu{})
      .add(altmin::Dense{3});
}

altmin::AmAdam published_and_sparse() {
  altmin::AmAdam options = altmin::AmAdam::published();
  options.lambda_weight = 0.01;
  options.lambda_code = 0.01;
  return options;
}

altmin::AmAdam twice() {
  altmin::AmAdam options;
  options.weight_iterations = 2;
  return options;
}

altmin::AmMem mem() {
  altmin::AmMem options;
  options.rank = 4;
  options.memory_interval = 3;
  return options;
}
altmin::AmMem moved_mem() {
  altmin::AmMem options = altmin::AmMem::moved();
  options.rank = 4;
  return options;
}

}  // namespace

TEST_CASE("ranks: any number trains as one does", "[ranks]") {
  const Problem<double> problem{12, 3, 60};
  const auto layers = GENERATE(false, true) ? normalized() : support::mlp<double>({12, 9, 8, 3});
  const auto check = [&](const auto& algorithm) { check_ranks(network_maker(layers, algorithm), problem, 17, 50); };
  SECTION("AmAdam") { check(altmin::AmAdam{}); }
  SECTION("AmAdam, means and l1") { check(published_and_sparse()); }
  SECTION("AmAdam, two weight updates a step") { check(twice()); }
  SECTION("AmSgd") { check(altmin::AmSgd{}); }
  SECTION("AmMem") { check(mem()); }
  SECTION("AmMem, moved") { check(moved_mem()); }
  SECTION("AmMemFull") { check(altmin::AmMemFull{}); }
  SECTION("AmMemDescent") { check(altmin::AmMemDescent{}); }
  SECTION("Adam") { check(altmin::Adam{}); }
  SECTION("Sgd") { check(altmin::Sgd{}); }
  SECTION("centred Adam") { check(altmin::Pair{altmin::Backprop{}, altmin::CentredAdamRule{}}); }
  SECTION("backprop with a memory") { check(altmin::Pair{altmin::Backprop{}, altmin::MemoryRule{}}); }
}

TEST_CASE("ranks: convolutions, sequences and dropout", "[ranks]") {
  const auto check = [&](const altmin::Layers<double>& layers, Index features, int steps) {
    const Problem<double> problem{features, 3, 40};
    check_ranks(network_maker(layers, altmin::AmAdam{}), problem, 11, steps);
    check_ranks(network_maker(layers, altmin::Adam{}), problem, 11, steps);
    check_ranks(network_maker(layers, mem()), problem, 11, steps);
    check_ranks(network_maker(layers, altmin::AmMemFull{}), problem, 11, steps);
  };
  SECTION("convolutional") {
    altmin::Layers<double> layers{altmin::Shape{1, 8, 8}};
    layers.add(altmin::Conv2d{4, 3}).add(altmin::MaxPool2d{}).add(altmin::Relu{});
    layers.add(altmin::Conv2d{5, 3, 1, 1, false}).add(altmin::BatchNorm{}).add(altmin::Tanh{}).add(altmin::Dense{3});
    check(layers, 64, 20);
  }
  SECTION("recurrent") { check(support::recurrent<double>(4, 3, 5, 3), 12, 50); }
  SECTION("dropout") {
    altmin::Layers<double> layers{12};
    layers.add(altmin::Dense{9}).add(altmin::Dropout{0.3}).add(altmin::Tanh{}).add(altmin::Dense{7});
    check(layers.add(altmin::Tanh{}).add(altmin::Dropout{}).add(altmin::Dense{3}), 12, 50);
  }
  SECTION("residual") {
    altmin::Layers<double> layers{12};
    layers.add(altmin::Dense{8}).add(altmin::Relu{}).add(altmin::Dense{8}).add(altmin::Skip{0.5});
    check(layers.add(altmin::Tanh{}).add(altmin::Dense{8}).add(altmin::Skip{}).add(altmin::Dense{3}), 12, 50);
  }
  SECTION("signs") { check(support::sign_net<double>({12, 9, 8, 3}), 12, 50); }
}

TEST_CASE("ranks: inputs are standardized by the samples of all of them", "[ranks]") {
  // Features far from 0 and of small deviation, and one that never changes.
  Problem<double> problem{12, 3, 60};
  problem.x.array() = 1e4 + problem.x.array();
  const bool images = GENERATE(false, true);
  if (!images) problem.x.row(3).setConstant(0.1);
  altmin::Layers<double> layers{images ? altmin::Shape{3, 2, 2} : altmin::Shape{12}};
  layers.add(altmin::Standardize{images}).add(altmin::Dense{8}).add(altmin::Relu{}).add(altmin::Dense{3});
  const MakeNetwork<double> make = network_maker(layers, altmin::AmAdam{});
  check_ranks(make, problem, 17, 30);
  if (images) return;
  const auto several = train_on(3, make, problem, 17, 30).front();
  CHECK(several.net.layers()[0].template as<altmin::Standardize>()->mean()(3) == 0.1);
  CHECK(several.net.layers()[0].template as<altmin::Standardize>()->deviation()(3) == 1);
}
