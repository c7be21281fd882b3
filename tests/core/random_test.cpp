#include "altmin/core/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "catch.hpp"

using altmin::Random;
using altmin::Seed;
using altmin::Span;

namespace {

std::vector<std::uint32_t> numbers(Random random) {
  std::vector<std::uint32_t> result(100);
  for (auto& number : result) number = random.next();
  return result;
}

}  // namespace

TEST_CASE("random numbers are PCG32's", "[random]") {
  Random random{Seed{42}, 54};  // as pcg32-demo, from pcg-random.org
  for (const std::uint32_t expected : {0xa15c02b7U, 0x7b47f409U, 0xba1d3330U, 0x83d2f293U, 0xbfa4784bU, 0xcbed606eU}) {
    CHECK(random.next() == expected);
  }
}

TEST_CASE("random numbers follow from seed, stream and state alone", "[random]") {
  CHECK(numbers(Random{Seed{1}}) == numbers(Random{Seed{1}}));
  CHECK(numbers(Random{Seed{1}}) != numbers(Random{Seed{2}}));
  CHECK(numbers(Random{Seed{1}, 0}) != numbers(Random{Seed{1}, 1}));

  Random one{Seed{1}};
  one.next();
  Random copy = one;
  CHECK(copy == one);
  CHECK(copy.next() == one.next());

  Random later{Seed{1}};
  CHECK_FALSE(later == one);
  later.set_state(one.state());
  CHECK(later == one);
  CHECK(later.next() == one.next());
  CHECK_FALSE(Random{Seed{1}, 0} == Random{Seed{1}, 1});
}

TEST_CASE("below() is uniform", "[random]") {
  Random random{Seed{1}};
  CHECK(random.below(1) == 0);

  std::array<int, 6> counts{};
  for (int i = 0; i < 60000; ++i) ++counts.at(random.below(6));
  for (const int count : counts) CHECK(std::abs(count - 10000) < 400);  // 4.4 standard deviations

  // 2^32 numbers do not divide among 3 * 2^30: without rejection every third result is twice as likely.
  counts = {};
  for (int i = 0; i < 30000; ++i) ++counts.at(random.below(3U << 30U) % 3);
  for (const int count : {counts[0], counts[1], counts[2]}) CHECK(std::abs(count - 10000) < 360);
}

TEST_CASE("uniform() and normal() have their moments", "[random]") {
  Random random{Seed{1}};
  constexpr int count = 100000;
  double mean = 0, square = 0, least = 1, most = 0;
  for (int i = 0; i < count; ++i) {
    const double u = random.uniform();
    mean += u / count;
    square += u * u / count;
    least = std::min(least, u);
    most = std::max(most, u);
  }
  CHECK(least >= 0);
  CHECK(most < 1);
  CHECK(std::abs(mean - 1. / 2) < 0.004);
  CHECK(std::abs(square - 1. / 3) < 0.004);

  std::array<double, 5> moments{};  // of powers 1 to 4, and of neighbours' products
  double last = 0;
  for (int i = 0; i < count; ++i) {
    const double z = random.normal();
    for (std::size_t power = 1; power <= 4; ++power) moments.at(power - 1) += std::pow(z, power) / count;
    moments[4] += z * last / count;
    last = z;
  }
  const std::array<double, 5> expected{0, 1, 0, 3, 0};
  const std::array<double, 5> variances{1, 2, 15, 96, 1};
  for (std::size_t i = 0; i < 5; ++i) CHECK(std::abs(moments[i] - expected[i]) < 4 * std::sqrt(variances[i] / count));

  CHECK(random.uniform(2, 2) == 2);
  CHECK(std::abs(random.uniform(-3, -2) + 2.5) <= 0.5);
}

TEST_CASE("shuffle() gives every order equally often", "[random]") {
  Random random{Seed{1}};
  std::map<std::array<int, 4>, int> counts;
  for (int i = 0; i < 24000; ++i) {
    std::array<int, 4> cards{1, 2, 3, 4};
    random.shuffle(Span<int>{cards.data(), 4});
    ++counts[cards];
  }
  CHECK(counts.size() == 24);
  for (const auto& [cards, count] : counts) {
    CHECK(std::abs(count - 1000) < 150);  // 4.8 standard deviations
    CHECK(std::is_permutation(cards.begin(), cards.end(), std::array<int, 4>{1, 2, 3, 4}.begin()));
  }
  random.shuffle(Span<int>{});
}

TEST_CASE("skip() comes to where as many draws do", "[random]") {
  for (const std::uint64_t count : {0U, 1U, 2U, 3U, 64U, 1000U, 65537U}) {
    Random drawn{Seed{7}, 3};
    Random skipped{Seed{7}, 3};
    for (std::uint64_t i = 0; i < count; ++i) drawn.next();
    skipped.skip(count);
    CHECK(skipped == drawn);
  }
}
