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

/// When the metrics of the Validation before it in the call of fit() have not improved for some validations, of which
/// there is one an epoch unless it has others. However training ends, unless by an exception, the network then has the
/// layers of the best one, to the bit; the algorithm's state and the random numbers are those of the last step.
///
///     fit(net, data.train, options, Validation{valid}, EarlyStopping{5}, ProgressBar{std::cerr});
///
/// A callback that saves the network as it was trained stands before it. A run that starts at step 0 forgets what an
/// earlier one has left; one that resumes continues from the state below, where it is still there or has been set
/// again. Without it, only the validations after resuming count.
struct EarlyStopping {
  enum class Metric { loss, accuracy };

  int patience = 5;                ///< validations in a row without improvement that end training; 1 or more
  Metric metric = Metric::loss;    ///< accuracy requires labels
  double minimum_improvement = 0;  ///< what improves by this or less does not count; 0 or more

  /// The state: of the best validation its metric (not a number: there is none), the layers as a LayerStack<Scalar>,
  /// the epoch that it ended (0: none) and its step; and how many validations there have been since, and the last one's
  /// step.
  double best = std::numeric_limits<double>::quiet_NaN();
  std::any best_layers{};
  int best_epoch = 0;
  Index best_step = 0;
  int waited = 0;
  Index judged_step = 0;

  /// Throws OptionError where an option is out of range, and where no callback before it gives the metric.
  template <class Training>
  void begin(const Training& t) {
    detail::require_option(patience >= 1, "EarlyStopping: patience", "must be 1 or more", patience);
    detail::require_option(minimum_improvement >= 0, "EarlyStopping: minimum_improvement", "must be 0 or more",
                           minimum_improvement);
    if (!t.may_be_validated) throw OptionError(no_validation());
    if (metric == Metric::accuracy && t.validated_by_targets) throw OptionError(no_accuracy());
    if (t.step == 0) *this = {patience, metric, minimum_improvement};
  }

  template <class Scalar>
  Stop after_step(const Training<Scalar>& t) {
    return t.validation ? judge(t, 0) : Stop{};
  }

  /// Throws OptionError where there is no such metric, as a callback of another kind before it has set none.
  template <class Scalar>
  Stop after_epoch(const Training<Scalar>& t) {
    if (judged_step == t.step && t.step > 0) return {};  // by the last step of the epoch
    return judge(t, t.epoch);
  }

  template <class Scalar>
  void end(Training<Scalar>& t, const FitReport&) const {
    const auto* layers = std::any_cast<LayerStack<Scalar>>(&best_layers);
    if (layers != nullptr) t.net.layers().set_values(*layers);
  }

 private:
  template <class Scalar>
  Stop judge(const Training<Scalar>& t, int epoch) {
    const double value = watched(t);
    judged_step = t.step;
    if (improves(value)) {
      best = value;
      best_layers = LayerStack<Scalar>{t.net.layers()};
      best_epoch = epoch;
      best_step = t.step;
      waited = 0;
      return {};
    }
    if (++waited < patience) return {};
    const std::string name = metric == Metric::loss ? "loss" : "accuracy";
    const std::string place = best_epoch > 0 ? "epoch " + detail::text(best_epoch) : "step " + detail::text(best_step);
    const std::string held =
        std::isnan(best) ? "a number" : "better than " + detail::number(best, 5) + ", that of " + place;
    return {"for " + detail::text(waited) + (epoch > 0 ? " epochs" : " validations") + " no validation " + name +
            " was " + held};
  }

  static const char* no_validation() {
    return "EarlyStopping: expected a Validation before it in the call of fit(), got none";
  }
  static const char* no_accuracy() {
    return "EarlyStopping: metric accuracy expects a Validation with labels, got one with real targets";
  }

  bool improves(double value) const {
    if (std::isnan(value)) return false;  // a comparison would raise a floating-point exception
    if (std::isnan(best)) return true;
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
