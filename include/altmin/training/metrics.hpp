#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/batch_source.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/losses/target.hpp"
#include "altmin/network/network.hpp"
#include "altmin/network/samples.hpp"
#include "altmin/training/confusion.hpp"
#include "altmin/training/roc.hpp"
#include "altmin/training/text.hpp"

namespace altmin {

/// How well a network does on some samples, all of which count alike. Streaming it prints what suits the samples, as
/// lines of text. What is not defined is not a number: of labels for regression, and the other way round.
struct Metrics {
  static constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

  Index samples = 0;
  double loss = 0;  ///< the network's own, mean over the samples

  // Of labels.
  double accuracy = undefined;  ///< fraction of the samples whose class was found
  /// Of the labels or of the network, whichever has more; 0 for regression.
  Index classes = 0;
  /// Samples by true class (row) and predicted class (column); empty for regression, and above `most_confused` classes.
  /// See training/confusion.hpp for what it tells of each class.
  Matrix<Index> confusion;
  /// The matrix of so many classes takes 8 MB, that of 40,000 would take 13 GB.
  static constexpr Index most_confused = 1000;
  /// Two classes: area under the ROC curve (see roc_auc). Not a number where one class does not occur.
  double auc = undefined;
  /// Mean of -log p of the label; p is the softmax of the outputs or, with a single output, its sigmoid.
  double log_loss = undefined;
  /// Expected calibration error: the mean difference of confidence (p of the class that is predicted) and accuracy over
  /// 15 bins of equal width of the confidence, by their samples (Guo et al. 2017).
  double calibration_error = undefined;
  /// Samples by how many classes scored higher than the label: 0, 1, ..., and the last one for all others.
  std::array<Index, 11> label_ranks{};

  // Of real targets, the mean over the outputs.
  double mean_squared_error = undefined;
  double mean_absolute_error = undefined;
  /// 1 - sum of squared errors / sum of squared deviations from the mean target; outputs that are constant are left
  /// out.
  double r2 = undefined;

  /// The root of the mean squared error.
  double rmse() const { return std::sqrt(mean_squared_error); }

  /// Fraction of the samples whose label is among the `k` highest scores, 1 to 10; a tie counts for the label. Not a
  /// number for regression and a single output. Throws OptionError for another k.
  double top(Index k) const {
    if (k < 1 || k >= static_cast<Index>(label_ranks.size())) {
      throw OptionError("Metrics: top must be 1 to 10, got " + detail::text(k));
    }
    Index found = 0;
    Index all = 0;
    for (std::size_t i = 0; i < label_ranks.size(); ++i) {
      all += label_ranks[i];
      if (static_cast<Index>(i) < k) found += label_ranks[i];
    }
    return all > 0 ? static_cast<double>(found) / static_cast<double>(all) : undefined;
  }
};

/// Metrics of predictions that come batch by batch, in memory that does not grow.
template <class Scalar>
class MetricsSum {
 public:
  /// With two classes, `auc` is that of RocCounts, unless it is not wanted.
  explicit MetricsSum(Index classes = 0, bool auc = true) : counts_auc_{auc} { sum_.classes = classes; }

  /// Adds samples: predictions are outputs x samples, `loss` is the sum of their losses.
  void add(ConstView<Scalar> prediction, const Target<Scalar>& target, double loss) {
    sum_.loss += loss;
    sum_.samples += prediction.cols();
    if (!target.has_labels()) return add_targets(prediction, target.values());
    for (Index t = 0; t < prediction.cols(); ++t) add_label(prediction.col(t), target.label(t));
  }

  Metrics metrics() const;

 private:
  static constexpr std::size_t bins = 15;

  struct Bin {
    Index samples = 0;
    double confidence = 0;
    Index found = 0;
  };

  /// Of one output.
  struct Output {
    double mean = 0;  // of the targets
    double deviations = 0;
    double squares = 0;
    double absolutes = 0;
  };

  template <class Column>
  void add_label(const Column& output, Index label) {
    const Index outputs = output.size();
    take_classes(std::max({sum_.classes, label + 1, std::max<Index>(outputs, 2)}));
    const Index likely = likely_class(output);
    if (label == likely) ++found_;
    if (sum_.confusion.size() > 0) ++sum_.confusion(label, likely);
    const auto score = [&](Index k) { return static_cast<double>(output(k)); };
    if (sum_.classes == 2 && counts_auc_) roc_.observe(score(outputs - 1) - (outputs == 1 ? 0 : score(0)), label == 1);
    double confidence = 0;
    if (outputs == 1) {
      const double margin = std::abs(score(0));
      confidence = 1 / (1 + std::exp(-margin));
      log_loss_ += std::log1p(std::exp(-margin)) + (label == likely ? 0 : margin);
    } else {
      const double largest = score(likely);
      double total = 0;
      Index higher = 0;
      for (Index k = 0; k < outputs; ++k) {
        total += std::exp(score(k) - largest);
        if (label < outputs && score(k) > score(label)) ++higher;
      }
      confidence = 1 / total;
      log_loss_ += label < outputs ? std::log(total) + largest - score(label) : std::numeric_limits<double>::infinity();
      const std::size_t last = sum_.label_ranks.size() - 1;
      ++sum_.label_ranks[label < outputs ? std::min(static_cast<std::size_t>(higher), last) : last];
    }
    const bool sound = confidence >= 0 && confidence <= 1;  // not of outputs that are not finite
    Bin& bin = bins_[sound ? std::min(static_cast<std::size_t>(confidence * bins), bins - 1) : 0];
    ++bin.samples;
    bin.confidence += confidence;
    if (label == likely) ++bin.found;
  }

