#include "altmin/parallel/thread_ranks.hpp"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "altmin/core/random.hpp"
#include "altmin/parallel/agreement.hpp"
#include "catch.hpp"
#include "message_of.hpp"

using altmin::Communicator;
using altmin::Index;
using altmin::ThreadRanks;
using support::message_of;

namespace {

constexpr int rank_counts[] = {1, 2, 3, 4, 7};

/// Numbers of very different sizes, whose sum depends on the order.
template <class Number>
std::vector<Number> numbers_of(int rank, Index count) {
  altmin::Random random{altmin::Seed{static_cast<std::uint64_t>(rank)}};
  std::vector<Number> numbers(static_cast<std::size_t>(count));
  for (auto& number : numbers) number = static_cast<Number>(std::exp(random.uniform(0, 20)));
  return numbers;
}

template <class Number>
void check_sums() {
  for (const int size : rank_counts) {
    for (const Index count : {0, 1, 5, 1000}) {
      CAPTURE(size, count);
      std::vector<Number> expected(static_cast<std::size_t>(count));
      for (int rank = 0; rank < size; ++rank) {
        const auto numbers = numbers_of<Number>(rank, count);
        for (std::size_t i = 0; i < numbers.size(); ++i) expected[i] += numbers[i];
      }
      std::vector<std::vector<Number>> got(static_cast<std::size_t>(size));
      ThreadRanks{size}.run([&](Communicator& communicator) {
        auto& numbers = got[std::size_t(communicator.rank())];
        numbers = numbers_of<Number>(communicator.rank(), count);
        communicator.sum(numbers.data(), count);
      });
      for (const auto& numbers : got) CHECK(numbers == expected);
    }
  }
}

}  // namespace

TEST_CASE("ThreadRanks: sums in the order of the ranks, on all of them", "[ranks]") {
  check_sums<float>();
  check_sums<double>();
  check_sums<std::int64_t>();
}

TEST_CASE("ThreadRanks: a broadcast", "[ranks]") {
  for (const int size : rank_counts) {
    std::vector<int> got(static_cast<std::size_t>(size));
    ThreadRanks{size}.run([&](Communicator& communicator) {
      int& number = got[std::size_t(communicator.rank())];
      number = 10 + communicator.rank();
      communicator.broadcast(&number, sizeof number, size - 1);
    });
    CHECK(got == std::vector<int>(std::size_t(size), 9 + size));
  }
}

TEST_CASE("ThreadRanks: a rank that throws or leaves releases the others", "[ranks]") {
  ThreadRanks ranks{3};
  std::vector<std::string> errors(3);
  const auto run = [&](const auto& of_rank_1) {
    ranks.run([&](Communicator& communicator) {
      if (communicator.rank() == 1) return of_rank_1(communicator);
      double number = 0;
      try {
        communicator.sum(&number, 1);
      } catch (const altmin::Error& error) {
        errors[std::size_t(communicator.rank())] = error.what();
        throw;
      }
    });
  };
  SECTION("throws") {
    CHECK(message_of<std::logic_error>([&] { run([](Communicator&) { throw std::logic_error("no data"); }); }) ==
          "no data");
    CHECK(errors[0] == "ranks: rank 1 has failed (no data) while others waited for it in a sum of doubles (1 in all)");
  }
  SECTION("leaves") {
    CHECK_THROWS_AS(run([](Communicator&) {}), altmin::Error);
    CHECK(errors[0] == "ranks: rank 1 has returned while others waited for it in a sum of doubles (1 in all)");
  }
  SECTION("calls something else") {
    CHECK_THROWS_AS(run([](Communicator& communicator) {
                      float number = 0;
                      communicator.sum(&number, 1);
                    }),
                    altmin::Error);
    CHECK(errors[0] == "rank 1: expected a sum of doubles (1 in all), as on rank 0, got a sum of floats (1 in all)");
  }
  CHECK(errors[2] == errors[0]);
  // And may run again.
  double total = 0;
  ranks.run([&](Communicator& communicator) {
    double number = 1;
    communicator.sum(&number, 1);
    if (communicator.rank() == 0) total = number;
  });
  CHECK(total == 3);
}

TEST_CASE("ThreadRanks: expects ranks", "[ranks]") {
  CHECK(message_of<altmin::OptionError>([] { ThreadRanks{0}; }) == "ThreadRanks: size must be 1 to 1024, got 0");
}

TEST_CASE("ranks agree on the first error", "[ranks]") {
  std::vector<std::string> errors(4);
  std::vector<std::vector<std::int64_t>> numbers(4);
  ThreadRanks{4}.run([&](Communicator& communicator) {
    const auto rank = std::size_t(communicator.rank());
    altmin::detail::agree(communicator, numbers[rank], [&] { return std::int64_t{10} * communicator.rank(); });
    try {
      altmin::detail::agree(communicator, [&] {
        if (rank == 2) throw altmin::ShapeError("expected 3, got 4");
        if (rank == 3) throw altmin::DataError("not a number");
      });
    } catch (const altmin::ShapeError& error) {
      errors[rank] = error.what();
    }
  });
  CHECK(errors == std::vector<std::string>(4, "rank 2: expected 3, got 4"));
  CHECK(numbers == std::vector<std::vector<std::int64_t>>(4, {0, 10, 20, 30}));
}
