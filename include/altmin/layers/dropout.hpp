#pragma once

#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// Sets each element to 0 with the given probability and divides the others by 1 - rate, in training. One mask holds
/// for a whole step: all evaluations in it, of codes and weights, are of the same function.
struct Dropout {
  static constexpr const char* name = "Dropout";

  template <class Scalar>
  class Layer;

  double rate = 0.5;  ///< 0 to below 1

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("rate", self.rate...);
  }
};

template <class Scalar>
class Dropout::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Dropout;
  static constexpr LayerTraits layer_traits{};

  Layer(const Dropout& config, Shape input) : config_{config}, shape_{input} {
    detail::require_option(config.rate >= 0 && config.rate < 1, "rate", "must be 0 to below 1", config.rate);
  }

  const Dropout& config() const { return config_; }
  Shape output() const override { return shape_; }

  TraceShape trace_shape() const override {
    return {shape_.size(), 0, 0, false, 2 * shape_.size()};  // uniform() takes two numbers
  }

  void draw(Random& random, const Trace<Scalar>& trace) const override {
    const auto kept = static_cast<Scalar>(1 / (1 - config_.rate));
    View<Scalar> mask = trace.samples;
    for (Index t = 0; t < mask.cols(); ++t) {
      for (Index i = 0; i < mask.rows(); ++i) mask(i, t) = random.uniform() < config_.rate ? Scalar(0) : kept;
    }
  }

  void forward(const Worker<Scalar>&, const Point<Scalar>& at) const override {
    View<Scalar>{at.y} = at.x.cwiseProduct(at.trace.samples);
  }

  void difference(const Worker<Scalar>&, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const override {
    dy = dx.cwiseProduct(to.trace.samples);
  }

  void backward(const Worker<Scalar>&, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const override {
    dx = dy.cwiseProduct(at.trace.samples);
  }

  void predict(const Worker<Scalar>&, ConstView<Scalar> x, View<Scalar> y) const override { y = x; }

 private:
  Dropout config_;
  Shape shape_;
};

}  // namespace altmin
