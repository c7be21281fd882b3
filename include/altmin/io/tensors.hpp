#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "altmin/io/safetensors.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/losses/loss.hpp"
#include "altmin/training/text.hpp"

/// State as tensors: every number and matrix among the fields() of a value is a tensor, named by its way through them.

namespace altmin::detail {

template <class T>
constexpr bool is_parameter = false;
template <class Scalar>
constexpr bool is_parameter<Parameter<Scalar>> = true;

template <class T>
constexpr bool is_variant = false;
template <class... T>
constexpr bool is_variant<std::variant<T...>> = true;

template <class T>
constexpr bool is_any_loss = false;
template <class... Extra>
constexpr bool is_any_loss<AnyLoss<Extra...>> = true;

template <class Scalar, class... Extra>
std::true_type derives_from_stack(const LayerStack<Scalar, Extra...>*);
std::false_type derives_from_stack(const void*);
template <class T>
constexpr bool is_layer_stack = decltype(derives_from_stack(static_cast<const T*>(nullptr)))::value;

/// How numbers stand in a file.
template <class T>
struct Stored {
  using Type =
      std::conditional_t<std::is_floating_point_v<T>, T,
                         std::conditional_t<std::is_same_v<T, bool>, std::uint8_t,
                                            std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>>;

  static constexpr const char* name = std::is_same_v<T, float>    ? "F32"
                                      : std::is_same_v<T, double> ? "F64"
                                      : std::is_same_v<T, bool>   ? "BOOL"
                                      : std::is_signed_v<T>       ? "I64"
                                                                  : "U64";
};

inline std::string joined(const std::string& path, const std::string& name) {
  return path.empty() || name.empty() ? path + name : path + "." + name;
}

/// Calls visitor.tensor(name, part) for the parts of a value that are each a tensor, and visitor.present(name), before
/// what an optional holds, for whether it is there.
template <class T, class Visitor>
void walk(const std::string& name, T& value, Visitor& visitor) {
  using Value = std::remove_const_t<T>;
  if constexpr (std::is_arithmetic_v<Value> || is_matrix<Value> || is_parameter<Value>) {
    visitor.tensor(name, value);
  } else if constexpr (is_vector<Value>) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if constexpr (is_parameter<typename Value::value_type>) {
        walk(joined(name, value[i].name()), value[i], visitor);
      } else {
        walk(joined(name, std::to_string(i)), value[i], visitor);
      }
    }
  } else if constexpr (is_optional<Value>) {
    visitor.present(name, value);
    if (value) walk(name, *value, visitor);
  } else if constexpr (is_variant<Value>) {
    std::visit([&](auto& kind) { walk(name, kind, visitor); }, value);
  } else if constexpr (is_layer_stack<Value>) {
    Index i = 0;
    for (auto& layer : value) {
      layer.visit([&](auto& kind) { walk(joined(name, std::to_string(i)), kind, visitor); });
      ++i;
    }
  } else if constexpr (has_fields<Value>) {
    Value::fields([&](const char* part_name, auto& part) { walk(joined(name, part_name), part, visitor); }, value);
  } else {
    static_assert(is_any_loss<Value> || std::is_empty_v<Value>,
                  "altmin: state that goes into a file is numbers, matrices, lists and optionals of these, layers, and "
                  "classes that list such by fields(), see altmin/core/fields.hpp");
  }
}

/// Collects the tensors of a file that is to be written; values are borrowed.
class TensorWriter {
 public:
  std::vector<NewTensor>& tensors() { return tensors_; }

  template <class Number>
  void tensor(const std::string& name, const Number& value) {
    const auto stored = static_cast<typename Stored<Number>::Type>(value);
    tensors_.push_back(
        {name, Stored<Number>::name, {}, [stored](char* to) { std::memcpy(to, &stored, sizeof stored); }});
  }

  template <class Scalar>
  void tensor(const std::string& name, const Parameter<Scalar>& parameter) {
    add(name, parameter.shape().tensor(), parameter.value());
  }

