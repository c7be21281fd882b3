#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "altmin/core/types.hpp"
#include "altmin/readers/csv_number.hpp"
#include "altmin/readers/csv_source.hpp"

namespace altmin::detail {

/// The part of a text that is in memory: [at(), end()), then a line feed and csv_padding more bytes. Whoever reads it
/// moves on by pass(), and calls grow() where a record goes on beyond the end. Memory is constant: at most `longest`
/// bytes are kept before it grows.
template <class Bytes>
class TextWindow {
 public:
  TextWindow(const Source& source, Index longest) : longest_{static_cast<std::size_t>(longest)}, bytes_{source} {
    at_ = end_ = block_.bytes();
    mark_end();
  }

  const char* at() const { return at_; }
  const char* end() const { return end_; }

  /// Whether the text ends at end().
  bool complete() const { return complete_; }

  void pass(const char* at) { at_ = std::min(at, static_cast<const char*>(end_)); }

  /// Appends the next part of the text, or makes the window complete() where there is none; what it holds moves in
  /// memory. False where it has been complete before. Throws as Text::next() does, and is complete then. at() .. end()
  /// are at most `longest` bytes.
  bool grow() {
    if (complete_) return false;
    complete_ = true;
    complete_ = !bytes_.next(next_);
    if (complete_) return true;
    const auto rest = static_cast<std::size_t>(end_ - at_);
    if (rest <= TextBlock::ahead) {
      std::swap(block_, next_);
      end_ = block_.bytes() + block_.size;
      at_ = static_cast<const char*>(std::memcpy(block_.bytes() - rest, at_, rest));
    } else {
      if (!long_) long_.reset(new char[longest_ + TextBlock::capacity + TextBlock::behind]);
      at_ = static_cast<const char*>(std::memmove(long_.get(), at_, rest));
      end_ = std::copy_n(next_.bytes(), next_.size, long_.get() + rest);
    }
    mark_end();
    return true;
  }

  /// From any thread: the text ends here.
  void cancel() { bytes_.cancel(); }

 private:
  void mark_end() {
    *end_ = '\n';
    std::memset(end_ + 1, 0, csv_padding);
  }

  std::size_t longest_;
  std::unique_ptr<char[]> long_;
  const char* at_ = nullptr;
  char* end_ = nullptr;
  bool complete_ = false;
  TextBlock block_;  // the text, unless a record of it is long
  TextBlock next_;
  Bytes bytes_;
};

}  // namespace altmin::detail
