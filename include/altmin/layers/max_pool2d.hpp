#pragma once

#include <algorithm>
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
    this->for_each_row(lane, at.x.cols(), [&](const auto& walk, Index t, Index pixel, Index place) {
      const Scalar* const x = at.x.address(pixel, t);
      Scalar* const y = at.y.address(place, t);
      for (Index i = 0; i < this->width(); ++i) y[i] = largest(walk, x + i * walk.stride);
    });
  }

  /// With m the largest x of a window, the largest x + dx is m + max((x - m) + dx), whichever it is.
  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    this->for_each_row(lane, dx.cols(), [&](const auto& walk, Index t, Index pixel, Index place) {
      const Scalar* const x = from.x.address(pixel, t);
      const Scalar* const move = dx.address(pixel, t);
      Scalar* const change = dy.address(place, t);
      for (Index i = 0; i < this->width(); ++i) {
        const Scalar* const window = x + i * walk.stride;
        const Scalar* const moves = move + i * walk.stride;
        const Scalar before = largest(walk, window);
        Scalar result = (window[0] - before) + moves[0];
        walk([&](Index k) { result = std::max(result, (window[k] - before) + moves[k]); });
        change[i] = result;
      }
    });
    lane.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      View<Scalar>{to.y}.middleCols(first, count) = from.y.middleCols(first, count) + dy.middleCols(first, count);
    });
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    lane.parallel_ranges(dx.cols(), dx.rows(),
                         [&](Index first, Index count) { dx.middleCols(first, count).setZero(); });
    this->for_each_row(lane, dy.cols(), [&](const auto& walk, Index t, Index pixel, Index place) {
      const Scalar* const x = at.x.address(pixel, t);
      const Scalar* const slope = dy.address(place, t);
      Scalar* const below = dx.address(pixel, t);
      for (Index i = 0; i < this->width(); ++i) {
        const Scalar* const window = x + i * walk.stride;
        Scalar* const place = below + i * walk.stride;
        const Scalar most = largest(walk, window);
        Scalar rest = slope[i];  // until somebody takes it
        walk([&](Index k) {
          const Scalar share = window[k] == most ? rest : Scalar(0);
          rest = window[k] == most ? Scalar(0) : rest;
          place[k] += share;
        });
      }
    });
  }

 private:
  template <class Walk>
  static Scalar largest(const Walk& walk, const Scalar* window) {
    Scalar result = window[0];
    walk([&](Index k) { result = std::max(result, window[k]); });
    return result;
  }
};

}  // namespace altmin
