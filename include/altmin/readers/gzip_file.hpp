#pragma once

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "altmin/core/error.hpp"

namespace altmin {
namespace detail {

/// "file, byte 16: expected ..., got ...".
[[noreturn]] inline void throw_data(const std::string& name, std::uint64_t offset, const std::string& what) {
  throw DataError(name + ", byte " + text(offset) + ": " + what);
}

/// The bytes of a file, gzipped or plain, in order. Every failure is a DataError.
class GzipFile {
 public:
  explicit GzipFile(const std::filesystem::path& path) : name_{path.string()} {
    errno = 0;
    file_.reset(gzopen(name_.c_str(), "rb"));
    if (!file_) {
      const std::string reason = errno != 0 ? std::generic_category().message(errno) : "out of memory";
      throw DataError(name_ + ": expected a file to read, got: " + reason);
    }
    gzbuffer(file_.get(), 1U << 17U);
    packed_ = gzdirect(file_.get()) == 0;
  }

  /// Reads `size` bytes, fewer only at the end of the file, and returns how many.
  std::size_t operator()(void* to, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const auto wanted = static_cast<unsigned>(std::min(size - done, std::size_t{1} << 20U));
      const int got = gzread(file_.get(), static_cast<char*>(to) + done, wanted);
      if (got > 0) done += static_cast<unsigned>(got);
      if (got != static_cast<int>(wanted)) {
        require_sound(offset_ + done);
        break;
      }
    }
    offset_ += done;
    return done;
  }

  /// The file, for messages; bytes of a gzipped file are counted as they come out.
  std::string name() const { return packed_ ? name_ + " (unpacked)" : name_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  void require_sound(std::uint64_t offset) const {
    int status = Z_OK;
    std::string reason = gzerror(file_.get(), &status);  // "<file>: <reason>"
    if (status == Z_OK || status == Z_STREAM_END) return;
    if (reason.compare(0, name_.size() + 2, name_ + ": ") == 0) reason.erase(0, name_.size() + 2);
    throw_data(name(), offset, "expected readable data from here on, got: " + reason);
  }

  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
  bool packed_ = false;
  std::uint64_t offset_ = 0;
};

}  // namespace detail
}  // namespace altmin
