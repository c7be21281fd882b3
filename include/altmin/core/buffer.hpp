#pragma once

#include "altmin/core/types.hpp"

namespace altmin {

/// Working memory: a matrix whose shape follows the batch. It only ever grows, so that batch sizes may alternate
/// without allocating. Its contents are not part of a network's value.
template <class Scalar>
class Buffer {
 public:
  /// Takes a shape; the contents become unspecified. It may be empty: views are of memory all the same, so that an
  /// address behind it, as of a row of no samples, is one.
  void fit(Index rows, Index columns) {
    const Index size = rows * columns;
    if (size > memory_.size() || memory_.size() == 0) memory_.resize(size > 0 ? size : 1);
    rows_ = rows;
    columns_ = columns;
  }

  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  Index size() const { return rows_ * columns_; }
  Index bytes() const { return memory_.size() * static_cast<Index>(sizeof(Scalar)); }

  View<Scalar> view() { return {memory_.data(), rows_, columns_, rows_}; }
  ConstView<Scalar> view() const { return {memory_.data(), rows_, columns_, rows_}; }

 private:
  Vector<Scalar> memory_;
  Index rows_ = 0;
  Index columns_ = 0;
};

}  // namespace altmin
