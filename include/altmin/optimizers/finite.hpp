#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "altmin/core/types.hpp"

namespace altmin {

// Before anything moves, each weight rule proves that what it is about to write stays finite: mostly from bounds on
// gradients and moments, without a pass over weights or moments. Where the bounds do not suffice, the new values are
// computed one by one, without being stored.

/// The largest number that may become a weight or a moment, with room for the rounding of a formula.
template <class Scalar>
constexpr double largest_finite() {
  return static_cast<double>(std::numeric_limits<Scalar>::max()) *
         (1 - 16 * static_cast<double>(std::numeric_limits<Scalar>::epsilon()));
}

/// The largest gradient: its square is finite.
template <class Scalar>
double largest_gradient() {
  return std::sqrt(largest_finite<Scalar>());
}

/// A move that takes no finite number beyond the largest one: less than half the spacing there.
template <class Scalar>
constexpr double harmless_move() {
  return static_cast<double>(std::numeric_limits<Scalar>::max()) *
         static_cast<double>(std::numeric_limits<Scalar>::epsilon()) / 8;
}

/// The largest absolute value; infinite where an element is not finite.
template <class Scalar>
double largest_absolute(ConstView<Scalar> matrix) {
  Scalar largest = 0;
  for (Index j = 0; j < matrix.cols(); ++j) {
    if (!matrix.col(j).allFinite()) return std::numeric_limits<double>::infinity();
    if (matrix.rows() > 0) largest = std::max(largest, matrix.col(j).cwiseAbs().maxCoeff());
  }
  return static_cast<double>(largest);
}

/// At least as large as each absolute value, from one quick pass: the norm, or infinity where that overflows.
template <class Scalar>
double norm_bound(ConstView<Scalar> matrix) {
  const double square = static_cast<double>(matrix.squaredNorm());
  if (!(square <= largest_finite<Scalar>())) return std::numeric_limits<double>::infinity();
  // Squares below the smallest number are lost.
  return std::sqrt(square) * (1 + 1e-3) + std::sqrt(static_cast<double>(std::numeric_limits<Scalar>::min()));
}

namespace detail {

/// True if a number could become a weight or a moment.
template <class Scalar>
bool is_storable(Scalar value) {
  return std::abs(static_cast<double>(value)) <= largest_finite<Scalar>();
}

/// Whether state comes from a rule's own updates alone, which bound it. Access by which it may have been written
/// otherwise calls revoke(). It is not part of a value.
class Provenance {
 public:
  bool own() const { return own_; }
  void set(bool own) { own_ = own; }
  void revoke() { own_ = false; }
  void revoke() const {}  // constant state is read alone

 private:
  bool own_ = true;
};

}  // namespace detail
}  // namespace altmin
