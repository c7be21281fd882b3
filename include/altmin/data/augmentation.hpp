#pragma once

#include <algorithm>
#include <cstdint>

#include "altmin/core/error.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// Random changes of the images of a training batch, which leave their classes as they are: drawn anew for each sample
/// in each epoch.
struct Augmentation {
  Index crop_padding = 0;  ///< a frame of so many zeros is put around each channel, and a part of the image's own size
                           ///< is cut out at random; 0: off, at most the shorter side less 1, CIFAR-10: 4
  bool flip = false;       ///< half of the images are mirrored, left to right

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("crop_padding", self.crop_padding...);
    visit("flip", self.flip...);
  }

  explicit operator bool() const { return crop_padding != 0 || flip; }

  /// Throws OptionError unless it suits samples of this shape.
  void require_suits(Shape shape) const {
    if (!*this) return;
    const Index most = std::min(shape.height, shape.width) - 1;
    if (most < 1) throw OptionError("Augmentation: samples must be images, got " + to_string(shape));
    detail::require_option(crop_padding >= 0 && crop_padding <= most, "Augmentation: crop_padding",
                           "must be 0 or more, and below the sides of the images", double(crop_padding));
  }

  /// Writes a changed image of this shape; `from` and `to` do not overlap.
  template <class Scalar>
  void apply(Shape shape, const Scalar* from, Scalar* to, Random& random) const {
    const auto shift = [&] {
      const auto places = static_cast<std::uint32_t>(2 * crop_padding + 1);
      return static_cast<Index>(random.below(places)) - crop_padding;
    };
    const Index down = shift();
    const Index right = shift();
    const bool mirrored = flip && random.below(2) == 1;
    const Index begin = std::max<Index>(0, right);  // of what the image fills in a row
    const Index end = std::min(shape.width, shape.width + right);
    for (Index row = 0; row < shape.channels * shape.height; ++row, to += shape.width) {
      const Index y = row % shape.height - down;
      if (y < 0 || y >= shape.height) {
        std::fill_n(to, shape.width, Scalar(0));
        continue;
      }
      std::fill(to, to + begin, Scalar(0));
      std::copy(from + (row - down) * shape.width + begin - right, from + (row - down) * shape.width + end - right,
                to + begin);
      std::fill(to + end, to + shape.width, Scalar(0));
      if (mirrored) std::reverse(to, to + shape.width);
    }
  }
};

}  // namespace altmin
