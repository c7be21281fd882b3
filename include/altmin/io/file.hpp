#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "altmin/core/error.hpp"

namespace altmin {

namespace detail {

/// An open file, closed at the end of its scope.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : descriptor_{::open(path.c_str(), flags | O_CLOEXEC, 0666)} {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { close(); }

  explicit operator bool() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }
  bool close() { return descriptor_ < 0 || ::close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_;
};

/// What went wrong in the last call of the system.
inline std::string system_reason() { return std::generic_category().message(errno); }

}  // namespace detail

/// All bytes of a file. Throws FormatError where it cannot be read.
inline std::string read_file(const std::string& path) {
  const auto require = [&](bool succeeded) {
    if (!succeeded) throw FormatError(path + ": " + detail::system_reason());
  };
  const detail::OpenFile file{path, O_RDONLY};
  require(static_cast<bool>(file));
  struct ::stat status {};
  require(::fstat(file.get(), &status) == 0);
  if (!S_ISREG(status.st_mode)) throw FormatError(path + ": it is not a file");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ::ssize_t count = ::read(file.get(), &bytes[done], bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0);
    if (count == 0) break;  // somebody has cut it meanwhile
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

/// A file that is replaced as a whole: whenever the program or the system dies, it holds its old content or the new
/// one. The new content is written beside it, into FILE.part, brought to the disk, and renamed. On a failure that file
/// is removed, the old one is as it was, and an Error tells why; so it does to the second of two who write one file at
/// a time. (A part file that a killed process leaves behind is used by the next.) A link stays a link.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path) : name_{path}, path_{path} {
    std::error_code error;
    const auto status = std::filesystem::status(path_, error);
    if (!std::filesystem::exists(status)) return;
    if (!std::filesystem::is_regular_file(status)) fail("it is not a file");
    path_ = std::filesystem::canonical(path_, error);
    if (error) fail(error.message());
  }

  /// Throws where the file could not be written; for finding out early.
  void require_writable() const {
    with_part([](const std::string& part, int) { std::filesystem::remove(part); });
  }

  /// The new content is these bytes.
  void write(std::string_view bytes) const {
    with_part([&](const std::string& part, int descriptor) {
      while (!bytes.empty()) {
        const ::ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        require(count >= 0);
        bytes.remove_prefix(static_cast<std::size_t>(count));
      }
      put_in_place(part);
    });
  }

  /// The new content is what make(path) writes into the file there.
  template <class Make>
  void replace(Make&& make) const {
    with_part([&](const std::string& part, int) {
      make(part);
      put_in_place(part);
    });
  }

 private:
  void require(bool succeeded) const {
    if (!succeeded) fail(detail::system_reason());
  }
  [[noreturn]] void fail(const std::string& reason) const { throw Error("cannot write " + name_ + ": " + reason); }

  /// Calls use(path, descriptor) with an empty file beside the real one.
  template <class Use>
  void with_part(Use&& use) const {
    const std::string part = path_.string() + ".part";
    const detail::OpenFile file{part, O_WRONLY | O_CREAT};
    require(static_cast<bool>(file));
    struct ::stat locked {};
    struct ::stat named {};
    const bool mine = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && ::fstat(file.get(), &locked) == 0 &&
                      ::stat(part.c_str(), &named) == 0 && locked.st_ino == named.st_ino;  // not renamed meanwhile
    if (!mine) fail("something else is writing it");
    try {
      require(::ftruncate(file.get(), 0) == 0);
      use(part, file.get());
    } catch (...) {
      std::error_code ignored;
      std::filesystem::remove(part, ignored);
      throw;
    }
  }

  void put_in_place(const std::string& part) const {
    const detail::OpenFile file{part, O_RDONLY};
    require(file && ::fsync(file.get()) == 0);
    require(std::rename(part.c_str(), path_.c_str()) == 0);
    const std::filesystem::path directory = path_.parent_path();
    const detail::OpenFile opened{directory.empty() ? "." : directory.string(), O_RDONLY | O_DIRECTORY};
    if (opened) ::fsync(opened.get());  // the new name, too, outlives a power cut; not all file systems can promise it
  }

  std::string name_;  // for messages
  std::filesystem::path path_;
};

}  // namespace altmin
