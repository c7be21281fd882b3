#pragma once

// Two layers of one's own: all of the code that a user writes.

#include <cmath>

#include "altmin/layers/elementwise.hpp"

/// f(x) = x / (1 + exp(-b x)) with one learned slope b (Ramachandran et al. 2017).
struct Swish {
  static constexpr const char* name = "Swish";

  template <class Scalar>
  class Layer;

  double start = 1;  ///< of the slope

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("start", self.start...);
  }
};

template <class Scalar>
class Swish::Layer : public altmin::LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Swish;
  static constexpr altmin::LayerTraits layer_traits{};

  Layer(const Swish& config, altmin::Shape input) : config_{config}, shape_{input} {
    if (config.start == 0) throw altmin::OptionError("start must not be 0");
    this->parameters_.emplace_back("slope", 1, 1);
    this->parameters_[0].values()(0, 0) = static_cast<Scalar>(config.start);
  }
  const Swish& config() const { return config_; }
  altmin::Shape output() const override { return shape_; }

  void forward(const altmin::Worker<Scalar>&, const altmin::Point<Scalar>& at) const override {
    altmin::View<Scalar>{at.y}.array() = at.x.array() * (slope() * at.x.array()).logistic();
  }
  void backward(const altmin::Worker<Scalar>&, const altmin::Point<Scalar>& at, altmin::ConstView<Scalar> dy,
                altmin::View<Scalar> dx) const override {
    const auto s = (slope() * at.x.array()).logistic();
    dx.array() = dy.array() * (s + slope() * at.x.array() * s * (Scalar(1) - s));
  }
  void gradient(const altmin::Worker<Scalar>&, const altmin::Point<Scalar>& at, altmin::ConstView<Scalar> dy,
                altmin::Span<altmin::View<Scalar>> gradients) const override {
    const auto s = (slope() * at.x.array()).logistic();
    gradients[0](0, 0) = (dy.array() * at.x.array().square() * s * (Scalar(1) - s)).sum();
  }

 private:
  Scalar slope() const { return this->parameters_[0].value()(0, 0); }

  Swish config_;
  altmin::Shape shape_;
};

/// f(x) = x / (1 + |x|).
struct Softsign {
  static constexpr const char* name = "Softsign";

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}

  template <class Scalar>
  class Layer : public altmin::ElementwiseLayer<Layer<Scalar>, Scalar> {
   public:
    using Config = Softsign;

    Layer(const Softsign&, altmin::Shape input) : altmin::ElementwiseLayer<Layer, Scalar>{input} {}
    Softsign config() const { return {}; }

    template <class X>
    auto value(const X& x) const {
      return x / (x.abs() + Scalar(1));
    }
    template <class X, class Y, class D>
    auto slope_times(const X& x, const Y&, const D& dy) const {
      return dy / (x.abs() + Scalar(1)).square();
    }
    template <class X, class Y, class D, class M>
    auto change(const X& x, const Y&, const D& dx, const M&) const {
      return x.binaryExpr(dx, [](Scalar at, Scalar move) {
        using std::abs;
        const Scalar to = at + move;
        const Scalar scale = (1 + abs(at)) * (1 + abs(to));
        return at * to >= 0 ? move / scale : to / (1 + abs(to)) - at / (1 + abs(at));
      });
    }
  };
};
