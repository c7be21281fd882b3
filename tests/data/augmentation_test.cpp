#include <altmin/data/augmentation.hpp>
#include <altmin/data/batches.hpp>
#include <map>
#include <tuple>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using altmin::Augmentation;
using altmin::Batches;
using altmin::Dataset;
using altmin::Index;
using altmin::Labels;
using altmin::LastBatch;
using altmin::Matrix;
using altmin::OptionError;
using altmin::Random;
using altmin::Seed;
using altmin::Shape;
using altmin::Vector;

namespace {

/// Pixel by pixel: the image moved down and to the right over zeros, then mirrored.
template <class Scalar>
Vector<Scalar> moved(Shape shape, const Vector<Scalar>& x, Index down, Index right, bool mirrored) {
  Vector<Scalar> y = Vector<Scalar>::Zero(x.size());
  for (Index channel = 0; channel < shape.channels; ++channel) {
    for (Index i = 0; i < shape.height; ++i) {
      for (Index j = 0; j < shape.width; ++j) {
        const Index row = i - down;
        const Index column = (mirrored ? shape.width - 1 - j : j) - right;
        if (row < 0 || row >= shape.height || column < 0 || column >= shape.width) continue;
        const Index plane = channel * shape.height;
        y[(plane + i) * shape.width + j] = x[(plane + row) * shape.width + column];
      }
    }
  }
  return y;
}

template <class Scalar>
Dataset<Scalar> images(Index count) {
  Dataset<Scalar> data{support::random_matrix<Scalar>(2 * 4 * 5, count, 1), Labels::Zero(count)};
  data.set_shape({2, 4, 5});
  return data;
}

/// All samples of a pass, in the order of the batches.
template <class Scalar>
Matrix<Scalar> all_of_pass(Batches<Scalar>& batches, Index features) {
  Matrix<Scalar> all(features, batches.order().size());
  Index first = 0;
  while (const auto* batch = batches.next()) {
    all.middleCols(first, batch->size()) = batch->x;
    first += batch->size();
  }
  return all;
}

constexpr Augmentation both{2, true};

}  // namespace

TEMPLATE_TEST_CASE("augmentation makes each crop and its mirror image equally often", "[augmentation]", float, double) {
  const Shape shape{2, 4, 5};
  const Vector<TestType> x = support::random_matrix<TestType>(shape.size(), 1, 1);
  const auto [padding, flip] = GENERATE(std::pair{2, true}, std::pair{2, false}, std::pair{0, true});
  const Augmentation augmentation{padding, flip};
  const int kinds = (2 * padding + 1) * (2 * padding + 1) * (flip ? 2 : 1);
  std::map<std::tuple<Index, Index, bool>, int> counts;
  Random random{Seed{1}};
  Vector<TestType> y(x.size());
  for (int i = 0; i < 100 * kinds; ++i) {
    augmentation.apply(shape, x.data(), y.data(), random);
    for (Index down = -padding; down <= padding; ++down) {
      for (Index right = -padding; right <= padding; ++right) {
        for (const bool mirrored : {false, true}) {
          if (y == moved(shape, x, down, right, mirrored)) ++counts[{down, right, mirrored}];
        }
      }
    }
  }
  REQUIRE(static_cast<int>(counts.size()) == kinds);
  int total = 0;
  for (const auto& entry : counts) {
    CHECK(std::abs(entry.second - 100) < 50);  // five deviations
    total += entry.second;
  }
  CHECK(total == 100 * kinds);
}

TEMPLATE_TEST_CASE("augmented batches follow from seed and pass alone", "[augmentation]", float, double) {
  const auto data = images<TestType>(23);
  Batches<TestType> batches{data, {5, Seed{1}, true, LastBatch::keep, both}};
  Batches<TestType> plain{data, {5, Seed{1}}};
  CHECK(std::equal(batches.order().begin(), batches.order().end(), plain.order().begin()));
  const Matrix<TestType> first = all_of_pass(batches, 40);
  for (Index i = 0; i < 23; ++i) {  // of the right sample: its numbers, or zeros
    const Index sample = batches.order()[i];
    for (const TestType value : first.col(i)) {
      REQUIRE((value == 0 || (data.x().col(sample).array() == value).any()));
    }
  }
  const Matrix<TestType> second = all_of_pass(batches, 40);
  CHECK(first != second);

  // Resumed between two passes, and within one.
  Batches<TestType> resumed{data, {5, Seed{1}, true, LastBatch::keep, both}};
  resumed.seek(1, 0);
  CHECK(all_of_pass(resumed, 40) == second);
  resumed.seek(1, 2);
  CHECK(Matrix<TestType>{resumed.next()->x} == second.middleCols(10, 5));
  resumed.seek(0, 0);
  CHECK(all_of_pass(resumed, 40) == first);
}

TEST_CASE("augmentation differs from batch to batch, and from pass to pass in the set's own order", "[augmentation]") {
  auto data = images<float>(20);
  for (Index i = 0; i < 20; ++i) data.mutable_x().col(i) = data.x().col(0);
  Batches<float> batches{data, {10, Seed{1}, false, LastBatch::keep, both}};
  const Matrix<float> first = all_of_pass(batches, 40);
  CHECK(first.leftCols(10) != first.rightCols(10));
  const Matrix<float> second = all_of_pass(batches, 40);
  CHECK(second != first);
  CHECK(std::is_sorted(batches.order().begin(), batches.order().end()));
}

TEST_CASE("augmentation refuses what is no image, or smaller than its padding", "[augmentation]") {
  const auto make = [](Shape shape, Augmentation augmentation) {
    Dataset<float> data{Matrix<float>::Zero(shape.size(), 3), Labels::Zero(3)};
    data.set_shape(shape);
    Batches<float>{data, {2, Seed{}, true, LastBatch::keep, augmentation}};
  };
  CHECK_NOTHROW(make({3, 4, 5}, {3, true}));
  CHECK_THAT(support::message_of<OptionError>([&] {
               make({3, 4, 5}, {4, false});
             }),
             Catch::Matchers::ContainsSubstring("crop_padding must be 0 or more, and below the sides of the images, "
                                                "got 4"));
  CHECK_THROWS_AS(make({3, 4, 5}, {-1, false}), OptionError);
  CHECK_THAT(support::message_of<OptionError>([&] { make(60, both); }),
             Catch::Matchers::ContainsSubstring("samples must be images, got 60"));
  CHECK_NOTHROW(make(60, {}));
}
