#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"

namespace altmin::detail {

/// The window that slides over the planes of an image. What it covers at a position are `depth()` values, channel by
/// channel, each row by row: the order of a convolution's weights.
class Window {
 public:
  /// Throws OptionError where sizes are out of range, ShapeError where the window does not fit into the image.
  Window(Shape input, Extent kernel, Extent stride, Extent padding)
      : input_{input}, kernel_{kernel}, stride_{stride}, padding_{padding} {
    require(kernel, {1}, {largest}, "kernel");
    require(stride, {1}, {largest}, "stride");
    require(padding, {0}, {kernel.height - 1, kernel.width - 1}, "padding");
    if (kernel.height > input.height + 2 * padding.height || kernel.width > input.width + 2 * padding.width) {
      throw ShapeError("expected an input of at least " +
                       shape_text(kernel.height - 2 * padding.height, kernel.width - 2 * padding.width) +
                       " (height x width), got " + shape_text(input.height, input.width));
    }
    height_ = (input.height + 2 * padding.height - kernel.height) / stride.height + 1;
    width_ = (input.width + 2 * padding.width - kernel.width) / stride.width + 1;
    if (input.channels > most / area()) {
      throw ShapeError("expected fewer than 2^40 inputs of an output, got " + text(input.channels) + " channels");
    }
  }

  const Shape& input() const { return input_; }
  Extent kernel() const { return kernel_; }
  Extent stride() const { return stride_; }
  Extent padding() const { return padding_; }

  /// Positions, row by row.
  Index height() const { return height_; }
  Index width() const { return width_; }
  Index positions() const { return height_ * width_; }

  /// Values seen at a position: of one channel, and of all.
  Index area() const { return kernel_.height * kernel_.width; }
  Index depth() const { return input_.channels * area(); }

  /// The shape of an output with a value a position and channel.
  Shape output(Index channels) const {
    if (channels > most / height_ / width_) {
      throw ShapeError("expected fewer than 2^40 outputs, got " + text(channels) + " channels of " +
                       shape_text(height_, width_));
    }
    return {channels, height_, width_};
  }

 private:
  static constexpr Index largest = 4096;
  static constexpr Index most = Index{1} << 40;

  static void require(Extent extent, Extent least, Extent limit, const char* what) {
    const auto check = [&](Index value, Index low, Index high) {
      if (value >= low && value <= high) return;
      throw OptionError(std::string(what) + " must be " + text(low) + " to " + text(high) + ", got " + text(value));
    };
    check(extent.height, least.height, limit.height);
    check(extent.width, least.width, limit.width);
  }

  Shape input_;
  Extent kernel_;
  Extent stride_;
  Extent padding_;
  Index height_;
  Index width_;
};

/// Parts of some rows, `step` apart.
template <class T>
struct RowParts {
  T* data;
  Index step;
};

/// Calls use(from, to) for arrays of eight, then of one, that make up `count` numbers of each row. Rows are short:
/// eight columns of all rows at a time take fewer steps than row after row.
template <class Scalar, class Use>
void for_each_eight(RowParts<const Scalar> from, RowParts<Scalar> to, Index rows, Index count, Use&& use) {
  const auto columns = [&](auto size, Index x) {
    using Array = Eigen::Array<Scalar, decltype(size)::value, 1>;
    const Scalar* source = from.data + x;
    Scalar* target = to.data + x;
    for (Index i = 0; i < rows; ++i, source += from.step, target += to.step) {
      use(Eigen::Map<const Array>{source}, Eigen::Map<Array>{target});
    }
  };
  Index x = 0;
  for (; x + 8 <= count; x += 8) columns(std::integral_constant<int, 8>{}, x);
  for (; x < count; ++x) columns(std::integral_constant<int, 1>{}, x);
}

/// Some rows of an image, laid out so that what a window covers in one place of it, from position to position, is one
/// contiguous run. For each column of the kernel there is a copy of the image that holds, of each row, the pixels that
/// this column meets; above a stride of 1, every stride-th row lies in a plane of its own. With positions counted row
/// by row, the window's value k at position p stands at offsets()[k] + p.
///
/// Of rows that are too wide for the memory there is, a part of one row is laid out at a time.
class ShiftedImage {
 public:
  /// `height` rows of positions are dealt with together, of each `width` positions: all, or else of a single row.
  ShiftedImage(const Window& window, Index height, Index width)
      : window_{window}, width_{width}, rows_{height - 1 + ratio(window.kernel().height, window.stride().height)} {
    const Index stride = window.stride().width;
    for (Index left = 0; left < window.width(); left += width) {
      const Index positions = std::min(width, window.width() - left);
      for (Index s = 0; s < window.kernel().width; ++s) {
        // Pixels between the image's first and the one that this column meets at the first position.
        const Index ahead = window.padding().width - s - left * stride;
        const Index first = ahead > 0 ? std::min(positions, ratio(ahead, stride)) : 0;
        const Index end = std::clamp<Index>(ratio(window.input().width + ahead, stride), first, positions);
        columns_.push_back({{first, end}, first * stride - ahead});
      }
    }
  }

