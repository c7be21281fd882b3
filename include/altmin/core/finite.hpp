#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "altmin/core/types.hpp"

namespace altmin::detail {

/// True if `count` values, stored one after another, are finite. It reads the bits of a float or a double: no
/// floating-point exception is raised (a program may trap them), and no compiler option removes it.
template <class Scalar>
bool all_finite(const Scalar* values, Index count) {
  if constexpr (std::numeric_limits<Scalar>::is_iec559 && (sizeof(Scalar) == 4 || sizeof(Scalar) == 8)) {
    // The exponent of what is not finite is all ones: adding one to its last bit carries into the sign's place, and no
    // further. So a word of 64 bits holds two floats.
    constexpr int fraction = std::numeric_limits<Scalar>::digits - 1;
    constexpr std::uint64_t each = sizeof(Scalar) == 4 ? 0x100000001U : 1U;
    constexpr std::uint64_t sign = each << (8 * sizeof(Scalar) - 1);
    constexpr std::uint64_t one = each << fraction;
    constexpr std::uint64_t exponent = sign - one;
    constexpr Index per_word = 8 / sizeof(Scalar);
    const auto carry = [values](Index at, std::size_t bytes) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, values + at, bytes);
      return (bits & exponent) + one;
    };
    constexpr Index run = 4 * per_word;
    std::uint64_t carries[4] = {};
    Index i = 0;
    for (; i + run <= count; i += run) {
      for (Index j = 0; j < 4; ++j) carries[j] |= carry(i + j * per_word, 8);
    }
    for (; i < count; ++i) carries[0] |= carry(i, sizeof(Scalar));
    return ((carries[0] | carries[1] | carries[2] | carries[3]) & sign) == 0;
  } else {
    for (Index i = 0; i < count; ++i) {
      if (!std::isfinite(values[i])) return false;
    }
    return true;
  }
}

template <class Scalar>
bool is_finite(Scalar value) {
  return all_finite(&value, 1);
}

}  // namespace altmin::detail
