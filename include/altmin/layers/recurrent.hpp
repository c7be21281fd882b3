#pragma once

#include <array>
#include <vector>

#include "altmin/layers/activations.hpp"
#include "altmin/layers/initialization.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// What a recurrent layer's output goes through on its way to the next step.
enum class Nonlinearity { tanh, relu };
constexpr std::array<const char*, 2> names(Nonlinearity) { return {"tanh", "relu"}; }

/// A map with memory (Elman 1990), applied step after step to a sequence, 1 x steps x features: a sample's column holds
/// one step after the other, as an image of one channel its rows. Its output, 1 x steps x units, is of every step t
///
///   c_t = W_ih x_t + W_hh s(c_{t-1}) + b,  s(c_0) = 0,
///
/// before the nonlinearity s, as that of Dense is: there stands the code of each step. An activation that follows is
/// for the layers above, s for the next step. One target a sequence: Recurrent, LastStep, Tanh, Dense. One a step:
/// another Recurrent, or a map of all steps.
struct Recurrent {
  static constexpr const char* name = "Recurrent";

  template <class Scalar>
  class Layer;

  Index units = 1;  ///< at least 1
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  bool bias = true;  ///< starts at 0 (PyTorch's initialization: random)
  /// Of W_ih. W_hh starts as the identity (Le et al. 2015), so that a state sums up all that came before it: fan_in is
  /// steps x features. PyTorch's initialization takes all parameters uniform in +-1 / sqrt(units).
  Initialization initialization = Initialization::lecun_uniform;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("units", self.units...);
    visit("nonlinearity", self.nonlinearity...);
    visit("bias", self.bias...);
    visit("initialization", self.initialization...);
  }
};

/// `weight_ih` is units x features, `weight_hh` units x units, `bias_ih` units x 1, as PyTorch's RNNCell has them; its
/// bias_hh is 0.
///
/// backward(), gradient() and difference() take the states s(c_{t-1}) that the steps start from as given; TimeSteps
/// says how steps act on each other.
template <class Scalar>
class Recurrent::Layer : public LayerBase<Layer<Scalar>, Scalar>, public TimeSteps<Scalar> {
 public:
  using Config = Recurrent;
  static constexpr LayerTraits layer_traits{Role::map};

  Layer(const Recurrent& config, Shape input) : config_{config}, steps_{input.height}, features_{input.width} {
    if (config.units < 1) throw OptionError("units must be at least 1, got " + detail::text(config.units));
    detail::require_sequence(input);
    for (const auto& shape : parameter_shapes(config, input)) this->parameters_.emplace_back(shape);
  }

  static std::vector<ParameterShape> parameter_shapes(const Recurrent& config, Shape input) {
    std::vector<ParameterShape> shapes{{"weight_ih", config.units, input.width, true},
                                       {"weight_hh", config.units, config.units, true}};
    if (config.bias) shapes.push_back({"bias_ih", config.units, 1});
    return shapes;
  }

  const Recurrent& config() const { return config_; }
  Shape output() const override { return {1, steps_, config_.units}; }
  Index steps() const override { return steps_; }
  const TimeSteps<Scalar>* time_steps() const override { return this; }

  void initialize(Random& random) override {
    auto& parameters = this->parameters_;
    if (config_.initialization == Initialization::pytorch) {
      for (auto& parameter : parameters) {
        altmin::initialize(parameter.values(), config_.initialization, config_.units, config_.units, random);
      }
      return;
    }
    altmin::initialize(parameters[0].values(), config_.initialization, steps_ * features_, config_.units, random);
    parameters[1].values().setIdentity();
    if (config_.bias) parameters[2].values().setZero();
  }

