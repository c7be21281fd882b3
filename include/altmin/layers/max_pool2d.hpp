#pragma once

#include <optional>

#include "altmin/layers/pool2d.hpp"

namespace altmin {

/// The largest value in each window of each plane. Its gradient goes to the first of those that are largest.
struct MaxPool2d {
  template <class Scalar>
  class Layer;

  Extent kernel = 2;                  ///< 1 to 4096 each way
  std::optional<Extent> stride = {};  ///< the kernel's size unless set; windows that reach over the border are left out

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("kernel", self.kernel...);
    visit("stride", self.stride...);
  }
};

template <class Scalar>
class MaxPool2d::Layer : public Pool2dLayer<MaxPool2d, Layer<Scalar>, Scalar> {
 public:
  static constexpr const char* name = "MaxPool2d";

  using Pool2dLayer<MaxPool2d, Layer<Scalar>, Scalar>::Pool2dLayer;

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    this->for_each_run(lane, at.x.cols(), [&](const auto& windows, Index t, Index pixel, Index place) {
      find_largest(windows, at.x.address(pixel, t), at.y.address(place, t));
    });
  }

  /// With m the largest x of a window, the largest x + dx is m + max((x - m) + dx), whichever it is.
  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    this->for_each_run(lane, dx.cols(), [&](const auto& windows, Index t, Index pixel, Index place) {
      find_change(windows, from.x.address(pixel, t), from.y.address(place, t), dx.address(pixel, t),
                  dy.address(place, t));
    });
    lane.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      View<Scalar>{to.y}.middleCols(first, count) = from.y.middleCols(first, count) + dy.middleCols(first, count);
    });
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    this->clear(lane, dx);
    this->for_each_run(lane, dy.cols(), [&](const auto& windows, Index t, Index pixel, Index place) {
      hand_down(windows, at.x.address(pixel, t), dy.address(place, t), dx.address(pixel, t));
    });
  }

 private:
  using Base = Pool2dLayer<MaxPool2d, Layer<Scalar>, Scalar>;
  using Windows = typename Base::Windows;
  template <int N>
  using Squares = typename Base::template Squares<N>;

  static Scalar larger(Scalar a, Scalar b) { return a < b ? b : a; }

  static void find_largest(const Windows& windows, const Scalar* x, Scalar* y) {
    windows.for_each([&](Index i, Index pixel) {
      y[i] = x[pixel];
      windows.for_each_pixel(pixel, [&](Index p) { y[i] = larger(y[i], x[p]); });
    });
  }
  template <int N>
  static void find_largest(const Squares<N>& windows, const Scalar* x, Scalar* y) {
    const auto values = windows.load(x);
    ALTMIN_VECTORIZE
    for (int i = 0; i < N; ++i) y[i] = larger(larger(values.a[i], values.b[i]), larger(values.c[i], values.d[i]));
  }

  static void find_change(const Windows& windows, const Scalar* x, const Scalar* y, const Scalar* dx, Scalar* dy) {
    windows.for_each([&](Index i, Index pixel) {
      dy[i] = (x[pixel] - y[i]) + dx[pixel];
      windows.for_each_pixel(pixel, [&](Index p) { dy[i] = larger(dy[i], (x[p] - y[i]) + dx[p]); });
    });
  }
  template <int N>
  static void find_change(const Squares<N>& windows, const Scalar* x, const Scalar* y, const Scalar* dx, Scalar* dy) {
    const auto values = windows.load(x);
    const auto moves = windows.load(dx);
    ALTMIN_VECTORIZE
    for (int i = 0; i < N; ++i) {
      dy[i] = larger(larger((values.a[i] - y[i]) + moves.a[i], (values.b[i] - y[i]) + moves.b[i]),
                     larger((values.c[i] - y[i]) + moves.c[i], (values.d[i] - y[i]) + moves.d[i]));
    }
  }

  /// Adds each slope to the first of the largest pixels of its window.
  static void hand_down(const Windows& windows, const Scalar* x, const Scalar* slope, Scalar* dx) {
    windows.for_each([&](Index i, Index pixel) {
      Index largest = pixel;
      windows.for_each_pixel(pixel, [&](Index p) { largest = x[p] > x[largest] ? p : largest; });
      dx[largest] += slope[i];
    });
  }
  template <int N>
  static void hand_down(const Squares<N>& windows, const Scalar* x, const Scalar* slope, Scalar* dx) {
    const auto values = windows.load(x);
    typename Squares<N>::Pixels slopes;
    ALTMIN_VECTORIZE
    for (int i = 0; i < N; ++i) {
      const bool low = larger(values.c[i], values.d[i]) > larger(values.a[i], values.b[i]);
      const Scalar upper = low ? Scalar(0) : slope[i];
      const Scalar lower = low ? slope[i] : Scalar(0);
      slopes.a[i] = values.b[i] > values.a[i] ? Scalar(0) : upper;
      slopes.b[i] = values.b[i] > values.a[i] ? upper : Scalar(0);
      slopes.c[i] = values.d[i] > values.c[i] ? Scalar(0) : lower;
      slopes.d[i] = values.d[i] > values.c[i] ? lower : Scalar(0);
    }
    windows.store(slopes, dx);
  }
};

}  // namespace altmin
