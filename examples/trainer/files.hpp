#pragma once

#include <altmin/io.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

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

/// The file that an option names; throws at once where it could not be written.
inline altmin::OutputFile output_file(const std::string& option, const std::string& path) {
  try {
    altmin::OutputFile file{path};
    file.require_writable();
    return file;
  } catch (const altmin::Error& error) {
    throw UsageError(option + ": " + error.what());
  }
}

}  // namespace trainer
