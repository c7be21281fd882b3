#pragma once

#include <cstddef>
#include <string>

#include "folder.hpp"

namespace support {

/// What an action throws; "" for nothing.
template <class Error, class Action>
std::string message(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// A safetensors file of this header.
inline std::string with_header(const std::string& header, const std::string& data = "") {
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i) & 0xffU);
  return file + header + data;
}

}  // namespace support
