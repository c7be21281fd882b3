#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "altmin/core/error.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/batch_source.hpp"
#include "altmin/data/batches.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/network/network.hpp"
#include "altmin/training/metrics.hpp"
#include "altmin/training/ranks.hpp"

namespace altmin {

/// How long fit() trains, and, for a data set, on what batches; any other source has batches of its own.
struct FitOptions : BatchOptions {
  int epochs = 10;               ///< passes over the source in all; 0 or more, 1 at most if it is not repeatable
  Index tolerated_failures = 0;  ///< steps that may fail (see Status) before training ends; 0 or more

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("epochs", self.epochs...);
    BatchOptions::fields(visit, self...);
    visit("tolerated_failures", self.tolerated_failures...);
  }
};

/// How far training has come: with the network, all that it needs to continue from there.
struct Progress {
  int epoch = 0;           ///< epochs completed: passes over the source
  Index batch = 0;         ///< batches of the present epoch that have been used
  Index step = 0;          ///< steps taken
  Index failed_steps = 0;  ///< of these, the ones that moved no weight
  Index samples = 0;       ///< trained on in this epoch or, between two epochs, in the last one
  double loss_sum = 0;     ///< of these samples

  /// Mean training loss of these samples, each as it was at its step; not a number before the first.
  double loss() const {
    return samples > 0 ? loss_sum / static_cast<double>(samples) : std::numeric_limits<double>::quiet_NaN();
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("epoch", self.epoch...);
    visit("batch", self.batch...);
    visit("step", self.step...);
    visit("failed_steps", self.failed_steps...);
    visit("samples", self.samples...);
    visit("loss_sum", self.loss_sum...);
  }
};

/// What callbacks see of a training run, and may change: network and progress. Valid during fit().
template <class Scalar>
struct Training : Progress {
  Network<Scalar>& net;
  const BatchSource<Scalar>& source;
  const FitOptions& options;
  Index steps_per_epoch;                   ///< 0 where the source does not tell
  const Batch<Scalar>* current = nullptr;  ///< the batch of a step, during before_step() and after_step()
  double seconds = 0;                      ///< of training by this fit(), callbacks left out
  StepReport last{};                       ///< of the last step
  std::optional<Metrics> validation{};     ///< of this moment, once a Validation has been called
  /// During begin(): whether a callback before the present one may set `validation`, as one of its hooks takes a
  /// Training<Scalar>& that is not const.
  bool may_be_validated = false;
  bool validated_by_targets = false;  ///< whether the Validation has real targets, so that there is no accuracy
};

/// What a hook may return: an empty reason to continue, or why training should end.
struct Stop {
  std::string reason;
};

/// Why training ended.
enum class FitEnd {
  completed,    ///< all epochs are done
  callback,     ///< a callback ended training
  stopped,      ///< the source was stopped while it waited for data
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

// Whether a callback has a hook, and what it returns.
template <class Callback, class T>
using BeginAnswer = decltype(std::declval<Callback&>().begin(std::declval<T>()));
template <class Callback, class T>
using BeforeStepAnswer = decltype(std::declval<Callback&>().before_step(std::declval<T>()));
template <class Callback, class T>
using StepAnswer = decltype(std::declval<Callback&>().after_step(std::declval<T>()));
template <class Callback, class T>
using EpochAnswer = decltype(std::declval<Callback&>().after_epoch(std::declval<T>()));
template <class Callback, class T>
using CallAnswer = decltype(std::declval<Callback&>()(std::declval<T>()));
template <class Callback, class T>
using EndAnswer = decltype(std::declval<Callback&>().end(std::declval<T>(), std::declval<const FitReport&>()));

template <template <class, class> class Answer, class Callback, class T, class = void>
constexpr bool has_hook = false;
template <template <class, class> class Answer, class Callback, class T>
constexpr bool has_hook<Answer, Callback, T, std::void_t<Answer<Callback, T>>> = true;

/// Whether a hook may set `validation`: it cannot take a temporary object.
template <class Callback, class T>
constexpr bool may_validate = (has_hook<BeforeStepAnswer, Callback, T&> && !has_hook<BeforeStepAnswer, Callback, T>) ||
                              (has_hook<StepAnswer, Callback, T&> && !has_hook<StepAnswer, Callback, T>) ||
                              (has_hook<EpochAnswer, Callback, T&> && !has_hook<EpochAnswer, Callback, T>) ||
                              (has_hook<CallAnswer, Callback, T&> && !has_hook<CallAnswer, Callback, T>);

template <class Callback, class T>
constexpr bool is_callback = has_hook<BeginAnswer, Callback, T> || has_hook<BeforeStepAnswer, Callback, T> ||
                             has_hook<StepAnswer, Callback, T> || has_hook<EpochAnswer, Callback, T> ||
                             has_hook<CallAnswer, Callback, T> || has_hook<EndAnswer, Callback, T>;

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

/// One callback, whatever its type, borrowed: fit() is compiled once for all of them. Each hook returns why training
/// should end, empty to continue.
template <class Scalar>
class CallbackRef {
 public:
  CallbackRef() = default;
  template <class Callback>
  CallbackRef(Callback* callback, int number)  // null: nothing is called
      : object_{const_cast<void*>(static_cast<const void*>(callback))},
        number_{number},
        hooks_{callback == nullptr ? Hooks{} : hooks<Callback>()} {}

