#pragma once

#include <Eigen/Core>

namespace altmin {

using Index = Eigen::Index;

/// Column-major, one sample per COLUMN: features x samples.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

template <class Scalar>
using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

/// Same shape and same coefficients.
template <class Scalar>
bool equal(const Matrix<Scalar>& a, const Matrix<Scalar>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && a == b;
}

/// Class labels, 0 .. classes - 1, one per sample.
using Labels = Eigen::VectorXi;

/// A matrix, or a range of its columns, borrowed for writing. Assigning to it writes into the matrix.
template <class Scalar>
class View : public Eigen::Map<Matrix<Scalar>, 0, Eigen::OuterStride<>> {
  using Base = Eigen::Map<Matrix<Scalar>, 0, Eigen::OuterStride<>>;

 public:
  View() : View{nullptr, 0, 0, 0} {}
  View(Scalar* data, Index rows, Index columns, Index stride)
      : Base{data, rows, columns, Eigen::OuterStride<>{stride}} {}
  View(Matrix<Scalar>& matrix) : View{matrix.data(), matrix.rows(), matrix.cols(), matrix.rows()} {}  // NOLINT
  View(const View&) = default;
  View& operator=(const View& other) {
    Base::operator=(other);
    return *this;
  }
  using Base::operator=;

  /// Where a coefficient stands; the column goes on behind it.
  Scalar* address(Index row, Index column) const {
    return const_cast<Scalar*>(this->data()) + row + column * this->outerStride();
  }

  /// The columns (samples) first .. first + count - 1.
  View slice(Index first, Index count) const {
    return {address(0, first), this->rows(), count, this->outerStride()};
  }
};

/// A matrix, or a range of its columns, borrowed for reading. Assigning to it makes it borrow another one.
template <class Scalar>
class ConstView : public Eigen::Map<const Matrix<Scalar>, 0, Eigen::OuterStride<>> {
  using Base = Eigen::Map<const Matrix<Scalar>, 0, Eigen::OuterStride<>>;
  using Ref = Eigen::Ref<const Matrix<Scalar>, 0, Eigen::OuterStride<>>;

 public:
  ConstView() : ConstView{nullptr, 0, 0, 0} {}
  ConstView(const Scalar* data, Index rows, Index columns, Index stride)
      : Base{data, rows, columns, Eigen::OuterStride<>{stride}} {}
  ConstView(const Matrix<Scalar>& matrix) : ConstView{matrix.data(), matrix.rows(), matrix.cols(), matrix.rows()} {}
  ConstView(const View<Scalar>& view) : ConstView{view.data(), view.rows(), view.cols(), view.outerStride()} {}
  ConstView(const Ref& ref) : ConstView{ref.data(), ref.rows(), ref.cols(), ref.outerStride()} {}
  ConstView(const ConstView&) = default;
  ConstView& operator=(const ConstView& other) {
    new (this) ConstView{other};  // Eigen's way of pointing a Map elsewhere
    return *this;
  }

  const Scalar* address(Index row, Index column) const { return this->data() + row + column * this->outerStride(); }

  /// The columns (samples) first .. first + count - 1.
  ConstView slice(Index first, Index count) const {
    return {address(0, first), this->rows(), count, this->outerStride()};
  }
};

/// The same for reading, from any expression that callers have at hand (copies only what is not stored by columns).
template <class Scalar>
using ConstRef = Eigen::Ref<const Matrix<Scalar>, 0, Eigen::OuterStride<>>;

/// A borrowed array: valid as long as its owner, and until the owner changes it.
template <class T>
class Span {
 public:
  Span() = default;
  Span(T* data, Index size) : data_{data}, size_{size} {}

  T* begin() const { return data_; }
  T* end() const { return data_ + size_; }
  T& operator[](Index i) const { return data_[i]; }
  T& front() const { return data_[0]; }
  T& back() const { return data_[size_ - 1]; }
  Index size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  T* data_ = nullptr;
  Index size_ = 0;
};

}  // namespace altmin
