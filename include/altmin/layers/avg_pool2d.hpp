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
    View<Scalar>{to.y} = from.y + dy;
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    dx.setZero();
    const Scalar share = Scalar(1) / static_cast<Scalar>(this->area());
    this->for_each_row(lane, dy.cols(), [&](const auto& walk, Index t, Index pixel, Index place) {
      const Scalar* const slope = dy.address(place, t);
      Scalar* const below = dx.address(pixel, t);
      for (Index i = 0; i < this->width(); ++i) {
        walk([&](Index k) { below[i * walk.stride + k] += share * slope[i]; });
      }
    });
  }

 private:
  void average(const Lane<Scalar>& lane, ConstView<Scalar> from, View<Scalar> to) const {
    const Scalar share = Scalar(1) / static_cast<Scalar>(this->area());
    this->for_each_row(lane, from.cols(), [&](const auto& walk, Index t, Index pixel, Index place) {
      const Scalar* const x = from.address(pixel, t);
      Scalar* const y = to.address(place, t);
      for (Index i = 0; i < this->width(); ++i) {
        Scalar sum = 0;
        walk([&](Index k) { sum += x[i * walk.stride + k]; });
        y[i] = share * sum;
      }
    });
  }
};

}  // namespace altmin
