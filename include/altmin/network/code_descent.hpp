#pragma once

#include <algorithm>
#include <cstddef>

#include "altmin/core/buffer.hpp"
#include "altmin/network/block.hpp"

namespace altmin {

/// The factors of one gradient step on a code.
template <class Scalar>
struct CodeRates {
  Scalar pull;       // of the term above: its derivative by the block's output is pull * residual
  Scalar proximity;  // of the displacement
  Scalar sparsity;   // of the code's sign
  Scalar rate;
  Scalar momentum;
};

/// One thread's memory for the iterations on a slice of a code, and their step.
template <class Scalar>
struct CodeDescent {
  Buffer<Scalar> velocity;
  Buffer<Scalar> slope;      // the residual, pulled back to the input of the matrix that ends the block above
  Buffer<Scalar> pulled;     // the residual, pulled back through all of the block
  Buffer<Scalar> moved;      // how far the matrix's input has moved from the forward pass
  Buffer<Scalar> change;     // how far the block's output has
  Buffer<Scalar> predicted;  // the block's output
  Scratch<Scalar> scratch;

  /// Takes the shapes of a code's slice and of the block's output.
  void fit(Index features, Index outputs, Index samples) {
    velocity.fit(features, samples);
    change.fit(outputs, samples);
  }

  /// Takes the shape of the input of the block's matrix.
  void fit_inside(Index inputs, Index samples) {
    slope.fit(inputs, samples);
    moved.fit(inputs, samples);
  }

  /// Takes memory for going through the block layer by layer, `largest` the rows of its largest array.
  void fit_aside(Index largest, Index samples) {
    for (auto* buffer : {&pulled, &predicted, &scratch.buffers[0], &scratch.buffers[1]}) buffer->fit(largest, samples);
  }

  /// One step of Nesterov's momentum, g the gradient: v <- momentum v + g, delta <- delta - rate (g + momentum v), from
  /// delta = v = 0 at first; c <- c0 + delta.
  void move(const CodeRates<Scalar>& rates, ConstView<Scalar> c0, View<Scalar> delta, View<Scalar> c, bool first) {
    for_each_piece(c.size(), [&](Index i, Index count) {
      const auto start = piece(c0, i, count);
      auto d = piece(delta, i, count);
      move_piece(rates, piece(pulled.view(), i, count), start, d, i, first);
      piece(c, i, count) = start + d;
    });
  }

  /// The same where nothing but one elementwise layer stands between the code and the matrix, in one pass through
  /// memory: down from `slope` through the layer, and up again to `moved`. The points take the new code and the layer's
  /// output with the last step alone.
  template <class Elementwise>
  void move_through(const Elementwise& f, const CodeRates<Scalar>& rates, const Point<Scalar>& from, View<Scalar> delta,
                    View<Scalar> c, View<Scalar> y, bool first, bool last) {
    for_each_piece(c.size(), [&](Index i, Index count) {
      const auto c0 = piece(from.x, i, count);
      const auto y0 = piece(from.y, i, count);
      const auto down = piece(slope.view(), i, count);
      auto d = piece(delta, i, count);
      auto dy = piece(moved.view(), i, count);
      if (first) {
        move_piece(rates, f.slope_times(c0, y0, down), c0, d, i, true);
      } else {
        move_piece(rates, f.slope_times(c0 + d, y0 + dy, down), c0, d, i, false);
      }
      dy = f.change(c0, y0, d, c0 + d);
      if (!last) return;
      piece(c, i, count) = c0 + d;
      piece(y, i, count) = y0 + dy;
    });
  }

  Index bytes() const {
    return velocity.bytes() + slope.bytes() + pulled.bytes() + moved.bytes() + change.bytes() + predicted.bytes() +
           scratch.bytes();
  }

 private:
  using Array = Eigen::Array<Scalar, Eigen::Dynamic, 1>;

  /// Elements that stay in the nearest cache while they are worked on.
  static constexpr Index piece_size = 2048 / static_cast<Index>(sizeof(Scalar));

  template <class Use>
  static void for_each_piece(Index size, Use&& use) {
    for (Index i = 0; i < size; i += piece_size) use(i, std::min(piece_size, size - i));
  }

  static Eigen::Map<Array> piece(View<Scalar> whole, Index i, Index count) { return {whole.data() + i, count}; }
  static Eigen::Map<const Array> piece(ConstView<Scalar> whole, Index i, Index count) {
    return {whole.data() + i, count};
  }

  template <class Pulled>
  void move_piece(const CodeRates<Scalar>& rates, const Pulled& down, Eigen::Map<const Array> c0,
                  Eigen::Map<Array> delta, Index i, bool first) {
    EIGEN_ALIGN_MAX Scalar memory[static_cast<std::size_t>(piece_size)];
    Eigen::Map<Array, Eigen::AlignedMax> g{memory, delta.size()};
    auto v = piece(velocity.view(), i, delta.size());
    g = rates.pull * down;
    if (first) {
      if (rates.sparsity != Scalar(0)) g += rates.sparsity * c0.sign();
      v = g;
      delta = -rates.rate * (Scalar(1) + rates.momentum) * g;
    } else {
      if (rates.sparsity != Scalar(0)) g += rates.sparsity * (c0 + delta).sign();
      g += rates.proximity * delta;
      v = rates.momentum * v + g;
      delta -= rates.rate * (g + rates.momentum * v);
    }
  }
};

}  // namespace altmin
