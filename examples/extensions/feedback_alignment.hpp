#pragma once

// A signal of your own, complete. own_algorithm.cpp trains with it.
//
// A signal computes what each block should do differently: a residual at the output of every block, along which any
// weight rule can then move the block's weights. It is two types: the outer one holds the options, its nested
// Signal<Scalar> the state for one network.

#include <altmin/altmin.hpp>
#include <string>

/// Feedback alignment (Lillicrap et al. 2016): backprop in which residuals come down through copies of the network's
/// layers whose weights are random and fixed. The network's own weights learn to agree with them.
struct FeedbackAlignment {
  static constexpr const char* name = "FeedbackAlignment";

  altmin::Seed seed{1};  ///< of the fixed weights

  template <class Scalar>
  class Signal;

  void validate(const std::string&) const {}

  // The options, listed once: networks compare by them, and files store them.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("seed", self.seed...);
  }
};

template <class Scalar>
class FeedbackAlignment::Signal : public altmin::SignalBase<Signal<Scalar>, Scalar> {
 public:
  Signal(const FeedbackAlignment& options, const altmin::LayerStack<Scalar>& layers) : feedback_{layers} {
    altmin::Random random{options.seed};
    feedback_.initialize(random);
  }

  // Sets the residuals of all blocks. The workspace holds the forward pass, and in the last block's residual minus the
  // derivative of each sample's loss. No result may depend on the number of threads, and only the first step of a batch
  // size may allocate, as fit() does.
  altmin::Status propagate(const altmin::StepContext<Scalar>& context, altmin::Workspace<Scalar>& workspace) override {
    const altmin::Index samples = context.x.cols();
    workspace[workspace.last()].residual.view() /= static_cast<Scalar>(samples);
    for (altmin::Index l = workspace.last(); l > 0; --l) {
      const auto block = workspace.block(feedback_, l);  // Backprop has context.layers here
      auto& below = workspace[l - 1].residual;
      below.fit(block.inputs(), samples);
      block.backward(context.worker, workspace.forward_point(context, l), workspace[l].residual.view(), below.view(),
                     workspace[l].between);
    }
    return altmin::Status::updated;
  }

  // What block l's weight rule gets: the inputs at which the weights are updated, here those of the forward pass, and
  // the residual.
  altmin::BlockSignal<Scalar> block_signal(const altmin::StepContext<Scalar>& context,
                                           altmin::Workspace<Scalar>& workspace, altmin::Index l, int) const override {
    return {workspace.forward_point(context, l), workspace[l].residual.view()};
  }

  // The state by which training continues, listed once: networks compare by it, and checkpoints store it.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("feedback", self.feedback_...);
  }

 private:
  altmin::Layers<Scalar> feedback_;
};
