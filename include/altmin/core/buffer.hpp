#pragma once

#include "altmin/core/types.hpp"

namespace altmin {

/// Working memory: a matrix whose shape follows the batch. It only ever grows, so that batch sizes may alternate
/// without allocating. Its contents are not part of a network's value.
template <class Scalar>
class Buffer {
 public:
  /// Takes a shape; the contents become unspecified.
  void fit(Index rows, Index columns) {
    if (rows * columns > memory_.size()) memory_.resize(rows * columns);
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
