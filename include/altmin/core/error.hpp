#pragma once

#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace altmin {

/// Everything that altmin throws. The message is one sentence: what, where, expected, got.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Sizes that do not fit together.
class ShapeError : public Error {
  using Error::Error;
};

/// An option outside its range.
class OptionError : public Error {
  using Error::Error;
};

/// Bad training data: a label out of range, a value that is not finite, a damaged data file.
class DataError : public Error {
  using Error::Error;
};

/// A model file that cannot be read (component `io`).
class FormatError : public Error {
  using Error::Error;
};

namespace detail {

// Messages are put together where something is wrong: inline, they would take a tenth of the time to compile a program.
#if defined(__GNUC__)
#define ALTMIN_NOT_INLINE [[gnu::noinline]]
#else
#define ALTMIN_NOT_INLINE
#endif

template <class Number>
ALTMIN_NOT_INLINE std::string text(Number value) {
  if constexpr (std::is_integral_v<Number>) {
    return std::to_string(value);
  } else {
    if (std::isnan(value)) return "nan";  // never "-nan"
    char digits[32];                      // "0.1" and "1e-09", where to_string() writes 0.100000 and 0.000000
    const auto end = std::to_chars(digits, digits + sizeof digits, double(value), std::chars_format::general, 6).ptr;
    return {digits, end};
  }
}

template <class Rows, class Columns>
ALTMIN_NOT_INLINE std::string shape_text(Rows rows, Columns columns) {
  return text(rows) + " x " + text(columns);
}

/// The name of an option in a message: "AmAdam: mu", whole or in two parts.
struct OptionName {
  OptionName(std::string_view whole) : option{whole} {}    // NOLINT(google-explicit-constructor)
  OptionName(const char* whole) : option{whole} {}         // NOLINT(google-explicit-constructor)
  OptionName(const std::string& whole) : option{whole} {}  // NOLINT(google-explicit-constructor)
  OptionName(std::string_view owner_, std::string_view option_) : owner{owner_}, option{option_} {}

  std::string_view owner;
  std::string_view option;
};

/// Checks one option; `range` says what it must be ("must be above 0"). It must be finite as well, and the message says
/// so where that is what it is not.
ALTMIN_NOT_INLINE inline void require_option(bool holds, const OptionName& name, const char* range, double got) {
  if (holds && std::isfinite(got)) return;
  std::string where{name.owner};
  if (!where.empty()) where += ": ";
  throw OptionError(where + std::string{name.option} + " " + range +
                    (std::isfinite(got) ? ", got " : " and finite, got ") + text(got));
}

}  // namespace detail
}  // namespace altmin
