#include <algorithm>
#include <altmin/data/batches.hpp>
#include <limits>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using altmin::Batches;
using altmin::Dataset;
using altmin::Index;
using altmin::Labels;
using altmin::LastBatch;
using altmin::Matrix;
using altmin::OptionError;
using altmin::Seed;
using altmin::ShapeError;

namespace {

/// Sample i is the column (i, -i), its label i.
template <class Scalar>
Dataset<Scalar> numbered(Index size) {
  Matrix<Scalar> x(2, size);
  for (Index i = 0; i < size; ++i) x.col(i) << Scalar(i), Scalar(-i);
  return {x, Labels::LinSpaced(size, 0, static_cast<int>(size) - 1)};
}

/// The labels of one epoch as the batches give them; checks that samples come whole.
template <class Scalar>
std::vector<int> epoch(Batches<Scalar>& batches) {
  std::vector<int> labels;
  for (Index i = 0; i < batches.count(); ++i) {
    const auto& batch = batches.load(i);
    REQUIRE(batch.y.size() == batch.size());
    for (Index j = 0; j < batch.size(); ++j) {
      REQUIRE(batch.x(0, j) == Scalar(batch.y[j]));
      REQUIRE(batch.x(1, j) == -Scalar(batch.y[j]));
      labels.push_back(batch.y[j]);
    }
  }
  return labels;
}

std::vector<int> counting(int size) {
  std::vector<int> numbers(static_cast<std::size_t>(size));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

TEMPLATE_TEST_CASE("batches go through the set once, in its order until shuffled", "[batches]", float, double) {
  const auto data = numbered<TestType>(10);
  Batches<TestType> batches{data, 4, Seed{1}};
  CHECK(batches.count() == 3);
  CHECK(batches.load(0).size() == 4);
  CHECK(batches.load(2).size() == 2);
  CHECK(epoch(batches) == counting(10));

  batches.shuffle();
  auto first = epoch(batches);
  CHECK(first != counting(10));
  CHECK(std::equal(first.begin(), first.end(), batches.order().begin()));
  batches.shuffle();
  auto second = epoch(batches);
  CHECK(second != first);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  CHECK(first == counting(10));
  CHECK(second == counting(10));
}

TEST_CASE("batches of every size cover the set", "[batches]") {
  for (Index size = 0; size < 12; ++size) {
    const auto data = numbered<float>(size);
    for (Index batch_size = 1; batch_size < 14; ++batch_size) {
      Batches<float> kept{data, batch_size};
      kept.shuffle();
      CHECK(kept.count() == (size + batch_size - 1) / batch_size);
      CHECK(static_cast<Index>(epoch(kept).size()) == size);
      if (batch_size <= size) {
        Batches<float> dropped{data, batch_size, Seed{}, LastBatch::drop};
        dropped.shuffle();
        CHECK(dropped.count() == size / batch_size);
        CHECK(static_cast<Index>(epoch(dropped).size()) == size / batch_size * batch_size);
      }
    }
  }
}

TEST_CASE("every sample is as likely at every place", "[batches]") {
  const auto data = numbered<float>(5);
  Batches<float> batches{data, 5, Seed{2}};
  Eigen::Matrix<int, 5, 5> counts = Eigen::Matrix<int, 5, 5>::Zero();
  for (int i = 0; i < 10000; ++i) {
    batches.shuffle();
    for (Index place = 0; place < 5; ++place) ++counts(place, batches.order()[place]);
  }
  CHECK(counts.minCoeff() > 1800);  // 2000 expected, standard deviation 40
  CHECK(counts.maxCoeff() < 2200);
}

TEST_CASE("the seed fixes the order", "[batches]") {
  const auto data = numbered<float>(50);
  Batches<float> a{data, 8, Seed{3}};
  Batches<float> b{data, 16, Seed{3}};
  Batches<float> c{data, 8, Seed{4}};
  a.shuffle();
  b.shuffle();
  c.shuffle();
  CHECK(epoch(a) == epoch(b));
  CHECK(epoch(a) != epoch(c));
}

TEST_CASE("a run resumes between epochs and within one", "[batches]") {
  const auto data = numbered<float>(50);
  Batches<float> whole{data, 8, Seed{3}};
  whole.shuffle();
  whole.shuffle();
  const auto within = whole.epoch_state();
  const auto between = whole.state();
  const auto second = epoch(whole);
  whole.shuffle();
  const auto third = epoch(whole);

  Batches<float> resumed{data, 8, Seed{99}};
  resumed.set_state(between);
  resumed.shuffle();
  CHECK(epoch(resumed) == third);
  resumed.set_state(within);
  resumed.shuffle();
  CHECK(epoch(resumed) == second);
  CHECK(resumed.state() == between);
  resumed.shuffle();
  CHECK(epoch(resumed) == third);
}

TEMPLATE_TEST_CASE("batches carry real targets", "[batches]", float, double) {
  const Matrix<TestType> x = support::random_matrix<TestType>(3, 7, 1);
  const Dataset<TestType> data{x, x.topRows(2) * 2};
  Batches<TestType> batches{data, 3, Seed{1}};
  batches.shuffle();
  for (Index i = 0; i < batches.count(); ++i) {
    const auto batch = batches.load(i);
    CHECK(batch.y.size() == 0);
    REQUIRE(batch.targets.cols() == batch.size());
    CHECK(batch.targets == batch.x.topRows(2) * 2);
  }
  const auto labelled = numbered<TestType>(4);
  CHECK(Batches<TestType>{labelled, 2}.load(0).targets.cols() == 0);
}

TEST_CASE("batches reuse one buffer and leave the set alone", "[batches]") {
  const auto data = numbered<float>(100);
  const float* set = data.x().data();
  Batches<float> batches{data, 30};
  const float* x = batches.load(0).x.data();
  const int* y = batches.load(0).y.data();
  for (int i = 0; i < 3; ++i) {
    batches.shuffle();
    for (Index j = 0; j < batches.count(); ++j) {
      CHECK(batches.load(j).x.data() == x);
      CHECK(batches.load(j).y.data() == y);
    }
  }
  CHECK(data.x().data() == set);
  CHECK((x < set || x >= set + data.x().size()));
}

TEST_CASE("batches see what changes in the set and notice another set", "[batches]") {
  auto data = numbered<float>(10);
  Batches<float> batches{data, 4};
  data.mutable_x().setConstant(7);
  CHECK(batches.load(0).x(0, 0) == 7);
  data = numbered<float>(9);
  CHECK_THROWS_AS(batches.load(0), ShapeError);
  data = Dataset<float>{Matrix<float>::Zero(3, 10), Labels::Zero(10)};
  CHECK_THROWS_AS(batches.load(0), ShapeError);
  data = Dataset<float>{Matrix<float>::Zero(2, 10), Matrix<float>::Zero(1, 10)};
  CHECK_THROWS_AS(batches.load(0), ShapeError);
  data = numbered<float>(10);
  CHECK(epoch(batches) == counting(10));
}

TEST_CASE("batches refuse options out of range", "[batches]") {
  const auto data = numbered<float>(10);
  CHECK_THROWS_AS((Batches<float>{data, 0}), OptionError);
  CHECK_THROWS_AS((Batches<float>{data, -5}), OptionError);
  CHECK_THROWS_AS((Batches<float>{data, 11, Seed{}, LastBatch::drop}), OptionError);
  Batches<float> one{data, std::numeric_limits<Index>::max()};
  CHECK(one.count() == 1);
  CHECK(one.load(0).size() == 10);
  CHECK_THROWS_AS(one.load(1), OptionError);
  CHECK_THROWS_AS(one.load(-1), OptionError);
  CHECK_FALSE(std::is_constructible_v<Batches<float>, Dataset<float>, Index>);  // a temporary would not live on
}

TEMPLATE_TEST_CASE("a batch is a view, assigned and copied as one", "[batches]", float, double) {
  const auto data = numbered<TestType>(10);
  const Dataset<TestType> real{data.x(), Matrix<TestType>(data.x().topRows(1))};
  Batches<TestType> batches{data, 4};
  Batches<TestType> others{real, 3};
  auto batch = batches.load(0);
  CHECK(batch.y == Eigen::Vector4i{0, 1, 2, 3});
  batch = batches.load(2);  // it borrows a batch of two now, and has written nothing
  CHECK(batch.size() == 2);
  CHECK(batch.y == Eigen::Vector2i{8, 9});
  batch = others.load(1);
  CHECK(batch.y.size() == 0);
  CHECK(batch.targets(0, 2) == 5);
  CHECK(batches.load(0).y == Eigen::Vector4i{0, 1, 2, 3});
  const altmin::Batch<TestType> copy{batch};
  altmin::Batch<TestType> moved{std::move(batch)};
  moved = copy;
  CHECK(copy.targets.data() == moved.targets.data());
  CHECK(moved.x(1, 0) == -3);
  CHECK(data.y() == Labels::LinSpaced(10, 0, 9));
}

TEMPLATE_TEST_CASE("batches are copied, moved and assigned with their own buffers", "[batches]", float, double) {
  const auto data = numbered<TestType>(10);
  const auto more = numbered<TestType>(17);
  auto from = std::make_unique<Batches<TestType>>(data, 4, Seed{3});
  from->shuffle();
  Batches<TestType> expected = *from;
  Batches<TestType> target{more, 6, Seed{1}};
  target.load(1);
  target = *from;
  Batches<TestType> moved{std::move(*from)};
  from.reset();
  for (int pass = 0; pass < 2; ++pass) {
    const auto labels = epoch(expected);
    CHECK(epoch(target) == labels);
    CHECK(epoch(moved) == labels);
    for (auto* batches : {&expected, &target, &moved}) batches->shuffle();
  }
  moved = std::move(target);
  CHECK(epoch(moved) == epoch(expected));
  target = Batches<TestType>{more, 5};
  CHECK(epoch(target) == counting(17));
}