  std::string begin(Training<Scalar>& t) const {
    const std::string reason = call(hooks_.begin, t);
    if (hooks_.may_validate) t.may_be_validated = true;
    return reason;
  }
  std::string before_step(Training<Scalar>& t) const { return call(hooks_.before_step, t); }
  std::string after_step(Training<Scalar>& t) const { return call(hooks_.after_step, t); }
  std::string after_epoch(Training<Scalar>& t) const { return call(hooks_.after_epoch, t); }
  void end(Training<Scalar>& t, const FitReport& report) const {
    if (hooks_.end != nullptr) hooks_.end(object_, t, report);
  }

 private:
  using Hook = std::string (*)(void*, Training<Scalar>&, int);
  struct Hooks {
    Hook begin = nullptr;
    Hook before_step = nullptr;
    Hook after_step = nullptr;
    Hook after_epoch = nullptr;
    void (*end)(void*, Training<Scalar>&, const FitReport&) = nullptr;
    bool may_validate = false;
  };

  std::string call(Hook hook, Training<Scalar>& t) const { return hook == nullptr ? "" : hook(object_, t, number_); }

  /// The answer of a hook as a reason to stop.
  template <class Call>
  static std::string reason(Call&& call, int number) {
    using Answer = std::decay_t<decltype(call())>;
    static_assert(std::is_void_v<Answer> || std::is_same_v<Answer, bool> || std::is_same_v<Answer, Stop>,
                  "altmin: a callback's hook returns nothing, bool (true: stop) or altmin::Stop");
    if constexpr (std::is_void_v<Answer>) {
      call();
      return {};
    } else if constexpr (std::is_same_v<Answer, Stop>) {
      return call().reason;
    } else {
      return call() ? "callback " + text(number) + " asked to stop" : std::string{};
    }
  }

  template <class Callback>
  static Hooks hooks() {
    using T = Training<Scalar>;
    Hooks result;
    result.may_validate = may_validate<Callback, T>;
    if constexpr (has_hook<BeginAnswer, Callback, T&>) {
      result.begin = [](void* object, T& t, int number) {
        return reason([&] { return static_cast<Callback*>(object)->begin(t); }, number);
      };
    }
    if constexpr (has_hook<BeforeStepAnswer, Callback, T&>) {
      result.before_step = [](void* object, T& t, int number) {
        return reason([&] { return static_cast<Callback*>(object)->before_step(t); }, number);
      };
    }
    if constexpr (has_hook<StepAnswer, Callback, T&>) {
      result.after_step = [](void* object, T& t, int number) {
        return reason([&] { return static_cast<Callback*>(object)->after_step(t); }, number);
      };
    }
    if constexpr (has_hook<EpochAnswer, Callback, T&>) {
      result.after_epoch = [](void* object, T& t, int number) {
        return reason([&] { return static_cast<Callback*>(object)->after_epoch(t); }, number);
      };
    } else if constexpr (has_hook<CallAnswer, Callback, T&>) {
      result.after_epoch = [](void* object, T& t, int number) {
        return reason([&] { return (*static_cast<Callback*>(object))(t); }, number);
      };
    }
    if constexpr (has_hook<EndAnswer, Callback, T&>) {
      result.end = [](void* object, T& t, const FitReport& report) { static_cast<Callback*>(object)->end(t, report); };
    }
    return result;
  }

