#pragma once

#include <array>
#include <cmath>

#include "altmin/kernels/where_positive.hpp"
#include "altmin/layers/elementwise.hpp"

namespace altmin {

/// f(x) = x.
struct Identity {
  static constexpr const char* name = "Identity";

  template <class Scalar>
  class Layer : public ElementwiseLayer<Layer<Scalar>, Scalar> {
   public:
    using Config = Identity;

    Layer(const Identity&, Shape input) : ElementwiseLayer<Layer, Scalar>{input} {}
    Identity config() const { return {}; }

    template <class X>
    auto value(const X& x) const {
      return x;
    }
    template <class X, class Y, class D>
    auto slope_times(const X&, const Y&, const D& dy) const {
      return dy;
    }
    template <class X, class Y, class D, class M>
    auto change(const X&, const Y&, const D& dx, const M&) const {
      return dx;
    }
  };

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

/// f(x) = x for x > 0, else slope * x; the derivative at 0 is `slope`. Weights of variance 2 / (1 + slope^2) / fan_in
/// (Initialization::he_uniform with Dense::gain = 1 / sqrt(1 + slope^2)) preserve the size of a signal (He et al.
/// 2015). The closer the slope is to 1, the slower do the codes of different samples become alike with depth: a plain
/// network of many layers trains with a slope that grows with their number (Zhang et al. 2022).
struct LeakyRelu {
  static constexpr const char* name = "LeakyRelu";

  double slope = 0.01;  ///< of the negative side; 0 to 1

  template <class Scalar>
  class Layer;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("slope", self.slope...);
  }
};

template <class Scalar>
class LeakyRelu::Layer : public ElementwiseLayer<Layer<Scalar>, Scalar> {
 public:
  using Config = LeakyRelu;

  Layer(const LeakyRelu& config, Shape input) : ElementwiseLayer<Layer, Scalar>{input}, config_{config} {
    detail::require_option(config.slope >= 0 && config.slope <= 1, "slope", "must be 0 to 1", config.slope);
    slope_ = static_cast<Scalar>(config.slope);
  }
  const LeakyRelu& config() const { return config_; }

  template <class X>
  auto value(const X& x) const {
    return x.max(Scalar(0)) + slope_ * x.min(Scalar(0));
  }
  template <class X, class Y, class D>
  auto slope_times(const X& x, const Y&, const D& dy) const {
    const auto above = x.binaryExpr(dy, detail::WherePositive<Scalar>{});
    return above + slope_ * (dy - above);
  }
  template <class X, class Y, class D, class M>
  auto change(const X& x, const Y&, const D& dx, const M&) const {
    // The part above 0 and that below: nothing cancels but what is equal. x is finite.
    return (dx.max(-x) + x.min(Scalar(0))) + slope_ * (dx.min(-x) + x.max(Scalar(0)));
  }

 private:
  LeakyRelu config_;
  Scalar slope_ = 0;
};

/// f(x) = max(x, 0); the derivative at 0 is 0.
struct Relu {
  static constexpr const char* name = "Relu";

  template <class Scalar>
  class Layer : public ElementwiseLayer<Layer<Scalar>, Scalar> {
   public:
    using Config = Relu;

    Layer(const Relu&, Shape input) : ElementwiseLayer<Layer, Scalar>{input} {}
    Relu config() const { return {}; }

    template <class X>
    auto value(const X& x) const {
      return x.max(Scalar(0));
    }
    template <class X, class Y, class D>
    auto slope_times(const X& x, const Y&, const D& dy) const {
      return x.binaryExpr(dy, detail::WherePositive<Scalar>{});
    }
    template <class X, class Y, class D, class M>
    auto change(const X& x, const Y&, const D& dx, const M&) const {
      return dx.max(-x) + x.min(Scalar(0));  // nothing cancels but what is equal; x is finite
    }
  };

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

/// The hyperbolic tangent.
struct Tanh {
  static constexpr const char* name = "Tanh";

  template <class Scalar>
  class Layer : public ElementwiseLayer<Layer<Scalar>, Scalar> {
   public:
    using Config = Tanh;

    Layer(const Tanh&, Shape input) : ElementwiseLayer<Layer, Scalar>{input} {}
    Tanh config() const { return {}; }

