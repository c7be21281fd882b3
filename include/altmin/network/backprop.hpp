#pragma once

#include "altmin/network/sequence.hpp"
#include "altmin/network/signal.hpp"

namespace altmin {

/// The chain rule: a block's residual is minus the derivative of the mean loss by its output.
struct Backprop {
  static constexpr const char* name = "Backprop";

  template <class Scalar>
  class Signal;

  void validate(const std::string&) const {}

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

template <class Scalar>
class Backprop::Signal : public SignalBase<Signal<Scalar>, Scalar> {
 public:
  Signal(const Backprop&, const LayerStack<Scalar>&) {}

  bool weighs_samples() const override { return true; }
  bool sums_over_ranks() const override { return true; }

  Status propagate(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) override {
    const Index samples = context.x.cols();
    const View<Scalar> residual = workspace[workspace.last()].residual.view();
    detail::scale<Scalar>(Scalar(1) / static_cast<Scalar>(context.samples()), residual, residual);
    detail::weight_columns<Scalar>(workspace.sample_weights.view(), residual);
    for (Index l = workspace.last(); l > 0; --l) {
      const auto block = workspace.block(context.layers, l);
      auto& below = workspace[l - 1].residual;
      below.fit(block.inputs(), samples);
      block.backward(context.worker, workspace.forward_point(context, l), workspace[l].residual.view(), below.view(),
                     workspace[l].between);
      backward_in_time(context.worker, workspace.block(context.layers, l - 1), workspace.forward_point(context, l - 1),
                       below.view(), workspace[l - 1].between);
    }
    return Status::updated;
  }

  BlockSignal<Scalar> block_signal(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l,
                                   int) const override {
    BlockSignal<Scalar> signal{workspace.forward_point(context, l), workspace[l].residual.view()};
    signal.sample_weights.rebind(workspace.sample_weights.view());
    return signal;
  }

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

}  // namespace altmin
