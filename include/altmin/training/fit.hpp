#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <type_traits>

#include "altmin/core/error.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/augmentation.hpp"
#include "altmin/data/batches.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/network/step.hpp"
#include "altmin/training/metrics.hpp"

namespace altmin {

/// How fit() goes through the data.
struct FitOptions {
  int epochs = 10;                         ///< passes over the data in all; 0 or more
  Index batch_size = 200;                  ///< samples a step; 1 or more, 2 or more with batch normalization
  Seed seed{};                             ///< of the order of the samples
  bool shuffle = true;                     ///< a new order each epoch; false: always the data set's own
  LastBatch last_batch = LastBatch::keep;  ///< whether an epoch's last batch may be smaller
  Index tolerated_failures = 0;            ///< steps that may fail (see Status) before training ends; 0 or more
  Augmentation augmentation{};             ///< of the images in each batch

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("epochs", self.epochs...);
    visit("batch_size", self.batch_size...);
    visit("seed", self.seed...);
    visit("shuffle", self.shuffle...);
    visit("last_batch", self.last_batch...);
    visit("tolerated_failures", self.tolerated_failures...);
    visit("augmentation", self.augmentation...);
  }
};

/// How far training has come: with the network, all that it needs to go on from there.
struct Progress {
  int epoch = 0;            ///< epochs completed
  Index batch = 0;          ///< batches of the present epoch that have been used
  Index step = 0;           ///< steps taken
  Index failed_steps = 0;   ///< of these, the ones that moved no weight
  Index samples = 0;        ///< trained on in this epoch or, between two epochs, in the last one
  double loss_sum = 0;      ///< of these samples
  std::uint64_t order = 0;  ///< the random state that the order of this epoch, or of the next one, is drawn from

  /// Mean training loss of these samples, each as it was at its step; not a number before the first.
  double loss() const { return loss_sum / static_cast<double>(samples); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("epoch", self.epoch...);
    visit("batch", self.batch...);
    visit("step", self.step...);
    visit("failed_steps", self.failed_steps...);
    visit("samples", self.samples...);
    visit("loss_sum", self.loss_sum...);
    visit("order", self.order...);
  }
};

/// What callbacks see of a training run, and may change: network and progress. Valid during fit().
template <class Net>
struct Training : Progress {
  Net& net;
  const Dataset<typename Net::Scalar>& data;
  const FitOptions& options;
  Index steps_per_epoch;
  std::uint64_t fingerprint = 0;        ///< of the data, set by Checkpoint and Resume; 0: unknown
  double seconds = 0;                   ///< of training by this fit(), callbacks left out
  StepReport last{};                    ///< of the last step
  std::optional<Metrics> validation{};  ///< of this epoch, once a Validation has been called
};

/// What a hook may return: an empty reason to go on, or why training should end.
struct Stop {
  std::string reason;
};

/// Why training ended.
enum class FitEnd {
  completed,    ///< all epochs are done
  callback,     ///< a callback asked for it
  failed_step,  ///< a step moved no weight, and no more failures are tolerated
};

/// What fit() returns. Streaming it gives one line.
struct FitReport {
  FitEnd end = FitEnd::completed;
  std::string reason;      ///< the same as a sentence
  int epochs = 0;          ///< completed
  Index steps = 0;         ///< taken, failed ones included
  Index failed_steps = 0;  ///< that moved no weight
  /// Mean training loss of the last epoch, as far as it came; each sample's as it was at its step. Not a number if no
  /// step succeeded.
  double loss = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0;  ///< spent on training, callbacks (so also evaluation) left out

  explicit operator bool() const { return end != FitEnd::failed_step; }
};

