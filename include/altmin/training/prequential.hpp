#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/training/fit.hpp"
#include "altmin/training/metrics.hpp"

namespace altmin {

/// The mean of what came last: of the last `window` values, or of all, each one weighing `decay` times the one after it
/// (Gama, Sebastiao and Rodrigues 2013).
class RecentMean {
 public:
  /// `window` is 1 or more, or 0 for none; `decay` above 0, to 1. Throws OptionError.
  explicit RecentMean(Index window = 0, double decay = 1) : decay_{decay} {
    detail::require_option(window >= 0, "RecentMean: window", "must be 0 (none) or more", double(window));
    detail::require_option(decay > 0 && decay <= 1, "RecentMean: decay", "must be above 0, to 1", decay);
    last_.resize(static_cast<std::size_t>(window));
  }

  void add(double value) {
    if (last_.empty()) {
      sum_ = decay_ * sum_ + value;
      count_ = decay_ * count_ + 1;
      return;
    }
    last_[next_] = value;
    next_ = (next_ + 1) % last_.size();
    if (count_ < static_cast<double>(last_.size())) count_ += 1;
  }

  /// Not a number before the first value.
  double mean() const {
    if (count_ == 0) return Metrics::undefined;
    if (last_.empty()) return sum_ / count_;
    double sum = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) sum += last_[i];
    return sum / count_;
  }

 private:
  double decay_;
  std::vector<double> last_;  // a ring
  std::size_t next_ = 0;
  double sum_ = 0;
  double count_ = 0;
};

/// How Prequential forgets, and when it tells.
struct PrequentialOptions {
  Index window = 1000;    ///< samples that count; 0: all, by `decay`
  double decay = 1;       ///< without a window, what a sample weighs beside the next one; above 0, to 1
  Index every_steps = 0;  ///< sets t.validation after so many steps, and after each epoch; 0: after epochs alone
};

/// A callback of fit(): evaluates the network on each batch before it is trained on, so that every sample of a stream
/// is for testing first (test, then train; Dawid 1984). The callbacks after it find the recent means in their argument,
/// as t.validation: loss and, for labels, accuracy, for real targets the mean squared and absolute error over the
/// outputs. It starts anew with each fit().
///
///     fit(net, stream, options, Prequential<float>{}, history, ProgressBar{std::cerr});
template <class Scalar>
class Prequential {
 public:
  /// Throws OptionError for an option out of its range.
  explicit Prequential(const PrequentialOptions& options = {}) : options_{options} {
    detail::require_option(options.every_steps >= 0, "Prequential: every_steps", "must be 0 or more",
                           double(options.every_steps));
    start();
  }

  void begin(Training<Scalar>&) { start(); }

  void before_step(Training<Scalar>& training) {
    const Batch<Scalar>& batch = *training.current;
    const auto& loss = training.net.loss();
    const Target<Scalar> target = detail::target_of(batch);
    detail::require_samples<Scalar>(batch.x, training.net.layers().input().size());
    loss->check(training.net.layers().output().size(), target);
    const Matrix<Scalar> prediction = training.net.predict(batch.x);
    Matrix<Scalar> unused(prediction.rows(), 1);
    for (Index t = 0; t < batch.size(); ++t) {
      const ConstView<Scalar> output = ConstView<Scalar>{prediction}.slice(t, 1);
      loss_.add(loss->evaluate(output, target.slice(t, 1), unused));
      if (target.has_labels()) {
        accuracy_.add(target.label(t) == likely_class(output.col(0)) ? 1 : 0);
        continue;
      }
      const auto error = (output.col(0) - target.values().col(t)).template cast<double>();
      squares_.add(error.squaredNorm() / static_cast<double>(error.size()));
      absolutes_.add(error.template lpNorm<1>() / static_cast<double>(error.size()));
    }
    metrics_.samples += batch.size();
    if (target.has_labels()) metrics_.classes = std::max<Index>(prediction.rows(), 2);
  }
  void after_step(Training<Scalar>& training) const {
    if (options_.every_steps > 0 && training.step % options_.every_steps == 0) after_epoch(training);
  }
  void after_epoch(Training<Scalar>& training) const { training.validation = metrics(); }

  /// As of the last batch; `samples` counts all.
  Metrics metrics() const {
    Metrics result = metrics_;
    result.loss = loss_.mean();
    result.accuracy = accuracy_.mean();
    result.mean_squared_error = squares_.mean();
    result.mean_absolute_error = absolutes_.mean();
    return result;
  }

 private:
  void start() {
    metrics_ = {};
    loss_ = accuracy_ = squares_ = absolutes_ = RecentMean{options_.window, options_.decay};
  }

  PrequentialOptions options_;
  Metrics metrics_;
  RecentMean loss_;
  RecentMean accuracy_;
  RecentMean squares_;
  RecentMean absolutes_;
};

}  // namespace altmin
