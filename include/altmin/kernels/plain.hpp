#pragma once

#include "altmin/kernels/factor.hpp"
#include "altmin/kernels/window.hpp"

// What each kernel of this folder computes, once more, as a plain loop: tests compare the two.

namespace altmin::detail {

/// multiply() and multiply_symmetric(): left right.
template <class Scalar>
Matrix<Scalar> multiply_plain(const Factor<Scalar>& left, const Factor<Scalar>& right) {
  const auto at = [](const Factor<Scalar>& factor, Index i, Index j) {
    return factor.data[factor.transposed ? j + i * factor.stride : i + j * factor.stride];
  };
  Matrix<Scalar> result = Matrix<Scalar>::Zero(left.rows, right.columns);
  for (Index j = 0; j < right.columns; ++j) {
    for (Index k = 0; k < left.columns; ++k) {
      for (Index i = 0; i < left.rows; ++i) result(i, j) += at(left, i, k) * at(right, k, j);
    }
  }
  return result;
}

/// Calls use(k, p, pixel) for each value k of a window and each position p where it meets a pixel of the image.
template <class Use>
void for_each_pixel_plain(const Window& window, Use&& use) {
  const Shape& image = window.input();
  for (Index k = 0; k < window.depth(); ++k) {
    const Index channel = k / window.area();
    const Index row = k % window.area() / window.kernel().width;
    const Index column = k % window.kernel().width;
    for (Index p = 0; p < window.positions(); ++p) {
      const Index y = p / window.width() * window.stride().height + row - window.padding().height;
      const Index x = p % window.width() * window.stride().width + column - window.padding().width;
      if (y < 0 || y >= image.height || x < 0 || x >= image.width) continue;
      use(k, p, (channel * image.height + y) * image.width + x);
    }
  }
}

/// ShiftedImage::lay_out(): what a window meets in an image at each position, depth x positions; 0 beside the image.
template <class Scalar>
Matrix<Scalar> lay_out_plain(const Window& window, const Scalar* image) {
  Matrix<Scalar> values = Matrix<Scalar>::Zero(window.depth(), window.positions());
  for_each_pixel_plain(window, [&](Index k, Index p, Index pixel) { values(k, p) = image[pixel]; });
  return values;
}

/// ShiftedImage::add_back(): adds values, depth x positions, to the pixels that they were laid out from.
template <class Scalar>
void add_back_plain(const Window& window, const Matrix<Scalar>& values, Scalar* image) {
  for_each_pixel_plain(window, [&](Index k, Index p, Index pixel) { image[pixel] += values(k, p); });
}

/// SignMatrix::count_differences(): for each row of the matrix, how many of its elements differ in sign from those of
/// x. The sign of 0 is -1.
template <class Scalar>
Vector<Index> count_differences_plain(const Matrix<Scalar>& matrix, const Vector<Scalar>& x) {
  Vector<Index> counts = Vector<Index>::Zero(matrix.rows());
  for (Index i = 0; i < matrix.cols(); ++i) {
    for (Index o = 0; o < matrix.rows(); ++o) counts(o) += (matrix(o, i) > Scalar(0)) != (x(i) > Scalar(0)) ? 1 : 0;
  }
  return counts;
}

}  // namespace altmin::detail
