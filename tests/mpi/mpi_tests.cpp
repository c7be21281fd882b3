// Processes of an MPI job as the ranks of a network. All of them run the same checks, in the same order.

#include "altmin/mpi.hpp"

#define CATCH_CONFIG_RUNNER
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "altmin/altmin.hpp"
#include "catch.hpp"
#include "message_of.hpp"
#include "network/problem.hpp"

using altmin::Communicator;
using altmin::Index;
using altmin::Network;
using altmin::Seed;

namespace {

Communicator* world = nullptr;

template <class Number>
void check_sum(Index count) {
  std::vector<Number> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<Number>(i % 1000 + std::size_t(world->rank()));
  }
  world->sum(numbers.data(), count);
  const int size = world->size();
  bool right = true;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    right = right && numbers[i] == static_cast<Number>(i % 1000) * Number(size) + Number(size * (size - 1) / 2);
  }
  CHECK(right);
}

/// Trains on shares of different sizes, the last one empty where there are several, as one rank does on the whole
/// batch.
template <class Algorithm>
void check_training(const altmin::Layers<double>& layers, const Algorithm& algorithm) {
  const support::Problem<double> problem{12, 3, 60};
  const auto make = [&](Seed seed) {
    Network<double> net{layers, altmin::SoftmaxCrossEntropy{}, algorithm, seed};
    net.set_threads(1);
    return net;
  };
  Network<double> one = make(Seed{1});
  Network<double> net = make(Seed{static_cast<std::uint64_t>(world->rank() + 1)});
  net.set_communicator(*world);
  const int size = world->size();
  const int rank = world->rank();
  constexpr Index batch = 17;
  double largest = 0;
  for (Index i = 0; i < 50; ++i) {
    const Index first = i * batch % (problem.x.cols() - batch + 1);
    const Index begin = size == 1 ? 0 : batch * rank / (size - 1);
    const Index count = size == 1 ? batch : rank + 1 == size ? 0 : batch * (rank + 1) / (size - 1) - begin;
    const auto report = net.step(problem.x.middleCols(first + std::min(begin, batch), count),
                                 problem.y.segment(first + std::min(begin, batch), count));
    const auto expected = one.step(problem.x.middleCols(first, batch), problem.y.segment(first, batch));
    REQUIRE(report);
    largest = std::max(largest, std::abs(report.loss - expected.loss));
  }
  CHECK(largest < 1e-10);
  CHECK((net.predict(problem.x) - one.predict(problem.x)).cwiseAbs().maxCoeff() < 1e-10);
  const Network<double> own = net;
  net.set_communicator(*world);  // the values of rank 0
  CHECK(net == own);
}

}  // namespace

TEST_CASE("MPI sums on all ranks", "[mpi]") {
  for (const Index count : {0, 1, 7, 100000}) {
    check_sum<float>(count);
    check_sum<double>(count);
    check_sum<std::int64_t>(count);
  }
}

TEST_CASE("MPI broadcasts", "[mpi]") {
  for (int root = 0; root < world->size(); ++root) {
    int number = 10 + world->rank();
    world->broadcast(&number, sizeof number, root);
    CHECK(number == 10 + root);
  }
}

TEST_CASE("MPI's ranks train as one does", "[mpi]") {
  SECTION("AmAdam") { check_training(support::mlp<double>({12, 9, 8, 3}), altmin::AmAdam{}); }
  SECTION("AmMem") { check_training(support::mlp<double>({12, 9, 8, 3}), altmin::AmMem{}); }
  SECTION("batch normalization") {
    altmin::Layers<double> layers{12};
    layers.add(altmin::Dense{9, false}).add(altmin::BatchNorm{}).add(altmin::Tanh{}).add(altmin::Dense{3});
    check_training(layers, altmin::AmAdam{});
    check_training(layers, altmin::AmMemFull{});
  }
}

TEST_CASE("bad input on one of MPI's ranks is an error on all", "[mpi]") {
  const support::Problem<double> problem{12, 3, 8};
  Network<double> net{support::mlp<double>({12, 5, 3}), altmin::SoftmaxCrossEntropy{}, altmin::Adam{}, Seed{1}};
  net.set_communicator(*world);
  altmin::Labels y = problem.y;
  const int last = world->size() - 1;
  if (world->rank() == last) y(1) = -1;
  const std::string rank = world->size() > 1 ? "rank " + std::to_string(last) + ": " : "";
  CHECK(support::message_of<altmin::DataError>([&] { net.step(problem.x, y); }) ==
        rank + "SoftmaxCrossEntropy: label of sample 1: expected 0 to 2, got -1");
  CHECK(net.step(problem.x, problem.y));
}

TEST_CASE("an MPI environment is the first of its process", "[mpi]") {
  CHECK(support::message_of<altmin::Error>([] { altmin::MpiEnvironment{}; }) ==
        "MpiEnvironment: expected to be the first of this process, MPI is initialised");
}

int main(int argc, char** argv) {
  return altmin::run_on_mpi("mpi_tests", std::cerr, [&](Communicator& communicator) {
    if (argc > 1 && std::strcmp(argv[1], "--fail") == 0) {
      if (communicator.rank() == 1) throw altmin::Error("the disk is full");
      double number = 0;
      communicator.sum(&number, 1);
      return 0;
    }
    world = &communicator;
    Catch::Session session;
    const char* quiet[] = {"mpi_tests", "-o", "/dev/null"};
    if (communicator.rank() > 0) session.applyCommandLine(3, quiet);
    std::int64_t failures = session.run();
    communicator.sum(&failures, 1);
    return failures == 0 ? 0 : 1;
  });
}
