#pragma once

#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// The last step of a sequence, 1 x steps x features, as plain features: what stands above a Recurrent layer where a
/// whole sequence has one target.
struct LastStep {
  static constexpr const char* name = "LastStep";

  template <class Scalar>
  class Layer;

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

template <class Scalar>
class LastStep::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = LastStep;
  static constexpr LayerTraits layer_traits{};

  Layer(const LastStep&, Shape input) : features_{input.width} { detail::require_sequence(input); }

  LastStep config() const { return {}; }
  Shape output() const override { return features_; }

  void forward(const Worker<Scalar>&, const Point<Scalar>& at) const override {
    View<Scalar>{at.y} = at.x.bottomRows(features_);
  }

  void difference(const Worker<Scalar>&, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    dy = dx.bottomRows(features_);
  }

  void backward(const Worker<Scalar>&, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const override {
    dx.topRows(dx.rows() - features_).setZero();
    dx.bottomRows(features_) = dy;
  }

 private:
  Index features_;
};

}  // namespace altmin
