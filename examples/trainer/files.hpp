#pragma once

#include <altmin/io.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "options.hpp"

namespace trainer {

namespace fs = std::filesystem;

/// Where download.sh puts data sets.
inline fs::path data_home() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string{value == nullptr ? "" : value};
  };
  const std::string data = variable("XDG_DATA_HOME");
  return (data.empty() ? fs::path{variable("HOME")} / ".local/share" : fs::path{data}) / "altmin";
}

/// The folder of a data set: the one that --data names or, if that is empty, the one of download.sh. Throws UsageError
/// if the latter does not exist; `hint` completes the message.
inline fs::path data_folder(const std::string& path, const std::string& name, const std::string& hint = "") {
  if (!path.empty()) return path;
  const fs::path folder = data_home() / name;
  if (fs::is_directory(folder)) return folder;
  throw UsageError("expected the data set in " + folder.string() + ", found none: fetch it with examples/download.sh " +
                   name + ", or name another directory with --data" + hint);
}

/// The file that an option names. Throws UsageError if it could not be written.
inline altmin::OutputFile output_file(const std::string& option, const std::string& path) {
  try {
    altmin::OutputFile file{path};
    file.require_writable();
    return file;
  } catch (const altmin::Error& error) {
    throw UsageError(option + ": " + error.what());
  }
}

/// Throws UsageError if two of these options (name and file) name the same file, or one names the part file of another:
/// the later one would replace the earlier one's content. Empty names, devices and pipes are skipped.
inline void require_different_files(const std::vector<std::pair<std::string, std::string>>& options) {
  std::vector<std::pair<std::string, fs::path>> files;
  for (const auto& [option, name] : options) {
    if (name.empty()) continue;
    const altmin::OutputFile file{name};
    if (file.in_place()) continue;
    const fs::path path = fs::weakly_canonical(fs::absolute(file.path()));
    for (const auto& [other, taken] : files) {
      if (path != taken && path != fs::path{taken}.concat(".part") && fs::path{path}.concat(".part") != taken) continue;
      throw UsageError(option + ": expected another file than that of " + other + ", got " + name);
    }
    files.emplace_back(option, path);
  }
}

}  // namespace trainer
