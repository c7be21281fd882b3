#include <altmin/altmin.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;

namespace {

FitOptions one_epoch() {
  FitOptions options;
  options.epochs = 1;
  options.batch_size = 10;
  options.shuffle = false;
  return options;
}

}  // namespace

TEST_CASE("recent means forget by a window or by a decay", "[prequential]") {
  RecentMean all;
  RecentMean last{3};
  RecentMean decayed{0, 0.5};
  CHECK(std::isnan(all.mean()));
  CHECK(std::isnan(last.mean()));
  for (int i = 1; i <= 5; ++i) {
    all.add(i);
    last.add(i);
    decayed.add(i);
    if (i == 2) CHECK(last.mean() == 1.5);
  }
  CHECK(all.mean() == 3);
  CHECK(last.mean() == 4);
  CHECK(decayed.mean() == Approx((5 + 4 / 2.0 + 3 / 4.0 + 2 / 8.0 + 1 / 16.0) / (1 + 0.5 + 0.25 + 0.125 + 0.0625)));
  CHECK_THROWS_AS(RecentMean(-1), OptionError);
  CHECK_THROWS_AS(RecentMean(0, 0), OptionError);
  CHECK_THROWS_AS(RecentMean(0, 1.5), OptionError);
}

TEST_CASE("prequential metrics test each batch before it trains, and change nothing", "[prequential]") {
  const auto data = support::rings(100);
  auto net = support::network();
  auto by_hand = net;
  double loss = 0;
  double found = 0;
  for (Index first = 0; first < 100; first += 10) {
    const Matrix<float> x = data.x().middleCols(first, 10);
    const Labels y = data.y().segment(first, 10);
    const Metrics before = evaluate(by_hand, Dataset<float>{x, y, 2});
    if (first >= 60) {
      loss += before.loss / 4;
      found += before.accuracy / 4;
    }
    by_hand.step(x, y);
  }
  PrequentialOptions options;
  options.window = 40;
  options.every_steps = 5;
  Prequential<float> prequential{options};
  History history;
  fit(net, data, one_epoch(), prequential, history);
  CHECK(net == by_hand);
  CHECK(prequential.metrics().samples == 100);
  CHECK(prequential.metrics().loss == Approx(loss).epsilon(1e-5));
  CHECK(prequential.metrics().accuracy == Approx(found));
  REQUIRE(history.epochs().size() == 2);
  CHECK(history.epochs()[0].steps == 5);
  CHECK(history.epochs()[1].validation_accuracy == Approx(found));

  Network<float> line{Layers<float>{1}.add(Dense{1}), MeanSquaredError{}, Sgd{}};
  const Matrix<float> x = Matrix<float>::Random(1, 20);
  Prequential<float> errors{PrequentialOptions{0}};
  fit(line, Dataset<float>{x, Matrix<float>(3 * x)}, one_epoch(), errors);
  CHECK(errors.metrics().mean_squared_error == Approx(errors.metrics().loss).epsilon(1e-5));
  CHECK(errors.metrics().mean_absolute_error > 0);
  CHECK(std::isnan(errors.metrics().accuracy));
}
