#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>

namespace altmin::detail {

/// The number in at most `digits` significant digits, or, with 0, in as few as give the same number back; whatever the
/// locale.
inline std::string number(double value, int digits = 0) {
  if (std::isnan(value)) return "nan";  // never "-nan"
  char text[64];
  const auto end = digits > 0 ? std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits)
                              : std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

/// The same for people: a dash for what is not defined.
inline std::string figure(double value, int digits) { return std::isnan(value) ? "-" : number(value, digits); }

/// The number with this many digits after the point.
inline std::string fixed(double value, int decimals) {
  if (std::isnan(value) || std::abs(value) >= 1e15) return number(value, 6);
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals).ptr};
}

inline std::string percent(double fraction) { return fixed(100 * fraction, 2) + " %"; }

/// Preceded by as many spaces as make it this wide.
inline std::string right(const std::string& text, std::size_t width) {
  return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
}

}  // namespace altmin::detail
