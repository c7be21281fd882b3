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

  /// Takes memory for slices of up to this size.
  void reserve(Index features, Index samples) { fit(features, features, features, samples); }

  /// Takes the shapes of a code's slice, of the input of the block's matrix and of the block's output.
  void fit(Index features, Index inputs, Index outputs, Index samples) {
    velocity.fit(features, samples);
    slope.fit(inputs, samples);
    pulled.fit(features, samples);
    moved.fit(inputs, samples);
    change.fit(outputs, samples);
    predicted.fit(outputs, samples);
  }

  /// One step of Nesterov's momentum, g the gradient: v <- momentum v + g, delta <- delta - rate (g + momentum v), from
  /// delta = v = 0 at first; c <- c0 + delta.
  void move(const CodeRates<Scalar>& rates, ConstView<Scalar> c0, View<Scalar> delta, View<Scalar> c, bool first) {
    for_each_piece(c.size(), [&](Index i, Index count) {
      const auto here = piece(first ? c0 : ConstView<Scalar>{c}, i, count);
      move_piece(rates, piece(pulled.view(), i, count), here, piece(c0, i, count), piece(delta, i, count),
                 piece(c, i, count), i, first);
    });
  }

  /// The same where nothing but one elementwise layer stands between the code and the matrix, in one pass through
  /// memory: down from `slope` through the layer, and up again to `moved`.
  template <class Elementwise>
  void move_through(const Elementwise& f, const CodeRates<Scalar>& rates, const Point<Scalar>& from,
                    const Point<Scalar>& to, View<Scalar> delta, View<Scalar> c, bool first) {
    for_each_piece(c.size(), [&](Index i, Index count) {
      const auto c0 = piece(from.x, i, count);
      const auto y0 = piece(ConstView<Scalar>{from.y}, i, count);
      const auto here = piece(first ? from.x : to.x, i, count);
      const auto y_here = piece(ConstView<Scalar>{first ? from.y : to.y}, i, count);
      move_piece(rates, f.slope_times(here, y_here, piece(slope.view(), i, count)), here, c0, piece(delta, i, count),
                 piece(c, i, count), i, first);
      auto dy = piece(moved.view(), i, count);
      dy = f.change(c0, y0, piece(delta, i, count), piece(to.x, i, count));
      piece(to.y, i, count) = y0 + dy;
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
  void move_piece(const CodeRates<Scalar>& rates, const Pulled& down, Eigen::Map<const Array> here,
                  Eigen::Map<const Array> c0, Eigen::Map<Array> delta, Eigen::Map<Array> c, Index i, bool first) {
    EIGEN_ALIGN_MAX Scalar memory[static_cast<std::size_t>(piece_size)];
    Eigen::Map<Array, Eigen::AlignedMax> g{memory, c.size()};
    auto v = piece(velocity.view(), i, c.size());
    g = rates.pull * down;
    if (!first) g += rates.proximity * delta;
    if (rates.sparsity != Scalar(0)) g += rates.sparsity * here.sign();
    if (first) {
      v = g;
      delta = -rates.rate * (Scalar(1) + rates.momentum) * g;
    } else {
      v = rates.momentum * v + g;
      delta -= rates.rate * (g + rates.momentum * v);
    }
    c = c0 + delta;
  }
};

}  // namespace altmin
