#pragma once

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// Weights by which all classes that occur have the same sum: samples / (classes that occur * samples of the class), of
/// mean 1. Throws DataError for a label below 0.
///
///     data.train.set_weights(balanced_weights<float>(data.train.y()));
template <class Scalar>
Vector<Scalar> balanced_weights(const ConstLabels& labels) {
  Vector<double> counts = Vector<double>::Zero(labels.size() > 0 ? Index{labels.maxCoeff()} + 1 : 0);
  for (Index i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) {
      throw DataError("balanced_weights: sample " + detail::text(i) + ": expected a label of 0 or above, got " +
                      detail::text(labels[i]));
    }
    counts[labels[i]] += 1;
  }
  const auto occur = static_cast<double>((counts.array() > 0).count());
  Vector<Scalar> weights(labels.size());
  for (Index i = 0; i < labels.size(); ++i) {
    weights[i] = static_cast<Scalar>(static_cast<double>(labels.size()) / (occur * counts[labels[i]]));
  }
  return weights;
}

/// The weight of each sample's class.
template <class Scalar>
Vector<Scalar> class_weights(const ConstLabels& labels, const Vector<Scalar>& of_class) {
  Vector<Scalar> weights(labels.size());
  for (Index i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= of_class.size()) {
      throw DataError("class_weights: sample " + detail::text(i) + ": expected a label in 0 .. " +
                      detail::text(of_class.size() - 1) + ", got " + detail::text(labels[i]));
    }
    weights[i] = of_class[labels[i]];
  }
  return weights;
}

}  // namespace altmin
