#pragma once

// What the tests of several floors share.

#include <limits>

#include "altmin/core/random.hpp"

namespace support {

using altmin::Index;
using altmin::Matrix;
using altmin::Random;
using altmin::Seed;

/// A few roundings of numbers of size 1.
template <class Scalar>
constexpr double roundings(double count = 10) {
  return count * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
}

template <class Scalar>
Matrix<Scalar> random_matrix(Index rows, Index columns, Random& random, double low = -1, double high = 1) {
  Matrix<Scalar> result(rows, columns);
  for (auto& value : result.reshaped()) value = static_cast<Scalar>(random.uniform(low, high));
  return result;
}

/// The largest difference of two matrices, by the largest element of the second (the difference itself if that is 0).
/// NaN if there is one in either.
template <class Got, class Expected>
double relative_error(const Eigen::MatrixBase<Got>& got, const Eigen::MatrixBase<Expected>& expected) {
  const Matrix<double> reference = expected.template cast<double>();
  const Matrix<double> difference = got.template cast<double>() - reference;
  const double size = reference.cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  return difference.cwiseAbs().maxCoeff<Eigen::PropagateNaN>() / (size == 0 ? 1 : size);
}

/// The derivative of a function of a matrix, by central differences.
template <class Function>
Matrix<double> numerical_gradient(Matrix<double> at, Function&& function) {
  constexpr double step = 1e-5;
  Matrix<double> gradient(at.rows(), at.cols());
  for (Index j = 0; j < at.cols(); ++j) {
    for (Index i = 0; i < at.rows(); ++i) {
      const double middle = at(i, j);
      at(i, j) = middle + step;
      const double above = function(at);
      at(i, j) = middle - step;
      const double below = function(at);
      at(i, j) = middle;
      gradient(i, j) = (above - below) / (2 * step);
    }
  }
  return gradient;
}

}  // namespace support
