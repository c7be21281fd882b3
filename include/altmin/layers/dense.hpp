#pragma once

#include "altmin/layers/fully_connected.hpp"

namespace altmin {

/// A fully connected map, y = W x + b. (Eigen has a name Dense as well: a program that opens both namespaces writes
/// altmin::Dense.)
struct Dense {
  static constexpr const char* name = "Dense";

  template <class Scalar>
  class Layer;

  Index outputs = 1;  ///< at least 1
  bool bias = true;   ///< starts at 0 (PyTorch's initialization: random)
  Initialization initialization = Initialization::he_uniform;
  double gain = 1;  ///< factor of the initial weights; 0 or more. Below LeakyRelu{a}: 1 / sqrt(1 + a^2), see there

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("outputs", self.outputs...);
    visit("bias", self.bias...);
    visit("initialization", self.initialization...);
    visit("gain", self.gain...);
  }
};

template <class Scalar>
class Dense::Layer : public FullyConnectedLayer<Dense, Layer<Scalar>, Scalar> {
  using Common = FullyConnectedLayer<Dense, Layer<Scalar>, Scalar>;

 public:
  Layer(const Dense& config, Shape input) : Common{config, input} {
    detail::require_option(config.gain >= 0, "gain", "must be 0 or more", config.gain);
  }

  void initialize(Random& random) override {
    Common::initialize(random);
    if (this->config().gain != 1) this->parameters_[0].values() *= static_cast<Scalar>(this->config().gain);
  }

  ConstView<Scalar> matrix() const override { return weight(); }

  LoweredShape lowered_shape() const override { return {inputs(), 1}; }
  void lower(const Worker<Scalar>& worker, const Point<Scalar>& at, View<Scalar> a) const override {
    worker.parallel_ranges(a.cols(), a.rows(),
                           [&](Index first, Index count) { a.slice(first, count) = at.x.slice(first, count); });
  }
  void lower_output(const Worker<Scalar>& worker, ConstView<Scalar> dy, View<Scalar> r) const override {
    worker.parallel_ranges(r.cols(), r.rows(),
                           [&](Index first, Index count) { r.slice(first, count) = dy.slice(first, count); });
  }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    const auto offset = this->config().bias ? Addend<Scalar>::each_column(this->bias().data()) : Addend<Scalar>{};
    multiply<Scalar>(worker, weight(), at.x, at.y, Scalar(1), offset);
  }

  void difference(const Worker<Scalar>& worker, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    multiply<Scalar>(worker, weight(), dx, dy);
  }

  void backward(const Worker<Scalar>& worker, const Point<Scalar>&, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    multiply<Scalar>(worker, transposed(weight()), dy, dx);
  }

 private:
  using Common::inputs;
  using Common::weight;
};

}  // namespace altmin
