#pragma once

#include <cmath>
#include <vector>

#include "altmin/network/forward_pass.hpp"
#include "altmin/network/gradient_update.hpp"
#include "altmin/optimizers/adam.hpp"
#include "altmin/optimizers/sgd.hpp"

namespace altmin {

/// Backpropagation over the same blocks, the baseline: the derivative of the mean loss is pulled back through all
/// blocks, then every block moves its weights by its own gradient. `Config` names its `Moments` and gives its
/// rates(scale).
template <class Config, class Layers>
class Backprop {
 public:
  using Scalar = typename Layers::Scalar;

  Backprop(const Config& config, Layers& layers) : config_{config}, forward_{layers} {
    config.validate();
    for (Index l = 0; l < forward_.blocks(); ++l) updates_.emplace_back(forward_.block(layers, l));
    slopes_.resize(updates_.size());
  }

  const Config& config() const { return config_; }

  template <class Context>
  StepReport step(Context& context) {
    StepReport report;
    report.loss = forward_.run(context, slopes_.back());
    if (!std::isfinite(report.loss)) {
      report.status = Status::loss_not_finite;
      return report;
    }
    pull_back(context);
    context.lane.parallel_for(forward_.blocks(), [&](Index l, const Lane<Scalar>& lane) {
      updates_[static_cast<std::size_t>(l)].update(lane, forward_.block(context.layers, l), forward_.at(context, l),
                                                   {slope(l).view()}, config_.rates(context.rate_scale));
    });
    forward_.absorb(context);
    return report;
  }

  Index bytes() const {
    Index sum = forward_.bytes() + scratch_.bytes();
    for (const auto& update : updates_) sum += update.bytes();
    for (const auto& buffer : slopes_) sum += buffer.bytes();
    return sum;
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("updates", self.updates_...);
  }

  /// Throws ShapeError where state that was read from a file is not that of these layers.
  void require_fit(Layers& layers) const {
    for (Index l = 0; l < forward_.blocks(); ++l) {
      updates_[static_cast<std::size_t>(l)].require_fit(forward_.block(layers, l));
    }
  }

 private:
  Buffer<Scalar>& slope(Index l) { return slopes_[static_cast<std::size_t>(l)]; }

  /// The derivative of the mean loss by the output of each block.
  template <class Context>
  void pull_back(Context& context) {
    const Index samples = context.x.cols();
    slopes_.back().view() /= static_cast<Scalar>(samples);
    for (Index l = forward_.blocks() - 1; l > 0; --l) {
      slope(l - 1).fit(forward_.output(l - 1).rows(), samples);
      forward_.block(context.layers, l)
          .pull_back(context.lane, forward_.at(context, l), slope(l).view(), slope(l - 1).view(), scratch_);
      forward_.block(context.layers, l - 1)
          .spread_in_time(context.lane, forward_.at(context, l - 1), slope(l - 1).view(), scratch_);
    }
  }

  Config config_;
  ForwardPass<Layers> forward_;
  std::vector<GradientUpdate<Layers, typename Config::template Moments<Scalar>>> updates_;
  std::vector<Buffer<Scalar>> slopes_;  // of the mean loss, by each block's output
  Scratch<Scalar> scratch_;
};

/// Backprop with Adam; with weight_decay above 0, AdamW.
struct Adam {
  static constexpr const char* name = "Adam";

  double learning_rate = 0.001;  ///< 0 or more (0: nothing moves); source: Kingma and Ba 2015, as of the next three
  double beta1 = 0.9;            ///< 0 to below 1
  double beta2 = 0.999;          ///< 0 to below 1
  double epsilon = 1e-8;         ///< above 0
  double weight_decay = 0;       ///< decoupled from the gradient; 0 or more; weights alone decay

  template <class Layers>
  using Algorithm = Backprop<Adam, Layers>;
  template <class Scalar>
  using Moments = AdamMoments<Scalar>;

  AdamRates rates(double scale) const { return {scale * learning_rate, beta1, beta2, epsilon, weight_decay}; }

  void validate() const { rates(1).validate(name); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("beta1", self.beta1...);
    visit("beta2", self.beta2...);
    visit("epsilon", self.epsilon...);
    visit("weight_decay", self.weight_decay...);
  }
};

/// Backprop with stochastic gradient descent.
struct Sgd {
  static constexpr const char* name = "Sgd";

  double learning_rate = 0.1;  ///< 0 or more
  double momentum = 0.9;       ///< 0 to below 1
  bool nesterov = false;       ///< Nesterov's look-ahead
  double weight_decay = 0;     ///< an L2 penalty on weights; 0 or more

  template <class Layers>
  using Algorithm = Backprop<Sgd, Layers>;
  template <class Scalar>
  using Moments = SgdMoments<Scalar>;

  SgdRates rates(double scale) const { return {scale * learning_rate, momentum, nesterov, weight_decay}; }

  void validate() const { rates(1).validate(name); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("momentum", self.momentum...);
    visit("nesterov", self.nesterov...);
    visit("weight_decay", self.weight_decay...);
  }
};

}  // namespace altmin
