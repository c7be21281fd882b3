#pragma once

#include <algorithm>
#include <any>
#include <cmath>
#include <limits>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/training/fit.hpp"
#include "altmin/training/text.hpp"

namespace altmin {

/// Callbacks of fit() that end training.

/// After so many seconds of training, steps alone counted, by this fit(): a resumed run has as many again. The step
/// that passes the limit is the last one.
struct TimeLimit {
  double seconds;  ///< above 0

  template <class Training>
  void begin(const Training&) const {
    detail::require_option(seconds > 0, "TimeLimit: seconds", "must be above 0", seconds);
  }
  template <class Training>
  Stop after_step(const Training& t) const {
    if (t.seconds < seconds) return {};
    return {"the time limit of " + detail::number(seconds, 6) + " s is reached"};
  }
};

/// When the metrics of the Validation before it in the call of fit() have not improved for some epochs. However
/// training ends, unless by an exception, the network then has the layers of the best epoch, to the bit; the
/// algorithm's state and the random numbers are those of the last step.
///
///     fit(net, data.train, options, Validation{valid}, EarlyStopping{5}, ProgressBar{std::cerr});
///
/// A callback that saves the network as it was trained stands before it. A run that starts at epoch 0 forgets what an
/// earlier one has left; one that resumes goes on from the state below, where it is still there or has been set again.
/// Without it, the epochs after resuming are all that it knows.
struct EarlyStopping {
  enum class Metric { loss, accuracy };

  int patience = 5;                ///< epochs in a row without improvement that end training; 1 or more
  Metric metric = Metric::loss;    ///< accuracy asks for labels
  double minimum_improvement = 0;  ///< what improves by this or less does not count; 0 or more

  /// The state: of the best epoch its number (0: there is none), its metric, and its layers as a Net::Stack; and how
  /// many epochs have passed since.
  int best_epoch = 0;
  double best = std::numeric_limits<double>::quiet_NaN();
  std::any best_layers{};
  int waited = 0;

  template <class Training>
  void begin(const Training& t) {
    detail::require_option(patience >= 1, "EarlyStopping: patience", "must be 1 or more", patience);
    detail::require_option(minimum_improvement >= 0, "EarlyStopping: minimum_improvement", "must be 0 or more",
                           minimum_improvement);
    if (t.epoch == 0) *this = {patience, metric, minimum_improvement};
  }

  /// Throws OptionError where there is no such metric.
  template <class Net>
  Stop after_epoch(const Training<Net>& t) {
    const double value = watched(t);
    const double gain = metric == Metric::loss ? best - value : value - best;
    if (gain > minimum_improvement || (best_epoch == 0 && !std::isnan(value))) {
      best_epoch = t.epoch;
      best = value;
      best_layers = typename Net::Stack{t.net.layers()};
      waited = 0;
    } else if (++waited >= patience) {
      const std::string name = metric == Metric::loss ? "loss" : "accuracy";
      const std::string held =
          best_epoch == 0 ? "a number"
                          : "better than " + detail::number(best, 5) + ", that of epoch " + detail::text(best_epoch);
      return {"for " + detail::text(waited) + " epochs no validation " + name + " was " + held};
    }
    return {};
  }

  template <class Net>
  void end(Training<Net>& t, const FitReport&) const {
    const auto* layers = std::any_cast<typename Net::Stack>(&best_layers);
    if (layers != nullptr) std::copy(layers->begin(), layers->end(), t.net.layers().begin());
  }

 private:
  template <class Training>
  double watched(const Training& t) const {
    if (!t.validation) {
      throw OptionError("EarlyStopping: expected a Validation before it in the call of fit(), got none");
    }
    if (metric == Metric::accuracy && t.validation->confusion.size() == 0) {
      throw OptionError("EarlyStopping: metric accuracy expects a Validation with labels, got one with real targets");
    }
    return metric == Metric::loss ? t.validation->loss : t.validation->accuracy;
  }
};

}  // namespace altmin
