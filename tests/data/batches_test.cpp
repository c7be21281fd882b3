#include <algorithm>
#include <altmin/data/batches.hpp>
#include <cstddef>
#include <limits>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using altmin::Batches;
using altmin::BatchOptions;
using altmin::DataError;
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

/// The labels of the rest of a pass as the batches give them; checks that samples come whole.
template <class Scalar>
std::vector<int> pass(Batches<Scalar>& batches) {
  std::vector<int> labels;
  while (const auto* batch = batches.next()) {
    REQUIRE(batch->y.size() == batch->size());
    for (Index j = 0; j < batch->size(); ++j) {
      REQUIRE(batch->x(0, j) == Scalar(batch->y[j]));
      REQUIRE(batch->x(1, j) == -Scalar(batch->y[j]));
      labels.push_back(batch->y[j]);
    }
  }
  return labels;
}

BatchOptions in_order(Index batch_size) {
  BatchOptions options;
  options.batch_size = batch_size;
  options.shuffle = false;
  return options;
}

std::vector<int> counting(int size) {
  std::vector<int> numbers(static_cast<std::size_t>(size));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

TEMPLATE_TEST_CASE("batches go through the set once a pass, in an order of its own", "[batches]", float, double) {
  const auto data = numbered<TestType>(10);
  Batches<TestType> unshuffled{data, in_order(4)};
  CHECK(unshuffled.count() == 3);
  CHECK(unshuffled.next()->size() == 4);
  CHECK(unshuffled.next()->size() == 4);
  CHECK(unshuffled.next()->size() == 2);
  CHECK(unshuffled.next() == nullptr);
  CHECK_FALSE(unshuffled.stopped());
  CHECK(pass(unshuffled) == counting(10));
  CHECK(pass(unshuffled) == counting(10));

  Batches<TestType> batches{data, {4, Seed{1}}};
  auto first = pass(batches);
  CHECK(first != counting(10));
  CHECK(std::equal(first.begin(), first.end(), batches.order().begin()));
  auto second = pass(batches);
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
      BatchOptions options;
      options.batch_size = batch_size;
      Batches<float> kept{data, options};
      CHECK(kept.count() == (size + batch_size - 1) / batch_size);
      CHECK(kept.info().batches == kept.count());
      CHECK(static_cast<Index>(pass(kept).size()) == size);
      const Index rest = size % batch_size;
      CHECK(kept.info().smallest_batch == (rest > 0 ? rest : std::min(size, batch_size)));
      if (batch_size <= size) {
        options.last_batch = LastBatch::drop;
        Batches<float> dropped{data, options};
        CHECK(dropped.count() == size / batch_size);
        CHECK(static_cast<Index>(pass(dropped).size()) == size / batch_size * batch_size);
        CHECK(dropped.info().smallest_batch == batch_size);
      }
    }
  }
}

TEST_CASE("every sample is as likely at every place", "[batches]") {
  const auto data = numbered<float>(5);
  Batches<float> batches{data, {5, Seed{2}}};
  Eigen::Matrix<int, 5, 5> counts = Eigen::Matrix<int, 5, 5>::Zero();
  for (int i = 0; i < 10000; ++i) {
    REQUIRE(batches.next() != nullptr);
    for (Index place = 0; place < 5; ++place) ++counts(place, batches.order()[place]);
    REQUIRE(batches.next() == nullptr);
  }
  CHECK(counts.minCoeff() > 1800);  // 2000 expected, standard deviation 40
  CHECK(counts.maxCoeff() < 2200);
}

TEST_CASE("the seed fixes the order", "[batches]") {
  const auto data = numbered<float>(50);
  Batches<float> a{data, {8, Seed{3}}};
  Batches<float> b{data, {16, Seed{3}}};
  Batches<float> c{data, {8, Seed{4}}};
  const auto labels = pass(a);
  CHECK(labels == pass(b));
  CHECK(labels != pass(c));
}

TEST_CASE("batches seek to any batch of any pass", "[batches]") {
  const auto data = numbered<float>(50);
  Batches<float> whole{data, {8, Seed{3}}};
  std::vector<std::vector<int>> passes;
  for (int i = 0; i < 3; ++i) passes.push_back(pass(whole));
  Batches<float> resumed{data, {8, Seed{3}}};
  for (const Index number : {2, 0, 1}) {
    for (const Index batch : {0, 3, 7}) {
      resumed.seek(number, batch);
      auto rest = passes[std::size_t(number)];
      rest.erase(rest.begin(), rest.begin() + std::min<Index>(8 * batch, 50));
      CHECK(pass(resumed) == rest);
    }
  }
  CHECK(pass(resumed) == passes[2]);
  CHECK_THROWS_AS(resumed.seek(0, 8), DataError);
}