  void take_classes(Index classes) {
    if (classes == sum_.classes && (sum_.confusion.rows() == classes || classes > Metrics::most_confused)) return;
    sum_.classes = classes;
    if (classes > Metrics::most_confused) {
      sum_.confusion.resize(0, 0);
      return;
    }
    Matrix<Index> grown = Matrix<Index>::Zero(classes, classes);
    grown.topLeftCorner(sum_.confusion.rows(), sum_.confusion.cols()) = sum_.confusion;
    sum_.confusion = grown;
  }

  void add_targets(ConstView<Scalar> prediction, ConstView<Scalar> targets) {
    outputs_.resize(static_cast<std::size_t>(targets.rows()));
    for (Index t = 0; t < targets.cols(); ++t) {
      ++targets_seen_;
      for (Index k = 0; k < targets.rows(); ++k) {
        Output& output = outputs_[static_cast<std::size_t>(k)];
        const auto target = static_cast<double>(targets(k, t));
        const double error = static_cast<double>(prediction(k, t)) - target;
        const double deviation = target - output.mean;  // Welford (1962)
        output.mean += deviation / static_cast<double>(targets_seen_);
        output.deviations += deviation * (target - output.mean);
        output.squares += error * error;
        output.absolutes += std::abs(error);
      }
    }
  }

