#include "altmin/core/types.hpp"

#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "catch.hpp"

using altmin::ConstView;
using altmin::Index;
using altmin::Matrix;
using altmin::Span;
using altmin::View;

namespace {

/// Element (i, j) is 10 i + j.
template <class Scalar>
Matrix<Scalar> numbered(Index rows, Index columns) {
  return Matrix<Scalar>::NullaryExpr(rows, columns, [](Index i, Index j) { return Scalar(10 * i + j); });
}

}  // namespace

// A class that keeps a view cannot be copied by assignment into the memory that the view borrows.
static_assert(!std::is_copy_assignable_v<View<float>>);
static_assert(!std::is_copy_assignable_v<std::pair<View<double>, int>>);
static_assert(!std::is_copy_assignable_v<ConstView<float>>);

TEMPLATE_TEST_CASE("assigning to a view writes into the matrix", "[types]", float, double) {
  Matrix<TestType> matrix = numbered<TestType>(2, 3);
  Matrix<TestType> other = Matrix<TestType>::Constant(2, 3, 7);
  View<TestType> view{matrix};
  view.slice(0, 3) = View<TestType>{other};
  CHECK(matrix == other);
  CHECK(view.data() == matrix.data());

  view = numbered<TestType>(2, 3);
  CHECK(matrix == numbered<TestType>(2, 3));

  view.slice(1, 2) = numbered<TestType>(2, 2);
  CHECK(matrix.col(0) == numbered<TestType>(2, 3).col(0));
  CHECK(matrix.rightCols(2) == numbered<TestType>(2, 2));
}

TEMPLATE_TEST_CASE("a ConstView borrows another matrix by rebind()", "[types]", float, double) {
  const Matrix<TestType> first = numbered<TestType>(2, 3);
  const Matrix<TestType> second = Matrix<TestType>::Constant(4, 1, 7);
  ConstView<TestType> view{first};
  view.rebind(second);
  CHECK(view == second);
  CHECK(view.data() == second.data());
  CHECK(first == numbered<TestType>(2, 3));

  view.rebind(ConstView<TestType>{first}.slice(1, 2));
  CHECK(view == first.rightCols(2));
}

TEMPLATE_TEST_CASE("a ConstView of a block keeps its stride", "[types]", float, double) {
  Matrix<TestType> matrix = numbered<TestType>(5, 4);
  const altmin::ConstRef<TestType> block = matrix.block(1, 1, 3, 2);
  const ConstView<TestType> view{block};
  CHECK(view == matrix.block(1, 1, 3, 2));
  CHECK(view.slice(1, 1) == matrix.block(1, 2, 3, 1));
  CHECK(view.data() == &matrix(1, 1));
}

TEMPLATE_TEST_CASE("a ConstRef takes any expression", "[types]", float, double) {
  const Matrix<TestType> matrix = numbered<TestType>(3, 9);
  const auto check = [](const altmin::ConstRef<TestType>& got, const Matrix<TestType>& expected) {
    CHECK(got == expected);
  };
  Matrix<TestType> every_other(3, 5);
  for (Index j = 0; j < 5; ++j) every_other.col(j) = matrix.col(2 * j);
  check(matrix(Eigen::all, Eigen::seq(0, 8, 2)), every_other);
  check(matrix(Eigen::all, Eigen::seq(8, 0, -2)), every_other.rowwise().reverse());
  check(matrix(Eigen::all, std::vector<int>{0, 2, 4, 6, 8}), every_other);
  check(matrix(Eigen::seq(0, 2, 2), Eigen::all), matrix(std::vector<int>{0, 2}, Eigen::all));
  check(matrix.transpose(), Matrix<TestType>(matrix.transpose()));
  check(matrix.array() * 2, 2 * matrix);
  const altmin::ConstRef<TestType> whole = matrix;
  CHECK(whole.data() == matrix.data());

  const altmin::Labels labels = altmin::Labels::LinSpaced(9, 0, 8);
  const altmin::ConstLabels odd{labels(Eigen::seq(1, 8, 2))};
  CHECK(odd == altmin::Labels{{1, 3, 5, 7}});
}

TEST_CASE("a span is a borrowed array", "[types]") {
  int numbers[] = {1, 2, 3};
  const Span<int> span{numbers, 3};
  span[1] = 20;
  CHECK(numbers[1] == 20);
  CHECK(span.front() + span.back() == 4);
  CHECK(span.end() - span.begin() == span.size());
  CHECK_FALSE(span.empty());
  CHECK(Span<int>{}.empty());
}

TEMPLATE_TEST_CASE("a buffer keeps its memory when the batch shrinks", "[buffer]", float, double) {
  altmin::Buffer<TestType> buffer;
  CHECK(buffer.view().size() == 0);
  buffer.fit(3, 4);
  buffer.view() = numbered<TestType>(3, 4);
  const auto* const memory = buffer.view().data();
  CHECK(buffer.bytes() == 12 * static_cast<Index>(sizeof(TestType)));

  buffer.fit(5, 2);
  CHECK((buffer.rows() == 5 && buffer.columns() == 2));
  CHECK((buffer.view().rows() == 5 && buffer.view().cols() == 2));
  buffer.fit(3, 4);
  CHECK(buffer.view().data() == memory);

  const auto& constant = buffer;
  CHECK(constant.view() == numbered<TestType>(3, 4));
  buffer.fit(5, 5);
  CHECK(buffer.bytes() == 25 * static_cast<Index>(sizeof(TestType)));
}
