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
/// earlier one has left; one that resumes continues from the state below, where it is still there or has been set
/// again. Without it, only the epochs after resuming count.
struct EarlyStopping {
  enum class Metric { loss, accuracy };

  int patience = 5;                ///< epochs in a row without improvement that end training; 1 or more
  Metric metric = Metric::loss;    ///< accuracy requires labels
  double minimum_improvement = 0;  ///< what improves by this or less does not count; 0 or more

  /// The state: of the best epoch its number (0: there is none), its metric, and its layers as a LayerStack<Scalar>;
  /// and how many epochs have passed since.
  int best_epoch = 0;
  double best = std::numeric_limits<double>::quiet_NaN();
  std::any best_layers{};
  int waited = 0;

  /// Throws OptionError where an option is out of range, and where no callback before it gives the metric.
  template <class Training>
  void begin(const Training& t) {
    detail::require_option(patience >= 1, "EarlyStopping: patience", "must be 1 or more", patience);
    detail::require_option(minimum_improvement >= 0, "EarlyStopping: minimum_improvement", "must be 0 or more",
                           minimum_improvement);
    if (!t.may_be_validated) throw OptionError(no_validation());
    if (metric == Metric::accuracy && t.validated_by_targets) throw OptionError(no_accuracy());
    if (t.epoch == 0) *this = {patience, metric, minimum_improvement};
  }

  /// Throws OptionError where there is no such metric, as a callback of another kind before it has set none.
  template <class Scalar>
  Stop after_epoch(const Training<Scalar>& t) {
    const double value = watched(t);
    if (improves(value)) {
      best_epoch = t.epoch;
      best = value;
      best_layers = LayerStack<Scalar>{t.net.layers()};
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

  template <class Scalar>
  void end(Training<Scalar>& t, const FitReport&) const {
    const auto* layers = std::any_cast<LayerStack<Scalar>>(&best_layers);
    if (layers != nullptr) t.net.layers().set_values(*layers);
  }

 private:
  static const char* no_validation() {
    return "EarlyStopping: expected a Validation before it in the call of fit(), got none";
  }
  static const char* no_accuracy() {
    return "EarlyStopping: metric accuracy expects a Validation with labels, got one with real targets";
  }

  bool improves(double value) const {
    if (std::isnan(value)) return false;  // a comparison would raise a floating-point exception
    if (best_epoch == 0) return true;
    return (metric == Metric::loss ? best - value : value - best) > minimum_improvement;
  }

  template <class Training>
  double watched(const Training& t) const {
    if (!t.validation) throw OptionError(no_validation());
    if (metric == Metric::accuracy && t.validation->classes == 0 && t.validation->confusion.size() == 0) {
      throw OptionError(no_accuracy());
    }
    return metric == Metric::loss ? t.validation->loss : t.validation->accuracy;
  }
};

}  // namespace altmin
