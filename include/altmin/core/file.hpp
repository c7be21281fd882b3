#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "altmin/core/error.hpp"

namespace altmin {

namespace detail {

/// What went wrong in the last call of the system.
inline std::string system_reason() { return std::generic_category().message(errno); }

/// An open file, closed at the end of its scope.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags, ::mode_t mode = 0666)
      : descriptor_{::open(path.c_str(), flags | O_CLOEXEC, mode)} {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { close(); }

  explicit operator bool() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }
  bool close() { return descriptor_ < 0 || ::close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_;
};

/// A folder for files that the program alone reads, removed at the end of its scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::string path = (std::filesystem::temp_directory_path(error) / "altmin-XXXXXX").string();
    if (error) throw Error("cannot create a temporary folder: " + error.message());
    if (::mkdtemp(path.data()) == nullptr) throw Error("cannot create the folder " + path + ": " + system_reason());
    path_ = path;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The descriptor of this process that a path stands for, such as /dev/fd/1 and /proc/self/fd/1; -1 for other paths.
inline int own_descriptor(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.empty() || name.size() > 9 || !std::all_of(name.begin(), name.end(), is_digit)) return -1;
  std::error_code error;
  const auto folder = std::filesystem::canonical(path.parent_path(), error);
  if (error) return -1;
  for (const char* own : {"/proc/self/fd", "/proc/thread-self/fd"}) {
    if (folder == std::filesystem::canonical(own, error) && !error) return std::stoi(name);
  }
  return -1;
}

}  // namespace detail

