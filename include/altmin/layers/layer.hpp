#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "altmin/core/type_list.hpp"
#include "altmin/layers/activations.hpp"
#include "altmin/layers/avg_pool2d.hpp"
#include "altmin/layers/batch_norm.hpp"
#include "altmin/layers/binary_dense.hpp"
#include "altmin/layers/conv2d.hpp"
#include "altmin/layers/dense.hpp"
#include "altmin/layers/dropout.hpp"
#include "altmin/layers/last_step.hpp"
#include "altmin/layers/layer_base.hpp"
#include "altmin/layers/max_pool2d.hpp"
#include "altmin/layers/recurrent.hpp"

namespace altmin {

/// Any layer: one of the library's, or of the Extra ones (layers of your own). See LayerBase for what each member does.
template <class Scalar, class... Extra>
class AnyLayer {
  template <class... Config>
  static std::variant<typename Config::template Layer<Scalar>...> any_of(Types<Config...>);

 public:
  /// The options of all layers that can stand here.
  using Configs = Types<Dense, BinaryDense, Conv2d, Recurrent, BatchNorm, Dropout, MaxPool2d, AvgPool2d, LastStep,
                        Identity, Relu, LeakyRelu, Tanh, Sigmoid, Sign, Extra...>;

  /// Throws OptionError or ShapeError if the options or the input do not suit the layer.
  template <class Config>
  AnyLayer(const Config& config, Shape input)
      : layer_{std::in_place_type<typename Config::template Layer<Scalar>>, config, input} {}

  /// The layer itself, where its kind is known: `layer.as<Dense>()`; null if it is of another kind.
  template <class Config>
  const typename Config::template Layer<Scalar>* as() const {
    return std::get_if<typename Config::template Layer<Scalar>>(&layer_);
  }
  template <class Config>
  typename Config::template Layer<Scalar>* as() {
    return std::get_if<typename Config::template Layer<Scalar>>(&layer_);
  }

  bool recurrent() const {
    return visit([](const auto& layer) { return layer.recurrent; });
  }
  /// Calls use(layer), where it is recurrent.
  template <class Use>
  void with_recurrent(Use&& use) const {
    visit([&](const auto& layer) {
      if constexpr (std::decay_t<decltype(layer)>::recurrent) use(layer);
    });
  }

  /// Calls visitor(layer) with the layer itself, of whatever kind.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return std::visit(std::forward<Visitor>(visitor), layer_);
  }
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) {
    return std::visit(std::forward<Visitor>(visitor), layer_);
  }

  const char* name() const {
    return visit([](const auto& layer) -> const char* { return layer.name; });
  }
  Role role() const {
    return visit([](const auto& layer) { return layer.role; });
  }
  bool couples_samples() const {
    return visit([](const auto& layer) { return layer.couples_samples; });
  }
  bool affine() const {
    return visit([](const auto& layer) { return layer.affine; });
  }
  bool elementwise() const {
    return visit([](const auto& layer) { return layer.elementwise; });
  }
  Shape output() const {
    return visit([](const auto& layer) { return Shape{layer.output()}; });
  }

  Span<Parameter<Scalar>> parameters() {
    return visit([](auto& layer) { return layer.parameters(); });
  }
  Span<const Parameter<Scalar>> parameters() const {
    return visit([](const auto& layer) { return layer.parameters(); });
  }
  Span<Parameter<Scalar>> statistics() {
    return visit([](auto& layer) { return layer.statistics(); });
  }
  Span<const Parameter<Scalar>> statistics() const {
    return visit([](const auto& layer) { return layer.statistics(); });
  }

  void initialize(Random& random) {
    visit([&](auto& layer) { layer.initialize(random); });
  }
  TraceShape trace_shape() const {
    return visit([](const auto& layer) { return layer.trace_shape(); });
  }
  ConstView<Scalar> matrix() const {
    return visit([](const auto& layer) { return layer.matrix(); });
  }
  LoweredShape lowered_shape() const {
    return visit([](const auto& layer) { return layer.lowered_shape(); });
  }
  void lower(const Lane<Scalar>& lane, const Point<Scalar>& at, View<Scalar> a) const {
    visit([&](const auto& layer) { layer.lower(lane, at, a); });
  }
  void lower_output(const Lane<Scalar>& lane, ConstView<Scalar> dy, View<Scalar> r) const {
    visit([&](const auto& layer) { layer.lower_output(lane, dy, r); });
  }
  void draw(Random& random, const Trace<Scalar>& trace) const {
    visit([&](const auto& layer) { layer.draw(random, trace); });
  }
  void absorb(const Trace<Scalar>& trace) {
    visit([&](auto& layer) { layer.absorb(trace); });
  }

  void predict(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y) const {
    visit([&](const auto& layer) { layer.predict(lane, x, y); });
  }
  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    visit([&](const auto& layer) { layer.forward(lane, at); });
  }
  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    visit([&](const auto& layer) { layer.difference(lane, from, dx, to, dy); });
  }
  void step_through(const Lane<Scalar>& lane, const Point<Scalar>& from, const Point<Scalar>& to,
                    const CodeStep<Scalar>& step) const {
    visit([&](const auto& layer) { layer.step_through(lane, from, to, step); });
  }
  bool steps_in_place() const {
    return visit([](const auto& layer) { return layer.steps_in_place(); });
  }
  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    visit([&](const auto& layer) { layer.pull_back(lane, at, dy, dx); });
  }
  /// Of an elementwise layer.
  void pull_back_moved(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx,
                       ConstView<Scalar> change, ConstView<Scalar> slope, View<Scalar> pulled) const {
    visit([&](const auto& layer) {
      if constexpr (std::decay_t<decltype(layer)>::elementwise) {
        layer.pull_back_moved(lane, from, dx, change, slope, pulled);
      }
    });
  }
  void gradient(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    visit([&](const auto& layer) { layer.gradient(lane, at, dy, gradients); });
  }

  void undo(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    visit([&](const auto& layer) { layer.undo(lane, at, dy, dx); });
  }

  friend bool operator==(const AnyLayer& a, const AnyLayer& b) { return a.layer_ == b.layer_; }

 private:
  decltype(any_of(Configs{})) layer_;
};

}  // namespace altmin
