#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/losses/target.hpp"
#include "altmin/network/network.hpp"
#include "altmin/network/samples.hpp"
#include "altmin/training/text.hpp"

namespace altmin {

/// How well a network does on a data set. Streaming it prints all of it, as lines of text.
struct Metrics {
  Index samples = 0;
  double loss = 0;  ///< mean over the samples
  /// Fraction of the samples whose class was found; not a number for regression.
  double accuracy = std::numeric_limits<double>::quiet_NaN();
  /// Of the labels or of the network, whichever has more; 0 for regression.
  Index classes = 0;
  /// Samples by true class (row) and predicted class (column); empty for regression, and above `most_confused` classes.
  Matrix<Index> confusion;
  /// The matrix of so many classes takes 8 MB, that of 40,000 would take 13 GB.
  static constexpr Index most_confused = 1000;
  /// Two classes: area under the ROC curve (see roc_auc). Not a number otherwise, or where one class does not occur.
  double auc = std::numeric_limits<double>::quiet_NaN();
};

/// For each class, the fraction of its samples that was found; not a number for a class without samples.
template <class Count>
Vector<double> recall(const Matrix<Count>& confusion) {
  Vector<double> found = Vector<double>::Constant(confusion.rows(), std::numeric_limits<double>::quiet_NaN());
  for (Index k = 0; k < confusion.rows(); ++k) {
    const auto samples = static_cast<double>(confusion.row(k).sum());
    if (samples > 0) found(k) = static_cast<double>(confusion(k, k)) / samples;
  }
  return found;
}

/// The chance that a sample of label 1 scores higher than one of label 0, a tie counting half: the area under the ROC
/// curve, exactly. Not a number unless both labels occur and no score is NaN. Labels other than 1 count as 0. Throws
/// ShapeError unless there is one score a label.
template <class Scores>
double roc_auc(const Eigen::MatrixBase<Scores>& scores, const ConstLabels& labels) {
  if (scores.size() != labels.size()) {
    throw ShapeError("roc_auc: expected " + detail::text(labels.size()) + " scores, one a label, got " +
                     detail::text(scores.size()));
  }
  std::vector<std::pair<double, bool>> order;
  order.reserve(static_cast<std::size_t>(scores.size()));
  for (Index i = 0; i < scores.size(); ++i) {
    order.emplace_back(static_cast<double>(scores(i)), labels(i) == 1);
    if (std::isnan(order.back().first)) return std::numeric_limits<double>::quiet_NaN();
  }
  std::sort(order.begin(), order.end());
  double positives = 0;
  double negatives = 0;
  double wins = 0;
  for (auto group = order.begin(); group != order.end();) {
    double ties[2] = {0, 0};
    const double score = group->first;
    for (; group != order.end() && group->first == score; ++group) ++ties[group->second ? 1 : 0];
    wins += ties[1] * (negatives + ties[0] / 2);
    negatives += ties[0];
    positives += ties[1];
  }
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return wins / (positives * negatives);
}

namespace detail {

/// What a network is to be evaluated on: labels, or real targets.
template <class Scalar>
Target<Scalar> target_of(const Dataset<Scalar>& data) {
  return data.has_labels() ? Target<Scalar>{data.y().data(), data.size()}
                           : Target<Scalar>{ConstView<Scalar>{data.targets()}};
}

/// Throws ShapeError or DataError unless the network can train on all samples of a data set, or be evaluated on them;
/// names the first sample that does not fit by its number in the set.
template <class Scalar>
void require_fits(const Network<Scalar>& net, const Dataset<Scalar>& data) {
  require_samples<Scalar>(data.x(), net.layers().input().size());
  net.loss()->check(net.layers().output().size(), target_of(data));
}

}  // namespace detail

/// How well the network does on a data set, by inference: changes nothing. Takes the samples in pieces, so that memory
/// stays small. Throws DataError for an empty set, and as Network::loss for a set that does not fit the network.
template <class Scalar>
Metrics evaluate(const Network<Scalar>& net, const Dataset<Scalar>& data) {
  if (data.size() == 0) throw DataError("evaluate: expected at least 1 sample, got an empty data set");
  const ConstView<Scalar> x{data.x()};
  const Target<Scalar> target = detail::target_of(data);
  const Index outputs = net.layers().output().size();
  net.loss()->check(outputs, target);

  Metrics metrics;
  metrics.samples = data.size();
  const Index classes = data.has_labels() ? std::max(data.classes(), std::max<Index>(outputs, 2)) : 0;
  metrics.classes = classes;
  if (classes <= Metrics::most_confused) metrics.confusion = Matrix<Index>::Zero(classes, classes);
  Index found = 0;
  Vector<double> scores(classes == 2 ? data.size() : 0);
  const Index piece = std::clamp<Index>((Index{1} << 22) / outputs, 256, 4096);
  for (Index first = 0; first < data.size(); first += piece) {
    const Index count = std::min(piece, data.size() - first);
    const Matrix<Scalar> prediction = net.predict(x.slice(first, count));
    Matrix<Scalar> unused(outputs, count);
    metrics.loss += net.loss()->evaluate(prediction, target.slice(first, count), unused);
    for (Index t = 0; data.has_labels() && t < count; ++t) {
      const auto output = prediction.col(t);
      const Index label = target.label(first + t);
      const Index likely = likely_class(output);
      if (label == likely) ++found;
      if (metrics.confusion.size() > 0) ++metrics.confusion(label, likely);
      if (classes == 2) {
        const double other = outputs == 1 ? 0 : static_cast<double>(output(0));
        scores(first + t) = static_cast<double>(output(outputs - 1)) - other;
      }
    }
  }
  metrics.loss /= static_cast<double>(data.size());
  if (classes > 0) metrics.accuracy = static_cast<double>(found) / static_cast<double>(data.size());
  if (classes == 2) metrics.auc = roc_auc(scores, data.y());
  return metrics;
}

/// The loss, and for classes the accuracy and the confusion matrix (of up to 20 classes).
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Metrics& metrics) {
  std::string text = detail::text(metrics.samples) + " samples, loss " + detail::number(metrics.loss, 5);
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
