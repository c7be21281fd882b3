#pragma once

// An algorithm of one's own, whole, from the blocks that the library's algorithms are made of. own_algorithm.cpp trains
// with it.
//
// An algorithm is two types. The outer one holds its options: a plain struct. Its nested Algorithm<Layers> holds the
// state for one network: step() trains on a batch, bytes() counts memory, and fields() lists the state.

#include <altmin/altmin.hpp>
#include <cmath>
#include <string>
#include <vector>

/// Backprop without its weights (Lillicrap et al. 2016): what comes down through the network passes through layers like
/// its own whose weights are random and stay so. Those of the network learn to agree with them.
struct FeedbackAlignment {
  static constexpr const char* name = "FeedbackAlignment";  // for files

  double learning_rate = 0.001;  ///< Adam's; 0 or more
  altmin::Seed seed{1};          ///< of the layers that pull back

  template <class Layers>
  class Algorithm;

  // The options, listed once: networks compare by them, and files hold them.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("seed", self.seed...);
  }
};

template <class Layers>
class FeedbackAlignment::Algorithm {
 public:
  using Scalar = typename Layers::Scalar;
  using Update = altmin::GradientUpdate<Layers, altmin::AdamMoments<Scalar>>;

  // Throws OptionError for options out of range.
  Algorithm(const FeedbackAlignment& config, Layers& layers) : config_{config}, forward_{layers}, feedback_{layers} {
    rates(1).validate("FeedbackAlignment");
    altmin::Random random{config.seed};
    feedback_.initialize(random);
    for (std::size_t l = 0; l < count(); ++l) updates_.emplace_back(block(layers, l));
    slopes_.resize(count());
  }

  // `context` is an altmin::StepContext: the network's layers and loss, and a batch that has passed all checks. Nothing
  // here may depend on the number of threads, or allocate after the first step of a batch size: buffers only ever grow.
  template <class Context>
  altmin::StepReport step(Context& context) {
    altmin::StepReport report;
    report.loss = forward_.run(context, slopes_.back());  // keeps each block's output, and the derivative of the loss
    if (!std::isfinite(report.loss)) {
      report.status = altmin::Status::loss_not_finite;  // numerical outcomes are reported, and change nothing
      return report;
    }
    slopes_.back().view() /= static_cast<Scalar>(context.x.cols());
    for (std::size_t l = count() - 1; l > 0; --l) {  // backprop would have context.layers where this has feedback_
      slopes_[l - 1].fit(block(feedback_, l).inputs(), context.x.cols());
      block(feedback_, l).pull_back(context.lane, at(context, l), slopes_[l].view(), slopes_[l - 1].view(), scratch_);
    }
    context.lane.parallel_for(forward_.blocks(), [&](altmin::Index i, const altmin::Lane<Scalar>& lane) {
      const auto l = static_cast<std::size_t>(i);
      updates_[l].update(lane, block(context.layers, l), at(context, l), {slopes_[l].view()},
                         rates(context.rate_scale));
    });
    forward_.absorb(context);  // running statistics
    return report;
  }

  altmin::Index bytes() const {
    altmin::Index sum = forward_.bytes() + scratch_.bytes();
    sum += feedback_.parameter_count() * static_cast<altmin::Index>(sizeof(Scalar));
    for (const auto& update : updates_) sum += update.bytes();
    for (const auto& slope : slopes_) sum += slope.bytes();
    return sum;
  }

  const FeedbackAlignment& config() const { return config_; }

  // What decides, with the options, how training goes on; working memory does not. Networks compare by it, and
  // checkpoints hold it.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("feedback", self.feedback_...);
    visit("updates", self.updates_...);
  }

  // Throws ShapeError where the state, read from a file, is not that of these layers.
  void require_fit(Layers& layers) const {
    for (std::size_t l = 0; l < count(); ++l) updates_[l].require_fit(block(layers, l));
  }

 private:
  // The layers of a network cannot be assigned to, from outside; a copy that is one's own can.
  struct OwnLayers : Layers {
    explicit OwnLayers(const Layers& layers) : Layers{layers} {}
  };

  std::size_t count() const { return static_cast<std::size_t>(forward_.blocks()); }
  auto block(Layers& layers, std::size_t l) const { return forward_.block(layers, static_cast<altmin::Index>(l)); }
  template <class Context>
  auto at(Context& context, std::size_t l) {
    return forward_.at(context, static_cast<altmin::Index>(l));
  }
  altmin::AdamRates rates(double scale) const { return {scale * config_.learning_rate, 0.9, 0.999, 1e-8, 0}; }

  FeedbackAlignment config_;
  altmin::ForwardPass<Layers> forward_;
  OwnLayers feedback_;
  std::vector<Update> updates_;                 // one a block: Adam's moments
  std::vector<altmin::Buffer<Scalar>> slopes_;  // one a block: the derivative of the loss by its output
  altmin::Scratch<Scalar> scratch_;
};
