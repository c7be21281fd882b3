#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "altmin/core/buffer.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/core/random.hpp"
#include "altmin/kernels/elementwise.hpp"
#include "altmin/kernels/product.hpp"
#include "altmin/optimizers/symmetric_eigen.hpp"

namespace altmin {

/// What is remembered of a map's inputs: their running mean mu, and of their covariance the largest directions,
///
///   A ~ Q diag(h) Q' + tail (I - Q Q'),
///
/// Q (inputs x rank) orthonormal, by one subspace iteration an update (four at the first), the tail being the mean of
/// the other variances. A matrix of inputs x inputs is never made.
template <class Scalar>
class LowRankMemory {
 public:
  /// Calls use(first, a) for parts of a batch's inputs (inputs x columns).
  using Parts = FunctionRef<void(FunctionRef<void(Index, ConstView<Scalar>)>)>;

  explicit LowRankMemory(Index inputs = 0, Index rank = 0)
      : directions_{Matrix<Scalar>::Zero(inputs, rank + 1)}, variances_{Matrix<Scalar>::Zero(rank, 1)} {}

  Index inputs() const { return directions_.rows(); }
  Index rank() const { return variances_.rows(); }

  /// Q and, as the last column, mu (0 unless the inputs are centred).
  const Matrix<Scalar>& directions() const { return directions_; }
  ConstView<Scalar> basis() const { return ConstView<Scalar>{directions_}.slice(0, rank()); }
  ConstView<Scalar> mean() const { return ConstView<Scalar>{directions_}.slice(rank(), 1); }
  /// h, rank x 1.
  const Matrix<Scalar>& variances() const { return variances_; }
  /// The running trace of the covariance.
  double trace() const { return trace_; }

  /// Sets this to `before` (of the same shape) updated by one batch of `columns` columns, on all ranks together; the
  /// n-th batch has weight max(forgetting, 1/n). Of a sample that has as many columns as others, all have its weight
  /// (1 x samples of this rank, of mean 1; without rows: 1). False, and unspecified, if numbers overflow.
  bool update(const Worker<Scalar>& worker, const LowRankMemory& before, double forgetting, bool centred, Index columns,
              Parts parts, ConstView<Scalar> weights = {}, Index columns_per_sample = 1);

  /// A damped inverse root: (A + lambda I)^(-1/2) = scale (I + Q diag(f) Q'), lambda being `damping` times the mean
  /// variance. `f` (rank x 1) is from above -1 to 0; returns the scale.
  double inverse_root(double damping, View<Scalar> f) const;

  void swap(LowRankMemory& other) {
    directions_.swap(other.directions_);
    variances_.swap(other.variances_);
    std::swap(trace_, other.trace_);
    std::swap(count_, other.count_);
  }

  Index bytes() const {
    return (directions_.size() + variances_.size()) * static_cast<Index>(sizeof(Scalar)) + centred_.bytes() +
           moved_.bytes() + projected_.bytes();
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("directions", self.directions_...);
    visit("variances", self.variances_...);
    visit("trace", self.trace_...);
    visit("count", self.count_...);
  }

  /// Throws ShapeError unless this is the memory of a map with so many inputs.
  void require_fit(Index inputs, Index rank) const {
    detail::require_shape(directions_, inputs, rank + 1, "directions");
    detail::require_shape(variances_, rank, 1, "variances");
  }

 private:
  /// Makes the columns orthonormal from the first on, twice over, as once loses digits; one that depends on those
  /// before it becomes a random direction.
  static void orthonormalize(View<Scalar> columns, Random& random);

  /// Q, h <- one subspace iteration from Y, which is the new A times Q.
  void rotate(const Worker<Scalar>& worker, View<Scalar> y, Random& random);

  Matrix<Scalar> directions_;
  Matrix<Scalar> variances_;
  double trace_ = 0;
  Index count_ = 0;  // of batches

