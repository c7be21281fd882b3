#pragma once

#include <optional>

#include "altmin/layers/pool2d.hpp"

namespace altmin {

/// The largest value in each window of each plane. Its gradient goes to the first of those that are largest.
struct MaxPool2d {
  static constexpr const char* name = "MaxPool2d";

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
  using Pool2dLayer<MaxPool2d, Layer<Scalar>, Scalar>::Pool2dLayer;

  template <class Window, class Pixels>
  static Scalar value(const Window& window, const Pixels& x) {
    Scalar largest = x[window.first];
    window.for_each([&](auto p) { largest = larger(largest, x[p]); });
    return largest;
  }

  /// The largest x + dx is y + max((x - y) + dx), whichever it is.
  template <class Window, class Pixels>
  static Scalar change(const Window& window, const Pixels& x, Scalar y, const Pixels& dx) {
    Scalar largest = (x[window.first] - y) + dx[window.first];
    window.for_each([&](auto p) { largest = larger(largest, (x[p] - y) + dx[p]); });
    return largest;
  }

  template <class Window, class Pixels, class Slopes>
  static void spread(const Window& window, const Pixels& x, Scalar dy, Slopes& dx) {
    const Scalar largest = value(window, x);
    window.for_each([&](auto p) {  // what the first of the largest takes is left for none behind it
      const Scalar taken = x[p] < largest ? Scalar(0) : dy;
      dx[p] += taken;
      dy -= taken;
    });
  }

 private:
  static Scalar larger(Scalar a, Scalar b) { return a < b ? b : a; }
};

}  // namespace altmin
