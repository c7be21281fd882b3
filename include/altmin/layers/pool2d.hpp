#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>

#include "altmin/kernels/window.hpp"
#include "altmin/layers/layer_interface.hpp"

// GCC makes small loops vector instructions where it does not unroll them first.
#if defined(__GNUC__) && !defined(__clang__)
#define ALTMIN_VECTORIZE _Pragma("GCC unroll 1")
#else
#define ALTMIN_VECTORIZE
#endif

namespace altmin {

/// A layer that makes one value of each window of each plane. `Config` has the window's `kernel` and `stride`. `Layer`
/// gives, for arrays x and dx of pixels and one window of them,
///
///   value(window, x)            its value
///   change(window, x, y, dx)    f(x + dx) - y, where y = f(x), without cancellation
///   spread(window, x, dy, dx)     adds to dx the derivatives by its pixels, dy being that by its value
///
/// where window.first is its first pixel, and window.for_each(use) calls use(p) for each of them, row by row.
template <class Config_, class Layer, class Scalar>
class Pool2dLayer : public LayerBase<Layer, Scalar> {
 public:
  using Config = Config_;
  static constexpr LayerTraits layer_traits{};

  Pool2dLayer(const Config& config, Shape input)
      : config_{config},
        window_{input, config.kernel, config.stride.value_or(config.kernel), 0},
        output_{window_.output(input.channels)} {}

  const Config& config() const { return config_; }
  Shape output() const override { return output_; }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    for_each_row(worker, at.x.cols(), [&](Index t, Index pixel, Index place) {
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

  void difference(const Worker<Scalar>& worker, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    for_each_row(worker, dx.cols(), [&](Index t, Index pixel, Index place) {
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

  void backward(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    const Shape& image = window_.input();
    if (!squares() || image.height % 2 != 0 || image.width % 2 != 0) {  // else all pixels are about to be written
      worker.parallel_ranges(dx.cols(), dx.rows(),
                             [&](Index first, Index count) { dx.middleCols(first, count).setZero(); });
    }
    for_each_row(worker, dy.cols(), [&](Index t, Index pixel, Index place) {
      const Scalar* const x = at.x.address(pixel, t);
      const Scalar* const slope = dy.address(place, t);
      Scalar* const slopes = dx.address(pixel, t);
      for_each_run(
          [&](auto run, Index i) {
            auto pixels = run.load(x + 2 * i, line());
            run.for_each([&](int j) {
              Quad<Scalar> pulled{};
              self().spread(Square{}, pixels[j], slope[i + j], pulled);
              pixels.put(j, pulled);
            });
            run.store(pixels, slopes + 2 * i, line());
          },
          [&](const AnyWindow& window, Index i) { self().spread(window, x, slope[i], slopes); });
    });
  }

  /// In one pass through memory, some rows of windows at a time, where the windows are squares that make up the image.
  void move_input(const Worker<Scalar>& worker, const Point<Scalar>& from, const Point<Scalar>& to,
                  const InputMove<Scalar>& move) const override {
    if (!moves_in_place()) return LayerBase<Layer, Scalar>::move_input(worker, from, to, move);
    const Index rows = output_.size() / window_.width();
    const Index together = std::max<Index>(1, input_piece_size / (2 * line()));  // rows of windows
    worker.parallel_ranges(from.x.cols(), from.x.rows(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        for (Index row = 0; row < rows; row += together) {
          move_squares(from, move, t, row, std::min(together, rows - row));
        }
      }
    });
  }
  bool moves_in_place() const override { return squares() && 4 * output_.size() == window_.input().size(); }

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
  void for_each_row(const Worker<Scalar>& worker, Index samples, Use&& use) const {
    const Shape& image = window_.input();
    worker.parallel_ranges(samples, image.size(), [&](Index first, Index count) {
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

  /// Moves the pixels of some rows of windows of sample t.
  void move_squares(const Point<Scalar>& from, const InputMove<Scalar>& move, Index t, Index row, Index rows) const {
    const Index width = window_.width();
    const Index pixel = 2 * line() * row;
    const Scalar* const x = from.x.address(pixel, t);
    const Scalar* const y = from.y.address(row * width, t);
    const Scalar* const dy = move.residual.address(row * width, t);
    Scalar* const residual = move.scratch.residual.address(0, t);
    Scalar* const displacement = move.state.displacement.address(pixel, t);
    Scalar* const change = move.state.change.address(row * width, t);
    const auto for_each_window = [&](auto&& use) {
      for (Index r = 0; r < rows; ++r) {
        for_each_square_run([&](auto run, Index i) { use(run, 2 * line() * r + 2 * i, width * r + i); });
      }
    };
    for_each_window([&](auto run, Index p, Index place) {
      auto pixels = run.load(x + p, line());
      if (!move.first) {
        const auto moved = run.load(displacement + p, line());
        Square::for_each([&](int q) { run.for_each([&](int j) { pixels.of[q][j] += moved.of[q][j]; }); });
      }
      run.for_each([&](int j) {
        Quad<Scalar> slopes{};
        self().spread(Square{}, pixels[j], dy[place + j], slopes);
        pixels.put(j, slopes);
      });
      run.store(pixels, residual + p, line());
    });
    move.rule.move({pixel + t * from.x.rows(), 2 * line() * rows, x, residual, displacement});
    for_each_window([&](auto run, Index p, Index place) {
      const auto pixels = run.load(x + p, line());
      const auto moved = run.load(displacement + p, line());
      run.for_each([&](int j) { change[place + j] = self().change(Square{}, pixels[j], y[place + j], moved[j]); });
    });
  }

  Config config_;
  detail::Window window_;
  Shape output_;
};

}  // namespace altmin

#undef ALTMIN_VECTORIZE
