#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"
#include "altmin/deploy/protobuf.hpp"
#include "altmin/version.hpp"

namespace altmin {

/// An attribute of an ONNX node: AttributeProto.
class OnnxAttribute {
 public:
  OnnxAttribute(const char* name, double value) : OnnxAttribute{name, 1} {
    message_.add_float(2, static_cast<float>(value));
  }
  OnnxAttribute(const char* name, Index value) : OnnxAttribute{name, 2} { message_.add_integer(3, value); }
  OnnxAttribute(const char* name, std::initializer_list<Index> values) : OnnxAttribute{name, 7} {
    for (const Index value : values) message_.add_integer(8, value);
  }
  OnnxAttribute(const char* name, std::initializer_list<const char*> values) : OnnxAttribute{name, 8} {
    for (const char* value : values) message_.add_bytes(9, value);
  }

  const detail::ProtoMessage& message() const { return message_; }

 private:
  OnnxAttribute(const char* name, int type) {
    message_.add_bytes(1, name);
    message_.add_integer(20, type);
  }

  detail::ProtoMessage message_;
};

/// An ONNX graph as it grows, layer by layer: a value, the output of the last layer, and nodes that map it. The value
/// is an array of samples x features, or of samples x channels x height x width.
template <class Scalar>
class OnnxGraph {
 public:
  explicit OnnxGraph(Shape input) : shape_{input}, is_image_{!is_plain(input)} {
    graph_.add_bytes(2, "altmin");
    graph_.add_message(11, described("x"));
  }

  /// The shape of the value, without the samples.
  const Shape& shape() const { return shape_; }

  /// Sets the shape once the value has been mapped to it; `is_image` where it has four dimensions.
  void set_shape(Shape shape, bool is_image) {
    shape_ = shape;
    is_image_ = is_image;
  }

  /// The name of the value.
  const std::string& value() const { return value_; }
  void set_value(std::string name) { value_ = std::move(name); }

  /// Adds a node of one output, and returns that output's name.
  std::string node(const char* type, const std::vector<std::string>& inputs,
                   const std::vector<OnnxAttribute>& attributes = {}) {
    std::string output = std::string{type} + "_" + detail::text(count_++);
    add_node(type, inputs, output, attributes);
    return output;
  }

  /// Maps the value by a node whose first input it is.
  void apply(const char* type, std::vector<std::string> inputs = {},
             const std::vector<OnnxAttribute>& attributes = {}) {
    inputs.insert(inputs.begin(), value_);
    value_ = node(type, inputs, attributes);
  }

  /// Adds a constant array, its numbers row by row, and returns its name.
  template <class Derived>
  std::string constant(const Eigen::MatrixBase<Derived>& matrix, const std::vector<Index>& shape) {
    std::string bytes;
    for (Index i = 0; i < matrix.rows(); ++i) {
      for (Index j = 0; j < matrix.cols(); ++j) append(bytes, static_cast<Scalar>(matrix(i, j)));
    }
    return add_constant(bytes, shape, element_type);
  }
  std::string constant(Scalar number) { return constant(Matrix<Scalar>::Constant(1, 1, number), {}); }
  /// Whole numbers: a list.
  std::string list(std::initializer_list<Index> numbers) {
    std::string bytes;
    for (const Index number : numbers) append(bytes, static_cast<std::int64_t>(number));
    return add_constant(bytes, {static_cast<Index>(numbers.size())}, 7);
  }

  /// Makes the value samples x features: maps read it so.
  void flatten() {
    if (is_image_) apply("Flatten", {}, {{"axis", Index{1}}});
    is_image_ = false;
  }
  /// Makes the value samples x channels x height x width.
  void make_image() {
    if (!is_image_) apply("Reshape", {list({-1, shape_.channels, shape_.height, shape_.width})});
    is_image_ = true;
  }

  /// Makes the value what the shape says: an image, or features where there is one number a channel.
  void take_shape() {
    if (is_plain(shape_)) {
      flatten();
    } else {
      make_image();
    }
  }

  /// The file: a ModelProto.
  std::string finish() {
    take_shape();
    add_node("Identity", {value_}, "y", {});
    graph_.add_message(12, described("y"));
    detail::ProtoMessage opset;
    opset.add_bytes(1, "");
    opset.add_integer(2, 17);
    detail::ProtoMessage model;
    model.add_integer(1, 8);  // the version of the format that came with opset 17
    model.add_bytes(2, "altmin");
    model.add_bytes(3, detail::text(ALTMIN_VERSION_MAJOR) + "." + detail::text(ALTMIN_VERSION_MINOR) + "." +
                           detail::text(ALTMIN_VERSION_PATCH));
    model.add_message(7, graph_);
    model.add_message(8, opset);
    return model.bytes();
  }

 private:
  static constexpr int element_type = std::is_same_v<Scalar, float> ? 1 : 11;

  static bool is_plain(const Shape& shape) { return shape.height == 1 && shape.width == 1; }

  template <class Number>
  static void append(std::string& bytes, Number number) {
    std::conditional_t<sizeof(Number) == 4, std::uint32_t, std::uint64_t> bits = 0;
    static_assert(sizeof bits == sizeof number);
    std::memcpy(&bits, &number, sizeof bits);
    for (unsigned shift = 0; shift < 8 * sizeof bits; shift += 8) bytes += static_cast<char>(bits >> shift & 0xFFU);
  }

  std::string add_constant(const std::string& bytes, const std::vector<Index>& shape, int type) {
    std::string name = "constant_" + detail::text(count_++);
    detail::ProtoMessage tensor;
    for (const Index size : shape) tensor.add_integer(1, size);
    tensor.add_integer(2, type);
    tensor.add_bytes(8, name);
    tensor.add_bytes(9, bytes);
    graph_.add_message(5, tensor);
    return name;
  }

  void add_node(const char* type, const std::vector<std::string>& inputs, const std::string& output,
                const std::vector<OnnxAttribute>& attributes) {
    detail::ProtoMessage node;
    for (const auto& input : inputs) node.add_bytes(1, input);
    node.add_bytes(2, output);
    node.add_bytes(3, output);
    node.add_bytes(4, type);
    for (const auto& attribute : attributes) node.add_message(5, attribute.message());
    graph_.add_message(1, node);
  }

  /// A ValueInfoProto of the value's shape, for any number of samples.
  detail::ProtoMessage described(const char* name) const {
    detail::ProtoMessage samples;
    samples.add_bytes(2, "samples");
    detail::ProtoMessage shape;
    shape.add_message(1, samples);
    const std::vector<Index> sizes =
        is_image_ ? std::vector{shape_.channels, shape_.height, shape_.width} : std::vector{shape_.size()};
    for (const Index size : sizes) {
      detail::ProtoMessage dimension;
      dimension.add_integer(1, size);
      shape.add_message(1, dimension);
    }
    detail::ProtoMessage tensor;
    tensor.add_integer(1, element_type);
    tensor.add_message(2, shape);
    detail::ProtoMessage type;
    type.add_message(1, tensor);
    detail::ProtoMessage info;
    info.add_bytes(1, name);
    info.add_message(2, type);
    return info;
  }

  Shape shape_;
  bool is_image_;
  std::string value_ = "x";
  detail::ProtoMessage graph_;
  Index count_ = 0;
};

}  // namespace altmin
