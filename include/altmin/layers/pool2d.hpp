#pragma once

#include <cstddef>
#include <optional>

#include "altmin/layers/layer_base.hpp"
#include "altmin/layers/window.hpp"

// GCC makes small loops vector instructions where it does not unroll them first.
#if defined(__GNUC__) && !defined(__clang__)
#define ALTMIN_VECTORIZE _Pragma("GCC unroll 1")
#else
#define ALTMIN_VECTORIZE
#endif

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
  /// Windows side by side, of any size.
  struct Windows {
    /// Calls use(i, pixel) for each window i, which begins at a pixel.
    template <class Use>
    void for_each(Use&& use) const {
      for (Index i = 0; i < count; ++i) use(i, i * stride);
    }

    /// Calls use(pixel) for each pixel of the window that begins at `first`, row by row.
    template <class Use>
    void for_each_pixel(Index first, Use&& use) const {
      for (Index r = 0; r < kernel.height; ++r) {
        for (Index s = 0; s < kernel.width; ++s) use(first + r * line + s);
      }
    }

    Index count;
    Extent kernel;
    Index stride;  // from one window to the next
    Index line;    // from one row of the image to the next
  };

  /// N of the usual windows side by side, each two pixels wide and high. Loops over N, known to the compiler, become a
  /// few vector instructions.
  template <int N>
  struct Squares {
    /// The pixels of all windows: in the upper row a and b, in the lower c and d.
    struct Pixels {
      static constexpr std::size_t size = N;
      Scalar a[size];
      Scalar b[size];
      Scalar c[size];
      Scalar d[size];
    };

    Pixels load(const Scalar* image) const {
      const Scalar* const below = image + line;
      Pixels pixels;
      ALTMIN_VECTORIZE
      for (int i = 0; i < N; ++i) {
        pixels.a[i] = image[2 * i];
        pixels.b[i] = image[2 * i + 1];
      }
      ALTMIN_VECTORIZE
      for (int i = 0; i < N; ++i) {
        pixels.c[i] = below[2 * i];
        pixels.d[i] = below[2 * i + 1];
      }
      return pixels;
    }

    void store(const Pixels& pixels, Scalar* image) const {
      Scalar* const below = image + line;
      ALTMIN_VECTORIZE
      for (int i = 0; i < N; ++i) {
        image[2 * i] = pixels.a[i];
        image[2 * i + 1] = pixels.b[i];
      }
      ALTMIN_VECTORIZE
      for (int i = 0; i < N; ++i) {
        below[2 * i] = pixels.c[i];
        below[2 * i + 1] = pixels.d[i];
      }
    }

    Index line;  // from one row of the image to the next
  };

  /// Calls body(windows, t, pixel, place) for runs of windows of each sample t, all of them side by side: the first one
  /// begins at `pixel` of the image, and its value stands at `place` of the output.
  template <class Body>
  void for_each_run(const Lane<Scalar>& lane, Index samples, Body&& body) const {
    const Shape& image = window_.input();
    lane.parallel_ranges(samples, image.size(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        for (Index c = 0; c < image.channels; ++c) {
          for (Index y = 0; y < window_.height(); ++y) {
            const Index pixel = (c * image.height + y * window_.stride().height) * image.width;
            const Index place = (c * window_.height() + y) * window_.width();
            if (squares()) {
              Index i = 0;
              for (; i + 8 <= window_.width(); i += 8) body(Squares<8>{image.width}, t, pixel + 2 * i, place + i);
              for (; i + 4 <= window_.width(); i += 4) body(Squares<4>{image.width}, t, pixel + 2 * i, place + i);
              for (; i < window_.width(); ++i) body(Squares<1>{image.width}, t, pixel + 2 * i, place + i);
            } else {
              body(Windows{window_.width(), window_.kernel(), window_.stride().width, image.width}, t, pixel, place);
            }
          }
        }
      }
    });
  }

  /// Makes dx zero, but where it is about to be written: windows of four pixels may make up the whole image.
  void clear(const Lane<Scalar>& lane, View<Scalar> dx) const {
    const Shape& image = window_.input();
    if (squares() && image.height % 2 == 0 && image.width % 2 == 0) return;
    lane.parallel_ranges(dx.cols(), dx.rows(),
                         [&](Index first, Index count) { dx.middleCols(first, count).setZero(); });
  }

  Index area() const { return window_.kernel().height * window_.kernel().width; }

 private:
  bool squares() const {
    const auto both = [](Extent extent) { return extent.height == 2 && extent.width == 2; };
    return both(window_.kernel()) && both(window_.stride());
  }

  Config config_;
  detail::Window window_;
  Shape output_;
};

}  // namespace altmin
