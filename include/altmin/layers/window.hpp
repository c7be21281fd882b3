#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"

namespace altmin::detail {

/// The window that slides over the planes of an image. What it sees at a position are `depth()` values, channel by
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

/// Copies part of a row: most are so short that a call of memcpy would take longer.
template <class Scalar>
void copy_row(const Scalar* from, Index count, Scalar* to) {
  Index i = 0;
  for (; i + 8 <= count; i += 8) std::memcpy(to + i, from + i, 8 * sizeof(Scalar));
  for (; i + 2 <= count; i += 2) std::memcpy(to + i, from + i, 2 * sizeof(Scalar));
  for (; i < count; ++i) to[i] = from[i];
}

/// How an image lies in memory so that what a window sees in one place of it, from position to position, is one
/// contiguous run: with its padding, and for strides above 1 with every stride-th row and column of a plane in a plane
/// of their own (a phase). Positions are then counted with the gaps at the end of each row: position (y, x) is number
/// y * line() + x of length() numbers, and its value k of the window stands at offsets()[k] + that number.
class PhasedImage {
 public:
  explicit PhasedImage(const Window& window)
      : window_{window},
        rows_{ratio(window.input().height + 2 * window.padding().height, window.stride().height)},
        line_{ratio(window.input().width + 2 * window.padding().width, window.stride().width)} {
    const Index phases = window.stride().height * window.stride().width;
    if (rows_ > (Index{1} << 40) / phases / line_) {
      throw ShapeError("expected fewer than 2^40 pixels a channel, got " +
                       shape_text(window.input().height, window.input().width));
    }
  }

  Index line() const { return line_; }
  Index length() const { return (window_.height() - 1) * line_ + window_.width(); }

  /// Numbers of one channel.
  Index channel_size() const { return rows_ * line_ * window_.stride().height * window_.stride().width; }

  /// Of the window's values in some channels, from the first one on; one more stands at the end, equal to the first.
  std::vector<std::int32_t> offsets(Index channels) const {
    const Extent stride = window_.stride();
    std::vector<std::int32_t> result;
    for (Index c = 0; c < channels; ++c) {
      for (Index r = 0; r < window_.kernel().height; ++r) {
        for (Index s = 0; s < window_.kernel().width; ++s) {
          const Index phase = (c * stride.height + r % stride.height) * stride.width + s % stride.width;
          result.push_back(static_cast<std::int32_t>((phase * rows_ + r / stride.height) * line_ + s / stride.width));
        }
      }
    }
    result.push_back(0);
    return result;
  }

  /// Lays out some channels of an image.
  template <class Scalar>
  void lay_out(const Scalar* image, Index channels, Scalar* memory) const {
    std::fill_n(memory, channels * channel_size(), Scalar(0));
    for_each_row(image, channels, memory, [](const Scalar* from, Index step, Index count, Scalar* to) {
      if (step == 1) {
        copy_row(from, count, to);
      } else {
        for (Index i = 0; i < count; ++i) to[i] = from[i * step];
      }
    });
  }

  /// The way back: writes the pixels, without the padding.
  template <class Scalar>
  void take_back(const Scalar* memory, Index channels, Scalar* image) const {
    for_each_row(image, channels, memory, [](Scalar* to, Index step, Index count, const Scalar* from) {
      if (step == 1) {
        copy_row(from, count, to);
      } else {
        for (Index i = 0; i < count; ++i) to[i * step] = from[i];
      }
    });
  }

 private:
  static Index ratio(Index length, Index stride) { return (length + stride - 1) / stride; }

  /// Calls use(pixels, step, count, places) for the pixels of a row that lie side by side.
  template <class Pixel, class Place, class Use>
  void for_each_row(Pixel* image, Index channels, Place* memory, Use&& use) const {
    const Shape& shape = window_.input();
    const Extent stride = window_.stride();
    const Extent padding = window_.padding();
    for (Index c = 0; c < channels; ++c) {
      for (Index y = 0; y < shape.height; ++y, image += shape.width) {
        const Index row = y + padding.height;
        for (Index phase = 0; phase < stride.width; ++phase) {
          // The first column of this phase that is not padding, in the phase and in the image.
          const Index column = phase < padding.width ? ratio(padding.width - phase, stride.width) : 0;
          const Index x = column * stride.width + phase - padding.width;
          if (x >= shape.width) continue;
          Place* const plane =
              memory + ((c * stride.height + row % stride.height) * stride.width + phase) * rows_ * line_;
          use(image + x, stride.width, ratio(shape.width - x, stride.width),
              plane + row / stride.height * line_ + column);
        }
      }
    }
  }

  Window window_;
  Index rows_;
  Index line_;
};

}  // namespace altmin::detail