  // Working memory.
  Buffer<Scalar> centred_;    // inputs less their mean
  Buffer<Scalar> moved_;      // A times Q
  Buffer<Scalar> projected_;  // Q' times inputs, or eigenvectors of Q'AQ
  Matrix<double> inner_;      // Q'AQ
  Matrix<double> eigenvectors_;
  Buffer<Scalar> sum_;
};

template <class Scalar>
bool LowRankMemory<Scalar>::update(const Worker<Scalar>& worker, const LowRankMemory& before, double forgetting,
                                   bool centred, Index columns, Parts parts, ConstView<Scalar> weights,
                                   Index columns_per_sample) {
  const bool weighted = weights.rows() > 0;
  const auto weight = [&](Index column) { return weights(0, column / columns_per_sample); };
  count_ = before.count_ + 1;
  const double fresh = std::max(forgetting, 1 / static_cast<double>(count_));
  const auto share = static_cast<Scalar>(fresh / static_cast<double>(columns));
  const auto kept = static_cast<Scalar>(1 - fresh);
  directions_ = before.directions_;
  variances_ = before.variances_;
  View<Scalar> basis = View<Scalar>{directions_}.slice(0, rank());
  View<Scalar> mean = View<Scalar>{directions_}.slice(rank(), 1);
  mean *= kept;
  if (centred) {
    sum_.fit(inputs(), 1);
    View<Scalar> sum = sum_.view();
    sum.setZero();
    parts([&](Index start, ConstView<Scalar> a) {
      for (Index t = 0; t < a.cols(); ++t) {
        if (weighted) {
          sum += weight(start + t) * a.col(t);
        } else {
          sum += a.col(t);
        }
      }
    });
    worker.sum(sum);
    mean += share * sum;
  }
  Random random{Seed{static_cast<std::uint64_t>(count_)}};
  const bool first = count_ == 1;
  if (first) {
    for (Index j = 0; j < rank(); ++j) {
      for (Index i = 0; i < inputs(); ++i) basis(i, j) = static_cast<Scalar>(random.normal());
    }
    orthonormalize(basis, random);
    variances_.setZero();
  }
  const int iterations = first ? 4 : 1;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    moved_.fit(inputs(), rank());
    View<Scalar> y = moved_.view();
    if (first || !worker.is_first_rank()) {  // what is remembered counts once in the sum over ranks
      y.setZero();
    } else {
      for (Index j = 0; j < rank(); ++j) y.col(j) = kept * variances_(j, 0) * basis.col(j);
    }
    double square = 0;
    parts([&](Index start, ConstView<Scalar> a) {
      centred_.fit(a.rows(), a.cols());
      const View<Scalar> c = centred_.view();
      worker.parallel_ranges(a.cols(), a.rows(), [&](Index from, Index count) {
        for (Index t = from; t < from + count; ++t) {
          View<Scalar>{c}.col(t) = a.col(t) - mean;
          if (weighted) View<Scalar>{c}.col(t) *= std::sqrt(weight(start + t));  // in products of two
        }
      });
      square += detail::square_sum<Scalar>(c);
      projected_.fit(rank(), a.cols());
      multiply<Scalar>(worker, transposed(ConstView<Scalar>{basis}), c, projected_.view());
      multiply<Scalar>(worker, c, transposed(ConstView<Scalar>{projected_.view()}), y, share, y);
    });
    worker.sum(y);
    square = worker.sum(square);
    trace_ = (first ? 0 : (1 - fresh) * before.trace_) + fresh * square / static_cast<double>(columns);
    if (!std::isfinite(trace_) || !y.allFinite() || !mean.allFinite()) return false;
    rotate(worker, y, random);
  }
  return variances_.allFinite() && directions_.allFinite();
}

template <class Scalar>
void LowRankMemory<Scalar>::rotate(const Worker<Scalar>& worker, View<Scalar> y, Random& random) {
  const Index r = rank();
  const View<Scalar> basis = View<Scalar>{directions_}.slice(0, rank());
  inner_.resize(r, r);
  for (Index j = 0; j < r; ++j) {
    for (Index i = 0; i <= j; ++i) {
      const auto one = static_cast<double>(basis.col(i).dot(y.col(j)));
      const auto other = static_cast<double>(basis.col(j).dot(y.col(i)));
      inner_(i, j) = inner_(j, i) = (one + other) / 2;
    }
  }
  detail::symmetric_eigen(inner_, eigenvectors_);
  projected_.fit(r, r);
  projected_.view() = eigenvectors_.cast<Scalar>();
  multiply<Scalar>(worker, y, projected_.view(), basis);
  for (Index j = 0; j < r; ++j) variances_(j, 0) = static_cast<Scalar>(std::max(inner_(j, j), 0.0));
  orthonormalize(basis, random);
}

template <class Scalar>
void LowRankMemory<Scalar>::orthonormalize(View<Scalar> columns, Random& random) {
  for (Index j = 0; j < columns.cols(); ++j) {
    auto column = columns.col(j);
    for (int attempt = 0; attempt < 3; ++attempt) {
      Scalar before = column.norm();
      bool independent = before > Scalar(0);
      for (int pass = 0; independent && pass < 2; ++pass) {
        column /= before;
        for (Index k = 0; k < j; ++k) column -= columns.col(k).dot(column) * columns.col(k);
        before = column.norm();
        independent = before > Scalar(1e-4);
      }
      if (independent) {
        column /= before;
        break;
      }
      for (Index i = 0; i < columns.rows(); ++i) column(i) = static_cast<Scalar>(random.normal());
    }
  }
}

template <class Scalar>
double LowRankMemory<Scalar>::inverse_root(double damping, View<Scalar> f) const {
  f.setZero();
  const auto size = static_cast<double>(inputs() + 1);  // a bias counts as an input without variance
  const double mean = trace_ / size;
  if (!(mean > static_cast<double>(std::numeric_limits<Scalar>::min()))) return 1;
  const double lambda = damping * mean;
  const double rest = trace_ - static_cast<double>(variances_.sum());
  const double tail = std::max(rest / std::max(1.0, size - static_cast<double>(rank())), 1e-3 * mean) + lambda;
  for (Index i = 0; i < rank(); ++i) {
    const double variance = static_cast<double>(variances_(i, 0)) + lambda;
    f(i, 0) = static_cast<Scalar>(std::min(0.0, std::sqrt(tail / variance) - 1));
  }
  return 1 / std::sqrt(tail);
}

}  // namespace altmin
