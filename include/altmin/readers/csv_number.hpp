#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>
#include <type_traits>

#include "altmin/core/types.hpp"

namespace altmin::detail {

/// Bytes behind a text that must be readable, whatever they hold: numbers are read eight digits at a time.
constexpr std::size_t csv_padding = 8;

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

/// Eight bytes, the first one lowest.
inline std::uint64_t eight_bytes(const char* at) {
  std::uint64_t bytes = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (int i = 7; i >= 0; --i) bytes = bytes << 8U | static_cast<unsigned char>(at[i]);
#else
  std::memcpy(&bytes, at, 8);
#endif
  return bytes;
}

inline bool are_digits(std::uint64_t bytes) {
  return ((bytes & (bytes + 0x0606060606060606U) & 0xf0f0f0f0f0f0f0f0U) == 0x3030303030303030U);
}

/// The number that eight digits stand for: neighbours are joined to pairs, pairs to fours, fours to all.
inline std::uint32_t join_digits(std::uint64_t bytes) {
  bytes -= 0x3030303030303030U;
  bytes = bytes * 10 + (bytes >> 8U);
  constexpr std::uint64_t mask = 0x000000ff000000ffU;
  constexpr std::uint64_t low = 100 + (std::uint64_t{1000000} << 32U);
  constexpr std::uint64_t high = 1 + (std::uint64_t{10000} << 32U);
  return static_cast<std::uint32_t>(((bytes & mask) * low + ((bytes >> 16U) & mask) * high) >> 32U);
}

/// Goes over a sign, if there is one; whether it is a minus. Without a branch: signs are hard to foresee.
inline bool skip_sign(const char*& at) {
  const char c = *at;
  at += static_cast<int>(c == '-') | static_cast<int>(c == '+');
  return c == '-';
}

/// A decimal number as it stands in a text: digits * 10^exponent.
struct Decimal {
  std::uint64_t digits = 0;
  std::int64_t exponent = 0;
  std::ptrdiff_t count = 0;  ///< of digits; of more than 19, `digits` holds no sense
  const char* end = nullptr;
};

/// Reads digits, a point, and an exponent; a sign is left to the caller. `end` is null where there is no number.
inline Decimal scan_decimal(const char* at) {
  Decimal number;
  const char* const first = at;
  while (is_digit(*at)) number.digits = number.digits * 10 + static_cast<unsigned char>(*at++ - '0');
  number.count = at - first;
  if (*at == '.') {
    const char* const fraction = ++at;
    for (std::uint64_t bytes = eight_bytes(at); are_digits(bytes); bytes = eight_bytes(at)) {
      number.digits = number.digits * 100000000 + join_digits(bytes);
      at += 8;
    }
    while (is_digit(*at)) number.digits = number.digits * 10 + static_cast<unsigned char>(*at++ - '0');
    number.exponent = fraction - at;
    number.count += at - fraction;
  }
  if (number.count == 0) return number;
  if (*at == 'e' || *at == 'E') {
    const char* power = at + 1;
    const bool negative = skip_sign(power);
    std::int64_t value = 0;
    const char* const first_of_power = power;
    if (is_digit(power[0]) && is_digit(power[1]) && !is_digit(power[2])) {  // as most are
      value = power[0] * 10 + power[1] - '0' * 11;
      power += 2;
    } else {
      for (; is_digit(*power); ++power) {
        if (value < 100000) value = value * 10 + (*power - '0');  // far beyond any number's
      }
      if (power == first_of_power) return number;
    }
    number.exponent += negative ? -value : value;
    at = power;
  }
  number.end = at;
  return number;
}

/// Powers of ten; those below 1 are rounded.
inline double power_of_ten(std::int64_t exponent) {
  static constexpr double tens[] = {1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11,
                                    1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1,  1e0,   1e1,
                                    1e2,   1e3,   1e4,   1e5,   1e6,   1e7,   1e8,   1e9,   1e10,  1e11,  1e12,  1e13,
                                    1e14,  1e15,  1e16,  1e17,  1e18,  1e19,  1e20,  1e21,  1e22};
  return tens[22 + exponent];
}

/// Whether a few operations may find a number.
inline bool is_moderate(const Decimal& number) {
  return number.count <= 19 && number.exponent >= -22 && number.exponent <= 22;
}

/// The double nearest to a decimal number, where a few operations find it for certain; false where they do not.
inline bool find_nearest(const Decimal& number, double& value) {
  if (!is_moderate(number)) return false;
  const double power = power_of_ten(number.exponent < 0 ? -number.exponent : number.exponent);  // exact
  if (number.digits <= std::uint64_t{1} << 53U) {
    const auto digits = static_cast<double>(number.digits);
    value = number.exponent < 0 ? digits / power : digits * power;
    return true;
  }
#if defined(__FMA__)
  // Twice the precision: `rest` is what `near` lacks, up to 2^-102 of it. The sum is right where such an error would
  // not change how it is rounded.
  const auto high = static_cast<double>(number.digits);
  const auto low = static_cast<double>(static_cast<std::int64_t>(number.digits - static_cast<std::uint64_t>(high)));
  const double factor = power_of_ten(number.exponent);
  const double near = high * factor;
  const double rest = number.exponent < 0 ? (std::fma(-near, power, high) + low) * factor
                                          : std::fma(low, power, std::fma(high, power, -near));
  const double error = near * 0x1p-100;
  value = near + (rest + error);
  return value == near + (rest - error);
#elif defined(__x86_64__) && defined(__LDBL_MANT_DIG__) && __LDBL_MANT_DIG__ == 64
  // 64 bits hold all of 19 digits. Rounding twice, to 64 bits and to 53, errs only where the first lands half way.
  const auto digits = static_cast<long double>(number.digits);
  const long double wide = number.exponent < 0 ? digits / power : digits * power;
  std::uint64_t bits = 0;
  std::memcpy(&bits, &wide, sizeof bits);
  value = static_cast<double>(wide);
  return (bits & 0x7ffU) != 0x400U;
#else
  return false;
#endif
}

/// The same in any case, from the text itself.
inline double parse(const char* at, const Decimal& number) {
  double value = 0;
  const auto result = std::from_chars(at, number.end, value);
  if (result.ec != std::errc::result_out_of_range) return value;
  std::ptrdiff_t zeros = 0;
  for (const char* c = at; *c == '0' || *c == '.'; ++c) zeros += *c == '0' ? 1 : 0;
  return number.exponent + number.count - zeros > 0 ? std::numeric_limits<double>::infinity() : 0;
}

/// A double rounded to the nearest Scalar: infinite from half a unit of the last place beyond the largest one on. No
/// conversion overflows.
template <class Scalar>
Scalar narrow(double value) {
  if constexpr (std::is_same_v<Scalar, float>) {
    constexpr float largest = std::numeric_limits<float>::max();
    constexpr double beyond = 0x1.ffffffp127;  // half way from there to 2^128; ties go to the latter, which is even
    const double size = std::abs(value);
    if (size <= double{largest}) return static_cast<float>(value);
    const float rounded = size < beyond ? largest : std::numeric_limits<float>::infinity();
    return value < 0 ? -rounded : rounded;
  } else {
    static_assert(std::is_same_v<Scalar, double>, "numbers are read as float or double");
    return value;
  }
}

/// That double as a float: it takes a double that is within four units of the last place, unless it is that near to
/// where floats are rounded up or down.
inline bool find_nearest(const Decimal& number, float& value) {
  if (!is_moderate(number)) return false;
  const double near = static_cast<double>(number.digits) * power_of_ten(number.exponent);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &near, sizeof bits);
  constexpr std::uint64_t half = 1U << 28U;  // of a float's last place
  if (((bits - half + 8) & (2 * half - 1)) <= 16 || near > 1e38) return false;
  value = static_cast<float>(near);
  return true;
}

/// Reads a number, such as -1.5e-3, and returns its end; null where there is none. The value is the nearest double,
/// infinite beyond the largest, rounded to a float where that is asked for. A byte that cannot belong to a number must
/// follow, and csv_padding more.
template <class Scalar>
EIGEN_STRONG_INLINE const char* read_number(const char* at, Scalar& value) {
  const bool negative = skip_sign(at);
  const Decimal number = scan_decimal(at);
  if (number.end == nullptr) return nullptr;
  if (!find_nearest(number, value)) value = narrow<Scalar>(parse(at, number));
  if (negative) value = -value;
  return number.end;
}

}  // namespace altmin::detail
