#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/kernels/elementwise.hpp"
#include "altmin/layers/layer_stack.hpp"
#include "altmin/layers/skip.hpp"

namespace altmin {

/// The layers first .. first + count - 1 of a stack and, if `skips`, the Skip above them.
struct BlockRange {
  Index first;
  Index count;
  bool skips = false;
  double branch = 1;  // see Skip
};

namespace detail {

/// The block of the layers first .. end - 1. Throws ShapeError for a Skip that does not fit.
template <class Scalar>
BlockRange make_block(const LayerStack<Scalar>& layers, Index first, Index end) {
  for (Index i = first; i < end; ++i) {
    const auto* const skip = layers[i].template as<Skip>();
    if (skip == nullptr) continue;
    const std::string where = "layer " + text(i) + " (" + layers[i].name() + "): expected ";
    Index below = i - 1;
    while (below >= first && layers[below].traits().role == Role::normalization) --below;
    if (below < first || layers[below].traits().role != Role::map || layers[below].time_steps() != nullptr) {
      throw ShapeError(where + "a map that is not recurrent, or its normalization, directly below it");
    }
    for (Index k = first; k < i; ++k) {
      if (layers[k].traits().role == Role::preprocessing) {
        throw ShapeError(where + "a block without preprocessing, got layer " + text(k) + " (" + layers[k].name() + ")");
      }
    }
    const Shape input = first == 0 ? layers.input() : layers[first - 1].output();
    if (!(input == layers[i].output())) {
      throw ShapeError(where + "a block of one shape, got the input " + to_string(input) + " and the output " +
                       to_string(layers[i].output()));
    }
    return {first, end - 1 - first, true, skip->config().branch};
  }
  return {first, end - first};
}

}  // namespace detail

/// Divides a stack into blocks. A code (auxiliary variable) stands after every map and the normalization that directly
/// follows it, except the last map, so that each block is one map with the nonlinearities in front of it; what follows
/// the last map belongs to the last block, whose output enters the loss. The steps of a recurrent map act on each other
/// through its own output: there the code stands directly above it, even if it is the last map. Throws ShapeError if
/// no layer follows it. A Skip ends its block, even that of the last map where layers follow. Throws ShapeError if it
/// does not fit.
template <class Scalar>
std::vector<BlockRange> divide_into_blocks(const LayerStack<Scalar>& layers) {
  const auto role = [&](Index i) { return layers[i].traits().role; };
  Index maps = 0;
  for (Index i = 0; i < layers.size(); ++i) maps += role(i) == Role::map ? 1 : 0;
  std::vector<BlockRange> blocks;
  Index first = 0;
  for (Index i = 0; i < layers.size(); ++i) {
    if (role(i) != Role::map) continue;
    const bool recurrent = layers[i].time_steps() != nullptr;
    Index end = i + 1;
    while (!recurrent && end < layers.size() && role(end) == Role::normalization) ++end;
    const bool skips = !recurrent && end < layers.size() && role(end) == Role::skip;
    if (skips) ++end;
    if (--maps == 0 && !recurrent && !(skips && end < layers.size())) break;
    blocks.push_back(detail::make_block(layers, first, end));
    first = end;
    i = end - 1;
  }
  if (first == layers.size()) {
    throw ShapeError("layer " + detail::text(first - 1) + " (" + layers[first - 1].name() +
                     "): expected a layer above it, got the end of the network");
  }
  blocks.push_back(detail::make_block(layers, first, layers.size()));
  return blocks;
}

/// What the layers of one block hold between the block's input and its output: the output of each layer but the last
/// (and of that, too, where a Skip stands above it), and the traces.
template <class Scalar>
struct Evaluation {
  std::vector<Buffer<Scalar>> outputs;
  std::vector<Buffer<Scalar>> sample_traces;
  std::vector<Buffer<Scalar>> batch_traces;

  Index bytes() const {
    Index sum = 0;
    for (const auto* buffers : {&outputs, &sample_traces, &batch_traces}) {
      for (const auto& buffer : *buffers) sum += buffer.bytes();
    }
    return sum;
  }
};

/// A block at one input: y = f(x) for the samples first .. first + x.cols() - 1 of the batch. Where the output was not
/// evaluated there, y is empty.
template <class Scalar>
struct BlockPoint {
  BlockPoint slice(Index start, Index count) const {
    return {x.slice(start, count), y.slice(start, count), inner, step, first + start};
  }

  ConstView<Scalar> x;
  View<Scalar> y;
  Evaluation<Scalar>& inner;
  Evaluation<Scalar>& step;  // holds what is drawn once a step: the masks that all points of a step share
  Index first = 0;
};

/// Memory for passing through a block: what stands between two layers, twice.
template <class Scalar>
struct Scratch {
  View<Scalar> between(Index k, Index rows, Index samples) {
    Buffer<Scalar>& buffer = buffers[k % 2];
    buffer.fit(rows, samples);
    return buffer.view();
  }

  Index bytes() const { return buffers[0].bytes() + buffers[1].bytes(); }

