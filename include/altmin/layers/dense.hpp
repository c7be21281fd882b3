#pragma once

#include "altmin/layers/fully_connected.hpp"

namespace altmin {

/// A fully connected map, y = W x + b.
struct Dense {
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

template <class Scalar>
class Dense::Layer : public FullyConnectedLayer<Dense, Layer<Scalar>, Scalar> {
  using Common = FullyConnectedLayer<Dense, Layer<Scalar>, Scalar>;

 public:
  static constexpr const char* name = "Dense";

  using Common::Common;

  ConstView<Scalar> matrix() const { return weight(); }

  LoweredShape lowered_shape() const { return {inputs(), 1}; }
  void lower(const Lane<Scalar>& lane, const Point<Scalar>& at, View<Scalar> a) const {
    lane.parallel_ranges(a.cols(), a.rows(),
                         [&](Index first, Index count) { a.slice(first, count) = at.x.slice(first, count); });
  }
  void lower_output(const Lane<Scalar>& lane, ConstView<Scalar> dy, View<Scalar> r) const {
    lane.parallel_ranges(r.cols(), r.rows(),
                         [&](Index first, Index count) { r.slice(first, count) = dy.slice(first, count); });
  }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    const auto offset = this->config().bias ? Addend<Scalar>::each_column(this->bias().data()) : Addend<Scalar>{};
    multiply<Scalar>(lane, weight(), at.x, at.y, Scalar(1), offset);
  }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const {
    multiply<Scalar>(lane, weight(), dx, dy);
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    multiply<Scalar>(lane, transposed(weight()), dy, dx);
  }

 private:
  using Common::inputs;
  using Common::weight;
};

}  // namespace altmin
