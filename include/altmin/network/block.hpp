#pragma once

#include <algorithm>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/layers/layers.hpp"

namespace altmin {

/// The layers first .. first + count - 1 of a stack.
struct BlockRange {
  Index first;
  Index count;
};

/// Cuts a stack into blocks. A code (auxiliary variable) stands after every map and the normalization that directly
/// follows it, except the last map, so that each block is one map with the nonlinearities in front of it; what follows
/// the last map belongs to the last block, whose output the loss sees. The steps of a recurrent map act on each other
/// through its own output: there the code stands directly above it, even if it is the last map. Throws ShapeError if
/// nothing stands above it.
template <class Layers>
std::vector<BlockRange> cut_into_blocks(const Layers& layers) {
  Index maps = 0;
  for (const auto& layer : layers) maps += layer.role() == Role::map ? 1 : 0;
  std::vector<BlockRange> blocks;
  Index first = 0;
  for (Index i = 0; i < layers.size(); ++i) {
    if (layers[i].role() != Role::map) continue;
    const bool recurrent = layers[i].recurrent();
    if (--maps == 0 && !recurrent) break;
    while (!recurrent && i + 1 < layers.size() && layers[i + 1].role() == Role::normalization) ++i;
    blocks.push_back({first, i + 1 - first});
    first = i + 1;
  }
  if (first == layers.size()) {
    throw ShapeError("layer " + detail::text(first - 1) + " (" + layers[first - 1].name() +
                     "): expected a layer above it, got the end of the network");
  }
  blocks.push_back({first, layers.size() - first});
  return blocks;
}

/// What the layers of one block hold between the block's input and its output: the output of each layer but the last,
/// and the traces.
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

/// A block, or a part of one, at one input: y = f(x) for the samples first .. first + x.cols() - 1 of the batch.
template <class Scalar>
struct BlockPoint {
  BlockPoint slice(Index start, Index count) const {
    return {x.slice(start, count), y.slice(start, count), inner, step, first + start, lowest};
  }

  ConstView<Scalar> x;
  View<Scalar> y;
  Evaluation<Scalar>& inner;
  Evaluation<Scalar>& step;  // holds what is drawn once a step: the masks that all points of a step share
  Index first = 0;
  Index lowest = 0;  // layer of the evaluations
};

/// Memory for walking through a block: what stands between two layers, twice.
template <class Scalar>
struct Scratch {
  Buffer<Scalar> buffers[2];

  Index bytes() const { return buffers[0].bytes() + buffers[1].bytes(); }
};

/// A run of layers of a stack, borrowed: the unit of the method. Encoding, code updates and weight updates need nothing
/// but these operations.
template <class Layers_>
class Block {
 public:
  using Layers = Layers_;
  using Scalar = typename Layers::Scalar;

  Block(Layers& layers, BlockRange range) : layers_{&layers}, range_{range} {}

  Index size() const { return range_.count; }
  typename Layers::Layer& operator[](Index k) const { return (*layers_)[range_.first + k]; }

  Index inputs() const { return (range_.first == 0 ? layers_->input() : (*layers_)[range_.first - 1].output()).size(); }
  Index outputs() const { return (*this)[size() - 1].output().size(); }

  /// Rows of the largest array between two layers, the block's input and output included.
  Index largest() const {
    Index rows = inputs();
    for (Index k = 0; k < size(); ++k) rows = std::max(rows, (*this)[k].output().size());
    return rows;
  }

  /// The matrix of the last layer, where what stands behind the block's nonlinearities is one; else empty.
  ConstView<Scalar> matrix() const { return (*this)[size() - 1].matrix(); }

  /// The layers first .. first + count - 1 of the block, at least one.
  Block part(Index first, Index count) const { return {*layers_, {range_.first + first, count}}; }

  /// The same where the block is at `at`.
  BlockPoint<Scalar> part_point(const BlockPoint<Scalar>& at, Index first, Index count) const {
    return {point(at, first).x, point(at, first + count - 1).y, at.inner, at.step, at.first, at.lowest + first};
  }

  /// Whether the block's output has steps in time that act on each other.
  bool recurrent() const { return (*this)[size() - 1].recurrent(); }

  bool couples_samples() const {
    for (Index k = 0; k < size(); ++k) {
      if ((*this)[k].couples_samples()) return true;
    }
    return false;
  }

  /// Whether steps of the code below look at no moved point: between it and an affine map stand a layer that steps in
  /// place and, at most, an elementwise one, both without parameters. Then weight updates read what the map sees alone.
  bool steps_in_place() const {
    const Index top = size() - 1;
    if (top < 1 || top > 2 || !(*this)[top].affine() || !(*this)[0].steps_in_place()) return false;
    if (top == 2 && !(*this)[1].elementwise()) return false;
    for (Index k = 0; k < top; ++k) {
      if (!(*this)[k].parameters().empty()) return false;
    }
    return true;
  }

  /// Takes memory for a batch.
  void fit(Evaluation<Scalar>& evaluation, Index samples) const {
    const auto count = static_cast<std::size_t>(size());
    evaluation.outputs.resize(count - 1);
    evaluation.sample_traces.resize(count);
    evaluation.batch_traces.resize(count);
    for (std::size_t k = 0; k < count; ++k) {
      const auto& layer = (*this)[static_cast<Index>(k)];
      const TraceShape trace = layer.trace_shape();
      evaluation.sample_traces[k].fit(trace.samples, samples);
      evaluation.batch_traces[k].fit(trace.batch_rows, trace.batch_columns);
      if (k + 1 < count) evaluation.outputs[k].fit(layer.output().size(), samples);
    }
  }

