#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace altmin::detail {

/// Bytes of the UTF-8 character that a text begins with; 0 where it begins with none.
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  const bool is_character = !(first == 0xe0 && second < 0xa0) && !(first == 0xed && second > 0x9f) &&
                            !(first == 0xf0 && second < 0x90) && !(first == 0xf4 && second > 0x8f);
  return is_character ? length : 0;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// What a message shows of a table's text: its beginning, in quotes, without control characters.
inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t limit = 40;
  std::string result = "'";
  while (!text.empty() && result.size() < limit) {
    const std::size_t length = utf8_length(text);
    const bool is_shown = length > 0 && static_cast<unsigned char>(text[0]) >= ' ' && text[0] != '\x7f';
    result += is_shown ? text.substr(0, length) : "?";
    text.remove_prefix(length > 0 ? length : 1);
  }
  return result + (text.empty() ? "'" : "...'");
}

}  // namespace altmin::detail
