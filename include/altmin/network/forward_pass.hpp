#pragma once

#include "altmin/network/workspace.hpp"

namespace altmin {

/// Sets workspace.sample_weights: the weights of the samples, divided by their mean over all ranks. So sums over the
/// batch that are divided by the number of samples are divided by the sum of the weights.
template <class Scalar>
ConstView<Scalar> weigh_samples(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) {
  const ConstView<Scalar>& weights = context.target.weights();
  workspace.sample_weights.fit(weights.rows(), weights.cols());
  if (weights.rows() == 0) return {};
  const double sum = context.worker.sum(static_cast<double>(weights.template cast<double>().sum()));
  const double factor = sum > 0 ? static_cast<double>(context.samples()) / sum : 0;
  workspace.sample_weights.view() = static_cast<Scalar>(factor) * weights;
  return workspace.sample_weights.view();
}

/// The forward pass that every training step begins with: stores the output of each block, those of the inner blocks
/// being the codes c0 and the last one the prediction, and in the last block's residual minus the derivative of each
/// sample's own loss by its prediction. Sets the weights of the samples. Returns the mean loss, over all ranks, each
/// sample's loss times its weight.
template <class Scalar>
double run_forward(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) {
  const Index samples = context.x.cols();
  for (Index l = 0; l < workspace.blocks(); ++l) {
    const auto block = workspace.block(context.layers, l);
    auto& memory = workspace[l];
    memory.output.fit(block.outputs(), samples);
    block.fit(memory.forward, samples);
    const auto at = workspace.forward_point(context, l);
    block.draw(context.worker, context.random, at);
    block.forward(context.worker, at);
  }
  auto& last = workspace[workspace.last()];
  last.residual.fit(last.output.rows(), samples);
  const View<Scalar> residual = last.residual.view();
  const ConstView<Scalar> weights = weigh_samples(context, workspace);
  double sum = 0;
  if (weights.rows() == 0) {
    sum = context.loss.evaluate(last.output.view(), context.target, residual);
  } else {  // a loss sums over its samples
    const ConstView<Scalar> output{last.output.view()};
    for (Index t = 0; t < samples; ++t) {
      sum += static_cast<double>(weights(0, t)) *
             context.loss.evaluate(output.slice(t, 1), context.target.slice(t, 1), residual.slice(t, 1));
    }
  }
  detail::scale<Scalar>(Scalar(-1), residual, residual);
  return context.worker.sum(sum) / static_cast<double>(context.samples());
}

}  // namespace altmin
