#pragma once

#include <limits>

#include "altmin/core/error.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"
#include "altmin/training/confusion.hpp"

namespace altmin {

/// Counts of samples that have any number of labels: targets are 0 or 1, outputs x samples, and a label is predicted
/// where its score is above a threshold. Batch by batch, in memory that does not grow.
///
///     MultiLabelCounts counts{0.5};  // of a network that was trained on 0 and 1 by MeanSquaredError
///     counts.add(net.predict(x), targets);
class MultiLabelCounts {
 public:
  explicit MultiLabelCounts(double threshold = 0.5) : threshold_{threshold} {}

  /// Throws ShapeError unless both have the same shape as each other and as many rows as before, DataError for a target
  /// that is neither 0 nor 1.
  template <class Scores, class Targets>
  void add(const Eigen::MatrixBase<Scores>& scores, const Eigen::MatrixBase<Targets>& targets) {
    const Index labels = found_.size() > 0 ? found_.size() : targets.rows();
    if (scores.rows() != labels || targets.rows() != labels || scores.cols() != targets.cols()) {
      throw ShapeError("MultiLabelCounts: expected scores and targets of " +
                       detail::shape_text(labels, targets.cols()) + ", got " +
                       detail::shape_text(scores.rows(), scores.cols()) + " and " +
                       detail::shape_text(targets.rows(), targets.cols()));
    }
    for (Index t = 0; t < targets.cols(); ++t) {
      for (Index k = 0; k < labels; ++k) {
        if (targets(k, t) == 0 || targets(k, t) == 1) continue;
        throw DataError("MultiLabelCounts: sample " + detail::text(t) + ": expected targets of 0 or 1, got " +
                        detail::text(targets(k, t)));
      }
    }
    if (found_.size() == 0) found_ = true_ = predicted_ = Vector<double>::Zero(labels);
    for (Index t = 0; t < targets.cols(); ++t) {
      bool exact = true;
      for (Index k = 0; k < labels; ++k) {
        const bool is = targets(k, t) == 1;
        const bool said = static_cast<double>(scores(k, t)) > threshold_;
        true_(k) += is ? 1 : 0;
        predicted_(k) += said ? 1 : 0;
        found_(k) += is && said ? 1 : 0;
        exact = exact && is == said;
      }
      ++samples_;
      if (exact) ++exact_;
    }
  }

  Index samples() const { return samples_; }

  /// Fraction of the samples all of whose labels are right.
  double exact_match() const { return share(static_cast<double>(exact_), static_cast<double>(samples_)); }
  /// Fraction of all labels of all samples that are wrong.
  double hamming_loss() const {
    const double wrong = true_.sum() + predicted_.sum() - 2 * found_.sum();
    return share(wrong, static_cast<double>(samples_ * found_.size()));
  }

  // Of each label; not a number where it is not defined (see training/confusion.hpp).
  Vector<double> recall() const { return detail::shares(found_, true_); }
  Vector<double> precision() const { return detail::shares(found_, predicted_); }
  Vector<double> f1() const { return detail::shares(2 * found_, true_ + predicted_); }

  /// Of all labels of all samples together.
  double micro_f1() const { return share(2 * found_.sum(), true_.sum() + predicted_.sum()); }
  /// The mean of f1() over the labels for which it is defined.
  double macro_f1() const { return detail::mean_of_defined(f1()); }

 private:
  static double share(double part, double all) {
    return all > 0 ? part / all : std::numeric_limits<double>::quiet_NaN();
  }

  double threshold_;
  Index samples_ = 0;
  Index exact_ = 0;
  Vector<double> found_;  // of each label, samples that have it and are said to
  Vector<double> true_;
  Vector<double> predicted_;
};

}  // namespace altmin
