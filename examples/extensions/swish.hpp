#pragma once

// A layer of your own, complete: an activation with a learned parameter. own_layer.cpp trains with it.
//
// A layer is two types. The outer one holds the options: a plain struct that lists its fields, and that add() takes.
// Its nested Layer<Scalar> holds what is learned, and does the work. Nothing is registered: add(Swish{}) takes it like
// a layer of the library.

#include <altmin/altmin.hpp>
#include <cmath>
#include <string>

/// f(x) = x s(b x), s the logistic function and b a learned slope (Ramachandran et al. 2017).
struct Swish {
  static constexpr const char* name = "Swish";  // for summaries and files

  double slope = 1;  ///< b at the start; finite

  template <class Scalar>
  class Layer;

  // The options, listed once: networks compare by them, and files store them.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("slope", self.slope...);
  }
};

// ElementwiseLayer implements all but the mathematics of layers that map each element by itself: it divides the work
// between threads, and allocates nothing. Other layers derive from altmin::LayerBase, which says what to write there.
template <class Scalar>
class Swish::Layer : public altmin::ElementwiseLayer<Layer<Scalar>, Scalar> {
 public:
  using Config = Swish;

  // Refuses bad options, and bad inputs by a ShapeError. add() puts "layer 1 (Swish): " in front of the message.
  Layer(const Swish& config, altmin::Shape input) : altmin::ElementwiseLayer<Layer, Scalar>{input}, config_{config} {
    if (!std::isfinite(config.slope)) {
      throw altmin::OptionError("slope must be finite, got " + std::to_string(config.slope));
    }
    this->parameters_.emplace_back("slope", 1, 1);  // its name and shape; training does the rest
  }

  const Swish& config() const { return config_; }

  // Sets the values that training starts from. Layers that are random use the network's random numbers, so that the
  // same seed gives the same layers.
  void initialize(altmin::Random&) override {
    this->parameters_[0].values()(0, 0) = static_cast<Scalar>(config_.slope);
  }

  // The three functions below take arrays of some elements of the batch, and return Eigen expressions of that shape.
  // They are called from several threads at once, on different elements.

  // f(x)
  template <class X>
  auto value(const X& x) const {
    return x * gate(x);
  }

  // f'(x) dy, where y = f(x):  f' = b f + s (1 - b f)
  template <class X, class Y, class D>
  auto slope_times(const X& x, const Y& y, const D& dy) const {
    return (slope() * y + gate(x) * (Scalar(1) - slope() * y)) * dy;
  }

  // f(x + dx) - f(x), where y = f(x) and moved = x + dx. Alternating minimization computes what a small move of a code
  // changes in the code above. In float, value(moved) - y would be rounding noise there, so the formula is differenced:
  //
  //   f(x + dx) - f(x) = dx s(b moved) + x (s(b moved) - s(b x))
  //   s(v) - s(u)      = tanh((v - u) / 2) (s(u) + s(v) - 2 s(u) s(v))
  template <class X, class Y, class D, class M>
  auto change(const X& x, const Y& y, const D& dx, const M& moved) const {
    const auto s = gate(moved);
    return dx * s + (Scalar(0.5) * slope() * dx).tanh() * (y + (x - Scalar(2) * y) * s);
  }

  // For each parameter, in the order of the constructor: the derivative of <f(x), dy>, summed over the samples. Layers
  // without parameters do not write this. Here df/db = x^2 s (1 - s) = x y (1 - s).
  void gradient(const altmin::Worker<Scalar>&, const altmin::Point<Scalar>& at, altmin::ConstView<Scalar> dy,
                altmin::Span<altmin::View<Scalar>> gradients) const override {
    gradients[0](0, 0) = (dy.array() * at.x.array() * at.y.array() * (Scalar(1) - gate(at.x.array()))).sum();
  }

 private:
  Scalar slope() const { return this->parameters_[0].value()(0, 0); }

  // s(b x)
  template <class X>
  auto gate(const X& x) const {
    return (slope() * x).logistic();
  }

  Swish config_;
};
