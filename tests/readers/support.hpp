#pragma once

#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "message_of.hpp"

namespace support {

/// A folder of its own for one test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::random_device random;
    do {
      path_ = std::filesystem::temp_directory_path() / ("altmin_test_" + std::to_string(random()));
    } while (!std::filesystem::create_directory(path_));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Writes one file of these bytes and returns its path.
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream file{path_ / name, std::ios::binary | std::ios::trunc};
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    REQUIRE(file.good());
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// These bytes as the content of a gzipped file.
inline std::string gzip(const TemporaryFolder& folder, const std::string& bytes) {
  const auto path = folder.path() / "packing.gz";
  gzFile file = gzopen(path.string().c_str(), "wb9");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  REQUIRE(gzclose(file) == Z_OK);
  std::ifstream packed{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{packed}, {}};
}

}  // namespace support
