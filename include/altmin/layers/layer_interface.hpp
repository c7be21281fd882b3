#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/core/erased.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/kernels/product.hpp"
#include "altmin/layers/parameter.hpp"
#include "altmin/layers/time_steps.hpp"

namespace altmin {

/// How a layer takes part in the division of a network into blocks: a code (auxiliary variable) stands after every map
/// and the normalization that directly follows it. Preprocessing stands before the first map and is evaluated once a
/// step, for all samples of the batch together; no residual passes it. A skip ends a block and adds the block's input,
/// see Skip.
enum class Role { map, normalization, nonlinearity, preprocessing, skip };

/// What is known of a layer before its sizes are.
struct LayerTraits {
  Role role = Role::nonlinearity;
  /// Whether a sample's output depends on the other samples of the batch.
  bool couples_samples = false;
  /// Whether f(x + dx) - f(x) is the same for every x: backward() and difference() then read neither x nor y.
  bool affine = false;
  /// Of a layer that couples samples: whether it sums over ranks (Worker::sum) what it sums over the batch. Without it
  /// a network trains on one rank alone.
  bool sums_over_ranks = false;
};

/// What a layer stores of one evaluation for backward(), beyond its input and output.
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
  bool of_input = false;    // whether it depends on the input, or only on the training step (a dropout mask)
  Index draws = 0;          // numbers (Random::next) that draw() takes for a sample, as many for each
};

/// A map as a matrix product (im2col): the columns that its input becomes, their length, and how many a sample makes. A
/// dense map multiplies samples as they are, a convolution what its kernel covers at each position.
struct LoweredShape {
  Index rows = 0;
  Index columns = 0;
};

/// A layer's evaluation at one input: y = f(x), features x samples. Columns of several points may be evaluated in
/// parallel unless the layer couples samples. Where y is not evaluated it is empty.
template <class Scalar>
struct Point {
  Point slice(Index first, Index count) const {
    return {x.slice(first, count), y.slice(first, count), {trace.samples.slice(first, count), trace.batch}};
  }

  ConstView<Scalar> x;
  View<Scalar> y;
  Trace<Scalar> trace;
};

/// A piece of a layer's input that an InputRule moves: `size` consecutive elements, the first of them number `first`
/// column by column.
template <class Scalar>
struct InputPiece {
  Index first;
  Index size;
  const Scalar* start;     // where the elements were in the forward pass
  const Scalar* residual;  // of the output, multiplied by the transposed Jacobian at the moved input
  Scalar* displacement;    // moved input - start; unspecified before the first move
};

/// How elements of a layer's input move. A layer calls it once for each piece of its input, from several threads.
template <class Scalar>
class InputRule {
 public:
  InputRule() = default;
  InputRule(const InputRule&) = default;
  InputRule& operator=(const InputRule&) = default;
  virtual ~InputRule() = default;

  /// Sets the displacement of a piece.
  virtual void move(const InputPiece<Scalar>& piece) const = 0;
};

/// Elements of a piece: few enough to stay in the first cache with all that belongs to them.
constexpr Index input_piece_size = 512;

/// A move of a layer's input by a rule, and what becomes of it. All arrays are contiguous.
template <class Scalar>
struct InputMove {
  struct State {
    View<Scalar> displacement;  // of the input, features x samples; read and written
    View<Scalar> change;        // of the output since the forward pass, outputs x samples; read and written
  };
  struct Scratch {
    View<Scalar> input;     // of the input's shape: the moved input, where a layer needs it stored
    View<Scalar> residual;  // of the input's shape
  };

  const InputRule<Scalar>& rule;
  bool first;                  // displacement and change are 0, whatever their memory holds
  ConstView<Scalar> residual;  // of the output
  State state;
  Scratch scratch;
};

/// Moves all elements of an input, whose residual is at hand, and stores the moved input in move.scratch.input.
template <class Scalar>
void move_elements(const Worker<Scalar>& worker, ConstView<Scalar> start, ConstView<Scalar> residual,
                   const InputMove<Scalar>& move) {
  using Piece = Eigen::Map<Vector<Scalar>>;
  using ConstPiece = Eigen::Map<const Vector<Scalar>>;
  const Index rows = start.rows();
  worker.parallel_ranges(start.cols(), rows, [&](Index first_column, Index columns) {
    const Index end = (first_column + columns) * rows;
    for (Index i = first_column * rows; i < end; i += input_piece_size) {
      const Index size = std::min(input_piece_size, end - i);
      Scalar* const displacement = move.state.displacement.address(0, 0) + i;
      move.rule.move({i, size, start.data() + i, residual.data() + i, displacement});
      Piece{move.scratch.input.address(0, 0) + i, size} =
          ConstPiece{start.data() + i, size} + ConstPiece{displacement, size};
    }
  });
}

