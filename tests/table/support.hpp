#pragma once

#include <algorithm>
#include <altmin/table/find_schema.hpp>
#include <altmin/table/reader.hpp>
#include <cstddef>
#include <sstream>
#include <string>

namespace support {

/// A text that is read `chunk` bytes at a time, so that records end and begin anywhere in it.
template <std::size_t chunk>
class Chunks {
 public:
  explicit Chunks(const altmin::Source& source) : text_{source} {}

  bool next(altmin::detail::TextBlock& block) {
    if (at_ == whole_.size) {
      at_ = 0;
      if (!text_.next(whole_)) {
        whole_.size = 0;
        return false;
      }
    }
    block.size = std::min(chunk, whole_.size - at_);
    std::copy_n(whole_.bytes() + at_, block.size, block.bytes());
    at_ += block.size;
    return true;
  }
  void cancel() { text_.cancel(); }

 private:
  altmin::detail::Text text_;
  altmin::detail::TextBlock whole_;
  std::size_t at_ = 0;
};

}  // namespace support
