#pragma once

#include <cmath>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// Callbacks of fit() that set the network's rate_scale or mu_scale during training, and leave it at 1 when it
/// ends (by an exception: as it was before fit()). They depend on the progress alone, so a resumed run continues as it
/// was; a callback that sets the progress stands before them.

/// From 1 to 0 along half a cosine over all epochs, or over so many steps (Loshchilov and Hutter 2017); before that, in
/// the first `warm_up` epochs, from 0 to 1 in equal steps (Goyal et al. 2017). Afterwards 0.
struct CosineDecay {
  double warm_up = 0;  ///< epochs; 0 or more
  double steps = 0;    ///< in all; 0: as many as the epochs have, which the source must tell then

  template <class Training>
  void begin(const Training& t) const {
    detail::require_option(warm_up >= 0, "CosineDecay: warm_up", "must be 0 or more", warm_up);
    detail::require_option(steps >= 0, "CosineDecay: steps", "must be 0 or more", steps);
    if (steps == 0 && t.options.epochs > 0 && t.steps_per_epoch == 0) {
      throw OptionError("CosineDecay: expected a source that tells its batches in an epoch, or `steps`, got " +
                        t.source.info().name + " and none");
    }
    after_step(t);
  }
  template <class Training>
  void after_step(const Training& t) const {
    const double all =
        steps > 0 ? steps : static_cast<double>(t.options.epochs) * static_cast<double>(t.steps_per_epoch);
    const double done = steps > 0 ? static_cast<double>(t.step)
                                  : static_cast<double>(t.epoch) * static_cast<double>(t.steps_per_epoch) +
                                        static_cast<double>(t.batch);
    const double rise = t.options.epochs > 0 ? warm_up * (all / t.options.epochs) : 0;
    if (done < rise) {
      t.net.set_rate_scale(std::fmin(1, (done + 1) / rise));
      return;
    }
    const double share = (done - rise) / (all - rise);
    t.net.set_rate_scale(done < all ? 0.5 * (1 + std::cos(3.14159265358979323846 * share)) : 0);
  }
  template <class Training, class Report>
  void end(const Training& t, const Report&) const {
    t.net.set_rate_scale(1);
  }
};

/// Halves the rates every so many epochs; the published code does so every 8.
struct HalveEvery {
  int epochs = 8;  ///< 1 or more

  template <class Training>
  void begin(const Training& t) const {
    detail::require_option(epochs >= 1, "HalveEvery: epochs", "must be 1 or more", epochs);
    after_epoch(t);
  }
  template <class Training>
  void after_epoch(const Training& t) const {
    t.net.set_rate_scale(std::pow(0.5, t.epoch / epochs));
  }
  template <class Training, class Report>
  void end(const Training& t, const Report&) const {
    t.net.set_rate_scale(1);
  }
};

/// Multiplies the penalty weight mu by a factor each epoch, up to a limit. Source of both: the authors' earlier code,
/// from mu = 0.01 to 1.5. (What their published code adds at each step is AmAdam::mu_increment.)
struct GrowMu {
  double factor = 1.1;  ///< 1 or more
  double limit = 150;   ///< of the scale, as a multiple of the algorithm's mu; 1 or more

  template <class Training>
  void begin(const Training& t) const {
    detail::require_option(factor >= 1, "GrowMu: factor", "must be 1 or more", factor);
    detail::require_option(limit >= 1, "GrowMu: limit", "must be 1 or more", limit);
    after_epoch(t);
  }
  template <class Training>
  void after_epoch(const Training& t) const {
    t.net.set_mu_scale(std::fmin(std::pow(factor, t.epoch), limit));
  }
  template <class Training, class Report>
  void end(const Training& t, const Report&) const {
    t.net.set_mu_scale(1);
  }
};

}  // namespace altmin
