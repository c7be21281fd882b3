#pragma once

// A weight rule of your own, complete. own_algorithm.cpp trains with it.
//
// A weight rule moves the weights of one block along the residual that a signal has left there. For a rule that uses
// the gradient alone, write how one array moves: GradientRule does the rest. A rule of another kind derives from
// WeightRuleBase.

#include <altmin/altmin.hpp>
#include <string>

/// Lion (Chen et al. 2023): each step moves every weight by the learning rate, up or down, by the sign of a running
/// mean of its gradient.
struct Lion {
  static constexpr const char* name = "Lion";

  double learning_rate = 0.0003;  ///< how far each weight moves in a step: a third of Adam's rate, or less; 0 or more
  double beta1 = 0.9;             ///< weight of the mean in the sign; 0 to below 1
  double beta2 = 0.99;            ///< decay of the mean; 0 to below 1
  double weight_decay = 0;        ///< decoupled; 0 or more

  template <class Scalar>
  class Moments;
  template <class Scalar>
  using Rule = altmin::GradientRule<Moments<Scalar>>;

  // Refuses options that are out of range.
  void validate(const std::string& algorithm) const {
    const auto require = [&](bool holds, const std::string& option, double got) {
      if (!holds) throw altmin::OptionError(algorithm + ": " + option + ", got " + std::to_string(got));
    };
    require(learning_rate >= 0, "learning_rate must be 0 or more", learning_rate);
    require(beta1 >= 0 && beta1 < 1, "beta1 must be 0 to below 1", beta1);
    require(beta2 >= 0 && beta2 < 1, "beta2 must be 0 to below 1", beta2);
    require(weight_decay >= 0, "weight_decay must be 0 or more", weight_decay);
  }

  // The options, listed once: networks compare by them, and files store them.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("learning_rate", self.learning_rate...);
    visit("beta1", self.beta1...);
    visit("beta2", self.beta2...);
    visit("weight_decay", self.weight_decay...);
  }
};

/// The state of one parameter.
template <class Scalar_>
class Lion::Moments {
 public:
  using Scalar = Scalar_;
  using Options = Lion;

  // Whether update() keeps all numbers finite, for a gradient of absolute values up to a bound whose square is finite.
  // A mean is no larger than the largest gradient; a weight moves by the learning rate, and decays towards 0.
  bool stays_finite(const Lion& options, const altmin::Parameter<Scalar>&, double rate_scale, altmin::ConstView<Scalar>,
                    double /*factor*/, double /*bound*/) const {
    const double rate = rate_scale * options.learning_rate;
    return rate < altmin::harmless_move<Scalar>() && rate * options.weight_decay <= 2;
  }

  // Moves the parameter, whose gradient is factor * gradient. `worker` runs loops in parallel: they are divided by the
  // shape alone, so the result is the same bits for any number of threads.
  void update(const altmin::Worker<Scalar>& worker, const Lion& options, altmin::Parameter<Scalar>& parameter,
              double rate_scale, altmin::ConstView<Scalar> gradient, double factor) {
    altmin::View<Scalar> values = parameter.values();
    if (mean_.size() == 0) mean_.setZero(values.rows(), values.cols());
    const auto rate = static_cast<Scalar>(rate_scale * options.learning_rate);
    const auto sign_beta = static_cast<Scalar>(options.beta1);
    const auto mean_beta = static_cast<Scalar>(options.beta2);
    const auto scale = static_cast<Scalar>(factor);
    const auto kept =
        static_cast<Scalar>(parameter.is_weight() ? 1 - rate_scale * options.learning_rate * options.weight_decay : 1);
    worker.parallel_ranges(values.cols(), values.rows(), [&](altmin::Index first, altmin::Index count) {
      auto w = values.middleCols(first, count).array();
      auto m = mean_.middleCols(first, count).array();
      const auto g = scale * gradient.middleCols(first, count).array();
      w = kept * w - rate * (sign_beta * m + (1 - sign_beta) * g).sign();
      m = mean_beta * m + (1 - mean_beta) * g;
    });
  }

  altmin::Index bytes() const { return mean_.size() * static_cast<altmin::Index>(sizeof(Scalar)); }

  // The state, listed once: networks compare by it, and checkpoints store it.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("mean", self.mean_...);
  }

 private:
  altmin::Matrix<Scalar> mean_;  // of the gradient; empty before the first step
};
