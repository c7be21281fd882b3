#pragma once

#include <cmath>
#include <limits>

#include "altmin/core/types.hpp"

namespace altmin {

/// What a confusion matrix tells of each class: samples by true class (row) and predicted class (column). A class for
/// which a figure is not defined has not a number there.

namespace detail {

/// hits / all for each class; not a number where there are none.
inline Vector<double> shares(const Vector<double>& hits, const Vector<double>& all) {
  Vector<double> result = Vector<double>::Constant(hits.size(), std::numeric_limits<double>::quiet_NaN());
  for (Index k = 0; k < hits.size(); ++k) {
    if (all(k) > 0) result(k) = hits(k) / all(k);
  }
  return result;
}

/// The mean of what is defined; not a number if nothing is.
inline double mean_of_defined(const Vector<double>& values) {
  double sum = 0;
  Index count = 0;
  for (Index k = 0; k < values.size(); ++k) {
    if (std::isnan(values(k))) continue;
    sum += values(k);
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace detail

/// The fraction of each class's samples that was found; not defined for a class without samples.
template <class Count>
Vector<double> recall(const Matrix<Count>& confusion) {
  const Matrix<double> counts = confusion.template cast<double>();
  return detail::shares(counts.diagonal(), counts.rowwise().sum());
}

/// The fraction of the samples that were predicted as a class which are of it; not defined for a class that was never
/// predicted.
template <class Count>
Vector<double> precision(const Matrix<Count>& confusion) {
  const Matrix<double> counts = confusion.template cast<double>();
  return detail::shares(counts.diagonal(), counts.colwise().sum().transpose());
}

/// The harmonic mean of precision and recall, 2 hits / (samples + predictions); not defined for a class with neither.
template <class Count>
Vector<double> f1(const Matrix<Count>& confusion) {
  const Matrix<double> counts = confusion.template cast<double>();
  return detail::shares(2 * counts.diagonal(), counts.rowwise().sum() + counts.colwise().sum().transpose());
}

/// The mean of f1() over the classes that occur or are predicted, all alike.
template <class Count>
double macro_f1(const Matrix<Count>& confusion) {
  return detail::mean_of_defined(f1(confusion));
}

/// The mean recall of the classes that occur, all alike.
template <class Count>
double balanced_accuracy(const Matrix<Count>& confusion) {
  return detail::mean_of_defined(recall(confusion));
}

}  // namespace altmin
