#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>

#include "altmin/layers/layer_base.hpp"
#include "altmin/layers/window.hpp"

// GCC makes small loops vector instructions where it does not unroll them first, and loops over many arrays where it is
// told that these lie apart.
#if defined(__GNUC__) && !defined(__clang__)
#define ALTMIN_VECTORIZE _Pragma("GCC unroll 1")
#define ALTMIN_INDEPENDENT _Pragma("GCC ivdep")
#else
#define ALTMIN_VECTORIZE
#define ALTMIN_INDEPENDENT
#endif

namespace altmin {

/// A layer that makes one value of each window of each plane. `Config` has the window's `kernel` and `stride`. `Layer`
/// gives, for arrays x and dx of pixels and one window of them,
///
///   value(window, x)            its value
///   change(window, x, y, dx)    f(x + dx) - y, where y = f(x), without cancellation
///   pull(window, x, dy, dx)     adds to dx the slopes of its pixels, dy being that of its value
///
/// where window.first is its first pixel, and window.for_each(use) calls use(p) for each of them, row by row.
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

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    for_each_row(lane, at.x.cols(), [&](Index t, Index pixel, Index place) {
      const Scalar* const x = at.x.address(pixel, t);
      Scalar* const y = at.y.address(place, t);
      for_each_run(
          [&](auto run, Index i) {
            const auto pixels = run.load(x + 2 * i, line());
            run.for_each([&](int j) { y[i + j] = self().value(Square{}, pixels[j]); });
          },
          [&](const AnyWindow& window, Index i) { y[i] = self().value(window, x); });
    });
  }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const {
    for_each_row(lane, dx.cols(), [&](Index t, Index pixel, Index place) {
      const Scalar* const x = from.x.address(pixel, t);
      const Scalar* const y = from.y.address(place, t);
      const Scalar* const moves = dx.address(pixel, t);
      Scalar* const change = dy.address(place, t);
      for_each_run(
          [&](auto run, Index i) {
            const auto pixels = run.load(x + 2 * i, line());
            const auto moved = run.load(moves + 2 * i, line());
            run.for_each([&](int j) { change[i + j] = self().change(Square{}, pixels[j], y[i + j], moved[j]); });
          },
          [&](const AnyWindow& window, Index i) { change[i] = self().change(window, x, y[i], moves); });
    });
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    const Shape& image = window_.input();
    if (!squares() || image.height % 2 != 0 || image.width % 2 != 0) {  // else all pixels are about to be written
      lane.parallel_ranges(dx.cols(), dx.rows(),
                           [&](Index first, Index count) { dx.middleCols(first, count).setZero(); });
    }
    for_each_row(lane, dy.cols(), [&](Index t, Index pixel, Index place) {
      const Scalar* const x = at.x.address(pixel, t);
      const Scalar* const slope = dy.address(place, t);
      Scalar* const slopes = dx.address(pixel, t);
      for_each_run(
          [&](auto run, Index i) {
            auto pixels = run.load(x + 2 * i, line());
            run.for_each([&](int j) {
              Quad<Scalar> pulled{};
              self().pull(Square{}, pixels[j], slope[i + j], pulled);
              pixels.put(j, pulled);
            });
            run.store(pixels, slopes + 2 * i, line());
          },
          [&](const AnyWindow& window, Index i) { self().pull(window, x, slope[i], slopes); });
    });
  }

  /// Over squares that make up the image, pixels are sorted by their place in the window until the last step: upper
  /// left ones first, those of c0 in step.pulled, of delta in step.velocity and of v in step.displacement, where delta
  /// is put at the end. So they are gone through without a shuffle.
  void step_through(const Lane<Scalar>& lane, const Point<Scalar>& from, const Point<Scalar>& to,
                    const CodeStep<Scalar>& step) const {
    if (!steps_in_place()) return LayerBase<Layer, Scalar>::step_through(lane, from, to, step);
    lane.parallel_ranges(from.x.cols(), from.x.rows(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        Scalar* const start = step.pulled.address(0, t);
        Scalar* const delta = step.velocity.address(0, t);
        Scalar* const v = step.displacement.address(0, t);
        if (step.first) sort(from.x.address(0, t), start);
        step.rates.with_sparsity([&](auto sparse) {
          const auto go = [&](auto begins) {
            step_squares(begins, sparse, step.rates, start, delta, v, step.slope.address(0, t), from.y.address(0, t),
                         step.change.address(0, t));
          };
          step.first ? go(std::true_type{}) : go(std::false_type{});
        });
        if (step.last) put_back(delta, v);
      }
    });
  }
  bool steps_in_place() const { return squares() && 4 * output_.size() == window_.input().size(); }

 protected:
  Index area() const { return window_.kernel().height * window_.kernel().width; }

 private:
  /// A window of any size, in a row of windows.
  struct AnyWindow {
    template <class Use>
    void for_each(Use&& use) const {
      for (Index r = 0; r < kernel.height; ++r) {
        for (Index s = 0; s < kernel.width; ++s) use(first + r * line + s);
      }
    }

    Index first;
    Extent kernel;
    Index line;  // from one row of the image to the next
  };

  /// The usual window, of two rows of two pixels, in an array of these alone.
  struct Square {
    // What is inlined late leaves its captures in memory, where GCC does not vectorize the loop around it.
    template <class Use>
    EIGEN_ALWAYS_INLINE static void for_each(Use&& use) {
      use(0);
      use(1);
      use(2);
      use(3);
    }

    static constexpr int first = 0;
  };

  template <class T>
  struct Quad {
    T& operator[](int p) { return of[p]; }
    const T& operator[](int p) const { return of[p]; }

    T of[4];
  };

  /// N squares side by side. Loops over N, known to the compiler, become a few vector instructions.
  template <int N>
  struct Run {
    struct Pixels {
      Quad<Scalar> operator[](int j) const { return {{of[0][j], of[1][j], of[2][j], of[3][j]}}; }
      void put(int j, const Quad<Scalar>& square) {
        Square::for_each([&](int p) { of[p][j] = square[p]; });
      }

      Scalar of[4][std::size_t{N}];
    };

    template <class Use>
    static void for_each(Use&& use) {
      ALTMIN_VECTORIZE
      for (int j = 0; j < N; ++j) use(j);
    }

    static Pixels load(const Scalar* image, Index line) {
      Pixels pixels;
      for_each([&](int j) {
        pixels.of[0][j] = image[2 * j];
        pixels.of[1][j] = image[2 * j + 1];
      });
      for_each([&](int j) {
        pixels.of[2][j] = image[line + 2 * j];
        pixels.of[3][j] = image[line + 2 * j + 1];
      });
      return pixels;
    }

    /// From pixels that are sorted by their place in the window, `count` to a place; and the way back.
    static Pixels load_sorted(const Scalar* sorted, Index count) {
      Pixels pixels;
      Square::for_each([&](int p) { for_each([&](int j) { pixels.of[p][j] = sorted[p * count + j]; }); });
      return pixels;
    }
    static void store_sorted(const Pixels& pixels, Scalar* sorted, Index count) {
      Square::for_each([&](int p) { for_each([&](int j) { sorted[p * count + j] = pixels.of[p][j]; }); });
    }

    static void store(const Pixels& pixels, Scalar* image, Index line) {
      for_each([&](int j) {
        image[2 * j] = pixels.of[0][j];
        image[2 * j + 1] = pixels.of[1][j];
      });
      for_each([&](int j) {
        image[line + 2 * j] = pixels.of[2][j];
        image[line + 2 * j + 1] = pixels.of[3][j];
      });
    }
  };

  const Layer& self() const { return static_cast<const Layer&>(*this); }

  Index line() const { return window_.input().width; }

  bool squares() const {
    const auto both = [](Extent extent) { return extent.height == 2 && extent.width == 2; };
    return both(window_.kernel()) && both(window_.stride());
  }

  /// Calls use(t, pixel, place) for each row of windows of each sample t: the first one begins at `pixel` of the image,
  /// and its value stands at `place` of the output.
  template <class Use>
  void for_each_row(const Lane<Scalar>& lane, Index samples, Use&& use) const {
    const Shape& image = window_.input();
    lane.parallel_ranges(samples, image.size(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        for (Index c = 0; c < image.channels; ++c) {
          for (Index y = 0; y < window_.height(); ++y) {
            use(t, (c * image.height + y * window_.stride().height) * image.width,
                (c * window_.height() + y) * window_.width());
          }
        }
      }
    });
  }

  /// Goes through a row of windows: calls by_run(run, i) for squares i, i + 1 .., else by_window(window, i).
  template <class ByRun, class ByWindow>
  void for_each_run(ByRun&& by_run, ByWindow&& by_window) const {
    if (squares()) return for_each_square_run(by_run);
    for (Index i = 0; i < window_.width(); ++i) {
      by_window(AnyWindow{i * window_.stride().width, window_.kernel(), line()}, i);
    }
  }
  template <class ByRun>
  void for_each_square_run(ByRun&& by_run) const {
    const Index count = window_.width();
    Index i = 0;
    for (; i + 8 <= count; i += 8) by_run(Run<8>{}, i);
    for (; i + 4 <= count; i += 4) by_run(Run<4>{}, i);
    for (; i < count; ++i) by_run(Run<1>{}, i);
  }

  /// A sample whose windows are squares that make up the image, to pixels that are sorted by their place in the window;
  /// and the way back.
  void sort(const Scalar* image, Scalar* sorted) const {
    for (Index row = 0; row < output_.size(); row += window_.width(), image += 2 * line(), sorted += window_.width()) {
      for_each_square_run(
          [&](auto run, Index i) { run.store_sorted(run.load(image + 2 * i, line()), sorted + i, output_.size()); });
    }
  }
  void put_back(const Scalar* sorted, Scalar* image) const {
    for (Index row = 0; row < output_.size(); row += window_.width(), image += 2 * line(), sorted += window_.width()) {
      for_each_square_run(
          [&](auto run, Index i) { run.store(run.load_sorted(sorted + i, output_.size()), image + 2 * i, line()); });
    }
  }

  /// The step of a sample whose pixels are sorted. `first` and `sparse` are constants.
  template <class First, class Sparse>
  EIGEN_DONT_INLINE void step_squares(First first, Sparse sparse, CodeRates<Scalar> rates, const Scalar* c0,
                                      Scalar* delta, Scalar* v, const Scalar* slope, const Scalar* y,
                                      Scalar* change) const {
    const Index count = output_.size();
    ALTMIN_INDEPENDENT
    for (Index i = 0; i < count; ++i) {
      Quad<Scalar> start, move{}, velocity{}, x, g{};
      Square::for_each([&](int p) {
        start[p] = c0[p * count + i];
        if constexpr (!first) {
          move[p] = delta[p * count + i];
          velocity[p] = v[p * count + i];
        }
        x[p] = start[p] + move[p];
      });
      self().pull(Square{}, x, slope[i], g);
      Square::for_each([&](int p) {
        rates.take([&] { return g[p]; }, [&] { return x[p]; }, move[p], velocity[p], sparse);
        delta[p * count + i] = move[p];
        v[p * count + i] = velocity[p];
      });
      change[i] = self().change(Square{}, start, y[i], move);
    }
  }

  Config config_;
  detail::Window window_;
  Shape output_;
};

}  // namespace altmin

#undef ALTMIN_VECTORIZE
#undef ALTMIN_INDEPENDENT
