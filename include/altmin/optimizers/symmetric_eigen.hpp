#pragma once

#include <cmath>

#include "altmin/core/types.hpp"

namespace altmin::detail {

/// The eigenvalues of a small symmetric matrix, on its diagonal, and its eigenvectors, as columns, by cyclic rotations
/// of Jacobi, which find small eigenvalues to high relative accuracy. (Eigen's solver would cost every program a second
/// to compile.)
inline void symmetric_eigen(Matrix<double>& matrix, Matrix<double>& vectors) {
  const Index n = matrix.rows();
  vectors.setIdentity(n, n);
  const auto rotate = [&](double* a, Index a_step, double* b, Index b_step, double c, double s) {
    for (Index k = 0; k < n; ++k) {
      double& x = a[k * a_step];
      double& y = b[k * b_step];
      const double rotated = c * x - s * y;
      y = s * x + c * y;
      x = rotated;
    }
  };
  for (int sweep = 0; sweep < 30; ++sweep) {
    bool diagonal = true;
    for (Index q = 1; q < n; ++q) {
      for (Index p = 0; p < q; ++p) {
        const double off = matrix(p, q);
        if (std::abs(off) <= 1e-15 * std::sqrt(std::abs(matrix(p, p) * matrix(q, q)))) continue;
        if (off == 0 || !std::isfinite(off)) continue;
        diagonal = false;
        const double theta = (matrix(q, q) - matrix(p, p)) / (2 * off);
        const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1);
        const double s = t * c;
        rotate(&matrix(0, p), 1, &matrix(0, q), 1, c, s);
        rotate(&matrix(p, 0), n, &matrix(q, 0), n, c, s);
        rotate(&vectors(0, p), 1, &vectors(0, q), 1, c, s);
        matrix(p, q) = matrix(q, p) = 0;
      }
    }
    if (diagonal) return;
  }
}

}  // namespace altmin::detail
