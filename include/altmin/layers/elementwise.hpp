#pragma once

#include "altmin/layers/layer_base.hpp"

namespace altmin {

/// A layer that maps each element by itself. `Layer` gives, on arrays of any of a batch's elements:
///
///   value(x)                        f(x)
///   slope_times(x, y, dy)           f'(x) dy, at a price that may be paid twice: a step on codes does
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

  /// The same where the input has moved by dx and the output by `change` since `from`.
  void pull_back_moved(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx,
                       ConstView<Scalar> change, ConstView<Scalar> slope, View<Scalar> pulled) const {
    lane.parallel_ranges(dx.cols(), dx.rows(), [&](Index first, Index count) {
      const auto part = [&](const auto& whole) { return whole.middleCols(first, count).array(); };
      View<Scalar>{pulled}.middleCols(first, count).array() =
          self().slope_times(part(from.x) + part(dx), part(from.y) + part(change), part(slope));
    });
  }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const {
    lane.parallel_ranges(dx.cols(), dx.rows(), [&](Index first, Index count) {
      const auto part = [&](const auto& whole) { return whole.middleCols(first, count).array(); };
      View<Scalar>{dy}.middleCols(first, count).array() =
          self().change(part(from.x), part(from.y), part(dx), part(from.x) + part(dx));
    });
  }

  void step_through(const Lane<Scalar>& lane, const Point<Scalar>& from, const Point<Scalar>&,
                    const CodeStep<Scalar>& step) const {
    step.for_each_piece(lane, [&layer = self(), x = from.x, y = from.y, step](Index i, auto size) {
      const auto c0 = step.piece(x, i, size);
      const auto y0 = step.piece(y, i, size);
      auto delta = step.piece(step.displacement, i, size);
      auto v = step.piece(step.velocity, i, size);
      auto change = step.piece(step.change, i, size);
      step.begin(delta, v, change);
      step.take([&] { return layer.slope_times(c0 + delta, y0 + change, step.piece(step.slope, i, size)); }, c0, delta,
                v);
      change = layer.change(c0, y0, delta, c0 + delta);
    });
  }
  bool steps_in_place() const { return true; }

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }

  Shape shape_;
};

}  // namespace altmin
