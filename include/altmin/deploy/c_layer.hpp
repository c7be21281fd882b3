#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "altmin/core/error.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// One layer as C99 source: static arrays, and the body of a function that reads the layer's input `x` and writes its
/// output `y`, both one sample in the order of a column (channel planes one after another, row by row).
template <class Scalar>
class CLayer {
 public:
  /// Names in the source begin with `name`.
  CLayer(std::string name, Shape input_, Shape output_) : input{input_}, output{output_}, name_{std::move(name)} {}

  const Shape input;
  const Shape output;

  /// "float" or "double".
  static constexpr const char* scalar() { return std::is_same_v<Scalar, float> ? "float" : "double"; }

  /// A function of math.h for the scalar: "tanhf" for "tanh".
  static std::string function(const std::string& name) { return std::is_same_v<Scalar, float> ? name + "f" : name; }

  /// A number as a literal that keeps its bits. Throws OptionError where it is not finite.
  static std::string literal(Scalar number) {
    if (!std::isfinite(number)) throw OptionError("expected finite numbers, got " + detail::text(number));
    char digits[40];
    const auto value = static_cast<double>(std::abs(number));
    const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::hex).ptr;
    return (std::signbit(number) ? "-0x" : "0x") + std::string(digits, end) +
           (std::is_same_v<Scalar, float> ? "f" : "");
  }

  /// Adds a constant array of the matrix's rows, one after another, and returns its name in the source.
  template <class Derived>
  std::string array(const char* name, const Eigen::MatrixBase<Derived>& matrix) {
    return add_array(scalar(), name, matrix.rows(), matrix.cols(),
                     [&](Index i, Index j) { return literal(static_cast<Scalar>(matrix(i, j))); });
  }

  /// The same for words, of up to 32 bits.
  std::string words(const char* name, Index rows, Index columns, const std::uint32_t* values) {
    return add_array("uint32_t", name, rows, columns, [&](Index i, Index j) {
      char digits[16];
      const auto end = std::to_chars(digits, digits + sizeof digits, values[i * columns + j], 16).ptr;
      return "0x" + std::string(digits, end) + "u";
    });
  }

  /// Adds static memory, and returns its name in the source.
  std::string memory(const char* name, Index size) {
    arrays_ += std::string("static ") + scalar() + " " + full(name) + "[" + detail::text(size) + "];\n";
    return full(name);
  }

  /// Adds a line to the body: its parts, texts and whole numbers, one after another.
  template <class... Part>
  void line(const Part&... part) {
    body_ += "  ";
    ((body_ += text(part)), ...);
    body_ += '\n';
  }

  const std::string& arrays() const { return arrays_; }
  const std::string& body() const { return body_; }

 private:
  template <class Part>
  static std::string text(const Part& part) {
    if constexpr (std::is_integral_v<Part>) {
      return std::to_string(part);
    } else {
      return part;
    }
  }

  std::string full(const char* name) const { return name_ + "_" + name; }

  template <class Element>
  std::string add_array(const char* type, const char* name, Index rows, Index columns, Element&& element) {
    arrays_ += std::string("static const ") + type + " " + full(name) + "[" + detail::text(rows * columns) + "] = {";
    constexpr Index on_a_line = 8;
    Index count = 0;
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j, ++count) {
        if (count > 0) arrays_ += ',';
        arrays_ += count % on_a_line == 0 ? "\n  " : " ";
        arrays_ += element(i, j);
      }
    }
    arrays_ += "};\n";
    return full(name);
  }

  std::string name_;
  std::string arrays_;
  std::string body_;
};

}  // namespace altmin
