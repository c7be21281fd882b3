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

  /// The step of an element or of an array of them, see CodeStep. slope() is that by the code, c() the code itself: of
  /// arrays, expressions that are computed anew for each use, as they would leave the registers if they were kept.
  /// `sparse` is whether `sparsity` counts.
  template <class Slope, class Code, class Delta, class Velocity, class Sparse>
  EIGEN_ALWAYS_INLINE void take(const Slope& slope, const Code& c, Delta&& delta, Velocity&& v, Sparse sparse) const {
    v = momentum * v + gradient(slope, c, delta, sparse);
    delta -= rate * (gradient(slope, c, delta, sparse) + momentum * v);
  }

  /// Calls use(sparse) with a constant: loops with an option inside stay loops over single elements.
  template <class Use>
  void with_sparsity(Use&& use) const {
    sparsity == Scalar(0) ? use(std::false_type{}) : use(std::true_type{});
  }

 private:
  template <class Slope, class Code, class Delta, class Sparse>
  auto gradient(const Slope& slope, const Code& c, const Delta& delta, Sparse) const {
    if constexpr (Sparse::value) {
      return pull * slope() + proximity * delta + sparsity * sign(c());
    } else {
      return pull * slope() + proximity * delta;
    }
  }

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
  bool first;  // delta, v and change count as 0, whatever stands there
  bool last;   // of the iterations: from here on others read delta

  ConstView<Scalar> slope;  // of the layer's output, at the code as it is
  View<Scalar> pulled;      // memory for that of the code
  View<Scalar> velocity;
  View<Scalar> displacement;
  View<Scalar> code;    // written, unless the layer steps in place
  View<Scalar> change;  // of the layer's output since c0; holds that of the step before

  /// Sets pieces of what counts as 0 in the first step.
  template <class... Pieces>
  void begin(Pieces&... pieces) const {
    if (first) (pieces.setZero(), ...);
  }

  /// Takes the step for a piece of the elements, by_code() being their slope by the code.
  template <class Slope, class Start, class Delta, class Velocity>
  EIGEN_ALWAYS_INLINE void take(const Slope& by_code, const Start& c0, Delta& delta, Velocity& v) const {
    rates.with_sparsity([&](auto sparse) {
      rates.take(
          by_code, [&] { return c0 + delta; }, delta, v, sparse);
    });
  }

  /// Takes it for all elements, with their slope in `down`. Writes the code as well.
  void take_all(const Lane<Scalar>& lane, ConstView<Scalar> start, ConstView<Scalar> down) const {
    for_each_piece(lane, [step = *this, start, down](Index i, auto size) {
      const auto c0 = piece(start, i, size);
      auto delta = piece(step.displacement, i, size);
      auto v = piece(step.velocity, i, size);
      step.begin(delta, v);
      step.take([&] { return piece(down, i, size); }, c0, delta, v);
      piece(step.code, i, size) = c0 + delta;
    });
  }

  /// Calls use(i, size) for pieces that make up all elements, in parallel; `size` is a constant, so that what happens
  /// to a piece happens in registers. So does what `use` holds, which is copied for each range.
  template <class Use>
  void for_each_piece(const Lane<Scalar>& lane, const Use& use) const {
    const Index rows = displacement.rows();
    lane.parallel_ranges(displacement.cols(), rows, [&](Index first_column, Index columns) {
      const Use own = use;
      const Index end = (first_column + columns) * rows;
      Index i = first_column * rows;
      for (; i + piece_size <= end; i += piece_size) own(i, std::integral_constant<int, piece_size>{});
      for (; i < end; ++i) own(i, std::integral_constant<int, 1>{});
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
  static constexpr int piece_size = Eigen::internal::packet_traits<Scalar>::size;
};

}  // namespace altmin