/// A layer, whatever its kind. The mathematics of one layer, for the samples of a batch; it depends on nothing of
/// algorithms. A layer of your own derives from LayerBase, which says what to write.
template <class Scalar>
class LayerInterface {
 public:
  virtual ~LayerInterface() = default;

  virtual const char* name() const = 0;
  virtual const LayerTraits& traits() const = 0;
  virtual Shape output() const = 0;
  virtual std::unique_ptr<LayerInterface> clone() const = 0;
  virtual bool equals(const LayerInterface& other) const = 0;
  virtual void visit_options(FieldVisitor& visitor) const = 0;
  /// Shows parameters, statistics and further state.
  virtual void visit(FieldVisitor& visitor) = 0;

  /// The layer of its own kind: `layer.as<Dense>()`; null if it is of another.
  template <class Config>
  const typename Config::template Layer<Scalar>* as() const {
    return dynamic_cast<const typename Config::template Layer<Scalar>*>(this);
  }
  template <class Config>
  typename Config::template Layer<Scalar>* as() {
    return dynamic_cast<typename Config::template Layer<Scalar>*>(this);
  }

  Span<Parameter<Scalar>> parameters() { return {parameters_.data(), static_cast<Index>(parameters_.size())}; }
  Span<const Parameter<Scalar>> parameters() const {
    return {parameters_.data(), static_cast<Index>(parameters_.size())};
  }

  /// What is stored beside the parameters without being trained (running statistics).
  Span<Parameter<Scalar>> statistics() { return {statistics_.data(), static_cast<Index>(statistics_.size())}; }
  Span<const Parameter<Scalar>> statistics() const {
    return {statistics_.data(), static_cast<Index>(statistics_.size())};
  }

  /// Sets the parameters that training starts from.
  virtual void initialize(Random&) {}

  virtual TraceShape trace_shape() const { return {}; }

  /// Draws what is random in a training step, once a step, sample after sample.
  virtual void draw(Random&, const Trace<Scalar>&) const {}

  /// Writes point.y and point.trace, from point.x.
  virtual void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const = 0;

  /// dx = J(x)' dy, J the Jacobian of f.
  virtual void backward(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                        View<Scalar> dx) const = 0;

  /// gradients[k]: the derivative of <f(x), dy>, summed over samples, by parameter k. That of a map, and gradient() and
  /// backward() of a normalization, must not read at.y.
  virtual void gradient(const Worker<Scalar>&, const Point<Scalar>&, ConstView<Scalar>,
                        Span<View<Scalar>> gradients) const {
    for (auto& gradient : gradients) gradient.setZero();
  }

  /// A bound on the absolute values of all numbers that gradient() writes, where it takes less work than a pass over
  /// them; else infinite.
  virtual double gradient_bound(const Point<Scalar>&, ConstView<Scalar>) const {
    return std::numeric_limits<double>::infinity();
  }

  /// dy = f(x + dx) - f(x). `from` was evaluated at x; to.x holds x + dx; dy and to.trace are written, and to.y may be:
  /// the caller sets it to from.y + dy. This form subtracts the two outputs; layers that can do it without cancellation
  /// replace it.
  virtual void difference(const Worker<Scalar>& worker, const Point<Scalar>& from, ConstView<Scalar>,
                          const Point<Scalar>& to, View<Scalar> dy) const {
    forward(worker, to);
    dy = to.y - from.y;
  }

  /// Moves the input by a rule, and sets move.state.change as difference() would. `from` was evaluated in the forward
  /// pass, `to` is the layer at the moved input, of which to.x and to.y are written where moves_in_place() is false.
  virtual void move_input(const Worker<Scalar>& worker, const Point<Scalar>& from, const Point<Scalar>& to,
                          const InputMove<Scalar>& move) const {
    backward(worker, move.first ? from : to, move.residual, move.scratch.residual);
    move_elements<Scalar>(worker, from.x, move.scratch.residual, move);
    difference(worker, from, move.state.displacement, to, move.state.change);
  }
  virtual bool moves_in_place() const { return false; }