  bool counts_auc_;
  Metrics sum_;  // but for what follows
  Index found_ = 0;
  double log_loss_ = 0;
  std::array<Bin, bins> bins_{};
  RocCounts roc_;
  Index targets_seen_ = 0;
  std::vector<Output> outputs_;
};

template <class Scalar>
Metrics MetricsSum<Scalar>::metrics() const {
  Metrics result = sum_;
  const auto samples = static_cast<double>(sum_.samples);
  if (sum_.samples == 0) {
    result.loss = Metrics::undefined;
    return result;
  }
  result.loss /= samples;
  if (!outputs_.empty()) {
    result.mean_squared_error = result.mean_absolute_error = 0;
    double shares = 0;
    Index varying = 0;
    for (const Output& output : outputs_) {
      result.mean_squared_error += output.squares / samples / static_cast<double>(outputs_.size());
      result.mean_absolute_error += output.absolutes / samples / static_cast<double>(outputs_.size());
      if (!(output.deviations > 0)) continue;
      shares += 1 - output.squares / output.deviations;
      ++varying;
    }
    if (varying > 0) result.r2 = shares / static_cast<double>(varying);
    return result;
  }
  result.accuracy = static_cast<double>(found_) / samples;
  result.log_loss = log_loss_ / samples;
  if (sum_.classes == 2 && counts_auc_) result.auc = roc_.area();
  result.calibration_error = 0;
  for (const Bin& bin : bins_) {
    result.calibration_error += std::abs(bin.confidence - static_cast<double>(bin.found)) / samples;
  }
  return result;
}

namespace detail {

/// What a network is to be evaluated on: labels, or real targets.
template <class Scalar>
Target<Scalar> target_of(const Dataset<Scalar>& data) {
  return data.has_labels() ? Target<Scalar>{data.y().data(), data.size()}
                           : Target<Scalar>{ConstView<Scalar>{data.targets()}};
}
template <class Scalar>
Target<Scalar> target_of(const Batch<Scalar>& batch) {
  return batch.y.size() > 0 ? Target<Scalar>{batch.y.data(), batch.y.size()} : Target<Scalar>{batch.targets};
}

/// Throws ShapeError or DataError unless the network can train on all samples of a data set, or be evaluated on them;
/// names the first sample that does not fit by its number in the set.
template <class Scalar>
void require_fits(const Network<Scalar>& net, const Dataset<Scalar>& data) {
  require_samples<Scalar>(data.x(), net.layers().input().size());
  net.loss()->check(net.layers().output().size(), target_of(data));
}

/// Adds samples, which fit the network, to metrics, in pieces, so that memory stays small; calls use(first, prediction)
/// for each piece.
template <class Scalar>
void add_predictions(const Network<Scalar>& net, ConstView<Scalar> x, const Target<Scalar>& target,
                     MetricsSum<Scalar>& sum, FunctionRef<void(Index, ConstView<Scalar>)> use) {
  const Index outputs = net.layers().output().size();
  const Index piece = std::clamp<Index>((Index{1} << 22) / outputs, 256, 4096);
  for (Index first = 0; first < x.cols(); first += piece) {
    const Index count = std::min(piece, x.cols() - first);
    const Matrix<Scalar> prediction = net.predict(x.slice(first, count));
    Matrix<Scalar> unused(outputs, count);
    const double loss = net.loss()->evaluate(prediction, target.slice(first, count), unused);
    sum.add(prediction, target.slice(first, count), loss);
    use(first, prediction);
  }
}

}  // namespace detail

/// How well the network does on a data set, by inference: changes nothing. Takes the samples in pieces, so that memory
/// stays small. Throws DataError for an empty set, and as Network::loss for a set that does not fit the network.
template <class Scalar>
Metrics evaluate(const Network<Scalar>& net, const Dataset<Scalar>& data) {
  if (data.size() == 0) throw DataError("evaluate: expected at least 1 sample, got an empty data set");
  const Target<Scalar> target = detail::target_of(data);
  const Index outputs = net.layers().output().size();
  net.loss()->check(outputs, target);
  const bool two = data.has_labels() && std::max(data.classes(), outputs) <= 2;
  Vector<double> scores(two ? data.size() : 0);
  MetricsSum<Scalar> sum{data.classes(), false};
  detail::add_predictions<Scalar>(net, data.x(), target, sum, [&](Index first, ConstView<Scalar> prediction) {
    for (Index t = 0; two && t < prediction.cols(); ++t) {
      const double other = outputs == 1 ? 0 : static_cast<double>(prediction(0, t));
      scores(first + t) = static_cast<double>(prediction(outputs - 1, t)) - other;
    }
  });
  Metrics metrics = sum.metrics();
  if (two) metrics.auc = roc_auc(scores, data.y());  // exactly
  return metrics;
}

/// The same on one pass over a source, from its beginning, in memory that does not grow with it: `auc` is that of
/// RocCounts. Throws DataError for a pass without a batch or one that was stopped, and what Network::loss throws for a
/// batch that does not fit the network.
template <class Scalar>
Metrics evaluate(const Network<Scalar>& net, BatchSource<Scalar>& source) {
  source.seek(0, 0);
  const Index outputs = net.layers().output().size();
  MetricsSum<Scalar> sum{source.info().classes};
  while (const auto* batch = source.next()) {
    detail::require_samples<Scalar>(batch->x, net.layers().input().size());
    const Target<Scalar> target = detail::target_of(*batch);
    net.loss()->check(outputs, target);
    detail::add_predictions<Scalar>(net, batch->x, target, sum, [](Index, ConstView<Scalar>) {});
  }
  if (source.stopped()) throw DataError("evaluate: " + source.info().name + " was stopped before its end");
  const Metrics metrics = sum.metrics();
  if (metrics.samples == 0) {
    throw DataError("evaluate: expected at least 1 sample, got none from " + source.info().name);
  }
  return metrics;
}

/// The loss; for classes the accuracy and the confusion matrix (of up to 20 classes), for regression its errors.
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Metrics& metrics) {
  std::string text = detail::text(metrics.samples) + " samples, loss " + detail::number(metrics.loss, 5);
  if (!std::isnan(metrics.mean_squared_error)) {
    text += ", RMSE " + detail::number(metrics.rmse(), 5) + ", MAE " + detail::number(metrics.mean_absolute_error, 5);
    if (!std::isnan(metrics.r2)) text += ", R2 " + detail::fixed(metrics.r2, 4);
  }
  if (metrics.classes == 0 && metrics.confusion.size() == 0) return out << text;
  text += ", accuracy " + detail::percent(metrics.accuracy);
  if (!std::isnan(metrics.auc)) text += ", area under the ROC curve " + detail::fixed(metrics.auc, 4);
  const Index classes = std::max(metrics.classes, metrics.confusion.rows());
  if (classes > 20) return out << text << " (" + detail::text(classes) + " classes)";

  const std::size_t width = detail::text(metrics.confusion.maxCoeff()).size() + 2;
  const Vector<double> found = recall(metrics.confusion);
  text += "\n  predicted";
  for (Index k = 0; k < classes; ++k) text += detail::right(detail::text(k), width);
  text += "     recall";
  for (Index k = 0; k < classes; ++k) {
    text += "\n  true" + detail::right(detail::text(k), 5);
    for (Index j = 0; j < classes; ++j) text += detail::right(detail::text(metrics.confusion(k, j)), width);
    text += detail::right(std::isnan(found(k)) ? "-" : detail::percent(found(k)), 11);
  }
  return out << text;
}

}  // namespace altmin
