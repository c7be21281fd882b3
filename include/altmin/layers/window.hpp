#pragma once

#include <algorithm>
#include <string>
#include <type_traits>

#include "altmin/core/error.hpp"
#include "altmin/core/register_tile.hpp"
#include "altmin/core/shape.hpp"

namespace altmin::detail {

/// The window that slides over the planes of an image: where it stands, and what it sees there. Its positions are
/// numbered row by row. What it sees is a column of `depth()` values a position, channel by channel, each row by row:
/// the order of a convolution's weights.
class Window {
 public:
  /// Throws OptionError where sizes are out of range, ShapeError where the window does not fit into the image.
  Window(Shape input, Extent kernel, Extent stride, Extent padding)
      : input_{input}, kernel_{kernel}, stride_{stride}, padding_{padding} {
    require(kernel, 1, largest, "kernel");
    require(stride, 1, largest, "stride");
    require(padding, 0, std::min(kernel.height, kernel.width) - 1, "padding");
    if (kernel.height > input.height + 2 * padding.height || kernel.width > input.width + 2 * padding.width) {
      throw ShapeError("expected an input of at least " +
                       shape_text(kernel.height - 2 * padding.height, kernel.width - 2 * padding.width) +
                       " (height x width), got " + shape_text(input.height, input.width));
    }
    height_ = (input.height + 2 * padding.height - kernel.height) / stride.height + 1;
    width_ = (input.width + 2 * padding.width - kernel.width) / stride.width + 1;
    if (input.channels > most / (kernel.height * kernel.width)) {
      throw ShapeError("expected fewer than 2^40 inputs of an output, got " + text(input.channels) + " channels");
    }
  }

  const Shape& input() const { return input_; }
  Extent kernel() const { return kernel_; }
  Extent stride() const { return stride_; }

  Index height() const { return height_; }
  Index width() const { return width_; }
  Index positions() const { return height_ * width_; }

  /// Values that it sees at one position.
  Index depth() const { return input_.channels * kernel_.height * kernel_.width; }

  /// The shape of an output with a value a position and channel.
  Shape output(Index channels) const {
    if (channels > most / height_ / width_) {
      throw ShapeError("expected fewer than 2^40 outputs, got " + text(channels) + " channels of " +
                       shape_text(height_, width_));
    }
    return {channels, height_, width_};
  }

  /// Writes what it sees at the positions of `rows` rows from `row` on: the values `first` .. `first + count - 1` of
  /// each column, one below the other's `step`: value first + k of the n-th position to patches[n + k * step]. Beyond
  /// the border stand zeros. May write up to a packet more behind each value's positions.
  template <class Scalar>
  void gather(const Scalar* image, Index row, Index rows, Index first, Index count, Scalar* patches, Index step) const {
    for_each_run(image, row, rows, first, count, patches, step,
                 [&](const Scalar* from, Scalar* to, Index before, Index length, bool roomy) {
                   if (from == nullptr) {
                     std::fill_n(to, width_, Scalar(0));
                     return;
                   }
                   std::fill_n(to, before, Scalar(0));
                   if (stride_.width > 1) {
                     for (Index i = 0; i < length; ++i) to[before + i] = from[i * stride_.width];
                   } else if (roomy) {
                     copy_packets(from, length, to + before);
                   } else {
                     std::copy_n(from, length, to + before);
                   }
                   std::fill(to + before + length, to + width_, Scalar(0));
                 });
  }

  /// The transpose of gather(): adds to each pixel what stands for it in the patches.
  template <class Scalar>
  void scatter(const Scalar* patches, Index step, Index row, Index rows, Index first, Index count,
               Scalar* image) const {
    for_each_run(image, row, rows, first, count, patches, step,
                 [&](Scalar* to, const Scalar* from, Index before, Index length, bool) {
                   if (to == nullptr) return;
                   if (stride_.width > 1) {
                     for (Index i = 0; i < length; ++i) to[i * stride_.width] += from[before + i];
                   } else {
                     add_packets(from + before, length, to);
                   }
                 });
  }

 private:
  static constexpr Index largest = 4096;
  static constexpr Index most = Index{1} << 40;

  static void require(Extent extent, Index least, Index limit, const char* what) {
    for (const Index value : {extent.height, extent.width}) {
      if (value >= least && value <= limit) continue;
      throw OptionError(std::string(what) + " must be " + text(least) + " to " + text(limit) + ", got " + text(value));
    }
  }

  /// Calls use(pixels, places, before, length, roomy) for each value and row of positions: the `length` positions that
  /// see a pixel, behind `before` that do not; no pixels where none does. `roomy`: a packet can be read beyond the
  /// last.
  template <class Pixel, class Place, class Use>
  void for_each_run(Pixel* image, Index row, Index rows, Index first, Index count, Place* patches, Index step,
                    Use&& use) const {
    const Index roomy = input_.size() - lanes<Pixel>;
    const Index area = kernel_.height * kernel_.width;
    for (Index k = first; k < first + count; ++k) {
      const Index inside = k % area;
      const Index down = inside / kernel_.width - padding_.height;
      const Index across = inside % kernel_.width - padding_.width;
      const Index before = across < 0 ? (stride_.width - 1 - across) / stride_.width : 0;
      const Index beyond = (input_.width - across + stride_.width - 1) / stride_.width;
      const Index length = std::max<Index>(0, std::min(width_, beyond) - before);
      const Index plane = k / area * input_.height * input_.width + across + before * stride_.width;
      Place* place = patches + (k - first) * step;
      for (Index y = row; y < row + rows; ++y, place += width_) {
        const Index line = y * stride_.height + down;
        const Index at = plane + line * input_.width;
        const bool outside = line < 0 || line >= input_.height || length == 0;
        use(outside ? nullptr : image + at, place, before, length, at + length <= roomy);
      }
    }
  }

  template <class Scalar>
  static constexpr Index lanes = RegisterTile<std::remove_const_t<Scalar>>::lanes;

  template <class Scalar>
  static void copy_packets(const Scalar* from, Index length, Scalar* to) {
    using Packet = typename RegisterTile<Scalar>::Packet;
    for (Index i = 0; i < length; i += lanes<Scalar>) {
      Eigen::internal::pstoreu(to + i, Eigen::internal::ploadu<Packet>(from + i));
    }
  }

  template <class Scalar>
  static void add_packets(const Scalar* from, Index length, Scalar* to) {
    using Packet = typename RegisterTile<Scalar>::Packet;
    using Half = typename Eigen::internal::unpacket_traits<Packet>::half;
    const Index i = add_whole<Packet>(from, 0, length, to);
    for (Index j = add_whole<Half>(from, i, length, to); j < length; ++j) to[j] += from[j];
  }

  /// Adds from `i` on as long as packets are full; returns where it ends.
  template <class Packet, class Scalar>
  static Index add_whole(const Scalar* from, Index i, Index length, Scalar* to) {
    using namespace Eigen::internal;
    constexpr Index size = unpacket_traits<Packet>::size;
    for (; i + size <= length; i += size) {
      pstoreu(to + i, padd(ploadu<Packet>(to + i), ploadu<Packet>(from + i)));
    }
    return i;
  }

  Shape input_;
  Extent kernel_;
  Extent stride_;
  Extent padding_;
  Index height_;
  Index width_;
};

}  // namespace altmin::detail
