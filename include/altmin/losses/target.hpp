#pragma once

#include <string>

#include "altmin/core/buffer.hpp"
#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// What a network should say of each sample of a batch: class labels, or a matrix of values (outputs x samples).
/// Borrowed from the caller for the time of a call.
template <class Scalar>
class Target {
 public:
  /// Class labels, one a sample.
  Target(const int* labels, Index samples) : labels_{labels}, has_labels_{true}, samples_{samples} {}
  /// Values, outputs x samples.
  explicit Target(ConstView<Scalar> values) : values_{values}, samples_{values.cols()} {}

  Index samples() const { return samples_; }
  bool has_labels() const { return has_labels_; }
  int label(Index sample) const { return labels_[sample]; }
  const ConstView<Scalar>& values() const { return values_; }

  /// The same, whose samples have weights (1 x samples): a loss need not read them, as each sample's loss is multiplied
  /// by its weight.
  Target weighted(ConstView<Scalar> weights) const {
    Target result{*this};
    result.weights_.rebind(weights);
    return result;
  }
  /// 1 x samples; without rows where the samples have no weights.
  const ConstView<Scalar>& weights() const { return weights_; }

  /// The samples first .. first + count - 1.
  Target slice(Index first, Index count) const {
    const Target part = has_labels() ? Target{labels_ + first, count} : Target{values_.slice(first, count)};
    return weights_.rows() > 0 ? part.weighted(weights_.slice(first, count)) : part;
  }

 private:
  const int* labels_ = nullptr;  // may be null where there are no samples
  bool has_labels_ = false;
  ConstView<Scalar> values_;
  ConstView<Scalar> weights_;
  Index samples_;
};

/// The class that one sample's outputs speak for: the largest or, with a single output, whether it is above 0.
template <class Column>
int likely_class(const Eigen::MatrixBase<Column>& outputs) {
  if (outputs.size() == 1) return outputs(0) > 0 ? 1 : 0;
  Index best = 0;
  outputs.maxCoeff(&best);
  return static_cast<int>(best);
}

namespace detail {

/// 0 if all outputs of a batch are finite, else not a number: a loss adds it to its sum, so that an output that is not
/// finite always shows there.
template <class Scalar>
double zero_if_finite(ConstView<Scalar> outputs) {
  if (outputs.outerStride() != outputs.rows()) return static_cast<double>((outputs * Scalar(0)).sum());
  // Few outputs make up no packets, all columns in a row do.
  return static_cast<double>((Eigen::Map<const Vector<Scalar>>{outputs.data(), outputs.size()} * Scalar(0)).sum());
}

/// A score for each of several classes, as the loss called `name` needs them.
inline void require_two_outputs(const char* name, Index outputs) {
  if (outputs < 2) throw ShapeError(std::string(name) + ": expected at least 2 outputs, got " + text(outputs));
}

/// Labels 0 .. classes - 1, as the loss called `name` needs them.
template <class Scalar>
void require_labels(const char* name, Index classes, const Target<Scalar>& target) {
  if (!target.has_labels()) {
    throw ShapeError(std::string(name) + ": expected a vector of integer labels, got a matrix of values of " +
                     shape_text(target.values().rows(), target.values().cols()));
  }
  for (Index t = 0; t < target.samples(); ++t) {
    if (target.label(t) < 0 || target.label(t) >= classes) {
      throw DataError(std::string(name) + ": label of sample " + text(t) + ": expected 0 to " + text(classes - 1) +
                      ", got " + text(target.label(t)));
    }
  }
}

/// One finite weight of 0 or more for each sample, if there are weights.
template <class Scalar>
void require_weights(const Target<Scalar>& target) {
  const auto& weights = target.weights();
  if (weights.rows() == 0) return;
  if (weights.cols() != target.samples()) {
    throw ShapeError("weights: expected " + text(target.samples()) + ", one a sample, got " + text(weights.cols()));
  }
  for (Index t = 0; t < weights.cols(); ++t) {
    const auto weight = static_cast<double>(weights(0, t));
    if (is_finite(weight) && weight >= 0) continue;
    throw DataError("weights: sample " + text(t) + ": expected a finite weight of 0 or more, got " + text(weight));
  }
}

/// Finite values, outputs x samples, as the loss called `name` needs them.
template <class Scalar>
void require_values(const char* name, Index outputs, const Target<Scalar>& target) {
  if (target.has_labels()) {
    throw ShapeError(std::string(name) + ": expected a matrix of values of " + shape_text(outputs, target.samples()) +
                     ", got " + text(target.samples()) + " integer labels");
  }
  const auto& values = target.values();
  if (values.rows() != outputs) {
    throw ShapeError(std::string(name) + ": target: expected " + shape_text(outputs, values.cols()) + ", got " +
                     shape_text(values.rows(), values.cols()));
  }
  for (Index t = 0; t < values.cols(); ++t) {
    if (!all_finite(values.address(0, t), values.rows())) {
      throw DataError(std::string(name) + ": target of sample " + text(t) + " is not finite");
    }
  }
}

}  // namespace detail
}  // namespace altmin
