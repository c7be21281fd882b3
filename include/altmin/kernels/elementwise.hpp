#pragma once

#include "altmin/core/types.hpp"
#include "altmin/parallel/worker.hpp"

/// Sums, differences and multiples of whole matrices. They are compiled once, for all who use them.

namespace altmin::detail {

/// The sum of the squares of all elements. Not finite where an element is not, or where a column's sum overflows.
template <class Scalar>
double square_sum(ConstView<Scalar> matrix) {
  double sum = 0;
  for (Index t = 0; t < matrix.cols(); ++t) sum += static_cast<double>(matrix.col(t).squaredNorm());
  return sum;
}

/// The same, each column times its weight (1 x columns; without rows: 1).
template <class Scalar>
double square_sum(ConstView<Scalar> matrix, ConstView<Scalar> weights) {
  if (weights.rows() == 0) return square_sum(matrix);
  double sum = 0;
  for (Index t = 0; t < matrix.cols(); ++t) {
    sum += static_cast<double>(weights(0, t)) * static_cast<double>(matrix.col(t).squaredNorm());
  }
  return sum;
}

/// Multiplies each column by its weight (1 x columns; without rows: 1).
template <class Scalar>
void weight_columns(ConstView<Scalar> weights, View<Scalar> matrix) {
  if (weights.rows() == 0) return;
  for (Index t = 0; t < matrix.cols(); ++t) matrix.col(t) *= weights(0, t);
}

/// result = a + b. All three have the same shape; the result may be one of the others.
template <class Scalar>
void add(ConstView<Scalar> a, ConstView<Scalar> b, View<Scalar> result) {
  result = a + b;
}

/// The same in parallel.
template <class Scalar>
void add(const Worker<Scalar>& worker, ConstView<Scalar> a, ConstView<Scalar> b, View<Scalar> result) {
  worker.parallel_ranges(a.cols(), a.rows(), [&](Index first, Index count) {
    add<Scalar>(a.slice(first, count), b.slice(first, count), result.slice(first, count));
  });
}

/// result = factor a - b, likewise.
template <class Scalar>
void scaled_difference(Scalar factor, ConstView<Scalar> a, ConstView<Scalar> b, View<Scalar> result) {
  result = factor * a - b;
}

/// result = factor a; the result may be a.
template <class Scalar>
void scale(Scalar factor, ConstView<Scalar> a, View<Scalar> result) {
  result = factor * a;
}

/// result = factor a + b in parallel; the result may be one of them.
template <class Scalar>
void scaled_sum(const Worker<Scalar>& worker, Scalar factor, ConstView<Scalar> a, ConstView<Scalar> b,
                View<Scalar> result) {
  worker.parallel_ranges(a.cols(), a.rows(), [&](Index first, Index count) {
    result.slice(first, count) = factor * a.slice(first, count) + b.slice(first, count);
  });
}

template <class Scalar>
void copy(ConstView<Scalar> from, View<Scalar> to) {
  to = from;
}

}  // namespace altmin::detail
