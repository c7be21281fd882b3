#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "altmin/core/error.hpp"

namespace altmin::detail {

/// Writes a whole file, or throws Error and leaves an earlier one as it was: the bytes go to `path`.part, which then
/// takes its place.
inline void write_file(const std::string& path, const std::string& bytes) {
  const std::string part = path + ".part";
  std::error_code error;
  {
    std::ofstream file{part, std::ios::binary};
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) std::filesystem::rename(part, path, error);
  if (!error) return;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  throw Error(path + ": expected a file that can be written: " + error.message());
}

}  // namespace altmin::detail
