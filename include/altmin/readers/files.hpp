#pragma once

#include <glob.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// The files that match a pattern of the shell, such as "days/2024-*.csv.gz", in the order of their bytes: the same on
/// all ranks that have the same files. Throws DataError where there are none.
inline std::vector<std::filesystem::path> find_files(const std::string& pattern) {
  ::glob_t found{};
  const int status = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<std::filesystem::path> files;
  try {
    for (std::size_t i = 0; status == 0 && i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  } catch (...) {
    ::globfree(&found);
    throw;
  }
  ::globfree(&found);
  if (files.empty()) throw DataError(pattern + ": expected files to match, got none");
  std::sort(files.begin(), files.end());  // glob's own order depends on the locale
  return files;
}

/// What falls to part number `part`, 0 .. parts - 1, of a list that is dealt out one by one: to a rank its files.
/// Throws OptionError for a part that there is not, DataError where there are fewer than `parts`.
template <class T>
std::vector<T> deal(const std::vector<T>& all, Index part, Index parts) {
  if (part < 0 || part >= parts) {
    throw OptionError("deal: expected a part of 0 to " + detail::text(parts - 1) + ", got " + detail::text(part));
  }
  if (static_cast<Index>(all.size()) < parts) {
    throw DataError("deal: expected at least one of a list for each of " + detail::text(parts) + " parts, got " +
                    detail::text(all.size()));
  }
  std::vector<T> own;
  for (auto i = static_cast<std::size_t>(part); i < all.size(); i += static_cast<std::size_t>(parts)) {
    own.push_back(all[i]);
  }
  return own;
}

}  // namespace altmin
