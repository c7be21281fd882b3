#pragma once

#include "altmin/network/workspace.hpp"

namespace altmin {

/// The forward pass that every training step begins with: stores the output of each block, those of the inner blocks
/// being the codes c0 and the last one the prediction, and in the last block's residual minus the derivative of each
/// sample's own loss by its prediction. Returns the mean loss, over all ranks.
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
  const double sum = context.loss.evaluate(last.output.view(), context.target, residual);
  detail::scale<Scalar>(Scalar(-1), residual, residual);
  return context.worker.sum(sum) / static_cast<double>(context.samples());
}

}  // namespace altmin
