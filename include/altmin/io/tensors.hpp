#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "altmin/core/field_visitor.hpp"
#include "altmin/io/safetensors.hpp"
#include "altmin/layers/parameter.hpp"
#include "altmin/training/text.hpp"

/// State as tensors: every number and matrix among the fields() of a value is a tensor, named by the way to it:
/// "algorithm.rules.0.moments.1.first".

namespace altmin::detail {

template <class Scalar>
constexpr const char* float_type = std::is_same_v<Scalar, float> ? "F32" : "F64";

inline std::string joined(const std::string& path, const std::string& name) {
  return path.empty() || name.empty() ? path + name : path + "." + name;
}

/// What the visitors of tensors share: where they are.
class TensorVisitor : public FieldVisitor {
 public:
  void text(const std::string& name, std::string&) override { refuse(name); }
  void choice(const std::string& name, std::size_t&, Span<const char* const>) override { refuse(name); }

  void enter(const std::string& name) override {
    lengths_.push_back(path_.size());
    path_ = joined(path_, name);
  }
  void leave() override {
    path_.resize(lengths_.back());
    lengths_.pop_back();
  }
  std::size_t length(std::size_t count) override { return count; }  // of lists that their owners have made

 protected:
  std::string full(const std::string& name) const { return joined(path_, name); }

 private:
  [[noreturn]] void refuse(const std::string& name) const {
    throw Error("state '" + full(name) + "': expected numbers and matrices, got a text");
  }

  std::string path_;
  std::vector<std::size_t> lengths_;
};

/// Collects the tensors of a file that is to be written; matrices are borrowed.
class TensorWriter : public TensorVisitor {
 public:
  std::vector<NewTensor>& tensors() { return tensors_; }

  void boolean(const std::string& name, bool& value) override { add_number(name, "BOOL", value); }
  void integer(const std::string& name, std::int64_t& value, std::int64_t, std::int64_t) override {
    add_number(name, "I64", value);
  }
  void natural(const std::string& name, std::uint64_t& value, std::uint64_t) override {
    add_number(name, "U64", value);
  }
  void real(const std::string& name, double& value) override { add_number(name, "F64", value); }
  void matrix(const std::string& name, Matrix<float>& value) override {
    add(name, {value.rows(), value.cols()}, value);
  }
  void matrix(const std::string& name, Matrix<double>& value) override {
    add(name, {value.rows(), value.cols()}, value);
  }
  void array(const std::string& name, Matrix<float>& value, const ArrayFormat& format) override {
    add(name, format.shape, value);
  }
  void array(const std::string& name, Matrix<double>& value, const ArrayFormat& format) override {
    add(name, format.shape, value);
  }
  bool present(const std::string&, bool value) override { return value; }

 private:
  template <class Number>
  void add_number(const std::string& name, const char* type, Number number) {
    tensors_.push_back({full(name), type, {}, [number](char* to) { std::memcpy(to, &number, sizeof number); }});
  }

  template <class Scalar>
  void add(const std::string& name, std::vector<Index> shape, const Matrix<Scalar>& matrix) {
    const auto write = [&matrix](char* to) {
      for (Index i = 0; i < matrix.rows(); ++i) {
        for (Index j = 0; j < matrix.cols(); ++j, to += sizeof(Scalar)) std::memcpy(to, &matrix(i, j), sizeof(Scalar));
      }
    };
    tensors_.push_back({full(name), float_type<Scalar>, std::move(shape), write});
  }

  std::vector<NewTensor> tensors_;
};

/// Reads tensors into the parts of a value. Throws FormatError where a tensor is missing, or of another type or shape,
/// where a parameter would get a number that is not finite or less than it may be, and where other state has a NaN.
class TensorReader : public TensorVisitor {
 public:
  struct Options {
    bool any_width = false;   ///< floats are read as doubles, and doubles as floats, where the network has such
    bool check_only = false;  ///< nothing is changed
  };

  explicit TensorReader(const Safetensors& file) : file_{file} {}
  TensorReader(const Safetensors& file, Options options) : file_{file}, options_{options} {}

  void boolean(const std::string& name, bool& value) override { set(value, count<std::uint8_t>(name, "BOOL", 1) != 0); }
  void integer(const std::string& name, std::int64_t& value, std::int64_t, std::int64_t most) override {
    constexpr std::int64_t endless = 9'000'000'000'000'000;  // a count that never overflows
    set(value, count<std::int64_t>(name, "I64", std::min(endless, most)));
  }
  void natural(const std::string& name, std::uint64_t& value, std::uint64_t most) override {
    set(value, count<std::uint64_t>(name, "U64", most));
  }
  void real(const std::string& name, double& value) override { set(value, read<double>(name, "F64")); }
  void matrix(const std::string& name, Matrix<float>& value) override { read_matrix(name, value); }
  void matrix(const std::string& name, Matrix<double>& value) override { read_matrix(name, value); }
  void array(const std::string& name, Matrix<float>& value, const ArrayFormat& format) override {
    read_array(name, value, format);
  }
  void array(const std::string& name, Matrix<double>& value, const ArrayFormat& format) override {
    read_array(name, value, format);
  }
  bool present(const std::string& name, bool value) override {
    if (options_.check_only) return value;
    const std::string path = full(name);
    const auto first = file_.tensors.lower_bound(path + ".");
    return file_.tensors.count(path) > 0 ||
           (first != file_.tensors.end() && first->first.compare(0, path.size() + 1, path + ".") == 0);
  }

