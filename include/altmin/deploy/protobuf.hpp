#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace altmin::detail {

/// A message of protocol buffers in wire format: its fields one after another. Source: "Encoding" of the Protocol
/// Buffers documentation.
class ProtoMessage {
 public:
  void add_integer(std::uint32_t field, std::int64_t value) {
    add_key(field, 0);
    add_varint(static_cast<std::uint64_t>(value));
  }

  void add_float(std::uint32_t field, float value) {
    add_key(field, 5);
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    for (unsigned shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xFFU);
  }

  void add_bytes(std::uint32_t field, std::string_view value) {
    add_key(field, 2);
    add_varint(value.size());
    bytes_ += value;
  }

  void add_message(std::uint32_t field, const ProtoMessage& message) { add_bytes(field, message.bytes_); }

  const std::string& bytes() const { return bytes_; }

 private:
  void add_key(std::uint32_t field, std::uint32_t wire_type) { add_varint(field << 3 | wire_type); }

  void add_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7FU) | 0x80U);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace altmin::detail
