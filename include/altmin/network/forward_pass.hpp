#pragma once

#include <vector>

#include "altmin/network/block.hpp"
#include "altmin/network/step.hpp"

namespace altmin {

/// The encoding that every algorithm begins with: a forward pass that keeps each block's output. Those of the inner
/// blocks are the codes c0, the last one is the prediction.
template <class Layers>
class ForwardPass {
 public:
  using Scalar = typename Layers::Scalar;

  explicit ForwardPass(const Layers& layers) : ranges_{cut_into_blocks(layers)} {
    evaluations_.resize(ranges_.size());
    outputs_.resize(ranges_.size());
  }

  Index blocks() const { return static_cast<Index>(ranges_.size()); }
  Block<Layers> block(Layers& layers, Index l) const { return {layers, ranges_[static_cast<std::size_t>(l)]}; }

  /// Evaluates the network. Returns the mean loss; `slope` takes the derivative of each sample's own loss by its
  /// prediction (outputs x samples).
  template <class Context>
  double run(Context& context, Buffer<Scalar>& slope) {
    const Index samples = context.x.cols();
    for (Index l = 0; l < blocks(); ++l) {
      const auto here = block(context.layers, l);
      output(l).fit(here.outputs(), samples);
      here.fit(evaluations_[static_cast<std::size_t>(l)], samples);
      here.draw(context.random, at(context, l));
      here.forward(context.lane, at(context, l));
    }
    slope.fit(prediction().rows(), samples);
    const double sum = context.loss.template evaluate<Scalar>(prediction(), context.target, slope.view());
    return sum / static_cast<double>(samples);
  }

  /// Updates running statistics, once a step.
  template <class Context>
  void absorb(Context& context) {
    for (Index l = 0; l < blocks(); ++l) block(context.layers, l).absorb(at(context, l));
  }

  /// Block l where the pass evaluated it.
  template <class Context>
  BlockPoint<Scalar> at(Context& context, Index l) {
    auto& inner = evaluations_[static_cast<std::size_t>(l)];
    return {l == 0 ? context.x : ConstView<Scalar>{output(l - 1).view()}, output(l).view(), inner, inner};
  }

  Buffer<Scalar>& output(Index l) { return outputs_[static_cast<std::size_t>(l)]; }
  const Buffer<Scalar>& output(Index l) const { return outputs_[static_cast<std::size_t>(l)]; }
  ConstView<Scalar> prediction() const { return outputs_.back().view(); }

  Index bytes() const {
    Index sum = 0;
    for (const auto& evaluation : evaluations_) sum += evaluation.bytes();
    for (const auto& buffer : outputs_) sum += buffer.bytes();
    return sum;
  }

 private:
  std::vector<BlockRange> ranges_;
  std::vector<Evaluation<Scalar>> evaluations_;
  std::vector<Buffer<Scalar>> outputs_;
};

}  // namespace altmin
