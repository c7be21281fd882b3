#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/training/fit.hpp"
#include "altmin/training/metrics.hpp"
#include "altmin/training/text.hpp"

namespace altmin {

/// Evaluates the network on samples that it is not trained on, after each epoch and, if `every_steps` is above 0, after
/// every so many steps: for the callbacks that come after it in the call of fit(), which find the metrics in their
/// argument, as t.validation.
///
///     fit(net, data.train, options, Validation{data.test}, ProgressBar{std::cerr});
///     fit(net, stream, options, Validation<float>{[&](const auto& net) { return evaluate(net, stream.test()); },
///     1000},
///         ProgressBar{std::cerr});
template <class Scalar>
class Validation {
 public:
  /// On a data set (borrowed).
  explicit Validation(const Dataset<Scalar>& data, Index every_steps = 0)
      : metrics_{[&data](const Network<Scalar>& net) { return evaluate(net, data); }},
        data_{&data},
        every_steps_{every_steps} {}
  explicit Validation(Dataset<Scalar>&&, Index = 0) = delete;  // it would not live on

  /// On what a function says of the network, such as its metrics on the rows that a stream holds back.
  explicit Validation(std::function<Metrics(const Network<Scalar>&)> metrics, Index every_steps = 0)
      : metrics_{std::move(metrics)}, every_steps_{every_steps} {}

  /// Throws what evaluate() does for a data set that it cannot evaluate.
  void begin(Training<Scalar>& training) const {
    detail::require_option(every_steps_ >= 0, "Validation: every_steps", "must be 0 or more", double(every_steps_));
    if (data_ == nullptr) return;
    if (data_->size() == 0) throw DataError("Validation: expected at least 1 sample, got an empty data set");
    try {
      detail::require_fits(training.net, *data_);
    } catch (const ShapeError& error) {
      throw ShapeError(std::string("Validation: ") + error.what());
    } catch (const DataError& error) {
      throw DataError(std::string("Validation: ") + error.what());
    }
    training.validated_by_targets = !data_->has_labels();
  }

  void after_step(Training<Scalar>& training) const {
    if (every_steps_ > 0 && training.step % every_steps_ == 0) after_epoch(training);
  }
  void after_epoch(Training<Scalar>& training) const { training.validation = metrics_(training.net); }

 private:
  std::function<Metrics(const Network<Scalar>&)> metrics_;
  const Dataset<Scalar>* data_ = nullptr;  // that can be checked before training
  Index every_steps_;
};

/// Keeps what happened in each epoch, and how the network did at each validation within one.
class History {
 public:
  struct Epoch {
    int epoch = 0;                                                          ///< completed
    Index steps = 0;                                                        ///< taken so far
    double loss = std::numeric_limits<double>::quiet_NaN();                 ///< mean training loss of the epoch so far
    double seconds = std::numeric_limits<double>::quiet_NaN();              ///< of training so far, by this fit()
    double validation_loss = std::numeric_limits<double>::quiet_NaN();      ///< not a number without a Validation
    double validation_accuracy = std::numeric_limits<double>::quiet_NaN();  ///< the same; also for regression

    /// Times are left out: runs that end alike would differ.
    template <class Visit, class... Self>
    static void fields(Visit&& visit, Self&... self) {
      visit("epoch", self.epoch...);
      visit("steps", self.steps...);
      visit("loss", self.loss...);
      visit("validation_loss", self.validation_loss...);
      visit("validation_accuracy", self.validation_accuracy...);
    }
  };

  /// Goes on from earlier epochs, for a run that is resumed.
  explicit History(std::vector<Epoch> earlier = {}) : epochs_{std::move(earlier)} {}

  const std::vector<Epoch>& epochs() const { return epochs_; }

  template <class Scalar>
  void after_step(const Training<Scalar>& training) {
    if (training.validation) after_epoch(training);
  }

  template <class Scalar>
  void after_epoch(const Training<Scalar>& training) {
    if (!epochs_.empty() && epochs_.back().steps == training.step) epochs_.pop_back();  // validated by its last step
    epochs_.push_back({training.epoch, training.step, training.loss(), training.seconds});
    if (!training.validation) return;
    epochs_.back().validation_loss = training.validation->loss;
    epochs_.back().validation_accuracy = training.validation->accuracy;
  }

  /// Comma-separated values, a line for each of them below a line of names; what is not known is left empty. Numbers
  /// read back exactly.
  template <class Traits>
  void write_csv(std::basic_ostream<char, Traits>& out) const {
    const auto cell = [](double value) { return "," + (std::isnan(value) ? std::string{} : detail::number(value)); };
    out << "epoch,steps,train_loss,train_seconds,validation_loss,validation_accuracy\n";
    for (const Epoch& epoch : epochs_) {
      out << detail::text(epoch.epoch) + "," + detail::text(epoch.steps) + cell(epoch.loss) + cell(epoch.seconds) +
                 cell(epoch.validation_loss) + cell(epoch.validation_accuracy) + "\n";
    }
  }

 private:
  std::vector<Epoch> epochs_;
};

/// Shows on a stream (borrowed) how training goes: the running epoch as a bar that is redrawn in place, ten times a
/// second at most, and a line for each completed one and each validation. Where the length of an epoch is not known,
/// rows are counted instead. Place it after a Validation to have its metrics in that line.
class ProgressBar {
 public:
  enum class Style {
    bar,   ///< for a terminal
    lines  ///< completed epochs and validations alone, for a file
  };