  /// Numbers of one channel that `width` positions of `height` rows each see.
  static Index channel_size(const Window& window, Index height, Index width) {
    return window.kernel().width * window.stride().height *
           (height - 1 + ratio(window.kernel().height, window.stride().height)) * width;
  }
  Index channel_size() const { return window_.kernel().width * window_.stride().height * rows_ * width_; }

  /// Of the window's values in some channels, from the first one on; one more stands at the end, equal to the first.
  std::vector<std::int32_t> offsets(Index channels) const {
    const Index stride = window_.stride().height;
    std::vector<std::int32_t> result;
    for (Index c = 0; c < channels; ++c) {
      for (Index r = 0; r < window_.kernel().height; ++r) {
        for (Index s = 0; s < window_.kernel().width; ++s) {
          const Index plane = (c * window_.kernel().width + s) * stride + r % stride;
          result.push_back(static_cast<std::int32_t>((plane * rows_ + r / stride) * width_));
        }
      }
    }
    result.push_back(0);
    return result;
  }

  /// Lays out what the positions from row `top` on, of a part of each row, see of some channels of an image.
  template <class Scalar>
  void lay_out(const Scalar* image, Index channels, Index top, Index part, Scalar* memory) const {
    const Index width = width_;
    const bool filled = window_.padding().width == 0 && width == window_.width();  // rows are, by pixels
    for_each_plane(channels, top, part, [&](Index at, const Range& rows, Index pixel, const Column& column) {
      Scalar* const plane = memory + at;
      std::fill(plane, plane + rows.first * width, Scalar(0));
      std::fill(plane + rows.end * width, plane + rows_ * width, Scalar(0));
      for (Index i = rows.first; !filled && i < rows.end; ++i) {
        std::fill(plane + i * width, plane + i * width + column.first, Scalar(0));
        std::fill(plane + i * width + column.end, plane + (i + 1) * width, Scalar(0));
      }
      const RowParts<const Scalar> from{image + pixel, row_step()};
      const RowParts<Scalar> to{plane + rows.first * width + column.first, width};
      const Index count = column.end - column.first;
      if (window_.stride().width == 1) {
        for_each_eight(from, to, rows.end - rows.first, count, [](auto pixels, auto places) { places = pixels; });
      } else {
        const Scalar* source = from.data;
        Scalar* target = to.data;
        for (Index i = rows.first; i < rows.end; ++i, source += from.step, target += to.step) {
          for (Index x = 0; x < count; ++x) target[x] = source[x * window_.stride().width];
        }
      }
    });
  }

  /// The way back: adds all copies of each pixel to the image.
  template <class Scalar>
  void add_back(const Scalar* memory, Index channels, Index top, Index part, Scalar* image) const {
    const Index width = width_;
    for_each_plane(channels, top, part, [&](Index at, const Range& rows, Index pixel, const Column& column) {
      const RowParts<const Scalar> from{memory + at + rows.first * width + column.first, width};
      const RowParts<Scalar> to{image + pixel, row_step()};
      const Index count = column.end - column.first;
      if (window_.stride().width == 1) {
        for_each_eight(from, to, rows.end - rows.first, count, [](auto places, auto pixels) { pixels += places; });
      } else {
        const Scalar* source = from.data;
        Scalar* target = to.data;
        for (Index i = rows.first; i < rows.end; ++i, source += from.step, target += to.step) {
          for (Index x = 0; x < count; ++x) target[x * window_.stride().width] += source[x];
        }
      }
    });
  }

 private:
  struct Range {
    Index first;
    Index end;
  };

  /// Of the rows of a copy: the numbers that are not padding, and the pixel of the first.
  struct Column : Range {
    Index pixel;
  };

  static Index ratio(Index length, Index stride) { return (length + stride - 1) / stride; }

  /// Pixels from a row of a plane to the next.
  Index row_step() const { return window_.stride().height * window_.input().width; }

  /// Calls use(at, rows, pixel, column) for each plane, which begins at `at`: of its rows, those that are not padding,
  /// and the pixel of the first number of these that is not. Copies of a row do not follow each other: a processor
  /// waits for what it has just written nearby.
  template <class Use>
  void for_each_plane(Index channels, Index top, Index part, Use&& use) const {
    const Shape& shape = window_.input();
    const Index stride = window_.stride().height;
    const Column* const columns = columns_.data() + part * window_.kernel().width;
    Index at = 0;
    for (Index c = 0; c < channels; ++c) {
      for (const Column& column : Span<const Column>{columns, window_.kernel().width}) {
        for (Index phase = 0; phase < stride; ++phase, at += rows_ * width_) {
          const Index y = top * stride + phase - window_.padding().height;  // of the first row, in the image
          const Index first = std::min(rows_, y < 0 ? ratio(-y, stride) : 0);
          const Index end = std::clamp(y < shape.height ? ratio(shape.height - y, stride) : 0, first, rows_);
          use(at, Range{first, end}, (c * shape.height + y + first * stride) * shape.width + column.pixel, column);
        }
      }
    }
  }

  Window window_;
  Index width_;                  // of a plane
  Index rows_;                   // of a plane
  std::vector<Column> columns_;  // of the kernel, for each part of a row
};

}  // namespace altmin::detail
