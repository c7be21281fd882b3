#pragma once

// A weight rule of one's own under the library's alternating minimization. own_algorithm.cpp trains with it.
//
// AlternatingMinimization encodes a batch and updates its codes; what then moves the weights of a block is the
// BlockUpdate that the configuration names. Where that is a step along the gradient, GradientUpdate finds the
// gradients, and the rule is one class that moves one array: LionMoments.

#include <altmin/altmin.hpp>

/// The state of one array of weights under Lion (Chen et al. 2023): each step moves every weight by the learning rate,
/// up or down, by the sign of a running mean of its gradient.
template <class Scalar>
class LionMoments {
 public:
  using Rates = altmin::AdamRates;  // any type that the configuration's rates() returns; Lion has no use for `epsilon`

  // Changes `values`, whose gradient is factor * gradient. `decays`: these are weights, and not, say, biases. `lane`
  // runs loops in parallel: cut by the shape alone, they end with the same bits for any number of threads.
  void update(const altmin::Lane<Scalar>& lane, const Rates& rates, altmin::View<Scalar> values,
              altmin::ConstView<Scalar> gradient, bool decays, double factor) {
    if (mean_.size() == 0) mean_.setZero(values.rows(), values.cols());
    const auto rate = static_cast<Scalar>(rates.learning_rate);
    const auto beta1 = static_cast<Scalar>(rates.beta1);
    const auto beta2 = static_cast<Scalar>(rates.beta2);
    const auto scale = static_cast<Scalar>(factor);
    const auto decay = static_cast<Scalar>(decays ? rates.weight_decay : 0);
    lane.parallel_ranges(values.cols(), values.rows(), [&](altmin::Index first, altmin::Index count) {
      auto w = values.middleCols(first, count).array();
      auto m = mean_.middleCols(first, count).array();
      const auto g = scale * gradient.middleCols(first, count).array();
      w -= rate * ((beta1 * m + (1 - beta1) * g).sign() + decay * w);
      m = beta2 * m + (1 - beta2) * g;
    });
  }

  altmin::Index bytes() const { return mean_.size() * static_cast<altmin::Index>(sizeof(Scalar)); }

  // All state, listed once: networks compare by it, and checkpoints hold it.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("mean", self.mean_...);
  }

 private:
  altmin::Matrix<Scalar> mean_;  // takes its shape with the first step
};

/// Online alternating minimization whose weight updates are Lion's. It has AmAdam's options and their checks; a
/// configuration of other options is a struct like AmSgd.
struct AmLion : altmin::AmAdam {
  static constexpr const char* name = "AmLion";  // for files

  AmLion() {
    learning_rate = 0.001;  // every step is a full one: a third of Adam's rate, or less
    output_learning_rate = 0.001;
    beta2 = 0.99;
  }

  template <class Layers>
  using Algorithm = altmin::AlternatingMinimization<AmLion, Layers>;
  template <class Layers>
  using BlockUpdate = altmin::GradientUpdate<Layers, LionMoments<typename Layers::Scalar>>;
};