/// All bytes of a file. Throws FormatError where it cannot be read.
inline std::string read_file(const std::string& path) {
  const auto require = [&](bool succeeded) {
    if (!succeeded) throw FormatError(path + ": " + detail::system_reason());
  };
  const detail::OpenFile file{path, O_RDONLY | O_NONBLOCK};  // a pipe without a writer does not block
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
    if (count == 0) break;  // the file has been truncated meanwhile
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

/// A file that is replaced as a whole: whenever the program or the system dies, it holds its old content or the new
/// one. The new content is written beside it, into FILE.part, brought to the disk, and renamed. On a failure that file
/// is removed, the old one is as it was, and an Error tells why; so it does to the second of two who write one file at
/// a time. (A part file that a killed process leaves behind is removed by the next.)
///
/// A new file has the mode that the umask gives. A replaced one keeps its mode and, where the process may set them, its
/// owner and group; a read-only file, also of root's, is an Error. A link stays a link: the file that it names is
/// written, which need not exist yet.
///
/// Character devices, named pipes and the process's own descriptors (/dev/stdout, /dev/fd/3), also those of a file, are
/// written in place: nothing of theirs is replaced, and the bytes follow those that have been written there before.
class OutputFile {
 public:
  /// Throws Error for a folder, a socket or a block device, and for links that lead nowhere.
  explicit OutputFile(const std::string& path) : name_{path}, path_{path} {
    constexpr int most_links = 40;  // as Linux follows
    for (int links = 0;; ++links) {
      descriptor_ = detail::own_descriptor(path_);
      if (descriptor_ >= 0) return;
      std::error_code error;
      if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path_, error))) break;
      if (links == most_links) fail(std::make_error_code(std::errc::too_many_symbolic_link_levels).message());
      const auto target = std::filesystem::read_symlink(path_, error);
      if (error) fail(error.message());
      path_ = path_.parent_path() / target;
    }
    struct ::stat status {};
    if (::stat(path_.c_str(), &status) != 0) return;
    in_place_ = S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode);
    if (!in_place_ && !S_ISREG(status.st_mode)) fail("it is not a file");
  }

  /// The file that is written: the end of all links.
  const std::filesystem::path& path() const { return path_; }

  /// Whether it is written in place: a device, a pipe or a descriptor. Content that replaces earlier content is best
  /// written there once, when it is complete.
  bool in_place() const { return in_place_ || descriptor_ >= 0; }

  /// Throws Error where the file could not be written; for early checks.
  void require_writable() const {
    if (descriptor_ >= 0) {
      const int flags = ::fcntl(descriptor_, F_GETFL);
      require(flags >= 0);
      if ((flags & O_ACCMODE) == O_RDONLY) fail("it is open for reading alone");
    } else if (in_place_) {
      require(::faccessat(AT_FDCWD, path_.c_str(), W_OK, AT_EACCESS) == 0);
    } else {
      with_part([](const std::string& part, int, const Replaced&) { std::filesystem::remove(part); });
    }
  }

  /// The new content is these bytes.
  void write(std::string_view bytes) const {
    if (descriptor_ >= 0) return write_all(descriptor_, bytes);
    if (in_place_) {
      detail::OpenFile file{path_.string(), O_WRONLY | O_NOCTTY};
      require(static_cast<bool>(file));
      write_all(file.get(), bytes);
      return require(file.close());
    }
    with_part([&](const std::string& part, int descriptor, const Replaced& old) {
      write_all(descriptor, bytes);
      put_in_place(part, old);
    });
  }

  /// The new content is what make(path) writes into the file there.
  template <class Make>
  void replace(Make&& make) const {
    if (in_place()) {
      const detail::TemporaryFolder folder;
      make(folder.file("content"));
      return write(read_file(folder.file("content")));
    }
    with_part([&](const std::string& part, int, const Replaced& old) {
      make(part);
      put_in_place(part, old);
    });
  }

 private:
  using Replaced = std::optional<struct ::stat>;  // what the old file was; none for a new file

  void require(bool succeeded) const {
    if (!succeeded) fail(detail::system_reason());
  }
  [[noreturn]] void fail(const std::string& reason) const { throw Error("cannot write " + name_ + ": " + reason); }
  [[noreturn]] void fail_as_busy() const { fail("something else is writing it"); }

  /// The old file. Throws where it may not be replaced.
  Replaced replaced() const {
    struct ::stat status {};
    if (::stat(path_.c_str(), &status) != 0) return {};
    if (!S_ISREG(status.st_mode)) fail("it is not a file");
    constexpr ::mode_t any_write = S_IWUSR | S_IWGRP | S_IWOTH;
    if ((status.st_mode & any_write) == 0) fail("it is read-only");
    require(::faccessat(AT_FDCWD, path_.c_str(), W_OK, AT_EACCESS) == 0);
    return status;
  }

  /// Calls use(path, descriptor, old file) with an empty file beside the real one.
  template <class Use>
  void with_part(Use&& use) const {
    const Replaced old = replaced();
    const std::string part = path_.string() + ".part";
    remove_abandoned(part);
    const detail::OpenFile file{part, O_WRONLY | O_CREAT | O_EXCL, old ? ::mode_t{0600} : ::mode_t{0666}};
    if (!file && errno == EEXIST) fail_as_busy();
    require(static_cast<bool>(file));
    if (!lock(file, part)) fail_as_busy();
    try {
      use(part, file.get(), old);
    } catch (...) {
      std::error_code ignored;
      std::filesystem::remove(part, ignored);
      throw;
    }
  }

  /// Whether the file has become this process's own to write, and still has that name.
  static bool lock(const detail::OpenFile& file, const std::string& path) {
    struct ::stat locked {};
    struct ::stat named {};
    return ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && ::fstat(file.get(), &locked) == 0 &&
           ::lstat(path.c_str(), &named) == 0 && locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
  }

  /// Removes the part file of a process that was killed.
  void remove_abandoned(const std::string& part) const {
    const detail::OpenFile file{part, O_WRONLY | O_NOFOLLOW | O_NONBLOCK};
    if (!file && errno == ENOENT) return;
    const bool other = !file && (errno == ELOOP || errno == EISDIR || errno == ENXIO);  // a link, a folder, a pipe
    require(file || other);
    struct ::stat status {};
    if (other || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) fail(part + " is in the way");
    if (!lock(file, part)) fail_as_busy();
    require(::unlink(part.c_str()) == 0);
  }

  void write_all(int descriptor, std::string_view bytes) const {
    while (!bytes.empty()) {
      const ::ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {  // a full pipe that does not block
        ::pollfd waiting{descriptor, POLLOUT, 0};
        ::poll(&waiting, 1, -1);
        continue;
      }
      require(count >= 0);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void put_in_place(const std::string& part, const Replaced& old) const {
    const detail::OpenFile file{part, O_RDONLY};
    require(static_cast<bool>(file));
    if (old) require(keep_mode(file.get(), *old));
    require(::fsync(file.get()) == 0);
    require(std::rename(part.c_str(), path_.c_str()) == 0);
    const std::filesystem::path directory = path_.parent_path();
    const detail::OpenFile opened{directory.empty() ? "." : directory.string(), O_RDONLY | O_DIRECTORY};
    if (opened) ::fsync(opened.get());  // the new name, too, outlives a power cut; not all file systems can promise it
  }

  /// Gives a file the old one's mode, owner and group, the latter two where the process may.
  static bool keep_mode(int descriptor, const struct ::stat& old) {
    struct ::stat own {};
    if (::fstat(descriptor, &own) != 0) return false;
    constexpr auto same = static_cast<::uid_t>(-1);
    ::mode_t mode = old.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
    const bool kept = (own.st_uid == old.st_uid && own.st_gid == old.st_gid) ||
                      ::fchown(descriptor, old.st_uid, old.st_gid) == 0 || own.st_gid == old.st_gid ||
                      ::fchown(descriptor, same, old.st_gid) == 0;
    // Another group gets what the mode gives to all.
    if (!kept) mode = (mode & ~static_cast<::mode_t>(S_IRWXG)) | (mode & S_IRWXO) << 3U;
    return ::fchmod(descriptor, mode) == 0;
  }

  std::string name_;  // for messages
  std::filesystem::path path_;
  bool in_place_ = false;  // a device or a pipe
  int descriptor_ = -1;    // of this process, where the path stands for one
};

}  // namespace altmin
