#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "altmin/layers/fully_connected.hpp"

namespace altmin {

/// A fully connected map whose weights are signs, y_o = scale_o sum_i sign(w_oi) x_i + b_o, with sign(0) = -1 and
/// scale_o the mean of |w_oi| over i (XNOR-Net, Rastegari et al. 2016). Training moves the real weights w behind the
/// signs.
///
/// The scale is rounded to so few bits that a sum of its multiples is exact: at inputs of +-1 the map gives the same
/// bits in any order of summation, and so does a PackedNetwork.
struct BinaryDense {
  static constexpr const char* name = "BinaryDense";

  template <class Scalar>
  class Layer;

  Index outputs = 1;  ///< at least 1
  bool bias = true;   ///< starts at 0 (PyTorch's initialization: random)
  Initialization initialization = Initialization::he_uniform;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("outputs", self.outputs...);
    visit("bias", self.bias...);
    visit("initialization", self.initialization...);
  }
};

/// `weight` is w, what is behind the signs. A step's trace keeps the matrix V_oi = scale_o sign(w_oi). Updates are
/// straight through: w moves by the derivative by V, as if it were V. It does not lower itself, so AM-mem moves w by
/// Adam: a step to the least squares of V, taken by w, turns few signs (on MNIST, after --model binary --epochs 5
/// --learning-rate 0.003, 90.9 % instead of 95.2).
template <class Scalar>
class BinaryDense::Layer : public FullyConnectedLayer<BinaryDense, Layer<Scalar>, Scalar> {
  using Common = FullyConnectedLayer<BinaryDense, Layer<Scalar>, Scalar>;

 public:
  using Common::Common;

  TraceShape trace_shape() const override { return {0, outputs(), inputs(), false}; }

  /// Writes V, outputs x inputs.
  void write_matrix(const Worker<Scalar>& worker, View<Scalar> v) const {
    worker.parallel_ranges(outputs(), inputs(), [&](Index first, Index count) {
      const auto w = this->weight().middleRows(first, count);
      auto rows = v.middleRows(first, count);
      auto scale = rows.col(0);  // until the last column that is written, which is the first
      scale = w.col(0).cwiseAbs();
      for (Index i = 1; i < inputs(); ++i) scale += w.col(i).cwiseAbs();
      for (Index o = 0; o < count; ++o) scale(o) = rounded(scale(o) / static_cast<Scalar>(inputs()));
      for (Index i = inputs() - 1; i >= 0; --i) {
        rows.col(i) =
            w.col(i).binaryExpr(scale, [](Scalar weight, Scalar size) { return weight > Scalar(0) ? size : -size; });
      }
    });
  }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    write_matrix(worker, at.trace.batch);
    map(worker, at.trace.batch, at.x, at.y);
  }

  void predict(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const override {
    Matrix<Scalar> v(outputs(), inputs());
    write_matrix(worker, v);
    map(worker, v, x, y);
  }

  void difference(const Worker<Scalar>& worker, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    multiply<Scalar>(worker, from.trace.batch, dx, dy);
  }

  void backward(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    multiply<Scalar>(worker, transposed(at.trace.batch), dy, dx);
  }

 private:
  /// A scale with so many bits less than the scalar has, that each multiple up to `inputs()` times it is exact.
  Scalar rounded(Scalar scale) const {
    int exponent = 0;
    const Scalar fraction = std::frexp(scale, &exponent);
    const int bits = std::max(1, std::numeric_limits<Scalar>::digits - std::ilogb(static_cast<double>(inputs())) - 1);
    return std::ldexp(std::round(std::ldexp(fraction, bits)), exponent - bits);
  }

  /// y = V x + b, in this order: V x is exact where x are signs.
  void map(const Worker<Scalar>& worker, ConstView<Scalar> v, ConstView<Scalar> x, View<Scalar> y) const {
    multiply<Scalar>(worker, v, x, y);
    if (this->config().bias) y.colwise() += this->bias().col(0);
  }

  using Common::inputs;
  using Common::outputs;
};

}  // namespace altmin