    template <class X>
    auto value(const X& x) const {
      return x.tanh();
    }
    template <class X, class Y, class D>
    auto slope_times(const X&, const Y& y, const D& dy) const {
      return (Scalar(1) - y.square()) * dy;
    }

    /// tanh(b) - tanh(a) = tanh(b - a) (1 - tanh(a) tanh(b)).
    template <class X, class Y, class D, class M>
    auto change(const X&, const Y& y, const D& dx, const M& moved) const {
      return dx.tanh() * (Scalar(1) - y * moved.tanh());
    }
  };

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

/// f(x) = 1 / (1 + exp(-x)).
struct Sigmoid {
  static constexpr const char* name = "Sigmoid";

  template <class Scalar>
  class Layer : public ElementwiseLayer<Layer<Scalar>, Scalar> {
   public:
    using Config = Sigmoid;

    Layer(const Sigmoid&, Shape input) : ElementwiseLayer<Layer, Scalar>{input} {}
    Sigmoid config() const { return {}; }

    template <class X>
    auto value(const X& x) const {
      return x.logistic();
    }
    template <class X, class Y, class D>
    auto slope_times(const X&, const Y& y, const D& dy) const {
      return y * (Scalar(1) - y) * dy;
    }

    /// As for tanh, by f(x) = (1 + tanh(x / 2)) / 2.
    template <class X, class Y, class D, class M>
    auto change(const X&, const Y& y, const D& dx, const M& moved) const {
      return (Scalar(0.5) * dx).tanh() * (y + (Scalar(1) - Scalar(2) * y) * moved.logistic());
    }
  };

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

/// What replaces the derivative of sign(x), which is 0 almost everywhere, wherever a residual comes down through a
/// Sign: in backprop, and in the update of the code below it, by the Sign's own choice, at the code of the forward pass
/// in the first iteration and at the moved one in the others. Nothing else is replaced: predictions take the sign of a
/// moved code, so that it changes them once its sign turns, and weight updates of alternating minimization see signs
/// as inputs.
enum class PseudoGradient {
  straight_through,  ///< 1 everywhere (the published code's)
  hard_tanh,         ///< 1 for |x| <= 1, else 0 (Hubara et al. 2016)
  tanh               ///< 1 - tanh(x)^2
};
constexpr std::array<const char*, 3> names(PseudoGradient) { return {"straight_through", "hard_tanh", "tanh"}; }

/// f(x) = +1 for x > 0, else -1.
///
/// A sign that turns moves the prediction above by far more than its target lies away. In single runs on MNIST,
/// alternating minimization did best at steps on the codes so small that hardly one turns, and of a fixed size:
/// AmAdam::code_learning_rate 1e-4 or less without AmAdam::limit_code_rate, whose measure each turned sign upsets.
struct Sign {
  static constexpr const char* name = "Sign";

  /// Source: the best of the three on MNIST with all hidden layers of signs, by AM-Adam and by Adam.
  PseudoGradient pseudo_gradient = PseudoGradient::hard_tanh;

  template <class Scalar>
  class Layer;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("pseudo_gradient", self.pseudo_gradient...);
  }
};

template <class Scalar>
class Sign::Layer : public ElementwiseLayer<Layer<Scalar>, Scalar> {
 public:
  using Config = Sign;

  Layer(const Sign& config, Shape input) : ElementwiseLayer<Layer, Scalar>{input}, config_{config} {}
  const Sign& config() const { return config_; }

  template <class X>
  auto value(const X& x) const {
    return x.unaryExpr([](Scalar at) { return at > Scalar(0) ? Scalar(1) : Scalar(-1); });
  }
  template <class X, class Y, class D>
  auto slope_times(const X& x, const Y&, const D& dy) const {
    return x.binaryExpr(dy, [kind = config_.pseudo_gradient](Scalar at, Scalar slope) {
      using std::abs;
      using std::tanh;
      if (kind == PseudoGradient::straight_through) return slope;
      if (kind == PseudoGradient::hard_tanh) return abs(at) <= Scalar(1) ? slope : Scalar(0);
      const Scalar t = tanh(at);
      return (Scalar(1) - t * t) * slope;
    });
  }
  template <class X, class Y, class D, class M>
  auto change(const X&, const Y& y, const D&, const M& moved) const {
    return value(moved) - y;
  }

 private:
  Sign config_;
};

}  // namespace altmin
