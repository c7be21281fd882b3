#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "altmin/core/buffer.hpp"
#include "altmin/core/types.hpp"
#include "altmin/kernels/product.hpp"

namespace altmin {

/// M^(-1/2) of symmetric positive semidefinite matrices, damped, by the coupled Newton-Schulz iteration (Higham,
/// Functions of Matrices, section 6.7), scaled: products alone, so that it runs at their speed and on all threads.
template <class Scalar>
class InverseRoot {
 public:
  /// root = (M + damping tr(M)/n I)^(-1/2), to a relative error of about 1e-4; damping above 0. The identity where M is
  /// 0. False, and no change, where the iteration does not come to an end (a damping so small that rounding makes M
  /// indefinite).
  bool compute(const Worker<Scalar>& worker, const Matrix<Scalar>& matrix, double damping, Matrix<Scalar>& root) {
    const Index n = matrix.rows();
    const Scalar mean = matrix.trace() / static_cast<Scalar>(n);
    const Scalar floor = static_cast<Scalar>(damping) * mean;
    if (!(floor > Scalar(0)) || !std::isfinite(static_cast<double>(mean))) {
      root.setIdentity(n, n);
      return true;
    }

    for (auto& buffer : memory_) buffer.fit(n, n);
    auto* y = &memory_[0];  // becomes M^(1/2)
    auto* z = &memory_[1];  // becomes M^(-1/2)
    auto* t = &memory_[2];
    auto* product = &memory_[3];
    y->view() = matrix;
    y->view().diagonal().array() += floor;
    const Scalar bound = largest_eigenvalue_bound(y->view());
    y->view() /= bound;
    // The eigenvalues of Z Y are in [low^2, 1]. Scaling the cubic so that both ends of [low, 1] meet in the same value
    // brings small ones up by 6.75 an iteration instead of 2.25. All iterates are functions of one symmetric matrix: so
    // are their products.
    constexpr double enough = 0.9999;
    bool first = true;  // z is the identity
    for (double low = std::sqrt(static_cast<double>(floor / bound)); low > 0 && (low < enough || first);
         first = false) {
      const double scale = std::sqrt(3 / (1 + low + low * low));
      low = scale * low * (3 - scale * scale * low * low) / 2;
      const auto factor = static_cast<Scalar>(-scale * scale * scale / 2);
      if (first) {
        t->view() = factor * y->view();
      } else {
        multiply_symmetric<Scalar>(worker, z->view(), y->view(), t->view(), factor);
      }
      t->view().diagonal().array() += static_cast<Scalar>(1.5 * scale);
      if (low < enough) {  // else only Z is still needed
        multiply_symmetric<Scalar>(worker, y->view(), t->view(), product->view());
        std::swap(y, product);
      }
      if (first) {
        std::swap(z, t);
        continue;
      }
      multiply_symmetric<Scalar>(worker, t->view(), z->view(), product->view());
      std::swap(z, product);
    }
    // No eigenvalue of the root is above 1 / sqrt(floor).
    const double largest = 2 * std::sqrt(static_cast<double>(n) * static_cast<double>(bound / floor));
    if (!(static_cast<double>(z->view().norm()) <= largest)) return false;
    root = z->view() / std::sqrt(bound);
    return true;
  }

  Index bytes() const { return 4 * memory_[0].bytes(); }

 private:
  /// At most sqrt(n) times too large, usually near: the smaller of two norms.
  static Scalar largest_eigenvalue_bound(ConstView<Scalar> matrix) {
    const Scalar columns = matrix.cwiseAbs().colwise().sum().maxCoeff();
    const Scalar norm = matrix.norm();
    const bool exact = norm > Scalar(1000) * std::sqrt(std::numeric_limits<Scalar>::min());  // no square is lost
    return exact ? std::min(norm, columns) : columns;
  }

  Buffer<Scalar> memory_[4];
};

}  // namespace altmin
