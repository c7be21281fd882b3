#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <fstream>
#include <istream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/parallel/bounded_queue.hpp"

namespace altmin {

/// Where bytes come from: a file, "-" for standard input, an open file descriptor, or a std::istream. Descriptor and
/// stream are borrowed; a stream is read through its buffer, whatever its exceptions() are, so its state stays as it
/// is. Bytes that begin as gzip does are inflated.
class Source {
 public:
  Source(const std::filesystem::path& path)  // NOLINT(google-explicit-constructor): a path is a source
      : name_{path == "-"    ? "standard input"
              : path.empty() ? "(empty path)"
                             : path.string()},
        path_{path == "-" ? "" : path.string()},
        is_file_{path != "-"} {
    if (path == "-") descriptor_ = STDIN_FILENO;
  }
  Source(const std::string& path) : Source{std::filesystem::path{path}} {}  // NOLINT(google-explicit-constructor)
  Source(const char* path) : Source{std::filesystem::path{path}} {}         // NOLINT(google-explicit-constructor)
  Source(std::istream& stream, std::string name = "stream")                 // NOLINT(google-explicit-constructor)
      : name_{std::move(name)}, stream_{&stream} {}
  static Source descriptor(int descriptor, std::string name) {
    Source source{"-"};
    source.name_ = std::move(name);
    source.descriptor_ = descriptor;
    return source;
  }

  /// The same, but of its lines only part number `part` of 0 .. parts - 1: of `parts` blocks of 1024 lines, one. So
  /// ranks share a table that none of them holds: source.part(communicator.rank(), communicator.size()). Throws
  /// OptionError for a part that there is not.
  Source part(Index part, Index parts) const {
    if (part < 0 || part >= parts) {
      throw OptionError("Source: expected a part of 0 to " + detail::text(parts - 1) + ", got " + detail::text(part));
    }
    Source source{*this};
    source.part_ = part;
    source.parts_ = parts;
    return source;
  }
  Index part() const { return part_; }
  Index parts() const { return parts_; }

  /// For messages.
  const std::string& name() const { return name_; }

  /// Whether it can be read a second time.
  bool repeatable() const {
    std::error_code ignored;
    return !path_.empty() && std::filesystem::is_regular_file(path_, ignored);
  }

  /// Whether it is a file, which is opened by its path.
  bool is_file() const { return is_file_; }

  /// The file's path; empty for other sources.
  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  std::istream* stream() const { return stream_; }

 private:
  std::string name_;
  std::string path_;
  bool is_file_ = false;
  int descriptor_ = -1;
  std::istream* stream_ = nullptr;
  Index part_ = 0;
  Index parts_ = 1;
};

namespace detail {

/// A source that is open for reading. Throws DataError where the system or a stream's buffer fails, or for a stream
/// that is not open.
class OpenSource {
 public:
  explicit OpenSource(const Source& source) : source_{source}, descriptor_{source.descriptor()} {
    if (source.is_file()) descriptor_ = ::open(source.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (source.stream() != nullptr) {
      require_open(*source.stream());
    } else if (descriptor_ < 0) {
      fail(source.is_file() ? errno : EBADF);
    }
  }
  OpenSource(const OpenSource&) = delete;
  OpenSource& operator=(const OpenSource&) = delete;
  ~OpenSource() {
    if (source_.is_file() && descriptor_ >= 0) ::close(descriptor_);
  }

  /// Reads some bytes, 0 at the end. While there are none to be had from a pipe, asks again and again whether `wanted`.
  template <class Wanted>
  std::size_t read(char* to, std::size_t size, Wanted&& wanted) {
    if (source_.stream() != nullptr) return read_stream(to, size);
    for (;;) {
      ::pollfd waiting{descriptor_, POLLIN, 0};
      constexpr int milliseconds = 100;
      const int ready = ::poll(&waiting, 1, milliseconds);
      if (ready < 0 && errno != EINTR) fail(errno);
      if (!wanted()) return 0;
      if (ready <= 0) continue;  // no bytes yet, or a signal came: a read would wait, and could not be cancelled
      const ::ssize_t count = ::read(descriptor_, to, size);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR && errno != EAGAIN) fail(errno);
    }
  }

 private:
  void require_open(std::istream& stream) const {
    const auto* const file = dynamic_cast<std::filebuf*>(stream.rdbuf());
    if (stream.fail() || (file != nullptr && !file->is_open())) {
      throw DataError(source_.name() + ": expected a stream to read, got one that is not open or has failed");
    }
  }

  /// Not by std::istream::read(), which takes an exception of the buffer for the end, and throws at the end if the
  /// stream's exceptions() say so.
  std::size_t read_stream(char* to, std::size_t size) const {
    std::string reason = "an exception";
    try {
      return static_cast<std::size_t>(source_.stream()->rdbuf()->sgetn(to, static_cast<std::streamsize>(size)));
    } catch (const std::exception& error) {
      reason = error.what();
    } catch (...) {
    }
    throw DataError(source_.name() + ": expected a stream to read, got: " + reason);
  }

  [[noreturn]] void fail(int error) const {
    throw DataError(source_.name() + ": expected a file to read, got: " + std::generic_category().message(error));
  }

