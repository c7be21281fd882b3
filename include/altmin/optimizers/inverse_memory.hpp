#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "altmin/core/buffer.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/kernels/product.hpp"

namespace altmin {

/// The running mean square of vectors' elements, each vector counting alike, until there are 1/forgetting of them.
class RunningSquare {
 public:
  /// The mean square after these columns, which counts once they are committed.
  template <class Scalar>
  double push(ConstView<Scalar> a, double forgetting) {
    next_ = mean_;
    fresh_ = a.cols();
    for (Index t = 0; t < a.cols(); ++t) {
      const double square = static_cast<double>(a.col(t).squaredNorm()) / static_cast<double>(a.rows());
      next_ += std::max(forgetting, 1 / static_cast<double>(count_ + t + 1)) * (square - next_);
    }
    return next_;
  }
  void commit() {
    mean_ = next_;
    count_ += fresh_;
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("mean", self.mean_...);
    visit("count", self.count_...);
  }

 private:
  double mean_ = 0;
  Index count_ = 0;
  double next_ = 0;
  Index fresh_ = 0;
};

/// How an InverseMemory forgets, and what it adds to its diagonal.
struct InverseMemoryRates {
  double forgetting;  // a vector's weight falls by this share with each later one
  double floor;       // A stays at about this, or more
};

/// The inverse P of a memory A <- (1 - forgetting) A + w a a'. The inverse alone is stored, and updated by rank one for
/// each vector. Up to 32 updates are pending, P = c (Q - U U'), before a product merges them into Q. Additions to one
/// diagonal element at a time keep A at about the floor times I, or more, so that P is bounded.
///
/// A batch is pushed, and then committed or dropped: nothing changes before commit().
template <class Scalar>
class InverseMemory {
 public:
  static constexpr Index most_pending = 32;
  /// The largest part of A, in floors, which is what P can hold beside the floor's own inverse.
  static constexpr double most_floors = 0.01 / static_cast<double>(std::numeric_limits<Scalar>::epsilon());

  explicit InverseMemory(Index size = 0) : size_{size} {
    inverse_.setIdentity(size, size);
    pending_.setZero(size, most_pending);
  }

  Index size() const { return size_; }

  /// Finds what P would be after the columns of `a` (size x samples), of these weights (1 x samples; empty: 1 each),
  /// and writes P a into `moved`. False if a number overflows.
  bool push(const InverseMemoryRates& rates, ConstView<Scalar> a, ConstView<Scalar> weights, View<Scalar> moved);

  /// Makes what was pushed last the memory.
  void commit(const Worker<Scalar>& worker, const InverseMemoryRates& rates);

  /// P.
  Matrix<Scalar> inverse() const {
    const auto u = pending_.leftCols(pending_count_);
    return static_cast<Scalar>(scale_) * (inverse_ - u * u.transpose());
  }
  double trace() const {
    return scale_ * static_cast<double>(inverse_.trace() - pending_.leftCols(pending_count_).squaredNorm());
  }

  /// result = P a.
  void multiply_inverse(const Worker<Scalar>& worker, ConstView<Scalar> a, View<Scalar> result) {
    const auto c = static_cast<Scalar>(scale_);
    multiply<Scalar>(worker, inverse_, a, result, c);
    projected_.fit(most_pending, a.cols());  // so that later calls do not allocate
    if (pending_count_ == 0) return;
    const ConstView<Scalar> u = ConstView<Scalar>{pending_}.slice(0, pending_count_);
    projected_.fit(pending_count_, a.cols());
    multiply<Scalar>(worker, transposed(u), a, projected_.view());
    multiply<Scalar>(worker, u, projected_.view(), result, -c, result);
  }

  Index bytes() const {
    return (inverse_.size() + pending_.size()) * static_cast<Index>(sizeof(Scalar)) + fresh_.bytes() + stored_.bytes() +
           projected_.bytes();
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("inverse", self.inverse_...);
    visit("pending", self.pending_...);
    visit("pending_count", self.pending_count_...);
    visit("scale", self.scale_...);
    visit("pushed", self.pushed_...);
    visit("turn", self.turn_...);
  }

