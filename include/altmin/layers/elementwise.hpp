#pragma once

#include <algorithm>

#include "altmin/core/function_ref.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// A layer that maps each element by itself. `Layer` gives, on arrays of any of a batch's elements:
///
///   value(x)                        f(x)
///   slope_times(x, y, dy)           f'(x) dy, where y = f(x)
///   change(x, y, dx, moved)         f(x + dx) - f(x), without cancellation; y = f(x), moved = x + dx
template <class Layer, class Scalar>
class ElementwiseLayer : public LayerBase<Layer, Scalar> {
 public:
  static constexpr LayerTraits layer_traits{};

  explicit ElementwiseLayer(Shape input) : shape_{input} {}

  Shape output() const override { return shape_; }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    for_each_column(worker, at.x.rows(), at.x.cols(), [&](Index t, Index size) {
      piece(at.y.address(0, t), size) = self().value(piece(at.x.address(0, t), size));
    });
  }

  void backward(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    for_each_column(worker, dy.rows(), dy.cols(), [&](Index t, Index size) {
      write_slopes(at.x.address(0, t), at.y.address(0, t), dy.address(0, t), size, dx.address(0, t));
    });
  }

  void difference(const Worker<Scalar>& worker, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    for_each_column(worker, dx.rows(), dx.cols(), [&](Index t, Index size) {
      set_change(from.x.address(0, t), from.y.address(0, t), dx.address(0, t), size, dy.address(0, t));
    });
  }

  /// In one pass through memory: a piece is in the first cache while it moves.
  void move_input(const Worker<Scalar>& worker, const Point<Scalar>& from, const Point<Scalar>&,
                  const InputMove<Scalar>& move) const override {
    const Index rows = from.x.rows();
    worker.parallel_ranges(from.x.cols(), rows, [&](Index first_column, Index columns) {
      EIGEN_ALIGN_MAX Scalar residual[input_piece_size];  // so that the same elements are packets on every stack
      const Index end = (first_column + columns) * rows;
      for (Index i = first_column * rows; i < end; i += input_piece_size) {
        const Index size = std::min(input_piece_size, end - i);
        const Scalar* const x = from.x.data() + i;
        const Scalar* const y = from.y.data() + i;
        Scalar* const displacement = move.state.displacement.address(0, 0) + i;
        Scalar* const change = move.state.change.address(0, 0) + i;
        if (move.first) {
          write_slopes(x, y, move.residual.data() + i, size, residual);
        } else {
          piece(residual, size) =
              self().slope_times(piece(x, size) + constant_piece(displacement, size),
                                 piece(y, size) + constant_piece(change, size), piece(move.residual.data() + i, size));
        }
        move.rule.move({i, size, x, residual, displacement});
        set_change(x, y, displacement, size, change);
      }
    });
  }
  bool moves_in_place() const override { return true; }

 private:
  using Piece = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
  using ConstPiece = Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>;

  const Layer& self() const { return static_cast<const Layer&>(*this); }

  static Piece piece(Scalar* data, Index size) { return {data, size}; }
  static ConstPiece piece(const Scalar* data, Index size) { return {data, size}; }
  static ConstPiece constant_piece(const Scalar* data, Index size) { return {data, size}; }

  // Not inline: compiled once.
  EIGEN_DONT_INLINE void write_slopes(const Scalar* x, const Scalar* y, const Scalar* dy, Index size,
                                      Scalar* dx) const {
    piece(dx, size) = self().slope_times(piece(x, size), piece(y, size), piece(dy, size));
  }
  EIGEN_DONT_INLINE void set_change(const Scalar* x, const Scalar* y, const Scalar* dx, Index size,
                                    Scalar* change) const {
    piece(change, size) =
        self().change(piece(x, size), piece(y, size), piece(dx, size), piece(x, size) + piece(dx, size));
  }

  static void for_each_column(const Worker<Scalar>& worker, Index rows, Index columns,
                              FunctionRef<void(Index, Index)> body) {
    worker.parallel_ranges(columns, rows, [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) body(t, rows);
    });
  }

  Shape shape_;
};

}  // namespace altmin
