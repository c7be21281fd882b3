#pragma once

#include <array>
#include <vector>

#include "altmin/layers/activations.hpp"
#include "altmin/layers/initialization.hpp"
#include "altmin/layers/layer_base.hpp"

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
/// pull_back(), gradient() and difference() take the states s(c_{t-1}) that each step starts from as given: they stay
/// within a step. How steps act on each other is for algorithms to ask:
///
///   spread(lane, point, dy, memory) const    adds to the slope dy what later steps pass back to earlier ones
///   forward_from_states(lane, point) const   forward() from the states in the trace, which stay
///
/// and steps(), step(), slices(), recurrent_weight() and with_nonlinearity() for iterations in time.
template <class Scalar>
class Recurrent::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Recurrent;
  static constexpr const char* name = "Recurrent";
  static constexpr Role role = Role::map;
  static constexpr bool recurrent = true;

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
  Shape output() const { return {1, steps_, config_.units}; }
  Index steps() const { return steps_; }

  void initialize(Random& random) {
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
  TraceShape trace_shape() const { return {steps_ * config_.units, 0, 0, false}; }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    evaluate(lane, at, [&](View<Scalar> states, View<Scalar> y, Index t) {
      if (t == 0) {
        step(states, 0).setZero();
      } else {
        with_nonlinearity([&](const auto& s) { step(states, t).array() = s.value(step(y, t - 1).array()); });
      }
    });
  }

  void forward_from_states(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    evaluate(lane, at, [](View<Scalar>, View<Scalar>, Index) {});
  }

  /// Inference; allocates.
  void predict(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y) const {
    Matrix<Scalar> states(y.rows(), y.cols());
    forward(lane, {x, y, {states, {}}});
  }

  void difference(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const {
    for (Index t = 0; t < steps_; ++t) multiply<Scalar>(lane, value(0), step(dx, t), step(dy, t));
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    for (Index t = 0; t < steps_; ++t) multiply<Scalar>(lane, transposed(value(0)), step(dy, t), step(dx, t));
  }

  /// A column of W_ih's and W_hh's inputs a step.
  LoweredShape lowered_shape() const { return {features_ + config_.units, steps_}; }
  void lower(const Lane<Scalar>& lane, const Point<Scalar>& at, View<Scalar> a) const {
    lane.parallel_ranges(at.x.cols(), a.rows() * steps_, [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        View<Scalar> columns = a.slice(t * steps_, steps_);
        columns.topRows(features_) = ConstView<Scalar>{at.x.address(0, t), features_, steps_, features_};
        columns.bottomRows(config_.units) =
            ConstView<Scalar>{at.trace.samples.address(0, t), config_.units, steps_, config_.units};
      }
    });
  }
  void lower_output(const Lane<Scalar>& lane, ConstView<Scalar> dy, View<Scalar> r) const {
    lane.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      for (Index t = first; t < first + count; ++t) {
        r.slice(t * steps_, steps_) = ConstView<Scalar>{dy.address(0, t), config_.units, steps_, config_.units};
      }
    });
  }

  void gradient(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    for (auto& gradient : gradients) gradient.setZero();
    for (Index t = 0; t < steps_; ++t) {
      const ConstView<Scalar> slope = step(dy, t);
      multiply<Scalar>(lane, slope, transposed(step(at.x, t)), gradients[0], Scalar(1), gradients[0]);
      const ConstView<Scalar> state = step(ConstView<Scalar>{at.trace.samples}, t);
      if (t > 0) multiply<Scalar>(lane, slope, transposed(state), gradients[1], Scalar(1), gradients[1]);
      for (Index i = 0; config_.bias && i < slope.cols(); ++i) gradients[2] += slope.col(i);
    }
  }

  /// dy_t += s'(c_t) W_hh' dy_{t+1}, from the last step down: backpropagation through time. `memory` is units x
  /// samples.
  void spread(const Lane<Scalar>& lane, const Point<Scalar>& at, View<Scalar> dy, View<Scalar> memory) const {
    for_each_slice(lane, dy.cols(), [&](const Lane<Scalar>& own, Index first, Index count) {
      const View<Scalar> slope = dy.slice(first, count);
      const View<Scalar> states = at.trace.samples.slice(first, count);
      const View<Scalar> back = memory.slice(first, count);
      for (Index t = steps_ - 1; t > 0; --t) {
        multiply<Scalar>(own, transposed(recurrent_weight()), step(slope, t), back);
        const auto state = step(states, t).array();  // of tanh and ReLU it tells the slope
        with_nonlinearity(
            [&](const auto& s) { step(slope, t - 1).array() += s.slope_times(state, state, back.array()); });
      }
    });
  }

  const Matrix<Scalar>& recurrent_weight() const { return value(1); }

  /// Calls use(s), s the elementwise layer that stands between the steps.
  template <class Use>
  void with_nonlinearity(Use&& use) const {
    if (config_.nonlinearity == Nonlinearity::tanh) {
      use(Tanh::Layer<Scalar>{{}, config_.units});
    } else {
      use(Relu::Layer<Scalar>{{}, config_.units});
    }
  }

  /// The rows of step t, from 0, of a sequence.
  View<Scalar> step(View<Scalar> sequence, Index t) const {
    const Index rows = sequence.rows() / steps_;
    return {sequence.data() + t * rows, rows, sequence.cols(), sequence.outerStride()};
  }
  ConstView<Scalar> step(ConstView<Scalar> sequence, Index t) const {
    const Index rows = sequence.rows() / steps_;
    return {sequence.data() + t * rows, rows, sequence.cols(), sequence.outerStride()};
  }

  /// The slices of samples that one thread each takes through all steps.
  static detail::Cut slices(Index samples) { return detail::Cut::shared(samples, 32, 8); }

 private:
  template <class Body>
  static void for_each_slice(const Lane<Scalar>& lane, Index samples, Body&& body) {
    const detail::Cut cut = slices(samples);
    lane.parallel_for(cut.count, [&](Index i, const Lane<Scalar>& own) { body(own, cut.first(i), cut.size(i)); });
  }

  const Matrix<Scalar>& value(std::size_t k) const { return this->parameters_[k].value(); }

  /// All steps in turn, find_state(states, y, t) going before that of step t.
  template <class FindState>
  void evaluate(const Lane<Scalar>& lane, const Point<Scalar>& at, FindState&& find_state) const {
    const auto offset = config_.bias ? Addend<Scalar>::each_column(value(2).data()) : Addend<Scalar>{};
    for_each_slice(lane, at.x.cols(), [&](const Lane<Scalar>& own, Index first, Index count) {
      const ConstView<Scalar> x = at.x.slice(first, count);
      const View<Scalar> y = at.y.slice(first, count);
      const View<Scalar> states = at.trace.samples.slice(first, count);
      for (Index t = 0; t < steps_; ++t) {
        find_state(states, y, t);
        multiply<Scalar>(own, value(0), step(x, t), step(y, t), Scalar(1), offset);
        if (t > 0) multiply<Scalar>(own, recurrent_weight(), step(states, t), step(y, t), Scalar(1), step(y, t));
      }
    });
  }

  Recurrent config_;
  Index steps_;
  Index features_;
};

}  // namespace altmin