  void draw(Random& random, const BlockPoint<Scalar>& at) const {
    for (Index k = 0; k < size(); ++k) (*this)[k].draw(random, point(at, k).trace);
  }

  void absorb(const BlockPoint<Scalar>& at) const {
    for (Index k = 0; k < size(); ++k) (*this)[k].absorb(point(at, k).trace);
  }

  void forward(const Lane<Scalar>& lane, const BlockPoint<Scalar>& at) const {
    for (Index k = 0; k < size(); ++k) (*this)[k].forward(lane, point(at, k));
  }

  /// The same once more in a step, where traces of recurrent layers hold the states that the steps start from.
  void forward_from_states(const Lane<Scalar>& lane, const BlockPoint<Scalar>& at) const {
    for (Index k = 0; k < size(); ++k) {
      if (!(*this)[k].recurrent()) (*this)[k].forward(lane, point(at, k));
      (*this)[k].with_recurrent([&](const auto& layer) { layer.forward_from_states(lane, point(at, k)); });
    }
  }

  /// Adds to the slope dy, by the block's output, what later steps pass back to earlier ones.
  void spread_in_time(const Lane<Scalar>& lane, const BlockPoint<Scalar>& at, View<Scalar> dy,
                      Scratch<Scalar>& scratch) const {
    (*this)[size() - 1].with_recurrent([&](const auto& layer) {
      const View<Scalar> memory = between(scratch, 0, dy.rows() / layer.steps(), dy.cols());
      layer.spread(lane, point(at, size() - 1), dy, memory);
    });
  }

  /// dy = f(x + dx) - f(x) without subtracting nearly equal numbers; `from` was evaluated at x, to.x holds x + dx. What
  /// stands in to.y then is of no account, see move_output().
  void difference(const Lane<Scalar>& lane, const BlockPoint<Scalar>& from, ConstView<Scalar> dx,
                  const BlockPoint<Scalar>& to, View<Scalar> dy, Scratch<Scalar>& scratch) const {
    ConstView<Scalar> in = dx;
    for (Index k = 0; k < size(); ++k) {
      View<Scalar> out = k + 1 == size() ? dy : between(scratch, k, (*this)[k].output().size(), dx.cols());
      (*this)[k].difference(lane, point(from, k), in, point(to, k), out);
      if (k + 1 < size()) move_output(lane, point(from, k).y, out, point(to, k).y);
      in = out;
    }
  }

  /// to_y = y + dy.
  static void move_output(const Lane<Scalar>& lane, ConstView<Scalar> y, ConstView<Scalar> dy, View<Scalar> to_y) {
    lane.parallel_ranges(dy.cols(), dy.rows(), [&](Index first, Index count) {
      to_y.middleCols(first, count) = y.middleCols(first, count) + dy.middleCols(first, count);
    });
  }

  /// dx = J(x)' dy.
  void pull_back(const Lane<Scalar>& lane, const BlockPoint<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx,
                 Scratch<Scalar>& scratch) const {
    ConstView<Scalar> in = dy;
    for (Index k = size() - 1; k >= 0; --k) {
      const auto here = point(at, k);
      View<Scalar> out = k == 0 ? dx : between(scratch, k, here.x.rows(), dy.cols());
      (*this)[k].pull_back(lane, here, in, out);
      in = out;
    }
  }

  /// Pulls dy back through the block, down to its lowest layer with parameters: calls visit(k, the layer's point, the
  /// derivative by its output) for each layer k on the way.
  template <class Visitor>
  void walk_down(const Lane<Scalar>& lane, const BlockPoint<Scalar>& at, ConstView<Scalar> dy, Scratch<Scalar>& scratch,
                 Visitor&& visit) const {
    Index lowest = 0;
    while (lowest < size() && (*this)[lowest].parameters().empty()) ++lowest;
    ConstView<Scalar> slope = dy;
    for (Index k = size() - 1; k >= lowest; --k) {
      const auto here = point(at, k);
      visit(k, here, slope);
      if (k == lowest) break;
      View<Scalar> below = between(scratch, k, here.x.rows(), dy.cols());
      (*this)[k].pull_back(lane, here, slope, below);
      slope = below;
    }
  }

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
    const auto layer = static_cast<std::size_t>(at.lowest + k);
    const Index count = at.x.cols();
    const TraceShape shape = (*this)[k].trace_shape();
    auto& owner = shape.of_input ? at.inner : at.step;
    return {k == 0 ? at.x : ConstView<Scalar>{at.inner.outputs[layer - 1].view().slice(at.first, count)},
            k + 1 == size() ? at.y : at.inner.outputs[layer].view().slice(at.first, count),
            {owner.sample_traces[layer].view().slice(at.first, count), owner.batch_traces[layer].view()}};
  }

 private:
  static View<Scalar> between(Scratch<Scalar>& scratch, Index k, Index rows, Index samples) {
    Buffer<Scalar>& buffer = scratch.buffers[k % 2];
    buffer.fit(rows, samples);
    return buffer.view();
  }

  Layers* layers_;
  BlockRange range_;
};

}  // namespace altmin
