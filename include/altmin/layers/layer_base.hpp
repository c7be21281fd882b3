#pragma once

#include <utility>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/core/product.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/layers/code_step.hpp"
#include "altmin/layers/parameter.hpp"

namespace altmin {

/// How a layer takes part in the cut of a network into blocks: a code (auxiliary variable) stands after every map and
/// the normalization that directly follows it.
enum class Role { map, normalization, nonlinearity };

/// What a layer keeps of one evaluation for its pull-back, beyond its input and output.
template <class Scalar>
struct Trace {
  View<Scalar> samples;  // one column a sample (a dropout mask, normalised values)
  View<Scalar> batch;    // for all samples together (batch statistics)
};

/// The sizes of a trace.
struct TraceShape {
  Index samples = 0;        // rows of Trace::samples
  Index batch_rows = 0;     // of Trace::batch
  Index batch_columns = 0;  // of Trace::batch
  bool of_input = false;    // whether it depends on the input, or only on the step (a dropout mask)
};

/// Of a map that multiplies a matrix with columns made of its input: how long they are, and how many a sample makes. A
/// dense map multiplies samples as they are, a convolution what its kernel sees at each position.
struct LoweredShape {
  Index rows = 0;
  Index columns = 0;
};

/// A layer's evaluation at one input: y = f(x), features x samples. Columns of several points may be evaluated in
/// parallel unless the layer couples samples.
template <class Scalar>
struct Point {
  Point slice(Index first, Index count) const {
    return {x.slice(first, count), y.slice(first, count), {trace.samples.slice(first, count), trace.batch}};
  }

  ConstView<Scalar> x;
  View<Scalar> y;
  Trace<Scalar> trace;
};

/// What a layer has unless it says otherwise: no parameters, no trace, inference equal to training. `Layer` is the
/// derived class (a layer of your own derives from this too); it adds
///
///   using Config = ...;                          the plain struct that was given to add(), with its fields()
///   static constexpr const char* name;           for messages and summaries
///   static constexpr Role role;
///   Layer(const Config&, Shape input);           throws OptionError or ShapeError
///   Shape output() const;
///   void forward(lane, point) const;             writes point.y and point.trace, from point.x
///   void pull_back(lane, point, dy, dx) const;   dx = J(x)' dy, J the Jacobian of f
///
/// and may add or replace (a layer with a trace must replace predict: inference gives it none; a trace of the batch
/// that depends on the input needs couples_samples; undo may be called with dy and dx in the same memory)
///
///   parameters()                                 what is learned: the constructor puts it into parameters_
///   gradient(lane, point, dy, gradients) const   gradients[k]: the derivative of <f(x), dy>, summed over samples, by
///                                                parameter k
///   difference(lane, from, dx, to, dy) const     dy = f(x + dx) - f(x), without cancellation
///   step_through(lane, from, to, step) const     a step of the code below, and what it makes of the output
///   lowered_shape(), lower(lane, point, a) const, lower_output(lane, dy, r) const
///                                                of a map, for AM-mem: its parameters side by side are a matrix that
///                                                multiplies the columns of a, and of a 1 below where there is a bias;
///                                                r is dy as an output of that product, outputs x columns
///   matrix() const                               M where f(x + dx) - f(x) = M dx for every x
///   initialize(random), trace_shape(), draw(random, trace), absorb(trace), undo(lane, at, dy, dx), predict(lane, x,
///   y), couples_samples, affine
///
/// gradient() of a map, and gradient() and pull_back() of a normalization, must not read point.y: a weight update may
/// find the output of another input there. No result may depend on the number of threads, and no call may allocate.
/// examples/extensions/swish.hpp shows a whole layer (on ElementwiseLayer); Network::check_gradients() tests one.
template <class Layer, class Scalar>
class LayerBase {
 public:
  /// Whether a sample's output depends on the other samples of the batch.
  static constexpr bool couples_samples = false;
  /// Whether a step of its output acts on the next one, see Recurrent::Layer.
  static constexpr bool recurrent = false;
  /// Whether f(x + dx) - f(x) is the same for every x: pull_back() and difference() then read neither x nor y.
  static constexpr bool affine = false;
  /// Whether it is an ElementwiseLayer.
  static constexpr bool elementwise = false;

  Span<Parameter<Scalar>> parameters() { return {parameters_.data(), static_cast<Index>(parameters_.size())}; }
  Span<const Parameter<Scalar>> parameters() const {
    return {parameters_.data(), static_cast<Index>(parameters_.size())};
  }

  /// What is kept beside the parameters without being trained (running statistics).
  Span<Parameter<Scalar>> statistics() { return {statistics_.data(), static_cast<Index>(statistics_.size())}; }
  Span<const Parameter<Scalar>> statistics() const {
    return {statistics_.data(), static_cast<Index>(statistics_.size())};
  }

  /// The parameters of a layer that is yet to be made: readers of files compare these with the file before they make
  /// it. A layer whose parameters grow with its options has one of its own, and makes its parameters by it.
  template <class Config>
  static std::vector<ParameterShape> parameter_shapes(const Config&, Shape) {
    return {};
  }

  void initialize(Random&) {}

  TraceShape trace_shape() const { return {}; }

  /// The matrix of an affine map that is one, outputs x inputs; empty for all others.
  ConstView<Scalar> matrix() const { return {}; }

  LoweredShape lowered_shape() const { return {}; }
  void lower(const Lane<Scalar>&, const Point<Scalar>&, View<Scalar>) const {}
  void lower_output(const Lane<Scalar>&, ConstView<Scalar>, View<Scalar>) const {}

  /// Draws what is random in a step, once a step.
  void draw(Random&, const Trace<Scalar>&) const {}

  /// Takes up what a step's batch says of the data (running statistics), once a step.
  void absorb(const Trace<Scalar>&) {}

  /// Inference.
  void predict(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y) const {
    self().forward(lane, Point<Scalar>{x, y, {}});
  }

  /// The inverse of a normalization: the change dx of its input that changes its output by dy.
  void undo(const Lane<Scalar>&, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const { dx = dy; }

  void gradient(const Lane<Scalar>&, const Point<Scalar>&, ConstView<Scalar>, Span<View<Scalar>> gradients) const {
    for (auto& gradient : gradients) gradient.setZero();
  }

  /// dy = f(x + dx) - f(x). `from` was evaluated at x; to.x holds x + dx; dy and to.trace are written, and to.y may be:
  /// the caller makes it from.y + dy. This form subtracts the two outputs; layers that can do it without cancellation
  /// replace it.
  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar>, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    self().forward(lane, to);
    dy = to.y - from.y;
  }

  /// One step of the code that is the layer's input: pulls step.slope back to it, moves it, and sets step.change as
  /// difference() does. `from` was evaluated at c0, `to` is the layer at the moved code. Where steps_in_place(),
  /// neither step.code nor `to` are used.
  void step_through(const Lane<Scalar>& lane, const Point<Scalar>& from, const Point<Scalar>& to,
                    const CodeStep<Scalar>& step) const {
    self().pull_back(lane, step.first ? from : to, step.slope, step.pulled);
    step.take_all(lane, from.x, step.pulled);
    self().difference(lane, from, step.displacement, to, step.change);
  }
  bool steps_in_place() const { return false; }

  /// Parameters go by their own names. A layer with further state has a fields() of its own that calls this one.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.parameters_...);
    visit("", self.statistics_...);
  }

 protected:
  std::vector<Parameter<Scalar>> parameters_;
  std::vector<Parameter<Scalar>> statistics_;

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }
};

}  // namespace altmin