  Buffer<Scalar> buffers[2];
};

/// A run of layers of a stack, borrowed: the unit of the method. With g its layers, one after the other, it computes
/// y = g(x) or, where it ends in a Skip, y = x + branch g(x). The Skip is not counted among its layers.
template <class Scalar>
class Block {
 public:
  using Layer = LayerInterface<Scalar>;

  Block(LayerStack<Scalar>& layers, BlockRange range) : layers_{&layers}, range_{range} {}

  Index size() const { return range_.count; }
  Index top() const { return size() - 1; }
  Layer& operator[](Index k) const { return (*layers_)[range_.first + k]; }

  bool skips() const { return range_.skips; }
  /// What the output of the layers is multiplied by: the Skip's factor; 1 without one.
  Scalar branch() const { return static_cast<Scalar>(range_.branch); }

  Index inputs() const { return (range_.first == 0 ? layers_->input() : (*layers_)[range_.first - 1].output()).size(); }
  Index outputs() const { return (*this)[top()].output().size(); }

  /// Rows of the largest array between two layers, the block's input and output included.
  Index largest() const;

  /// The matrix of the last layer, where that is at hand; else empty.
  ConstView<Scalar> matrix() const { return (*this)[top()].matrix(); }

  /// How the steps of the block's output act on each other; null where they do not.
  const TimeSteps<Scalar>* time_steps() const { return (*this)[top()].time_steps(); }

  bool couples_samples() const;

  /// Takes memory for a batch.
  void fit(Evaluation<Scalar>& evaluation, Index samples) const;

  /// Draws what is random in a step. With several ranks, `random` is the same on all of them, before and after, and a
  /// sample's numbers are those that it has on one rank. Throws an Error for a layer that draws other than it says.
  void draw(const Worker<Scalar>& worker, Random& random, const BlockPoint<Scalar>& at) const;

  void update_statistics(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at) const {
    for (Index k = 0; k < size(); ++k) (*this)[k].update_statistics(worker, point(at, k));
  }

  bool statistics_stay_finite(const BlockPoint<Scalar>& at) const {
    for (Index k = 0; k < size(); ++k) {
      if (!(*this)[k].statistics_stay_finite(point(at, k))) return false;
    }
    return true;
  }

  void forward(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at) const {
    for (Index k = 0; k < size(); ++k) (*this)[k].forward(worker, point(at, k));
    add_input(worker, at);
  }

  /// Where the block skips: writes its output, from its input and the output of its last layer.
  void add_input(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at) const {
    if (skips()) detail::scaled_sum<Scalar>(worker, branch(), point(at, top()).y, at.x, at.y);
  }

  /// dx = J(x)' dy, J the derivative of the block.
  void backward(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx,
                Scratch<Scalar>& scratch) const {
    backward(worker, at, 0, size(), dy, dx, scratch);
    if (skips()) detail::scaled_sum<Scalar>(worker, branch(), dx, dy, dx);
  }

  /// The same through the layers low .. high - 1 alone, from the output of the highest to the input of the lowest.
  void backward(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at, Index low, Index high, ConstView<Scalar> dy,
                View<Scalar> dx, Scratch<Scalar>& scratch) const;

  /// dy = f(x + dx) - f(x) of the block, without cancellation. `from` was evaluated at x; `to` is where the moved block
  /// is stored: its input has been moved, the outputs of all layers but the last are set.
  void difference(const Worker<Scalar>& worker, const BlockPoint<Scalar>& from, ConstView<Scalar> dx,
                  const BlockPoint<Scalar>& to, View<Scalar> dy, Scratch<Scalar>& scratch) const {
    difference(worker, from, 0, size(), dx, to, dy, scratch);
    if (skips()) detail::scaled_sum<Scalar>(worker, branch(), dy, dx, dy);
  }

  /// The same of the layers low .. high - 1 alone: the input of layer `low` has been moved, the outputs of all layers
  /// below `high` but the last one of the block are set.
  void difference(const Worker<Scalar>& worker, const BlockPoint<Scalar>& from, Index low, Index high,
                  ConstView<Scalar> dx, const BlockPoint<Scalar>& to, View<Scalar> dy, Scratch<Scalar>& scratch) const;

  /// Calls visit(k, the layer's point, the residual at its output) for each layer k, from the last one down to the
  /// lowest that has parameters.
  void walk_down(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at, ConstView<Scalar> residual,
                 Scratch<Scalar>& scratch,
                 FunctionRef<void(Index, const Point<Scalar>&, ConstView<Scalar>)> visit) const;

  /// Calls visit(parameter, number of its layer, number of the parameter in the block) for each parameter.
  template <class Visitor>
  void for_each_parameter(Visitor&& visit) const {
    Index index = 0;
    for (Index k = 0; k < size(); ++k) {
      for (auto& parameter : (*this)[k].parameters()) visit(parameter, k, index++);
    }
  }