namespace detail {

struct Begin {
  template <class Callback, class T>
  auto operator()(Callback& callback, T& training) const -> decltype(callback.begin(training)) {
    return callback.begin(training);
  }
};

struct AfterStep {
  template <class Callback, class T>
  auto operator()(Callback& callback, T& training) const -> decltype(callback.after_step(training)) {
    return callback.after_step(training);
  }
};

struct AfterEpoch {
  template <class Callback, class T>
  auto operator()(Callback& callback, T& training) const -> decltype(callback.after_epoch(training)) {
    return callback.after_epoch(training);
  }
  template <class Callback, class T>
  auto operator()(Callback& callback, T& training) const -> decltype(callback(training)) {
    return callback(training);
  }
};

struct End {
  const FitReport& report;

  template <class Callback, class T>
  auto operator()(Callback& callback, T& training) const -> decltype(callback.end(training, report)) {
    return callback.end(training, report);
  }
};

/// What is to be called: the callback itself, or what an optional one holds, null for nothing.
template <class Callback>
Callback* callee(Callback& callback) {
  return &callback;
}
template <class Callback>
Callback* callee(std::optional<Callback>& callback) {
  return callback ? &*callback : nullptr;
}
template <class Callback>
const Callback* callee(const std::optional<Callback>& callback) {
  return callback ? &*callback : nullptr;
}

template <class Callback, class T>
constexpr bool is_callback =
    std::is_invocable_v<Begin, Callback&, T&> || std::is_invocable_v<AfterStep, Callback&, T&> ||
    std::is_invocable_v<AfterEpoch, Callback&, T&> || std::is_invocable_v<End, Callback&, T&>;

/// Calls a hook where there is a callback that has it; returns its reason to stop, empty for none.
template <class Hook, class Callback, class T>
std::string call(const Hook& hook, Callback* callback, T& training, int number) {
  if constexpr (std::is_invocable_v<Hook, Callback&, T&>) {
    if (callback == nullptr) return {};
    using Answer = std::decay_t<std::invoke_result_t<Hook, Callback&, T&>>;
    static_assert(std::is_void_v<Answer> || std::is_same_v<Answer, bool> || std::is_same_v<Answer, Stop>,
                  "altmin: a callback's hook returns nothing, bool (true: stop) or altmin::Stop");
    if constexpr (std::is_void_v<Answer>) {
      hook(*callback, training);
    } else if constexpr (std::is_same_v<Answer, Stop>) {
      return hook(*callback, training).reason;
    } else if (hook(*callback, training)) {
      return "callback " + text(number) + " asked to stop";
    }
  }
  return {};
}

/// What can be known before the first step.
template <class Net>
void check_fit(const Net& net, const Dataset<typename Net::Scalar>& data, const FitOptions& options) {
  require_option(options.epochs >= 0, "FitOptions: epochs", "must be 0 or more", options.epochs);
  require_option(options.batch_size >= 1, "FitOptions: batch_size", "must be 1 or more", double(options.batch_size));
  require_option(options.tolerated_failures >= 0, "FitOptions: tolerated_failures", "must be 0 or more",
                 double(options.tolerated_failures));
  if (data.size() == 0) throw DataError("fit: expected at least 1 sample, got an empty data set");
  const bool single =
      options.batch_size == 1 || (options.last_batch == LastBatch::keep && data.size() % options.batch_size == 1);
  for (Index i = 0; single && i < net.layers().size(); ++i) {
    if (!net.layers()[i].couples_samples()) continue;
    throw OptionError("FitOptions: batch_size " + text(options.batch_size) + " leaves a batch of 1 sample of " +
                      text(data.size()) + ", and layer " + text(i) + " (" + net.layers()[i].name() +
                      ") needs at least 2: choose another size, or LastBatch::drop");
  }
}

/// Runs the epochs; `proceed(hook)` calls the callbacks, and says whether none of them wants to stop.
template <class T, class Proceed>
void run_epochs(T& training, FitReport& report, Proceed&& proceed) {
  using Clock = std::chrono::steady_clock;
  const FitOptions& options = training.options;
  Batches batches{training.data, options.batch_size, options.seed, options.last_batch, options.augmentation};
  training.steps_per_epoch = batches.count();
  training.order = batches.state();
  if (!proceed(Begin{})) return;
  batches.set_state(training.order);
  while (training.epoch < options.epochs) {
    training.validation.reset();
    if (training.batch == 0) {
      training.samples = 0;
      training.loss_sum = 0;
    }
    if (options.shuffle) {
      batches.shuffle();
    } else {
      batches.rewind();
    }
    while (training.batch < batches.count()) {
      const auto start = Clock::now();
      const auto batch = batches.load(training.batch);
      training.last =
          training.data.has_labels() ? training.net.step(batch.x, batch.y) : training.net.step(batch.x, batch.targets);
      training.seconds += std::chrono::duration<double>(Clock::now() - start).count();
      ++training.batch;
      ++training.step;
      if (training.last) {
        training.samples += batch.size();
        training.loss_sum += training.last.loss * static_cast<double>(batch.size());
      } else if (++training.failed_steps > options.tolerated_failures) {
        report.end = FitEnd::failed_step;
        report.reason = "step " + text(training.step) + ": " + to_string(training.last.status);
      }
      if (!proceed(AfterStep{})) return;
    }
    ++training.epoch;
    training.batch = 0;
    training.order = batches.state();
    if (!proceed(AfterEpoch{})) return;
  }
}

}  // namespace detail

