#include <algorithm>
#include <altmin/data/dataset.hpp>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using altmin::DataError;
using altmin::Dataset;
using altmin::Index;
using altmin::Labels;
using altmin::Matrix;
using altmin::OptionError;
using altmin::Seed;
using altmin::Shape;
using altmin::ShapeError;
using altmin::Span;
using Catch::Matchers::ContainsSubstring;
using support::message_of;

namespace {

/// Sample i is the column (i, 10 i), its label i % 3, so that samples can be told apart after any shuffle.
template <class Scalar>
Dataset<Scalar> tagged(Index size) {
  Matrix<Scalar> x(2, size);
  Labels y(size);
  for (Index i = 0; i < size; ++i) {
    x.col(i) << Scalar(i), Scalar(10 * i);
    y[i] = static_cast<int>(i % 3);
  }
  return {x, y};
}

template <class Scalar>
void require_whole_samples(const Dataset<Scalar>& data) {
  for (Index i = 0; i < data.size(); ++i) {
    REQUIRE(data.x()(1, i) == 10 * data.x()(0, i));
    REQUIRE(data.y()[i] == static_cast<int>(data.x()(0, i)) % 3);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a data set holds labelled samples", "[dataset]", float, double) {
  const Dataset<TestType> data = tagged<TestType>(7);
  CHECK(data.features() == 2);
  CHECK(data.size() == 7);
  CHECK(data.classes() == 3);
  CHECK(data.has_labels());
  CHECK(data.y().size() == 7);
  CHECK_THAT(message_of<DataError>([&] { data.targets(); }), ContainsSubstring("got labels"));
  CHECK(Dataset<TestType>{data.x(), data.y(), 10}.classes() == 10);
}

TEMPLATE_TEST_CASE("data sets are values", "[dataset]", float, double) {
  const auto check = [](const Dataset<TestType>& data, Index size) {
    CHECK(data.size() == size);
    require_whole_samples(data);
  };
  Dataset<TestType> data = tagged<TestType>(7);
  for (const Index size : {7, 3, 20}) {  // equal, smaller and larger
    Dataset<TestType> other = tagged<TestType>(size);
    Dataset<TestType> copy = data;
    copy = other;
    other.mutable_x().setZero();
    check(copy, size);
    check(data, 7);
    other = std::move(copy);
    check(other, size);
    std::swap(other, data);
    check(data, size);
    check(other, 7);
    data = other;
  }
  const auto& self = data;
  data = self;
  check(data, 7);
  data = Dataset<TestType>{data.x(), data.x()};
  CHECK_FALSE(data.has_labels());
  data = tagged<TestType>(4);
  check(data, 4);
  CHECK(data.y().size() == 4);
}

TEMPLATE_TEST_CASE("a data set holds real targets", "[dataset]", float, double) {
  const Matrix<TestType> x = support::random_matrix<TestType>(3, 5, 1);
  const Matrix<TestType> targets = support::random_matrix<TestType>(2, 5, 2);
  const Dataset<TestType> data{x, targets};
  CHECK(!data.has_labels());
  CHECK(data.classes() == 0);
  CHECK(data.targets() == targets);
  CHECK_THAT(message_of<DataError>([&] { data.y(); }), ContainsSubstring("got real targets"));
  CHECK(data.take(2).targets() == targets.leftCols(2));
  CHECK(data.take(2).x() == x.leftCols(2));
}

TEST_CASE("an empty data set is a value like others", "[dataset]") {
  const Dataset<float> data;
  CHECK(data.size() == 0);
  CHECK(data.features() == 0);
  CHECK(data.classes() == 0);
  CHECK(data.take(0).size() == 0);
  CHECK_THROWS_AS(data.split(0.5), OptionError);
}

TEST_CASE("a data set is made from expressions and without copies", "[dataset]") {
  Matrix<float> x = support::random_matrix<float>(4, 10, 3);
  const Labels y = Labels::LinSpaced(10, 0, 9);
  CHECK(Dataset<float>{x.leftCols(6), y.head(6)}.classes() == 6);
  CHECK(Dataset<float>{x.leftCols(6), y.head(6), 10}.classes() == 10);
  CHECK(Dataset<float>{x.leftCols(6), x.topLeftCorner(2, 6)}.targets() == x.topLeftCorner(2, 6));
  CHECK(Dataset<float>{x, x.row(0)}.targets().rows() == 1);

  const float* samples = x.data();
  const Dataset<float> moved{std::move(x), y};
  CHECK(moved.x().data() == samples);
  CHECK(std::is_nothrow_move_constructible_v<Dataset<float>>);
}

TEST_CASE("a data set refuses counts that do not fit", "[dataset]") {
  const Matrix<float> x = Matrix<float>::Zero(4, 10);
  CHECK_THAT(message_of<ShapeError>([&] { Dataset<float>(x, Labels::Zero(9)); }),
             ContainsSubstring("as many labels as samples, 10, got 9"));
  CHECK_THAT(message_of<ShapeError>([&] { Dataset<float>(x, Matrix<float>::Zero(1, 11)); }),
             ContainsSubstring("as many targets as samples, 10, got 11"));
  const altmin::Vector<float> vector = altmin::Vector<float>::Zero(10);
  CHECK_THAT(message_of<ShapeError>([&] { Dataset<float>(x, vector); }), ContainsSubstring("transpose it"));
  CHECK(Dataset<float>(x, vector.transpose()).targets().cols() == 10);
}

TEST_CASE("a data set refuses labels out of range", "[dataset]") {
  const Matrix<float> x = Matrix<float>::Zero(4, 3);
  Labels y(3);
  y << 0, -1, 2;
  CHECK_THAT(message_of<DataError>([&] { Dataset<float>(x, y); }),
             ContainsSubstring("sample 1: expected a label of 0 or above, got -1"));
  y << 0, 1, 3;
  CHECK_THAT(message_of<DataError>([&] { Dataset<float>(x, y, 3); }),
             ContainsSubstring("sample 2: expected a label in 0 .. 2, got 3"));
  CHECK_THROWS_AS(Dataset<float>(x, y, -1), OptionError);
  y << 0, 1, std::numeric_limits<int>::max();
  CHECK(Dataset<float>(x, y).classes() == Index{std::numeric_limits<int>::max()} + 1);
}

TEST_CASE("values of a data set can be changed, its sizes cannot", "[dataset]") {
  Dataset<float> data = tagged<float>(3);
  data.mutable_x() *= 2;
  CHECK(data.x()(0, 2) == 4);
  CHECK(data.mutable_x().rows() == 2);
  CHECK(data.mutable_x().cols() == 3);
}

TEMPLATE_TEST_CASE("take gives the first samples", "[dataset]", float, double) {
  const Dataset<TestType> data = tagged<TestType>(7);
  const Dataset<TestType> first = data.take(2);
  CHECK(first.x() == data.x().leftCols(2));
  CHECK(first.y() == data.y().head(2));
  CHECK(first.classes() == 3);  // as in the whole, though label 2 is not among them
  CHECK(data.take(0).size() == 0);
  CHECK(data.take(0).features() == 2);
  CHECK(data.take(7).x() == data.x());
  CHECK_THAT(message_of<OptionError>([&] { data.take(8); }), ContainsSubstring("must be in 0 .. 7, got 8"));
  CHECK_THROWS_AS(data.take(-1), OptionError);
}

TEST_CASE("select gives samples by number", "[dataset]") {
  const Dataset<float> data = tagged<float>(7);
  std::vector<Index> numbers{5, 0, 5};
  const Dataset<float> chosen = data.select({numbers.data(), 3});
  CHECK(chosen.x()(0, 0) == 5);
  CHECK(chosen.x()(0, 1) == 0);
  CHECK(chosen.x()(0, 2) == 5);
  require_whole_samples(chosen);
  numbers[1] = 7;
  CHECK_THROWS_AS(data.select({numbers.data(), 3}), OptionError);
  numbers[1] = -1;
  CHECK_THROWS_AS(data.select({numbers.data(), 3}), OptionError);
}

TEMPLATE_TEST_CASE("split shares all samples out, shuffled by the seed", "[dataset]", float, double) {
  const Dataset<TestType> data = tagged<TestType>(100);
  const auto parts = data.split(70, Seed{5});
  CHECK(parts.train.size() == 70);
  CHECK(parts.test.size() == 30);
  CHECK(parts.train.classes() == 3);
  CHECK(parts.test.classes() == 3);
  require_whole_samples(parts.train);
  require_whole_samples(parts.test);

  std::vector<int> seen(100, 0);
  for (Index i = 0; i < 70; ++i) ++seen[static_cast<std::size_t>(parts.train.x()(0, i))];
  for (Index i = 0; i < 30; ++i) ++seen[static_cast<std::size_t>(parts.test.x()(0, i))];
  CHECK(seen == std::vector<int>(100, 1));

  CHECK(parts.train.x() != data.x().leftCols(70));
  CHECK(data.split(70, Seed{5}).train.x() == parts.train.x());
  CHECK(data.split(0.7, Seed{5}).train.x() == parts.train.x());
  CHECK(data.split(0.7F, Seed{5}).test.x() == parts.test.x());
  CHECK(data.split(70, Seed{6}).train.x() != parts.train.x());
}

TEST_CASE("split keeps real targets with their samples", "[dataset]") {
  const Matrix<float> x = support::random_matrix<float>(3, 20, 4);
  const auto parts = Dataset<float>{x, x.topRows(2) * 2}.split(0.25);
  CHECK(parts.train.size() == 5);
  CHECK(parts.train.targets() == parts.train.x().topRows(2) * 2);
  CHECK(parts.test.targets() == parts.test.x().topRows(2) * 2);
}

TEST_CASE("split refuses empty parts", "[dataset]") {
  const Dataset<float> data = tagged<float>(10);
  CHECK_THROWS_AS(data.split(0), OptionError);
  CHECK_THROWS_AS(data.split(10), OptionError);
  CHECK_THROWS_AS(data.split(-1), OptionError);
  CHECK_THROWS_AS(data.split(std::numeric_limits<std::uint64_t>::max()), OptionError);
  CHECK_THROWS_AS(data.split(0.0), OptionError);
  CHECK_THROWS_AS(data.split(1.0), OptionError);
  CHECK_THROWS_AS(data.split(0.01), OptionError);
  CHECK_THROWS_AS(data.split(std::numeric_limits<double>::quiet_NaN()), OptionError);
  CHECK(data.split(9).test.size() == 1);
}

TEST_CASE("a data set of images keeps their shape", "[dataset]") {
  Dataset<float> data{Matrix<float>::Zero(12, 6), Labels::Zero(6)};
  CHECK(data.shape() == Shape{12});
  data.set_shape({3, 2, 2});
  CHECK(data.take(2).shape() == Shape{3, 2, 2});
  CHECK(data.split(3).test.shape() == Shape{3, 2, 2});
  CHECK_THAT(message_of<ShapeError>([&] {
               data.set_shape({3, 2, 3});
             }),
             ContainsSubstring("expected a shape of 12 features, got 3 x 2 x 3"));
  CHECK(data.shape() == Shape{3, 2, 2});
}

TEMPLATE_TEST_CASE("a data set is copied, moved and assigned as a value", "[dataset]", float, double) {
  Dataset<TestType> images = tagged<TestType>(12);
  images.set_shape({1, 2, 1});
  const Dataset<TestType> real{Matrix<TestType>(Matrix<TestType>::Ones(5, 7)), Matrix<TestType>::Ones(2, 7)};
  const auto is_images = [&](const Dataset<TestType>& data) {
    return data.x() == tagged<TestType>(12).x() && data.y() == tagged<TestType>(12).y() && data.classes() == 3 &&
           data.shape() == Shape{1, 2, 1};
  };
  auto from = std::make_unique<Dataset<TestType>>(images);
  Dataset<TestType> equal = tagged<TestType>(12);
  Dataset<TestType> other = real;
  equal = *from;
  other = *from;
  from->mutable_x().setZero();  // the copies have their own samples
  CHECK(is_images(equal));
  CHECK(is_images(other));
  const TestType* const samples = other.x().data();
  Dataset<TestType> moved{std::move(other)};
  CHECK(moved.x().data() == samples);
  *from = std::move(moved);
  CHECK(is_images(*from));
  moved = std::move(*from);
  from.reset();
  CHECK(is_images(moved));
  auto& same = moved;
  moved = same;
  CHECK(is_images(moved));
  moved = real;
  CHECK(moved.targets().cols() == 7);
  CHECK_THROWS_AS(moved.y(), DataError);
  CHECK(moved.shape() == Shape{5});
  altmin::TrainTest<TestType> parts{images, real};
  altmin::TrainTest<TestType> swapped{real, images};
  std::swap(parts, swapped);
  CHECK(is_images(swapped.train));
  CHECK(is_images(parts.test));
}

TEST_CASE("a data set of no features has no shape of as many features as 2^64", "[dataset]") {
  Dataset<float> none;
  CHECK_THROWS_AS(none.set_shape({Index{1} << 32U, Index{1} << 32U, 1}), ShapeError);
}
