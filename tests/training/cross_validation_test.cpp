#include <algorithm>
#include <altmin/altmin.hpp>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;

TEST_CASE("folds hold each sample once, and as many of each class", "[cross_validation]") {
  const Labels y = Labels::LinSpaced(23, 0, 22).unaryExpr([](int i) { return i < 12 ? 0 : i < 20 ? 1 : 2; });
  const Dataset<float> data{Matrix<float>::Ones(1, 23), y};
  const auto folds = divide_into_folds(data, 5, Seed{1});
  REQUIRE(folds.size() == 5);
  std::vector<Index> all;
  for (const auto& fold : folds) {
    CHECK((fold.size() == 4 || fold.size() == 5));
    for (const int label : {0, 1, 2}) {
      const auto count = std::count_if(fold.begin(), fold.end(), [&](Index i) { return y[i] == label; });
      CHECK(count >= std::vector<int>{2, 1, 0}[std::size_t(label)]);
      CHECK(count <= std::vector<int>{3, 2, 1}[std::size_t(label)]);
    }
    all.insert(all.end(), fold.begin(), fold.end());
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < 23; ++i) REQUIRE(all[i] == static_cast<Index>(i));
  CHECK(divide_into_folds(data, 5, Seed{1}) == folds);
  CHECK(divide_into_folds(data, 5, Seed{2}) != folds);
  CHECK_THROWS_AS(divide_into_folds(data, 1), OptionError);
  CHECK_THROWS_AS(divide_into_folds(data, 24), OptionError);
}

TEST_CASE("cross-validation trains a copy for each fold on all others", "[cross_validation]") {
  const auto data = support::rings(300);
  const auto net = support::network();
  const auto before = net;
  FitOptions options;
  options.epochs = 30;
  options.batch_size = 20;
  const auto results = cross_validate(net, data, 3, options);
  REQUIRE(results.size() == 3);
  for (const Metrics& metrics : results) {
    CHECK(metrics.samples == 100);
    CHECK(metrics.accuracy > 0.9);
  }
  CHECK(net == before);

  // A sample that its own network has seen would be known: labels that are noise cannot be.
  Random random{Seed{8}};
  Labels noise(60);
  for (Index i = 0; i < 60; ++i) noise[i] = static_cast<int>(random.below(2));
  options.epochs = 200;
  double mean = 0;
  for (const Metrics& metrics : cross_validate(net, Dataset<float>{data.x().leftCols(60), noise}, 3, options)) {
    mean += metrics.accuracy / 3;
  }
  CHECK(mean > 0.2);
  CHECK(mean < 0.8);
}