  /// Inference.
  virtual void predict(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const {
    forward(worker, Point<Scalar>{x, y, {}});
  }

  /// Updates running statistics from the forward pass of a training step, once a step. Frozen ones stay.
  virtual void update_statistics(const Worker<Scalar>&, const Point<Scalar>&) {}
  /// Whether update_statistics() would leave all of them finite. If not, the step moves nothing.
  virtual bool statistics_stay_finite(const Point<Scalar>&) const { return true; }

  /// Of a normalization: the change dx of its input that changes its output by dy, the batch's statistics held fixed.
  /// dy and dx may be the same memory.
  virtual void invert(const Worker<Scalar>&, const Point<Scalar>&, ConstView<Scalar> dy, View<Scalar> dx) const {
    dx = dy;
  }

  /// M where f(x + dx) - f(x) = M dx for every x, outputs x inputs; empty for layers without such a matrix at hand.
  virtual ConstView<Scalar> matrix() const { return {}; }

  /// Of a map that is a matrix product: its parameters side by side multiply the columns of `a`, below which stands a
  /// row of ones where there is a bias. With one column a sample and as many rows as inputs, `a` is the input.
  /// lower_output() writes dy as the product's output, outputs x columns. Rows are 0 for all other layers.
  virtual LoweredShape lowered_shape() const { return {}; }
  virtual void lower(const Worker<Scalar>&, const Point<Scalar>&, View<Scalar>) const {}
  virtual void lower_output(const Worker<Scalar>&, ConstView<Scalar>, View<Scalar>) const {}

  /// How the steps of its output act on each other, for a layer whose output is a sequence; null for all others.
  virtual const TimeSteps<Scalar>* time_steps() const { return nullptr; }

 protected:
  LayerInterface() = default;
  LayerInterface(const LayerInterface&) = default;
  LayerInterface& operator=(const LayerInterface&) = default;

  std::vector<Parameter<Scalar>> parameters_;
  std::vector<Parameter<Scalar>> statistics_;
};

/// What all layers derive from. `Layer` is the derived class, the nested Layer<Scalar> of an options struct that add()
/// takes; it adds
///
///   using Config = ...;                     the options: a plain struct with `name` and fields()
///   static constexpr LayerTraits layer_traits{};  see above
///   Layer(const Config&, Shape input);      throws OptionError or ShapeError; puts what is learned into parameters_
///   const Config& config() const;
///   Shape output() const override;
///   void forward(worker, point) const override;
///   void backward(worker, point, dy, dx) const override;
///
/// and may override the other members of LayerInterface. A layer with a trace must override predict(): inference gives
/// it none. A trace of the batch that depends on the input needs couples_samples. No result may depend on the number of
/// threads, and no call may allocate. examples/extensions/swish.hpp shows a whole layer (on ElementwiseLayer);
/// check_layer() tests one.
template <class Layer, class Scalar>
class LayerBase : public Cloneable<Layer, LayerInterface<Scalar>> {
 public:
  const char* name() const override { return Layer::Config::name; }
  const LayerTraits& traits() const override { return Layer::layer_traits; }
  void visit_options(FieldVisitor& visitor) const override {
    auto options = self().config();
    visit_fields(visitor, options);
  }
  void visit(FieldVisitor& visitor) override { visit_fields(visitor, static_cast<Layer&>(*this)); }

  /// The parameters of a layer that is yet to be made: readers of files compare these with the file before they make
  /// it. A layer whose parameters grow with its options has one of its own, and makes its parameters by it.
  template <class Config>
  static std::vector<ParameterShape> parameter_shapes(const Config&, Shape) {
    return {};
  }

  /// The same of further state whose size grows with the input's: arrays of double, see Standardize.
  template <class Config>
  static std::vector<ParameterShape> state_shapes(const Config&, Shape) {
    return {};
  }

  /// Parameters go by their own names. A layer with further state has a fields() of its own that calls this one.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.parameters_...);
    visit("", self.statistics_...);
  }

 private:
  const Layer& self() const { return static_cast<const Layer&>(*this); }
};

}  // namespace altmin