  void* object_ = nullptr;
  int number_ = 0;  // among the callbacks, from 1
  Hooks hooks_;
};

/// Throws OptionError or ShapeError or DataError for what can be known before the first step.
template <class Scalar>
void check_fit(const Network<Scalar>& net, const BatchSource<Scalar>& source, const FitOptions& options) {
  require_option(options.epochs >= 0, "FitOptions: epochs", "must be 0 or more", options.epochs);
  require_option(options.tolerated_failures >= 0, "FitOptions: tolerated_failures", "must be 0 or more",
                 double(options.tolerated_failures));
  const Dataset<Scalar>* data = source.dataset();
  if (data != nullptr && data->size() == 0) throw DataError("fit: expected at least 1 sample, got an empty data set");
  const SourceInfo info = source.info();
  if (options.epochs > 1 && !info.repeatable) {
    throw OptionError("FitOptions: epochs must be at most 1, as " + info.name + " can be read only once, got " +
                      text(options.epochs));
  }
  for (Index i = 0; info.smallest_batch == 1 && i < net.layers().size(); ++i) {
    if (!net.layers()[i].traits().couples_samples) continue;
    throw OptionError("fit: " + info.name + " has a batch of 1 sample, and layer " + text(i) + " (" +
                      net.layers()[i].name() + ") needs at least 2: choose another batch size, or LastBatch::drop");
  }
  if (data != nullptr && data->weights().size() > 0) net.algorithm().require_sample_weights();
  if (data != nullptr) return require_fits(net, *data);  // each step checks its batch, but names a sample by its place
  const Index features = net.layers().input().size();
  if (info.shape.size() > 0 && info.shape.size() != features) {
    throw ShapeError("fit: " + info.name + ": expected " + text(features) +
                     " features, as the network has inputs, got " + text(info.shape.size()));
  }
  if (info.classes == 0) return;
  const int largest = static_cast<int>(info.classes) - 1;
  try {
    net.loss()->check(net.layers().output().size(), Target<Scalar>{&largest, 1});
  } catch (const Error& error) {
    throw DataError("fit: " + info.name + " has " + text(info.classes) +
                    " classes, and the network another output: " + error.what());
  }
}

/// Throws OptionError for options that a source which makes its own batches would ignore.
inline void require_no_batch_options(const BatchOptions& options, const std::string& source) {
  if (equal(options, BatchOptions{})) return;
  throw OptionError("FitOptions: batch_size, seed, shuffle, last_batch and augmentation are those of a data set: " +
                    std::string("expected their defaults for ") + source + ", which has batches of its own");
}

/// Unless training ends without an exception, gives a network back the scales of its rates and of mu: a schedule that
/// changed them has no end.
template <class Scalar>
class ScaleGuard {
 public:
  explicit ScaleGuard(Network<Scalar>& net) : net_{net}, rate_{net.rate_scale()}, mu_{net.mu_scale()} {}
  ScaleGuard(const ScaleGuard&) = delete;
  ScaleGuard& operator=(const ScaleGuard&) = delete;
  ~ScaleGuard() {
    if (ended_) return;
    net_.set_rate_scale(rate_);
    net_.set_mu_scale(mu_);
  }

  void end() { ended_ = true; }

