#pragma once

#include <optional>

#include "altmin/layers/pool2d.hpp"

namespace altmin {

/// The mean of each window of each plane.
struct AvgPool2d {
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
class AvgPool2d::Layer : public Pool2dLayer<AvgPool2d, Layer<Scalar>, Scalar> {
 public:
  static constexpr const char* name = "AvgPool2d";

  using Pool2dLayer<AvgPool2d, Layer<Scalar>, Scalar>::Pool2dLayer;

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const { average(lane, at.x, at.y); }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    average(lane, dx, dy);
    lane.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      to.y.slice(first, count) = from.y.slice(first, count) + dy.slice(first, count);
    });
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    this->clear(lane, dx);
    this->for_each_run(lane, dy.cols(), [&](const auto& windows, Index t, Index pixel, Index place) {
      share_out(windows, dy.address(place, t), dx.address(pixel, t));
    });
  }

 private:
  using Base = Pool2dLayer<AvgPool2d, Layer<Scalar>, Scalar>;
  using Windows = typename Base::Windows;
  template <int N>
  using Squares = typename Base::template Squares<N>;

  void average(const Lane<Scalar>& lane, ConstView<Scalar> from, View<Scalar> to) const {
    this->for_each_run(lane, from.cols(), [&](const auto& windows, Index t, Index pixel, Index place) {
      find_mean(windows, from.address(pixel, t), to.address(place, t));
    });
  }

  void find_mean(const Windows& windows, const Scalar* x, Scalar* y) const {
    windows.for_each([&](Index i, Index pixel) {
      y[i] = 0;
      windows.for_each_pixel(pixel, [&](Index p) { y[i] += x[p]; });
      y[i] *= share_;
    });
  }
  template <int N>
  void find_mean(const Squares<N>& windows, const Scalar* x, Scalar* y) const {
    const auto values = windows.load(x);
    ALTMIN_VECTORIZE
    for (int i = 0; i < N; ++i) y[i] = Scalar(0.25) * (values.a[i] + values.b[i] + values.c[i] + values.d[i]);
  }

  void share_out(const Windows& windows, const Scalar* slope, Scalar* dx) const {
    windows.for_each(
        [&](Index i, Index pixel) { windows.for_each_pixel(pixel, [&](Index p) { dx[p] += share_ * slope[i]; }); });
  }
  template <int N>
  void share_out(const Squares<N>& windows, const Scalar* slope, Scalar* dx) const {
    typename Squares<N>::Pixels shares;
    ALTMIN_VECTORIZE
    for (int i = 0; i < N; ++i) shares.a[i] = shares.b[i] = shares.c[i] = shares.d[i] = Scalar(0.25) * slope[i];
    windows.store(shares, dx);
  }

  Scalar share_ = Scalar(1) / static_cast<Scalar>(this->area());
};

}  // namespace altmin
