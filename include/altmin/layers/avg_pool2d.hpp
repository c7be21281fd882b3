#pragma once

#include <optional>

#include "altmin/layers/pool2d.hpp"

namespace altmin {

/// The mean of each window of each plane.
struct AvgPool2d {
  static constexpr const char* name = "AvgPool2d";

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
  using Pool2dLayer<AvgPool2d, Layer<Scalar>, Scalar>::Pool2dLayer;

  template <class Window, class Pixels>
  Scalar value(const Window& window, const Pixels& x) const {
    Scalar sum = 0;
    window.for_each([&](auto p) { sum += x[p]; });
    return share_ * sum;
  }

  template <class Window, class Pixels>
  Scalar change(const Window& window, const Pixels&, Scalar, const Pixels& dx) const {
    return value(window, dx);
  }

  template <class Window, class Pixels, class Slopes>
  void spread(const Window& window, const Pixels&, Scalar dy, Slopes& dx) const {
    window.for_each([&](auto p) { dx[p] += share_ * dy; });
  }

 private:
  Scalar share_ = Scalar(1) / static_cast<Scalar>(this->area());
};

}  // namespace altmin