  Source source_;
  int descriptor_;
};

/// What the reading thread ends with where gzipped bytes are damaged or cut.
struct DamagedGzip {
  std::string reason;
};

/// Inflates gzip members, one after another. Zeros (padding, as on tapes) and white space may stand between members and
/// behind the last one, as gzip(1) accepts the former in silence and the latter with a warning. Any other byte there is
/// damage: it may be what is left of a member.
class Inflater {
 public:
  Inflater() {
    constexpr int gzip_window = 15 + 16;
    if (inflateInit2(&state_, gzip_window) != Z_OK) throw DamagedGzip{"out of memory"};
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&state_); }

  void feed(const char* from, std::size_t size) {
    state_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from));  // zlib reads only
    state_.avail_in = static_cast<uInt>(size);
  }

  /// Writes up to `size` bytes and returns how many; fewer once it has used up what it was fed, or found it damaged.
  std::size_t take(char* to, std::size_t size) {
    state_.next_out = reinterpret_cast<Bytef*>(to);
    state_.avail_out = static_cast<uInt>(size);
    while (state_.avail_in > 0 && state_.avail_out > 0) {
      if (between_members_) {
        if (is_padding(*state_.next_in)) {
          ++state_.next_in;
          --state_.avail_in;
          continue;
        }
        inflateReset(&state_);
        between_members_ = false;
      }
      const int status = inflate(&state_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        between_members_ = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        damage_ = state_.msg != nullptr ? state_.msg : "no gzip data";
        break;
      }
    }
    return size - state_.avail_out;
  }

  /// What is wrong with the bytes behind those taken so far; empty for nothing.
  const std::string& damage() const { return damage_; }

  /// Whether all that was begun has ended.
  bool complete() const { return between_members_; }

 private:
  static bool is_padding(Bytef byte) { return byte == 0 || byte == ' ' || (byte >= '\t' && byte <= '\r'); }

  z_stream state_{};
  bool between_members_ = false;
  std::string damage_;
};

/// Some bytes of a text, with room in front of them for the beginning of a line that goes on here, and behind them.
struct TextBlock {
  static constexpr std::size_t capacity = 1U << 19U;
  static constexpr std::size_t ahead = 1U << 16U;
  static constexpr std::size_t behind = 64;
  std::unique_ptr<char[]> memory{};  ///< made when there is something to put in
  std::size_t size = 0;

  /// Where the bytes stand.
  char* bytes() {
    if (!memory) memory.reset(new char[ahead + capacity + behind]);  // not set to 0
    return memory.get() + ahead;
  }
};

/// The text of a source, inflated where it is gzipped.
class Text {
 public:
  explicit Text(const Source& source) : source_{source} {}

  /// The next block; false at the end. Throws DataError where the system fails, DamagedGzip after the last sound block.
  bool next(TextBlock& block) {
    block.size = 0;
    if (!begun_) begin(block);
    if (!inflater_) {
      if (block.size == 0) block.size = read(block.bytes(), TextBlock::capacity);
      return block.size > 0;
    }
    for (;;) {
      block.size = inflater_->take(block.bytes(), TextBlock::capacity);
      if (block.size > 0) return true;
      if (!inflater_->damage().empty()) throw DamagedGzip{inflater_->damage()};
      const std::size_t size = read(packed_.data(), packed_.size());
      if (size == 0 && inflater_->complete()) return false;
      if (size == 0) throw DamagedGzip{"unexpected end of file"};
      inflater_->feed(packed_.data(), size);
    }
  }

  /// From any thread: ends the text here.
  void cancel() { cancelled_ = true; }

 private:
  /// Reads two bytes, which tell gzip from text.
  void begin(TextBlock& block) {
    begun_ = true;
    for (std::size_t got = 1; got > 0 && block.size < 2; block.size += got) {
      got = read(block.bytes() + block.size, 2 - block.size);
    }
    if (block.size < 2 || block.bytes()[0] != '\x1f' || block.bytes()[1] != '\x8b') return;
    packed_.resize(std::size_t{1} << 16U);
    std::copy_n(block.bytes(), 2, packed_.data());
    inflater_ = std::make_unique<Inflater>();
    inflater_->feed(packed_.data(), 2);
  }

  std::size_t read(char* to, std::size_t size) {
    return source_.read(to, size, [this] { return !cancelled_; });
  }

  OpenSource source_;
  bool begun_ = false;
  std::unique_ptr<Inflater> inflater_;
  std::vector<char> packed_;
  std::atomic<bool> cancelled_{false};
};

/// The same, read and inflated on a thread of its own.
class TextThread {
 public:
  explicit TextThread(const Source& source) : text_{source}, thread_{[this] { run(); }} {}
  TextThread(const TextThread&) = delete;
  TextThread& operator=(const TextThread&) = delete;
  ~TextThread() {
    cancel();
    thread_.join();
  }

  bool next(TextBlock& block) { return queue_.pop(block); }
  void cancel() {
    text_.cancel();
    queue_.cancel();
  }

 private:
  void run() {
    try {
      TextBlock block;
      while (text_.next(block) && queue_.push(block)) {
      }
      queue_.finish();
    } catch (...) {
      queue_.finish(std::current_exception());
    }
  }

  Text text_;
  BoundedQueue<TextBlock> queue_{4};
  std::thread thread_;
};

}  // namespace detail
}  // namespace altmin