TEMPLATE_TEST_CASE("batches carry real targets", "[batches]", float, double) {
  const Matrix<TestType> x = support::random_matrix<TestType>(3, 7, 1);
  const Dataset<TestType> data{x, x.topRows(2) * 2};
  Batches<TestType> batches{data, {3, Seed{1}}};
  while (const auto* batch = batches.next()) {
    CHECK(batch->y.size() == 0);
    REQUIRE(batch->targets.cols() == batch->size());
    CHECK(batch->targets == batch->x.topRows(2) * 2);
  }
  const auto labelled = numbered<TestType>(4);
  CHECK(Batches<TestType>{labelled, {2}}.next()->targets.cols() == 0);
}

TEST_CASE("batches reuse one buffer and leave the set alone", "[batches]") {
  const auto data = numbered<float>(100);
  const float* set = data.x().data();
  Batches<float> batches{data, {30}};
  const auto* first = batches.next();
  const float* x = first->x.data();
  const int* y = first->y.data();
  for (int i = 0; i < 3; ++i) {
    while (const auto* batch = batches.next()) {
      CHECK(batch->x.data() == x);
      CHECK(batch->y.data() == y);
    }
  }
  CHECK(data.x().data() == set);
  CHECK((x < set || x >= set + data.x().size()));
}

TEST_CASE("batches see what changes in the set and notice another set", "[batches]") {
  auto data = numbered<float>(10);
  Batches<float> batches{data, in_order(4)};
  data.mutable_x().setConstant(7);
  CHECK(batches.next()->x(0, 0) == 7);
  data = numbered<float>(9);
  CHECK_THROWS_AS(batches.next(), ShapeError);
  data = Dataset<float>{Matrix<float>::Zero(3, 10), Labels::Zero(10)};
  CHECK_THROWS_AS(batches.next(), ShapeError);
  data = Dataset<float>{Matrix<float>::Zero(2, 10), Matrix<float>::Zero(1, 10)};
  CHECK_THROWS_AS(batches.next(), ShapeError);
  data = numbered<float>(10);
  batches.seek(0, 0);
  CHECK(pass(batches) == counting(10));
}

TEST_CASE("batches refuse options out of range", "[batches]") {
  const auto data = numbered<float>(10);
  CHECK_THROWS_AS((Batches<float>{data, {0}}), OptionError);
  CHECK_THROWS_AS((Batches<float>{data, {-5}}), OptionError);
  CHECK_THROWS_AS((Batches<float>{data, {11, Seed{}, true, LastBatch::drop}}), OptionError);
  Batches<float> one{data, {std::numeric_limits<Index>::max()}};
  CHECK(one.count() == 1);
  CHECK(one.next()->size() == 10);
  CHECK(one.next() == nullptr);
  CHECK_FALSE(std::is_constructible_v<Batches<float>, Dataset<float>, BatchOptions>);  // a temporary would not live on
}

TEMPLATE_TEST_CASE("a batch is a view, assigned and copied as one", "[batches]", float, double) {
  const auto data = numbered<TestType>(10);
  const Dataset<TestType> real{data.x(), Matrix<TestType>(data.x().topRows(1))};
  Batches<TestType> batches{data, in_order(4)};
  Batches<TestType> others{real, in_order(3)};
  auto batch = *batches.next();
  CHECK(batch.y == Eigen::Vector4i{0, 1, 2, 3});
  batches.next();
  batch = *batches.next();  // it borrows a batch of two now, and has written nothing
  CHECK(batch.size() == 2);
  CHECK(batch.y == Eigen::Vector2i{8, 9});
  others.next();
  batch = *others.next();
  CHECK(batch.y.size() == 0);
  CHECK(batch.targets(0, 2) == 5);
  const altmin::Batch<TestType> copy{batch};
  altmin::Batch<TestType> moved{std::move(batch)};
  moved = copy;
  CHECK(copy.targets.data() == moved.targets.data());
  CHECK(moved.x(1, 0) == -3);
  CHECK(data.y() == Labels::LinSpaced(10, 0, 9));
}

TEST_CASE("batches are moved with their buffers, within a pass", "[batches]") {
  const auto data = numbered<float>(10);
  const auto more = numbered<float>(17);
  Batches<float> expected{data, {4, Seed{3}}};
  auto from = std::make_unique<Batches<float>>(data, BatchOptions{4, Seed{3}});
  const auto first = expected.next()->y[0];
  const auto* batch = from->next();
  Batches<float> target{more, {6, Seed{1}}};
  target.next();
  target = std::move(*from);
  CHECK(batch->y[0] == first);
  from.reset();
  for (int i = 0; i < 3; ++i) CHECK(pass(target) == pass(expected));
  CHECK_FALSE(std::is_copy_constructible_v<Batches<float>>);
}