  /// Throws ShapeError unless this is a memory of so many numbers.
  void require_fit(Index size) const {
    detail::require_shape(inverse_, size, size, "inverse");
    detail::require_shape(pending_, size, most_pending, "pending");
    if (pending_count_ < 0 || pending_count_ > most_pending) {
      throw ShapeError("pending_count: expected 0 to " + detail::text(most_pending) + ", got " +
                       detail::text(pending_count_));
    }
    if (turn_ < 0 || turn_ >= std::max<Index>(size, 1)) {
      throw ShapeError("turn: expected 0 to " + detail::text(size - 1) + ", got " + detail::text(turn_));
    }
  }

 private:
  /// result = Q a, passing over zeros: inputs and rectified units are often 0, and each takes a column of Q.
  void multiply_stored(ConstView<Scalar> a, View<Scalar> result) const {
    result.setZero();
    Eigen::Map<Vector<Scalar>> sum{result.data(), size_};
    Index columns[4];
    Index found = 0;
    const auto part = [&](Index i) { return a(columns[i], 0) * inverse_.col(columns[i]); };
    for (Index j = 0; j < size_; ++j) {
      if (a(j, 0) == Scalar(0)) continue;
      columns[found++] = j;
      if (found < 4) continue;
      sum += (part(0) + part(1)) + (part(2) + part(3));
      found = 0;
    }
    for (Index i = 0; i < found; ++i) sum += a(columns[i], 0) * inverse_.col(columns[i]);
  }

  /// result -= U U' a.
  static void subtract_pending(ConstView<Scalar> u, ConstView<Scalar> a, View<Scalar> result) {
    const Eigen::Map<const Vector<Scalar>> from{a.data(), a.rows()};
    for (Index j = 0; j < u.cols(); ++j) {
      const Eigen::Map<const Vector<Scalar>> column{u.address(0, j), u.rows()};
      result.col(0) -= column.dot(from) * column;
    }
  }

  /// Vectors from one turn of a diagonal element to the next.
  Index turns_every(const InverseMemoryRates& rates) const {
    return static_cast<Index>(std::clamp(0.6 / (rates.forgetting * static_cast<double>(size_)), 1.0, 4.0));
  }

  /// Adds to the diagonal element of A whose turn it is.
  void raise(const Worker<Scalar>& worker, double raised);

  /// Q <- c (Q - U U'), c <- 1.
  void flush(const Worker<Scalar>& worker);

  Index size_;
  Matrix<Scalar> inverse_;  // Q
  Matrix<Scalar> pending_;  // U, its first columns; the others are 0
  Index pending_count_ = 0;
  double scale_ = 1;  // c
  Index pushed_ = 0;
  Index turn_ = 0;  // whose diagonal element is raised next

