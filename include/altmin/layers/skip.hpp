#pragma once

#include "altmin/layers/elementwise.hpp"

namespace altmin {

/// Makes a residual block (He et al. 2016): stands directly above a map, or above the normalization that follows one,
/// ends the block of that map, and adds the block's input to its output,
///
///   c' = c + branch * g(c),
///
/// c and c' being the block's input and output, and g its layers: the nonlinearities, the map, the normalization. In
/// `Dense{n}, Relu{}, Dense{n}, Skip{}` the codes (pre-activations) of both maps are c and c' = c + branch (W relu(c) +
/// b), as in muPC (Innocenti et al. 2025); the input of a first block is the network's. Both are of one shape: building
/// a network throws ShapeError if they are not, or if the Skip stands elsewhere.
///
/// With `branch` = 1 / sqrt(blocks) a network of any depth starts with codes, and residuals, of about one size: with
/// weights that preserve the size of a signal (Initialization::he_uniform for Relu), each block adds a share 1 / blocks
/// to its square.
struct Skip {
  static constexpr const char* name = "Skip";

  template <class Scalar>
  class Layer;

  double branch = 1;  ///< factor of what the layers compute; above 0

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("branch", self.branch...);
  }
};

/// By itself, f(x) = branch * x: the block adds its input (see Block).
template <class Scalar>
class Skip::Layer : public ElementwiseLayer<Layer<Scalar>, Scalar> {
 public:
  using Config = Skip;
  static constexpr LayerTraits layer_traits{Role::skip, false, true};

  Layer(const Skip& config, Shape input) : ElementwiseLayer<Layer, Scalar>{input}, config_{config} {
    detail::require_option(config.branch > 0, "branch", "must be above 0", config.branch);
    branch_ = static_cast<Scalar>(config.branch);
  }
  const Skip& config() const { return config_; }

  template <class X>
  auto value(const X& x) const {
    return branch_ * x;
  }
  template <class X, class Y, class D>
  auto slope_times(const X&, const Y&, const D& dy) const {
    return branch_ * dy;
  }
  template <class X, class Y, class D, class M>
  auto change(const X&, const Y&, const D& dx, const M&) const {
    return branch_ * dx;
  }

 private:
  Skip config_;
  Scalar branch_ = 1;
};

}  // namespace altmin