  explicit ProgressBar(std::ostream& out, Style style = Style::bar) : out_{&out}, style_{style} {}
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() {
    try {
      end_line(*out_);  // an exception may have ended training
    } catch (...) {     // from a stream that throws: a destructor cannot report it
    }
  }

  template <class Scalar>
  void begin(const Training<Scalar>& training) {
    start_ = training;
    samples_ = 0;
    drawn_ = -1;
  }

  template <class Scalar>
  void after_step(const Training<Scalar>& training);

  template <class Scalar>
  void after_epoch(const Training<Scalar>& training);

  template <class Scalar>
  void end(const Training<Scalar>&, const FitReport& report) {
    end_line(*out_);
    if (report.end != FitEnd::completed) *out_ << report.reason + "\n";
  }

 private:
  /// "epoch  3/20".
  template <class Scalar>
  static std::string epoch(const Training<Scalar>& training, int number) {
    const std::string all = detail::text(training.options.epochs);
    return "epoch " + detail::right(detail::text(number), all.size()) + "/" + all;
  }

  /// "  accuracy 97.10 %, validation loss 0.09".
  static std::string metrics(const Metrics& validation) {
    std::string text = "  ";
    if (!std::isnan(validation.accuracy)) text += "accuracy " + detail::percent(validation.accuracy) + ", ";
    if (!std::isnan(validation.auc)) text += "AUC " + detail::fixed(validation.auc, 4) + ", ";
    return text + "validation loss " + detail::number(validation.loss, 4);
  }

  /// Samples a second, on the average of this fit().
  template <class Scalar>
  std::string rate(const Training<Scalar>& training) const {
    return detail::fixed(static_cast<double>(samples_) / training.seconds, 0);
  }

  template <class Scalar>
  double seconds_left(const Training<Scalar>& training) const {
    const double pace = training.seconds / static_cast<double>(std::max<Index>(training.step - start_.step, 1));
    const double epochs = training.options.epochs - training.epoch;
    return pace * (epochs * static_cast<double>(training.steps_per_epoch) - static_cast<double>(training.batch));
  }

  /// "2:05".
  static std::string clock(double seconds) {
    const auto whole = static_cast<Index>(std::min(seconds, 1e9) + 0.5);
    const std::string rest = detail::text(whole % 60);
    return detail::text(whole / 60) + ":" + std::string(2 - rest.size(), '0') + rest;
  }

  /// What is known at a validation, and at the end of an epoch: its number, loss, metrics and rate.
  template <class Scalar>
  std::string summary(const Training<Scalar>& training, int number) const {
    const std::string loss = "  loss " + detail::figure(training.loss(), 4);
    const std::string validation = training.validation ? metrics(*training.validation) : std::string{};
    if (training.steps_per_epoch == 0) {
      return epoch(training, number) + "  " + detail::text(training.samples) + " rows" + loss + "  " + rate(training) +
             " rows/s" + validation;
    }
    return epoch(training, number) + loss + validation + "  " + rate(training) + " samples/s  " +
           clock(training.seconds);
  }

  template <class Traits>
  void replace_line(std::basic_ostream<char, Traits>& out, const std::string& line) {
    const std::size_t leftover = width_ > line.size() ? width_ - line.size() : 0;
    out << (width_ > 0 ? "\r" : "") + line + std::string(leftover, ' ');
    out.flush();
    width_ = line.size();
  }

  template <class Traits>
  void end_line(std::basic_ostream<char, Traits>& out) {
    if (width_ == 0) return;
    width_ = 0;
    out << "\n";
    out.flush();
  }

  std::ostream* out_;
  Style style_;
  Progress start_;         // where this fit() began
  Index samples_ = 0;      // of this fit()
  double drawn_ = 0;       // when, in seconds of training
  std::size_t width_ = 0;  // of the line that is not ended
};

template <class Scalar>
void ProgressBar::after_step(const Training<Scalar>& training) {
  samples_ += training.current->size();
  if (training.validation) {
    replace_line(*out_, summary(training, training.epoch + 1));
    end_line(*out_);
    return;
  }
  if (style_ == Style::lines || training.seconds - drawn_ < 0.1) return;
  drawn_ = training.seconds;
  if (training.steps_per_epoch == 0) return replace_line(*out_, summary(training, training.epoch + 1));
  constexpr int cells = 24;
  const double fraction = static_cast<double>(training.batch) / static_cast<double>(training.steps_per_epoch);
  const auto full = static_cast<std::size_t>(cells * std::min(fraction, 1.0));
  std::string line = epoch(training, training.epoch + 1) + "  [" + std::string(full, '=') +
                     std::string(cells - full, ' ') + "] " + detail::right(detail::fixed(100 * fraction, 0), 3) +
                     " %  loss " + detail::figure(training.loss(), 4) + "  " + rate(training) + " samples/s  " +
                     clock(seconds_left(training)) + " left";
  replace_line(*out_, line);
}

template <class Scalar>
void ProgressBar::after_epoch(const Training<Scalar>& training) {
  replace_line(*out_, summary(training, training.epoch));
  end_line(*out_);
}

}  // namespace altmin