/// Trains a network on a data set, epoch by epoch. With the same options, data and network it ends with the same bits.
///
///     fit(net, data.train, options, Validation{data.test}, history, ProgressBar{std::cerr});
///
/// A callback is any object with some of these hooks, where t is a Training<Net>&:
///
///     begin(t)         before the first step; may set t's Progress to go on from where an earlier run stopped
///     after_step(t)    after every step: t.last is its report
///     after_epoch(t)   after every completed epoch: t.epoch counts it, t.loss() is its mean loss
///     end(t, report)   at the end, unless by an exception
///
/// or a function that is called as after_epoch is: [](const auto& t) { log(t.epoch, t.loss()); }. A std::optional of
/// one is called where it holds one. Hooks of one moment are called in the order of the arguments. All but `end` may
/// return true, or a Stop with a reason, to end training.
///
/// Throws before the first step where an option is out of range (OptionError) or the data set is empty (DataError),
/// else as Network::step does. A step that moves no weight ends training, as the report then says.
template <class Net, class... Callbacks>
FitReport fit(Net& net, const Dataset<typename Net::Scalar>& data, const FitOptions& options,
              Callbacks&&... callbacks) {
  static_assert(
      (detail::is_callback<std::remove_pointer_t<decltype(detail::callee(callbacks))>, Training<Net>> && ...),
      "altmin: a callback of fit() has at least one of begin(t), after_step(t), after_epoch(t), end(t, report), "
      "or can be called with t, where t is a Training<Net>& (and the hook is const where the callback is)");
  detail::check_fit(net, data, options);
  FitReport report;
  Training<Net> training{{}, net, data, options, 0};
  const auto proceed = [&](const auto& hook) {
    [[maybe_unused]] int number = 0;
    [[maybe_unused]] const auto call = [&](auto& callback) {
      const std::string reason = detail::call(hook, detail::callee(callback), training, ++number);
      if (reason.empty() || report.end != FitEnd::completed) return;
      report.end = FitEnd::callback;
      report.reason = reason;
    };
    (call(callbacks), ...);
    return report.end == FitEnd::completed;
  };
  detail::run_epochs(training, report, proceed);
  if (report.end == FitEnd::completed) report.reason = "all epochs are done";
  report.epochs = training.epoch;
  report.steps = training.step;
  report.failed_steps = training.failed_steps;
  report.loss = training.loss();
  report.seconds = training.seconds;
  (detail::call(detail::End{report}, detail::callee(callbacks), training, 0), ...);
  return report;
}

template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const FitReport& report) {
  out << detail::text(report.epochs) + " epochs, " + detail::text(report.steps) + " steps";
  if (report.failed_steps > 0) out << " (" + detail::text(report.failed_steps) + " failed)";
  return out << ", loss " + detail::number(report.loss, 5) + ", " + detail::fixed(report.seconds, 1) +
                    " s: " + report.reason;
}

}  // namespace altmin
