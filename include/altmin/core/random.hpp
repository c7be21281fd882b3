#pragma once

#include <cmath>
#include <cstdint>

#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// Where random numbers start. Two networks made with the same seed hold the same bits.
struct Seed {
  std::uint64_t value = 0;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("value", self.value...);
  }
};

/// Portable random numbers: PCG-XSH-RR 64/32 (O'Neill 2014) with distributions of our own, because those of the
/// standard library differ between implementations. Integers and uniform numbers are the same bits everywhere;
/// `normal` uses the platform's log, cos and sqrt. A value: copying it copies the place in the sequence.
class Random {
 public:
  explicit Random(Seed seed = {}, std::uint64_t stream = 0) : increment_{2 * stream + 1} {
    next();
    state_ += seed.value;
    next();
  }

  /// Uniform over all 32-bit integers.
  std::uint32_t next() {
    const std::uint64_t old = state_;
    state_ = old * 6364136223846793005ULL + increment_;
    const auto mixed = static_cast<std::uint32_t>(((old >> 18U) ^ old) >> 27U);
    const auto turn = static_cast<std::uint32_t>(old >> 59U);
    return (mixed >> turn) | (mixed << ((32U - turn) & 31U));
  }

  /// Uniform integer in [0, bound), without bias (Lemire 2019); bound in 1 .. 2^32 - 1.
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = std::uint64_t{next()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t threshold = (0U - bound) % bound;
      while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32U);
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() {
    const std::uint64_t high = next() >> 5U;
    const std::uint64_t low = next() >> 6U;
    return static_cast<double>(high * 67108864U + low) / 9007199254740992.0;
  }

  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Standard normal, by Box and Muller's transform (one number of each pair).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.283185307179586476925 * uniform());
  }

  /// Shuffles a range in place (Fisher and Yates); at most 2^32 - 1 elements.
  template <class T>
  void shuffle(Span<T> values) {
    for (Index i = values.size() - 1; i > 0; --i) {
      const auto j = static_cast<Index>(below(static_cast<std::uint32_t>(i + 1)));
      const T kept = values[i];
      values[i] = values[j];
      values[j] = kept;
    }
  }

  /// Skips so many numbers of next(), as fast as one draws a few (Brown 1994).
  void skip(std::uint64_t count) {
    std::uint64_t factor = 6364136223846793005ULL;
    std::uint64_t addend = increment_;
    for (; count > 0; count >>= 1U) {
      if ((count & 1U) != 0) state_ = state_ * factor + addend;
      addend *= factor + 1;
      factor *= factor;
    }
  }

  std::uint64_t state() const { return state_; }
  void set_state(std::uint64_t state) { state_ = state; }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("state", self.state_...);
    visit("increment", self.increment_...);
  }

 private:
  std::uint64_t state_ = 0;
  std::uint64_t increment_;
};

}  // namespace altmin
