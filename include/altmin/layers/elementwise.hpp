#pragma once

#include "altmin/layers/layer_base.hpp"

namespace altmin {

/// A layer that maps each element by itself. `Layer` gives, on arrays of one column or more:
///
///   value(x)                        f(x)
///   slope_times(x, y, dy)           f'(x) dy
///   change(x, y, dx, moved)         f(x + dx) - f(x), without cancellation; y = f(x), moved = x + dx
template <class Layer, class Scalar>
class ElementwiseLayer : public LayerBase<Layer, Scalar> {
 public:
  static constexpr Role role = Role::nonlinearity;
  static constexpr bool elementwise = true;

  explicit ElementwiseLayer(Shape input) : shape_{input} {}

  Shape output() const { return shape_; }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    lane.parallel_ranges(at.x.cols(), at.x.rows(), [&](Index first, Index count) {
      View<Scalar>{at.y}.middleCols(first, count).array() = self().value(at.x.middleCols(first, count).array());
    });
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    lane.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      dx.middleCols(first, count).array() =
          self().slope_times(at.x.middleCols(first, count).array(), at.y.middleCols(first, count).array(),
                             dy.middleCols(first, count).array());
    });
  }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    lane.parallel_ranges(dx.cols(), dx.rows(), [&](Index first, Index count) {
      dy.middleCols(first, count).array() =
          self().change(from.x.middleCols(first, count).array(), from.y.middleCols(first, count).array(),
                        dx.middleCols(first, count).array(), to.x.middleCols(first, count).array());
      View<Scalar>{to.y}.middleCols(first, count) = from.y.middleCols(first, count) + dy.middleCols(first, count);
    });
  }

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }

  Shape shape_;
};

}  // namespace altmin