  /// The block's k-th layer at this point.
  Point<Scalar> point(const BlockPoint<Scalar>& at, Index k) const {
    const auto layer = static_cast<std::size_t>(k);
    const Index count = at.x.cols();
    auto& owner = (*this)[k].trace_shape().of_input ? at.inner : at.step;
    return {k == 0 ? at.x : ConstView<Scalar>{at.inner.outputs[layer - 1].view().slice(at.first, count)},
            k == top() && !skips() ? at.y : at.inner.outputs[layer].view().slice(at.first, count),
            {owner.sample_traces[layer].view().slice(at.first, count), owner.batch_traces[layer].view()}};
  }

 private:
  LayerStack<Scalar>* layers_;
  BlockRange range_;
};

template <class Scalar>
Index Block<Scalar>::largest() const {
  Index rows = inputs();
  for (Index k = 0; k < size(); ++k) rows = std::max(rows, (*this)[k].output().size());
  return rows;
}

template <class Scalar>
bool Block<Scalar>::couples_samples() const {
  for (Index k = 0; k < size(); ++k) {
    if ((*this)[k].traits().couples_samples) return true;
  }
  return false;
}

template <class Scalar>
void Block<Scalar>::fit(Evaluation<Scalar>& evaluation, Index samples) const {
  const auto count = static_cast<std::size_t>(size());
  evaluation.outputs.resize(skips() ? count : count - 1);
  evaluation.sample_traces.resize(count);
  evaluation.batch_traces.resize(count);
  for (std::size_t k = 0; k < count; ++k) {
    const auto& layer = (*this)[static_cast<Index>(k)];
    const TraceShape trace = layer.trace_shape();
    evaluation.sample_traces[k].fit(trace.samples, samples);
    evaluation.batch_traces[k].fit(trace.batch_rows, trace.batch_columns);
    if (k < evaluation.outputs.size()) evaluation.outputs[k].fit(layer.output().size(), samples);
  }
}

template <class Scalar>
void Block<Scalar>::draw(const Worker<Scalar>& worker, Random& random, const BlockPoint<Scalar>& at) const {
  const BatchShare* const share = worker.share();
  for (Index k = 0; k < size(); ++k) {
    const auto& layer = (*this)[k];
    const auto trace = point(at, k).trace;
    if (share == nullptr) {
      layer.draw(random, trace);
      continue;
    }
    const auto skip = [draws = layer.trace_shape().draws](Random& numbers, Index samples) {
      numbers.skip(static_cast<std::uint64_t>(samples * draws));
    };
    Random own = random;
    Random expected = random;
    skip(own, share->first());
    skip(expected, share->first() + at.x.cols());
    layer.draw(own, trace);
    if (at.x.cols() > 0 && own.state() != expected.state()) {
      throw Error("layer " + detail::text(range_.first + k) + " (" + layer.name() +
                  "): expected draw() to take as many random numbers a sample as TraceShape::draws says, " +
                  detail::text(layer.trace_shape().draws) + ", got others");
    }
    skip(random, share->total());
  }
}

template <class Scalar>
void Block<Scalar>::backward(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at, Index low, Index high,
                             ConstView<Scalar> dy, View<Scalar> dx, Scratch<Scalar>& scratch) const {
  ConstView<Scalar> in{dy};
  for (Index k = high - 1; k >= low; --k) {
    const auto here = point(at, k);
    const View<Scalar> out = k == low ? dx : scratch.between(k, here.x.rows(), dy.cols());
    (*this)[k].backward(worker, here, in, out);
    in.rebind(out);
  }
}

template <class Scalar>
void Block<Scalar>::difference(const Worker<Scalar>& worker, const BlockPoint<Scalar>& from, Index low, Index high,
                               ConstView<Scalar> dx, const BlockPoint<Scalar>& to, View<Scalar> dy,
                               Scratch<Scalar>& scratch) const {
  ConstView<Scalar> in{dx};
  for (Index k = low; k < high; ++k) {
    const auto start = point(from, k);
    const auto moved = point(to, k);
    const View<Scalar> out = k + 1 == high ? dy : scratch.between(k, (*this)[k].output().size(), dx.cols());
    (*this)[k].difference(worker, start, in, moved, out);
    if (k < top()) detail::add<Scalar>(worker, start.y, out, moved.y);
    in.rebind(out);
  }
}

template <class Scalar>
void Block<Scalar>::walk_down(const Worker<Scalar>& worker, const BlockPoint<Scalar>& at, ConstView<Scalar> residual,
                              Scratch<Scalar>& scratch,
                              FunctionRef<void(Index, const Point<Scalar>&, ConstView<Scalar>)> visit) const {
  Index lowest = 0;
  while (lowest < size() && (*this)[lowest].parameters().empty()) ++lowest;
  ConstView<Scalar> in{residual};
  if (branch() != Scalar(1) && lowest < size()) {
    const View<Scalar> scaled = scratch.between(size(), residual.rows(), residual.cols());
    detail::scale<Scalar>(branch(), residual, scaled);
    in.rebind(scaled);
  }
  for (Index k = top(); k >= lowest; --k) {
    const auto here = point(at, k);
    visit(k, here, in);
    if (k == lowest) break;
    const View<Scalar> below = scratch.between(k, here.x.rows(), residual.cols());
    (*this)[k].backward(worker, here, in, below);
    in.rebind(below);
  }
}

}  // namespace altmin