  template <class Scalar>
  void tensor(const std::string& name, const Matrix<Scalar>& matrix) {
    add(name, {matrix.rows(), matrix.cols()}, matrix);
  }

  template <class T>
  void present(const std::string&, const std::optional<T>&) {}

 private:
  template <class Scalar>
  void add(const std::string& name, std::vector<Index> shape, const Matrix<Scalar>& matrix) {
    const auto write = [&matrix](char* to) {
      for (Index i = 0; i < matrix.rows(); ++i) {
        for (Index j = 0; j < matrix.cols(); ++j, to += sizeof(Scalar)) std::memcpy(to, &matrix(i, j), sizeof(Scalar));
      }
    };
    tensors_.push_back({name, Stored<Scalar>::name, std::move(shape), write});
  }

  std::vector<NewTensor> tensors_;
};

/// Reads tensors into the parts of a value. Throws FormatError where a tensor is missing, or of another type or shape,
/// where a parameter would get a number that is not finite or less than it may be, and where other state has a NaN.
class TensorReader {
 public:
  struct Options {
    bool any_width = false;   ///< floats are read as doubles, and doubles as floats, where the network has such
    bool check_only = false;  ///< nothing is changed
  };

  explicit TensorReader(const Safetensors& file, Options options) : file_{file}, options_{options} {}

  template <class Number>
  void tensor(const std::string& name, Number& value) {
    using Type = typename Stored<Number>::Type;
    const Tensor& found = expect(name, Stored<Number>::name, {});
    Type stored{};
    std::memcpy(&stored, found.bytes.data(), sizeof stored);
    if constexpr (std::is_same_v<Number, bool> || (std::is_integral_v<Number> && std::is_signed_v<Number>)) {
      constexpr std::int64_t most = 9'000'000'000'000'000;  // a count that can go on for ever
      constexpr auto limit = std::min<std::int64_t>(most, std::numeric_limits<Number>::max());
      const auto number = static_cast<std::int64_t>(stored);
      if (number < 0 || number > limit) {
        throw FormatError("tensor '" + name + "': expected 0 to " + std::to_string(limit) + ", got " +
                          std::to_string(number));
      }
    }
    if (!options_.check_only) value = static_cast<Number>(stored);
  }

  template <class Scalar>
  void tensor(const std::string& name, Parameter<Scalar>& parameter) {
    const double least = parameter.shape().least;
    const auto check = [least](Scalar value) -> std::string {
      if (!std::isfinite(value)) return "a finite " + std::string(Stored<Scalar>::name);
      return static_cast<double>(value) < least ? "at least " + number(least) : "";
    };
    copy(name, expect(name, Stored<Scalar>::name, parameter.shape().tensor()), parameter.values(), check);
  }

  /// Takes the shape in the file; it is for require_fit() to find it right.
  template <class Scalar>
  void tensor(const std::string& name, Matrix<Scalar>& matrix) {
    const Tensor& found = at(name);
    if (found.shape.size() != 2) throw unexpected(name, "a matrix", found);
    expect(name, Stored<Scalar>::name, found.shape);
    if (!options_.check_only) matrix.resize(found.shape[0], found.shape[1]);
    const auto check = [](Scalar value) { return std::string(std::isnan(value) ? "a number" : ""); };
    Scalar* const to = options_.check_only ? nullptr : matrix.data();
    copy(name, found, View<Scalar>{to, found.shape[0], found.shape[1], found.shape[0]}, check);
  }

  template <class T>
  void present(const std::string& name, std::optional<T>& value) {
    const auto first = file_.tensors.lower_bound(name + ".");
    const bool there = first != file_.tensors.end() && first->first.compare(0, name.size() + 1, name + ".") == 0;
    if (options_.check_only) return;
    value.reset();
    if (there) value.emplace();
  }

  /// Throws FormatError unless the file has such a parameter.
  template <class Scalar>
  void require(const std::string& name, const ParameterShape& shape) {
    expect(name, Stored<Scalar>::name, shape.tensor());
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
                            ": expected " + expected + ", got " + number(static_cast<double>(stored)));
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