 private:
  Network<Scalar>& net_;
  double rate_;
  double mu_;
  bool ended_ = false;
};

/// A step on this rank's share of a batch.
template <class Scalar>
StepReport step_on(Network<Scalar>& net, const Batch<Scalar>& batch) {
  const auto share = share_of(batch, net.communicator());
  const Eigen::Map<const Vector<Scalar>> weights{share.weights.data(), share.weights.cols()};
  const auto step = [&](const auto& y) {
    return batch.weights.rows() > 0 ? net.step(share.x, y, weights) : net.step(share.x, y);
  };
  return batch.y.size() > 0 ? step(share.y) : step(share.targets);
}

/// Runs the epochs; `proceed(hook)` calls a hook of all callbacks, and says whether none of them ends training.
template <class Scalar>
void run_epochs(Training<Scalar>& training, BatchSource<Scalar>& source, FitReport& report,
                FunctionRef<bool(std::string (CallbackRef<Scalar>::*)(Training<Scalar>&) const)> proceed) {
  using Clock = std::chrono::steady_clock;
  using Callback = CallbackRef<Scalar>;
  const FitOptions& options = training.options;
  Communicator* const communicator = training.net.communicator();
  const auto add_seconds_since = [&](Clock::time_point start) {
    training.seconds += std::chrono::duration<double>(Clock::now() - start).count();
  };
  if (!proceed(&Callback::begin)) return;
  begin_as_rank_0(training.net, static_cast<Progress&>(training));
  if (training.epoch < options.epochs) source.seek(training.epoch, training.batch);
  while (training.epoch < options.epochs) {
    if (training.batch == 0) {
      training.samples = 0;
      training.loss_sum = 0;
    }
    for (;;) {
      training.validation.reset();
      auto start = Clock::now();
      training.current = next_on_ranks(source, training.steps_per_epoch, communicator, report.reason);
      add_seconds_since(start);
      if (training.current == nullptr) break;
      if (!proceed(&Callback::before_step)) return;
      start = Clock::now();
      training.last = step_on(training.net, *training.current);
      add_seconds_since(start);
      ++training.batch;
      ++training.step;
      if (training.last) {
        training.samples += training.current->size();
        training.loss_sum += training.last.loss * static_cast<double>(training.current->size());
      } else if (++training.failed_steps > options.tolerated_failures) {
        report.end = FitEnd::failed_step;
        report.reason = "step " + text(training.step) + ": " + to_string(training.last.status);
      }
      if (!proceed(&Callback::after_step)) return;
    }
    if (!report.reason.empty()) {
      report.end = FitEnd::stopped;
      return;
    }
    if (training.batch == 0) {
      throw DataError("fit: " + source.info().name + ": expected at least one batch, got none in pass " +
                      text(training.epoch));
    }
    ++training.epoch;
    training.batch = 0;
    if (!proceed(&Callback::after_epoch)) return;
  }
}

/// fit() with its callbacks in a list.
template <class Scalar>
FitReport run_fit(Network<Scalar>& net, BatchSource<Scalar>& source, const FitOptions& options,
                  Span<const CallbackRef<Scalar>> callbacks) {
  check_on_ranks(net.communicator(), options, source, [&] { check_fit(net, source, options); });
  ScaleGuard<Scalar> scales{net};
  FitReport report;
  Training<Scalar> training{{}, net, source, options, source.info().batches};
  run_epochs<Scalar>(training, source, report, [&](auto hook) {
    std::string first;
    for (const auto& callback : callbacks) {
      const std::string reason = (callback.*hook)(training);
      if (first.empty()) first = reason;
    }
    first = reason_of_ranks(net.communicator(), first);
    if (!first.empty() && report.end == FitEnd::completed) {
      report.end = FitEnd::callback;
      report.reason = first;
    }
    return report.end == FitEnd::completed;
  });
  training.current = nullptr;
  if (report.end == FitEnd::completed) report.reason = "all epochs are done";
  report.epochs = training.epoch;
  report.steps = training.step;
  report.failed_steps = training.failed_steps;
  report.loss = training.loss();
  report.seconds = training.seconds;
  for (const auto& callback : callbacks) callback.end(training, report);
  scales.end();
  return report;
}

/// fit() with its callbacks one by one.
template <class Scalar, class... Callbacks>
FitReport fit_with(Network<Scalar>& net, BatchSource<Scalar>& source, const FitOptions& options,
                   Callbacks&&... callbacks) {
  static_assert(
      (is_callback<std::remove_pointer_t<decltype(callee(callbacks))>, Training<Scalar>&> && ...),
      "altmin: a callback of fit() has at least one of begin(t), before_step(t), after_step(t), after_epoch(t), "
      "end(t, report), or can be called with t, where t is a Training<Scalar>& (and the hook is const where the "
      "callback is)");
  [[maybe_unused]] int number = 0;
  const CallbackRef<Scalar> all[] = {{callee(callbacks), ++number}..., {}};
  return run_fit<Scalar>(net, source, options, {all, static_cast<Index>(sizeof...(callbacks))});
}

}  // namespace detail

