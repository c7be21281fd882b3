#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "altmin/layers/initialization.hpp"
#include "altmin/layers/layer_base.hpp"

namespace altmin {

/// A fully connected map whose weights are signs, y_o = scale_o sum_i sign(w_oi) x_i + b_o, with sign(0) = -1 and
/// scale_o the mean of |w_oi| over i (XNOR-Net, Rastegari et al. 2016). Training moves the real weights w behind the
/// signs.
///
/// The scale is rounded to so few bits that a sum of its multiples is exact: at inputs of +-1 the map gives the same
/// bits in any order of summation, and so does a PackedNetwork.
struct BinaryDense {
  template <class Scalar>
  class Layer;

  Index outputs = 1;  ///< at least 1
  bool bias = true;   ///< starts at 0
  Initialization initialization = Initialization::he_uniform;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("outputs", self.outputs...);
    visit("bias", self.bias...);
    visit("initialization", self.initialization...);
  }
};

/// `weight` (w, what is behind the signs) is outputs x inputs, `bias` outputs x 1. A step's trace keeps the matrix
/// V_oi = scale_o sign(w_oi).
template <class Scalar>
class BinaryDense::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = BinaryDense;
  static constexpr const char* name = "BinaryDense";
  static constexpr Role role = Role::map;
  static constexpr bool affine = true;

  Layer(const BinaryDense& config, Shape input) : config_{config}, inputs_{input.size()} {
    if (config.outputs < 1) throw OptionError("outputs must be at least 1, got " + detail::text(config.outputs));
    for (const auto& shape : parameter_shapes(config, input)) this->parameters_.emplace_back(shape);
  }

  static std::vector<ParameterShape> parameter_shapes(const BinaryDense& config, Shape input) {
    std::vector<ParameterShape> shapes{{"weight", config.outputs, input.size(), true}};
    if (config.bias) shapes.push_back({"bias", config.outputs, 1});
    return shapes;
  }

  const BinaryDense& config() const { return config_; }
  Shape output() const { return config_.outputs; }
  TraceShape trace_shape() const { return {0, config_.outputs, inputs_, false}; }

  void initialize(Random& random) {
    altmin::initialize(this->parameters_[0].values(), config_.initialization, inputs_, config_.outputs, random);
    if (config_.bias) this->parameters_[1].values().setZero();
  }

  /// Writes V, outputs x inputs.
  void write_matrix(const Lane<Scalar>& lane, View<Scalar> v) const {
    lane.parallel_ranges(config_.outputs, inputs_, [&](Index first, Index count) {
      const auto w = this->parameters_[0].value().middleRows(first, count);
      auto rows = v.middleRows(first, count);
      auto scale = rows.col(0);  // until the last column that is written, which is the first
      scale = w.col(0).cwiseAbs();
      for (Index i = 1; i < inputs_; ++i) scale += w.col(i).cwiseAbs();
      for (Index o = 0; o < count; ++o) scale(o) = rounded(scale(o) / static_cast<Scalar>(inputs_));
      for (Index i = inputs_ - 1; i >= 0; --i) {
        rows.col(i) =
            w.col(i).binaryExpr(scale, [](Scalar weight, Scalar size) { return weight > Scalar(0) ? size : -size; });
      }
    });
  }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    write_matrix(lane, at.trace.batch);
    map(lane, at.trace.batch, at.x, at.y);
  }

  void predict(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y) const {
    Matrix<Scalar> v(config_.outputs, inputs_);
    write_matrix(lane, v);
    map(lane, v, x, y);
  }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const {
    multiply<Scalar>(lane, from.trace.batch, dx, dy);
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    multiply<Scalar>(lane, transposed(at.trace.batch), dy, dx);
  }

  /// Straight through: that by w_oi is the derivative by V_oi, as if w were V.
  void gradient(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    multiply<Scalar>(lane, dy, transposed(at.x), gradients[0]);
    if (config_.bias) {
      gradients[1].setZero();
      for (Index t = 0; t < dy.cols(); ++t) gradients[1] += dy.col(t);
    }
  }

 private:
  /// A scale with so many bits less than the scalar has, that each multiple up to `inputs_` times it is exact.
  Scalar rounded(Scalar scale) const {
    int exponent = 0;
    const Scalar fraction = std::frexp(scale, &exponent);
    const int bits = std::max(1, std::numeric_limits<Scalar>::digits - std::ilogb(static_cast<double>(inputs_)) - 1);
    return std::ldexp(std::round(std::ldexp(fraction, bits)), exponent - bits);
  }

  /// y = V x + b, in this order: V x is exact where x are signs.
  void map(const Lane<Scalar>& lane, ConstView<Scalar> v, ConstView<Scalar> x, View<Scalar> y) const {
    multiply<Scalar>(lane, v, x, y);
    if (config_.bias) y.colwise() += this->parameters_[1].value().col(0);
  }

  BinaryDense config_;
  Index inputs_;
};

}  // namespace altmin
