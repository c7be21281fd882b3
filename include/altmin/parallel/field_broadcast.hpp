#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "altmin/core/error.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/parallel/agreement.hpp"
#include "altmin/parallel/communicator.hpp"

namespace altmin::detail {

/// Writes the fields of a value as bytes, or replaces them by such bytes: for ranks that run the same program. Whoever
/// reads has a value of the same kinds.
class FieldBytes : public FieldVisitor {
 public:
  /// Writes.
  FieldBytes() = default;
  /// Reads.
  explicit FieldBytes(std::string bytes) : bytes_{std::move(bytes)}, reads_{true} {}

  const std::string& bytes() const { return bytes_; }

  void boolean(const std::string&, bool& value) override { number(value); }
  void integer(const std::string&, std::int64_t& value, std::int64_t, std::int64_t) override { number(value); }
  void natural(const std::string&, std::uint64_t& value, std::uint64_t) override { number(value); }
  void real(const std::string&, double& value) override { number(value); }
  void choice(const std::string&, std::size_t& value, Span<const char* const>) override { number(value); }
  void text(const std::string&, std::string& value) override {
    std::size_t size = value.size();
    number(size);
    value.resize(size);
    exchange(value.data(), size);
  }
  void matrix(const std::string&, Matrix<float>& value) override { numbers(value); }
  void matrix(const std::string&, Matrix<double>& value) override { numbers(value); }
  void array(const std::string&, Matrix<float>& value, const ArrayFormat&) override { numbers(value); }
  void array(const std::string&, Matrix<double>& value, const ArrayFormat&) override { numbers(value); }

  void enter(const std::string&) override {}
  void leave() override {}
  bool present(const std::string&, bool value) override {
    number(value);
    return value;
  }
  std::size_t length(std::size_t count) override {
    number(count);
    return count;
  }

 private:
  template <class Number>
  void number(Number& value) {
    static_assert(std::is_arithmetic_v<Number>);
    exchange(&value, sizeof value);
  }
  template <class Scalar>
  void numbers(Matrix<Scalar>& value) {
    Index rows = value.rows();
    Index columns = value.cols();
    number(rows);
    number(columns);
    if (reads_ && (rows != value.rows() || columns != value.cols())) value.resize(rows, columns);
    exchange(value.data(), static_cast<std::size_t>(value.size()) * sizeof(Scalar));
  }

  void exchange(void* value, std::size_t size) {
    if (size == 0) return;
    if (!reads_) {
      bytes_.append(static_cast<const char*>(value), size);
      return;
    }
    if (size > bytes_.size() - next_) throw Error("ranks: expected values of the same kinds on all of them");
    std::memcpy(value, bytes_.data() + next_, size);
    next_ += size;
  }

  std::string bytes_;
  bool reads_ = false;
  std::size_t next_ = 0;  // to be read
};

/// Replaces the fields that visit(visitor) shows by those of rank 0. Throws an Error on all ranks unless they are the
/// same bits then.
inline void broadcast_fields(Communicator& communicator, FunctionRef<void(FieldVisitor&)> visit) {
  const auto bytes = [&] {
    FieldBytes writer;
    visit(writer);
    return writer.bytes();
  };
  const bool first = communicator.rank() == 0;
  const std::string expected = broadcast_text(communicator, first ? bytes() : std::string{});
  agree(communicator, [&] {
    if (first) return;
    FieldBytes reader{expected};
    visit(reader);
    if (bytes() != expected) throw Error("expected the values of rank 0 after they were read, got others");
  });
}

/// Throws OptionError on all ranks unless the text that make() returns, a line for each property, is the same on all:
/// it names the first line that is not, of `what`. Where make() throws an Error on some ranks, so do all.
inline void require_same_text(Communicator& communicator, const char* what, FunctionRef<std::string()> make) {
  std::string own;
  agree(communicator, [&] { own = make(); });
  const std::string expected = broadcast_text(communicator, own);
  agree(communicator, [&] {
    if (own == expected) return;
    std::size_t begin = 0;  // of the first line that differs
    for (std::size_t i = 0; i < own.size() && i < expected.size() && own[i] == expected[i]; ++i) {
      if (own[i] == '\n') begin = i + 1;
    }
    const auto line = [begin](const std::string& text) {
      return begin < text.size() ? text.substr(begin, text.find('\n', begin) - begin) : "nothing more";
    };
    throw OptionError(std::string{what} + ": expected " + line(expected) + ", as on rank 0, got " + line(own));
  });
}

}  // namespace altmin::detail