  // What was pushed.
  Buffer<Scalar> fresh_;   // further columns of U
  Buffer<Scalar> stored_;  // (Q - U U') a
  double start_scale_ = 1;
  double next_scale_ = 1;
  Buffer<Scalar> projected_;
};

template <class Scalar>
bool InverseMemory<Scalar>::push(const InverseMemoryRates& rates, ConstView<Scalar> a, ConstView<Scalar> weights,
                                 View<Scalar> moved) {
  const Index samples = a.cols();
  fresh_.fit(size_, samples);
  stored_.fit(size_, samples);
  View<Scalar> fresh = fresh_.view();
  View<Scalar> stored = stored_.view();
  const double kept = 1 - rates.forgetting;
  start_scale_ = pushed_ == 0 ? 1 / std::max(rates.floor, 1e-30) : scale_;
  if (!std::isfinite(rates.floor) || !std::isfinite(start_scale_)) return false;
  next_scale_ = start_scale_;
  const ConstView<Scalar> pending = ConstView<Scalar>{pending_}.slice(0, pending_count_);
  for (Index t = 0; t < samples; ++t) {
    const ConstView<Scalar> now = a.slice(t, 1);
    const View<Scalar> q = stored.slice(t, 1);
    multiply_stored(now, q);
    subtract_pending(pending, now, q);
    View<Scalar> u = fresh.slice(t, 1);
    u = q.col(0);
    subtract_pending(ConstView<Scalar>{fresh}.slice(0, t), now, u);
    // With k = P a = c u: P <- (P - w k k'/D) / kept, D = kept + w a'k.
    const double along = next_scale_ * static_cast<double>(u.col(0).dot(now.col(0)));
    // A stays below some floors along the vector, so that P, whose smallest part is rounded like its largest, stays
    // positive: else the negative part would grow for ever.
    const double ratio = along * rates.floor / static_cast<double>(now.squaredNorm());
    const double most = ratio * most_floors > 1 ? kept * (ratio * most_floors - 1) / along : 0;
    const double weight = std::min(weights.size() > 0 ? static_cast<double>(weights(0, t)) : 1, most);
    const double divisor = kept + weight * along;
    if (!std::isfinite(along) || !std::isfinite(divisor)) return false;
    if (along > 0 && weight > 0) {
      u *= static_cast<Scalar>(std::sqrt(weight * next_scale_ / divisor));
    } else {
      u.setZero();  // lost to rounding: the vector is skipped
    }
    next_scale_ /= kept;
  }
  for (Index t = 0; t < samples; ++t) {
    View<Scalar> result = moved.slice(t, 1);
    result = stored.col(t);
    subtract_pending(ConstView<Scalar>{fresh}, a.slice(t, 1), result);
    result *= static_cast<Scalar>(next_scale_);
  }
  return moved.allFinite() && fresh.allFinite();
}

template <class Scalar>
void InverseMemory<Scalar>::commit(const Worker<Scalar>& worker, const InverseMemoryRates& rates) {
  View<Scalar> fresh = fresh_.view();
  const double kept = 1 - rates.forgetting;
  const Index every = turns_every(rates);
  Index turns = 0;
  scale_ = start_scale_;
  for (Index t = 0; t < fresh.cols(); ++t) {
    if (pending_count_ == most_pending) {
      // P = c (Q - U U' - F F') becomes Q - c F F'.
      fresh.rightCols(fresh.cols() - t) *= static_cast<Scalar>(std::sqrt(scale_));
      flush(worker);
    }
    pending_.col(pending_count_++) = fresh.col(t);
    scale_ /= kept;
    if (++pushed_ % every == 0) ++turns;
  }
  const double raised = static_cast<double>(every * size_) * rates.forgetting * rates.floor;
  for (; turns > 0; --turns) raise(worker, raised);
}

template <class Scalar>
void InverseMemory<Scalar>::raise(const Worker<Scalar>& worker, double raised) {
  if (pending_count_ == most_pending) flush(worker);
  View<Scalar> u = View<Scalar>{pending_}.slice(pending_count_, 1);
  u = inverse_.col(turn_);
  for (Index j = 0; j < pending_count_; ++j) u -= pending_(turn_, j) * pending_.col(j);
  const double along = scale_ * static_cast<double>(u(turn_, 0));
  if (along > 0) {
    u *= static_cast<Scalar>(std::sqrt(raised * scale_ / (1 + raised * along)));
    ++pending_count_;
  } else {
    u.setZero();
  }
  turn_ = (turn_ + 1) % size_;
}

template <class Scalar>
void InverseMemory<Scalar>::flush(const Worker<Scalar>& worker) {
  const auto c = static_cast<Scalar>(scale_);
  multiply_symmetric<Scalar>(worker, pending_, transposed(ConstView<Scalar>{pending_}), inverse_, -c, {inverse_, c});
  pending_.setZero();
  pending_count_ = 0;
  scale_ = 1;
}

}  // namespace altmin
