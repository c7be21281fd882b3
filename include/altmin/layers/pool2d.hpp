#pragma once

#include <optional>
#include <type_traits>

#include "altmin/layers/layer_base.hpp"
#include "altmin/layers/window.hpp"

namespace altmin {

/// A layer that makes one value of each window of each plane. `Config` has the window's `kernel` and `stride`.
template <class Config_, class Layer, class Scalar>
class Pool2dLayer : public LayerBase<Layer, Scalar> {
 public:
  using Config = Config_;
  static constexpr Role role = Role::nonlinearity;

  Pool2dLayer(const Config& config, Shape input)
      : config_{config},
        window_{input, config.kernel, config.stride.value_or(config.kernel), 0},
        output_{window_.output(input.channels)} {}

  const Config& config() const { return config_; }
  Shape output() const { return output_; }

 protected:
  /// The sizes of a window, and how far it is from one row of the image to the next: numbers, or integral constants.
  template <class Height, class Width, class Stride>
  struct Walk {
    /// Calls use(offset) for each pixel of the window that begins at a pixel, row by row.
    template <class Use>
    void operator()(Use&& use) const {
      for (Index r = 0; r < height; ++r) {
        for (Index s = 0; s < width; ++s) use(r * line + s);
      }
    }

    Height height;
    Width width;
    Stride stride;
    Index line;
  };

  /// Calls body(walk, t, pixel, place) for each row of windows of each sample t: the first window begins at `pixel` of
  /// the image, the others walk.stride apart, and the values begin at `place` of the output. The usual window has sizes
  /// that compilers know.
  template <class Body>
  void for_each_row(const Lane<Scalar>& lane, Index samples, Body&& body) const {
    using Two = std::integral_constant<Index, 2>;
    const Extent kernel = window_.kernel();
    const Extent stride = window_.stride();
    const Shape& image = window_.input();
    const auto run = [&](auto walk) {
      lane.parallel_ranges(samples, image.size(), [&](Index first, Index count) {
        for (Index t = first; t < first + count; ++t) {
          for (Index c = 0; c < image.channels; ++c) {
            for (Index y = 0; y < window_.height(); ++y) {
              body(walk, t, (c * image.height + y * stride.height) * image.width,
                   (c * window_.height() + y) * window_.width());
            }
          }
        }
      });
    };
    if (kernel.height == 2 && kernel.width == 2 && stride.width == 2) {
      run(Walk<Two, Two, Two>{{}, {}, {}, image.width});
    } else {
      run(Walk<Index, Index, Index>{kernel.height, kernel.width, stride.width, image.width});
    }
  }

  Index width() const { return window_.width(); }
  Index area() const { return window_.kernel().height * window_.kernel().width; }

 private:
  Config config_;
  detail::Window window_;
  Shape output_;
};

}  // namespace altmin
