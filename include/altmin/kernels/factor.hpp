#pragma once

#include <utility>

#include "altmin/core/types.hpp"

namespace altmin {

/// One factor of a product: a matrix, or its transpose, without a copy.
template <class Scalar>
struct Factor {
  Factor() = default;
  template <class Derived>
  Factor(const Eigen::DenseBase<Derived>& matrix)  // NOLINT(google-explicit-constructor): a matrix is a factor
      : data{matrix.derived().data()},
        rows{matrix.rows()},
        columns{matrix.cols()},
        stride{matrix.derived().outerStride()} {
    static_assert(!Derived::IsRowMajor || Derived::ColsAtCompileTime == 1, "a factor is stored by columns");
    static_assert(Derived::InnerStrideAtCompileTime == 1, "the columns of a factor are contiguous");
  }

  Factor transpose() const {
    Factor flipped = *this;
    std::swap(flipped.rows, flipped.columns);
    flipped.transposed = !transposed;
    return flipped;
  }

  /// The matrix as it is stored, by columns.
  ConstView<Scalar> stored() const {
    return transposed ? ConstView<Scalar>{data, columns, rows, stride} : ConstView<Scalar>{data, rows, columns, stride};
  }

  Factor row_range(Index first, Index count) const { return part(first, 0, count, columns); }
  Factor column_range(Index first, Index count) const { return part(0, first, rows, count); }

  const Scalar* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index stride = 0;
  bool transposed = false;

 private:
  Factor part(Index row, Index column, Index row_count, Index column_count) const {
    Factor result = *this;
    result.data += transposed ? column + row * stride : row + column * stride;
    result.rows = row_count;
    result.columns = column_count;
    return result;
  }
};

/// The transpose of a matrix as a factor.
template <class Derived>
Factor<typename Derived::Scalar> transposed(const Eigen::DenseBase<Derived>& matrix) {
  return Factor<typename Derived::Scalar>{matrix}.transpose();
}

}  // namespace altmin
