#pragma once

#include <Eigen/Core>
#include <type_traits>
#include <utility>

// With this option every check for numbers that are not finite is compiled to nothing, without a word.
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "altmin relies on NaN and infinity: add -fno-finite-math-only to -ffast-math or -Ofast"
#endif

/// All of the library: see the pages of the site, and altmin.hpp for what a program includes.
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

/// A matrix, or a range of its columns, borrowed for writing. Assigning an expression to it writes coefficients into
/// the matrix, and so does assigning another view to a temporary one (`a.values() = b.values()`). A view that is kept
/// cannot be assigned another view: the assignment of a class that keeps one would write where its author means to
/// borrow another matrix.
template <class Scalar>
class View : public Eigen::Map<Matrix<Scalar>, 0, Eigen::OuterStride<>> {
  using Base = Eigen::Map<Matrix<Scalar>, 0, Eigen::OuterStride<>>;

 public:
  View() : View{nullptr, 0, 0, 0} {}
  View(Scalar* data, Index rows, Index columns, Index stride)
      : Base{data, rows, columns, Eigen::OuterStride<>{stride}} {}
  View(Matrix<Scalar>& matrix) : View{matrix.data(), matrix.rows(), matrix.cols(), matrix.rows()} {}  // NOLINT
  View(const View&) = default;
  View& operator=(const View& other) & = delete;
  View& operator=(const View& other) && {
    Base::operator=(other);
    return *this;
  }
  template <class Derived>
  View& operator=(const Eigen::DenseBase<Derived>& values) {
    Base::operator=(values);
    return *this;
  }

  /// The address of a coefficient; the rest of its column follows it.
  Scalar* address(Index row, Index column) const {
    return const_cast<Scalar*>(this->data()) + row + column * this->outerStride();
  }

  /// The columns (samples) first .. first + count - 1.
  View slice(Index first, Index count) const { return {address(0, first), this->rows(), count, this->outerStride()}; }
};

/// A matrix, or a range of its columns, borrowed for reading. It cannot be assigned to; rebind() makes it borrow
/// another one.
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
  ConstView& operator=(const ConstView&) = delete;

  void rebind(const ConstView& other) { new (this) ConstView{other}; }  // Eigen's way of pointing a Map elsewhere

  const Scalar* address(Index row, Index column) const { return this->data() + row + column * this->outerStride(); }

  /// The columns (samples) first .. first + count - 1.
  ConstView slice(Index first, Index count) const {
    return {address(0, first), this->rows(), count, this->outerStride()};
  }
};

namespace detail {

template <class Expression, class = void>
constexpr bool has_data = false;
template <class Expression>
constexpr bool has_data<Expression, std::void_t<decltype(std::declval<const Expression&>().data())>> = true;

/// The expression itself or, where it claims an address that it does not have (an indexed view such as
/// x(all, seq(0, 8, 2)) in Eigen 3.4), one of the same values that claims none.
template <class Derived>
decltype(auto) as_referable(const Eigen::DenseBase<Derived>& x) {
  constexpr bool claims_address = (Eigen::internal::traits<Derived>::Flags & Eigen::DirectAccessBit) != 0;
  if constexpr (claims_address && !has_data<Derived>) {
    return x.derived().unaryExpr([](typename Derived::Scalar value) { return value; });
  } else {
    return (x.derived());
  }
}

/// Eigen::Ref<const Plain> from any expression of the same scalar.
template <class Plain, class Stride>
class ConstReference : public Eigen::Ref<const Plain, 0, Stride> {
  using Base = Eigen::Ref<const Plain, 0, Stride>;

 public:
  template <class Derived, std::enable_if_t<std::is_same_v<typename Derived::Scalar, typename Plain::Scalar>, int> = 0>
  ConstReference(const Eigen::DenseBase<Derived>& x) : Base{as_referable(x)} {}  // NOLINT(google-explicit-constructor)
};

}  // namespace detail

/// The same for reading, from any expression that callers have at hand (copies only what is not stored by columns).
template <class Scalar>
using ConstRef = detail::ConstReference<Matrix<Scalar>, Eigen::OuterStride<>>;

/// Labels for reading, from any expression.
using ConstLabels = detail::ConstReference<Labels, Eigen::InnerStride<1>>;

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