/// Trains a network on a data set, epoch by epoch, in the batches that the options tell. With the same options, data
/// and network it ends with the same bits.
///
///     fit(net, data.train, options, Validation{data.test}, history, ProgressBar{std::cerr});
///
/// A callback is any object with some of these hooks, where t is a Training<Scalar>&:
///
///     begin(t)         before the first step; may set t's Progress to continue where an earlier run stopped
///     before_step(t)   before every step: t.current is its batch
///     after_step(t)    after every step: t.last is its report
///     after_epoch(t)   after every completed epoch: t.epoch counts it, t.loss() is its mean loss
///     end(t, report)   at the end, unless by an exception
///
/// or a function that is called as after_epoch is: [](const auto& t) { log(t.epoch, t.loss()); }. A std::optional of
/// one is called where it holds one. Hooks of one moment are called in the order of the arguments. All but `end` may
/// return true, or a Stop with a reason, to end training.
///
/// Throws before the first step, and then changes nothing, where an option is out of range (OptionError), where the
/// data set is empty, and where a sample or target does not fit the network (ShapeError or DataError, as Network::step
/// does, by its number in the data set). A step that moves no weight ends training, as the report then says. Where a
/// callback throws, rate_scale and mu_scale are again what they were before the call.
///
/// On several ranks (Network::set_communicator) all call it with the same data set and options. Each trains on its
/// share of every batch. All begin where rank 0 does, so that Resume needs its file there alone, and end where a
/// callback of one of them says so; which callbacks stand on which rank is free, as long as they change the networks
/// alike.
template <class Scalar, class... Callbacks>
FitReport fit(Network<Scalar>& net, const Dataset<Scalar>& data, const FitOptions& options, Callbacks&&... callbacks) {
  std::optional<Batches<Scalar>> batches;
  detail::agree_on_ranks(net.communicator(), [&] { batches.emplace(data, options); });
  return detail::fit_with<Scalar>(net, *batches, options, callbacks...);
}

/// The same on the batches of any source: a Stream, or a generator of one's own (see BatchSource). An epoch is a pass
/// over it; a callback ends training on a source without end. Throws OptionError for more than one epoch of a source
/// that is not repeatable, and for batch options, which are for data sets.
///
/// A source that is stopped while it waits for data ends training: FitEnd::stopped. On several ranks all have a source
/// of the same batches.
template <class Scalar, class... Callbacks>
FitReport fit(Network<Scalar>& net, BatchSource<Scalar>& source, const FitOptions& options, Callbacks&&... callbacks) {
  detail::agree_on_ranks(net.communicator(), [&] { detail::require_no_batch_options(options, source.info().name); });
  return detail::fit_with<Scalar>(net, source, options, callbacks...);
}

template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const FitReport& report) {
  out << detail::text(report.epochs) + " epochs, " + detail::text(report.steps) + " steps";
  if (report.failed_steps > 0) out << " (" + detail::text(report.failed_steps) + " failed)";
  return out << ", loss " + detail::figure(report.loss, 5) + ", " + detail::fixed(report.seconds, 1) +
                    " s: " + report.reason;
}

}  // namespace altmin
