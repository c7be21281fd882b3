#pragma once

#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>

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

template <class Number>
std::string text(Number value) {
  if constexpr (std::is_integral_v<Number>) return std::to_string(value);
  char digits[32];  // "0.1" and "1e-09", where to_string() writes 0.100000 and 0.000000
  const auto end = std::to_chars(digits, digits + sizeof digits, double(value), std::chars_format::general, 6).ptr;
  return {digits, end};
}

template <class Rows, class Columns>
std::string shape_text(Rows rows, Columns columns) {
  return text(rows) + " x " + text(columns);
}

/// Checks one option; `where` names it ("AmAdam: mu"), `range` says what it must be ("must be above 0"). It must be
/// finite as well.
inline void require_option(bool holds, const std::string& where, const char* range, double got) {
  if (!holds || !std::isfinite(got)) throw OptionError(where + " " + range + ", got " + text(got));
}

}  // namespace detail
}  // namespace altmin
