#pragma once

#include <cmath>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

struct Shape;
std::string to_string(const Shape& shape);

/// The shape of one sample. A sample is a column; an image is its channel planes one after another, row by row.
struct Shape {
  Shape(Index features) : channels{features} {}  // NOLINT(google-explicit-constructor): a number of features is a shape
  Shape(Index channels_, Index height_, Index width_) : channels{channels_}, height{height_}, width{width_} {}

  /// Rows of a matrix of such samples. Throws ShapeError for more than 2^62, which an Index may not hold.
  Index size() const {
    const double rounded = static_cast<double>(channels) * static_cast<double>(height) * static_cast<double>(width);
    if (std::abs(rounded) > 0x1p62) {
      throw ShapeError("shape " + to_string(*this) + ": expected at most 2^62 features, got more");
    }
    return rounded == 0 ? 0 : channels * height * width;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
  }

  Index channels;
  Index height = 1;
  Index width = 1;
};

/// A size in the plane, such as that of a convolution's kernel: one number stands for a square.
struct Extent {
  Extent() = default;
  Extent(Index square) : height{square}, width{square} {}  // NOLINT(google-explicit-constructor)
  Extent(Index height_, Index width_) : height{height_}, width{width_} {}

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("height", self.height...);
    visit("width", self.width...);
  }

  Index height = 1;
  Index width = 1;
};

/// "784", or "3 x 32 x 32".
inline std::string to_string(const Shape& shape) {
  const std::string channels = detail::text(shape.channels);
  if (shape.height == 1 && shape.width == 1) return channels;
  return channels + " x " + detail::shape_text(shape.height, shape.width);
}

namespace detail {

/// A sequence is an image of one channel, a row a step.
inline void require_sequence(const Shape& shape) {
  if (shape.channels == 1) return;
  throw ShapeError("expected a sequence, 1 x steps x features, got " + to_string(shape));
}

}  // namespace detail

}  // namespace altmin