  /// The states that the steps start from, that of the first being 0; the points of a step share them.
  TraceShape trace_shape() const override { return {steps_ * config_.units, 0, 0, false}; }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    evaluate(worker, at, [&](View<Scalar> states, View<Scalar> y, Index t) {
      if (t == 0) {
        step(states, 0).setZero();
      } else {
        with_nonlinearity([&](const auto& s) { step(states, t).array() = s.value(step(y, t - 1).array()); });
      }
    });
  }

  void forward_from_states(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    evaluate(worker, at, [](View<Scalar>, View<Scalar>, Index) {});
  }

  /// Inference; allocates.
  void predict(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const override {
    Matrix<Scalar> states(y.rows(), y.cols());
    forward(worker, {x, y, {states, {}}});
  }

  void difference(const Worker<Scalar>& worker, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    for (Index t = 0; t < steps_; ++t) multiply<Scalar>(worker, value(0), step(dx, t), step(dy, t));
  }

  void backward(const Worker<Scalar>& worker, const Point<Scalar>&, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    for (Index t = 0; t < steps_; ++t) multiply<Scalar>(worker, transposed(value(0)), step(dy, t), step(dx, t));
  }

  /// A column of W_ih's and W_hh's inputs a step.
  LoweredShape lowered_shape() const override { return {features_ + config_.units, steps_}; }
  void lower(const Worker<Scalar>& worker, const Point<Scalar>& at, View<Scalar> a) const override {
    worker.parallel_ranges(at.x.cols(), a.rows() * steps_, [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        View<Scalar> columns = a.slice(t * steps_, steps_);
        columns.topRows(features_) = ConstView<Scalar>{at.x.address(0, t), features_, steps_, features_};
        columns.bottomRows(config_.units) =
            ConstView<Scalar>{at.trace.samples.address(0, t), config_.units, steps_, config_.units};
      }
    });
  }
  void lower_output(const Worker<Scalar>& worker, ConstView<Scalar> dy, View<Scalar> r) const override {
    worker.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        r.slice(t * steps_, steps_) = ConstView<Scalar>{dy.address(0, t), config_.units, steps_, config_.units};
      }
    });
  }

  void gradient(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const override {
    for (auto& gradient : gradients) gradient.setZero();
    for (Index t = 0; t < steps_; ++t) {
      const ConstView<Scalar> slope = step(dy, t);
      multiply<Scalar>(worker, slope, transposed(step(at.x, t)), gradients[0], Scalar(1), gradients[0]);
      const ConstView<Scalar> state = step(ConstView<Scalar>{at.trace.samples}, t);
      if (t > 0) multiply<Scalar>(worker, slope, transposed(state), gradients[1], Scalar(1), gradients[1]);
      for (Index i = 0; config_.bias && i < slope.cols(); ++i) gradients[2] += slope.col(i);
    }
  }

  void backward_step(const Worker<Scalar>& worker, const Point<Scalar>& at, Index t, ConstView<Scalar> displacement,
                     ConstView<Scalar> residual, View<Scalar> result) const override {
    multiply<Scalar>(worker, transposed(value(1)), residual, result);
    const auto c0 = step(ConstView<Scalar>{at.y}, t).array();
    const auto s0 = step(ConstView<Scalar>{at.trace.samples}, t + 1).array();
    with_nonlinearity([&](const auto& s) {
      if (displacement.size() == 0) {
        result.array() = s.slope_times(c0, s0, result.array());
      } else {
        const auto moved = c0 + displacement.array();
        result.array() = s.slope_times(moved, s.value(moved), result.array());
      }
    });
  }

  void step_difference(const Worker<Scalar>& worker, const Point<Scalar>& at, Index t, ConstView<Scalar> displacement,
                       View<Scalar> scratch, View<Scalar> change) const override {
    write_state_difference(at, t, displacement, scratch);
    multiply<Scalar>(worker, value(1), scratch, change);
  }

  void move_state(const Point<Scalar>& at, Index t, ConstView<Scalar> displacement) const override {
    const View<Scalar> state = step(at.trace.samples, t + 1);
    for (Index i = 0; i < state.cols(); ++i) {
      // One column at a time: the state is an input of its own change.
      const auto c0 = step(ConstView<Scalar>{at.y}, t).col(i).array();
      auto column = View<Scalar>{state}.col(i).array();
      with_nonlinearity([&](const auto& s) {
        column += s.change(c0, column, displacement.col(i).array(), c0 + displacement.col(i).array());
      });
    }
  }

 private:
  template <class Body>
  static void for_each_slice(const Worker<Scalar>& worker, Index samples, Body&& body) {
    const detail::Partition partition = slices(samples);
    worker.parallel_for(partition.count,
                        [&](Index i, const Worker<Scalar>& own) { body(own, partition.first(i), partition.size(i)); });
  }

  using TimeSteps<Scalar>::step;

  void write_state_difference(const Point<Scalar>& at, Index t, ConstView<Scalar> displacement,
                              View<Scalar> result) const {
    const auto c0 = step(ConstView<Scalar>{at.y}, t).array();
    const auto s0 = step(ConstView<Scalar>{at.trace.samples}, t + 1).array();
    with_nonlinearity(
        [&](const auto& s) { result.array() = s.change(c0, s0, displacement.array(), c0 + displacement.array()); });
  }

  /// Calls use(s), s the elementwise layer that stands between the steps.
  template <class Use>
  void with_nonlinearity(Use&& use) const {
    if (config_.nonlinearity == Nonlinearity::tanh) {
      use(Tanh::Layer<Scalar>{{}, config_.units});
    } else {
      use(Relu::Layer<Scalar>{{}, config_.units});
    }
  }

  static detail::Partition slices(Index samples) { return detail::Partition::shared(samples, 32, 8); }

  const Matrix<Scalar>& value(std::size_t k) const { return this->parameters_[k].value(); }

  /// All steps in turn, find_state(states, y, t) going before that of step t.
  template <class FindState>
  void evaluate(const Worker<Scalar>& worker, const Point<Scalar>& at, FindState&& find_state) const {
    const auto offset = config_.bias ? Addend<Scalar>::each_column(value(2).data()) : Addend<Scalar>{};
    for_each_slice(worker, at.x.cols(), [&](const Worker<Scalar>& own, Index first, Index count) {
      const ConstView<Scalar> x = at.x.slice(first, count);
      const View<Scalar> y = at.y.slice(first, count);
      const View<Scalar> states = at.trace.samples.slice(first, count);
      for (Index t = 0; t < steps_; ++t) {
        find_state(states, y, t);
        multiply<Scalar>(own, value(0), step(x, t), step(y, t), Scalar(1), offset);
        if (t > 0) multiply<Scalar>(own, value(1), step(states, t), step(y, t), Scalar(1), step(y, t));
      }
    });
  }

  Recurrent config_;
  Index steps_;
  Index features_;
};

}  // namespace altmin