  /// Throws FormatError unless the file has such a parameter.
  template <class Scalar>
  void require(const std::string& name, const ParameterShape& shape) {
    expect(name, float_type<Scalar>, shape.tensor());
  }

  /// Throws FormatError where the file has a tensor that has not been read, of those that `concerned` is true of.
  template <class Concerned>
  void require_all_read(Concerned&& concerned) const {
    for (const auto& entry : file_.tensors) {
      if (read_.count(entry.first) > 0 || !concerned(entry.first)) continue;
      throw FormatError("tensor '" + shown(entry.first) + "': the network has no place for it");
    }
  }

 private:
  template <class T>
  void set(T& value, T read) const {
    if (!options_.check_only) value = read;
  }

  template <class Number>
  Number read(const std::string& name, const char* type) {
    Number number{};
    std::memcpy(&number, expect(full(name), type, {}).bytes.data(), sizeof number);
    return number;
  }

  /// A whole number of 0 to `most`.
  template <class Number>
  Number count(const std::string& name, const char* type, Number most) {
    const auto number = read<Number>(name, type);
    if (number == 0 || (number >= 1 && number <= most)) return number;
    throw FormatError("tensor '" + full(name) + "': expected 0 to " + std::to_string(most) + ", got " +
                      std::to_string(number));
  }

  template <class Scalar>
  void read_array(const std::string& name, Matrix<Scalar>& value, const ArrayFormat& format) {
    const std::string path = full(name);
    const auto check = [&](Scalar number) -> std::string {
      if (!std::isfinite(number)) return "a finite " + std::string(float_type<Scalar>);
      return static_cast<double>(number) < format.least ? "at least " + detail::number(format.least) : "";
    };
    copy<Scalar>(path, expect(path, float_type<Scalar>, format.shape), value, check);
  }

  /// Takes the shape in the file; it is for require_fit() to find it right.
  template <class Scalar>
  void read_matrix(const std::string& name, Matrix<Scalar>& value) {
    const std::string path = full(name);
    const Tensor& found = at(path);
    if (found.shape.size() != 2) throw unexpected(path, "a matrix", found);
    expect(path, float_type<Scalar>, found.shape);
    if (!options_.check_only) value.resize(found.shape[0], found.shape[1]);
    const auto check = [](Scalar number) { return std::string(std::isnan(number) ? "a number" : ""); };
    Scalar* const to = options_.check_only ? nullptr : value.data();
    copy(path, found, View<Scalar>{to, found.shape[0], found.shape[1], found.shape[0]}, check);
  }

  const Tensor& at(const std::string& name) {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) throw FormatError("tensor '" + name + "' is missing");
    read_.insert(name);
    return found->second;
  }

  const Tensor& expect(const std::string& name, const std::string& type, const std::vector<Index>& shape) {
    const Tensor& found = at(name);
    const auto is_float = [](const std::string& kind) { return kind == "F32" || kind == "F64"; };
    const bool suits = found.type == type || (options_.any_width && is_float(found.type) && is_float(type));
    if (!suits || found.shape != shape) throw unexpected(name, type_text(type, shape), found);
    return found;
  }

  static FormatError unexpected(const std::string& name, const std::string& expected, const Tensor& got) {
    return FormatError("tensor '" + name + "': expected " + expected + ", got " +
                       shown(type_text(got.type, got.shape)));
  }

  /// Calls check(number) for each, as the network would hold it; it returns what was expected, or nothing.
  template <class Scalar, class Check>
  void copy(const std::string& name, const Tensor& from, View<Scalar> to, const Check& check) const {
    if (from.type == "F32") {
      copy_rows<float>(name, from.bytes.data(), to, check);
    } else {
      copy_rows<double>(name, from.bytes.data(), to, check);
    }
  }

  template <class From, class Scalar, class Check>
  void copy_rows(const std::string& name, const char* from, View<Scalar> to, const Check& check) const {
    for (Index i = 0; i < to.rows(); ++i) {
      for (Index j = 0; j < to.cols(); ++j, from += sizeof(From)) {
        From stored;
        std::memcpy(&stored, from, sizeof stored);
        const auto value = static_cast<Scalar>(stored);
        const std::string expected = check(value);
        if (!expected.empty()) {
          throw FormatError("tensor '" + name + "', row " + std::to_string(i) + ", column " + std::to_string(j) +
                            ": expected " + expected + ", got " + detail::number(static_cast<double>(stored)));
        }
        if (!options_.check_only) to(i, j) = value;
      }
    }
  }

  const Safetensors& file_;
  Options options_;
  std::set<std::string> read_;
};

}  // namespace altmin::detail
