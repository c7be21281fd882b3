#pragma once

#include <type_traits>

#include "altmin/core/product.hpp"

namespace altmin {

/// The factors of one gradient step on a code.
template <class Scalar>
struct CodeRates {
  Scalar pull;       // of the term above: its derivative by the block's output is pull * residual
  Scalar proximity;  // of the displacement
  Scalar sparsity;   // of the code's sign
  Scalar rate;
  Scalar momentum;

  /// The step of an element or of an array of them, see CodeStep: g holds the slope by the code c and is overwritten.
  /// `sparse` is whether `sparsity` counts.
  template <class Slope, class Code, class Delta, class Velocity, class Sparse>
  EIGEN_ALWAYS_INLINE void take(Slope&& g, const Code& c, Delta&& delta, Velocity&& v, Sparse sparse) const {
    g = pull * g + proximity * delta;
    if constexpr (sparse) g += sparsity * sign(c);
    v = momentum * v + g;
    delta -= rate * (g + momentum * v);
  }

  /// Calls use(sparse) with a constant: loops with an option inside stay loops over single elements.
  template <class Use>
  void with_sparsity(Use&& use) const {
    sparsity == Scalar(0) ? use(std::false_type{}) : use(std::true_type{});
  }

 private:
  static Scalar sign(Scalar c) { return c > Scalar(0) ? Scalar(1) : c < Scalar(0) ? Scalar(-1) : Scalar(0); }
  template <class Array>
  static auto sign(const Array& c) {
    return c.sign();
  }
};

/// One step of Nesterov's momentum on a code c = c0 + delta, for some samples:
///
///   v <- momentum v + g,   delta <- delta - rate (g + momentum v),   from delta = v = 0 at first,
///
/// g being the gradient: pull times the slope by the code, and what the penalties add. The layer above the code takes
/// it, see LayerBase::step_through(). The paper (Choromanska et al. 2019, section 3) takes plain gradient steps;
/// momentum gets further in as many. Arrays are contiguous: the layer's inputs x samples, `slope` and `change` outputs
/// x samples.
template <class Scalar>
struct CodeStep {
  CodeRates<Scalar> rates;
  bool first;  // delta and v count as 0, whatever stands there
  bool last;   // of the iterations: from here on others read delta

  ConstView<Scalar> slope;  // of the layer's output, at the code as it is
  View<Scalar> pulled;      // memory for that of the code
  View<Scalar> velocity;
  View<Scalar> displacement;
  View<Scalar> code;    // written, unless the layer steps in place
  View<Scalar> change;  // of the layer's output since c0; holds that of the step before

  /// Takes the step for a piece of the elements, `g` holding their slope.
  template <class G, class Start, class Delta, class Velocity>
  void take(G& g, const Start& c0, Delta& delta, Velocity& v) const {
    if (first) {
      delta.setZero();
      v.setZero();
    }
    rates.with_sparsity([&](auto sparse) { rates.take(g, c0 + delta, delta, v, sparse); });
  }

  /// Takes it for all elements, with their slope in `down`. Writes the code as well.
  void take_all(const Lane<Scalar>& lane, ConstView<Scalar> start, ConstView<Scalar> down) const {
    for_each_piece(lane, [&](Index i, auto count) {
      Eigen::Array<Scalar, decltype(count)::value, 1> g = piece(down, i, count);
      const auto c0 = piece(start, i, count);
      auto delta = piece(displacement, i, count);
      auto v = piece(velocity, i, count);
      take(g, c0, delta, v);
      piece(code, i, count) = c0 + delta;
    });
  }

  /// Calls use(i, size) for pieces that make up all elements, in parallel; `size` is a constant, so that what happens
  /// to a piece happens in registers.
  template <class Use>
  void for_each_piece(const Lane<Scalar>& lane, Use&& use) const {
    const Index rows = displacement.rows();
    lane.parallel_ranges(displacement.cols(), rows, [&](Index first_column, Index columns) {
      const Index end = (first_column + columns) * rows;
      Index i = first_column * rows;
      for (; i + piece_size <= end; i += piece_size) use(i, std::integral_constant<int, piece_size>{});
      for (; i < end; ++i) use(i, std::integral_constant<int, 1>{});
    });
  }

  /// Elements of a view, counted column by column.
  template <class Size>
  static auto piece(View<Scalar> whole, Index i, Size) {
    return Eigen::Map<Eigen::Array<Scalar, Size::value, 1>>{whole.data() + i};
  }
  template <class Size>
  static auto piece(ConstView<Scalar> whole, Index i, Size) {
    return Eigen::Map<const Eigen::Array<Scalar, Size::value, 1>>{whole.data() + i};
  }

 private:
  static constexpr int piece_size = 2 * Eigen::internal::packet_traits<Scalar>::size;
};

}  // namespace altmin
