#include <altmin/altmin.hpp>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using Catch::Matchers::ContainsSubstring;

namespace {

using Net = Network<float>;

FitOptions three_epochs() {
  FitOptions options;
  options.epochs = 3;
  options.batch_size = 40;
  return options;
}

/// Writes down which hooks are called.
struct Diary {
  std::vector<std::string> lines;

  template <class T>
  void begin(const T& t) {
    lines.push_back("begin " + where(t));
  }
  template <class T>
  void after_step(const T& t) {
    lines.push_back("step " + where(t));
  }
  template <class T>
  void after_epoch(const T& t) {
    lines.push_back("epoch " + where(t));
  }
  template <class T>
  void end(const T& t, const FitReport& report) {
    lines.push_back("end " + where(t) + ": " + report.reason);
  }

  template <class T>
  static std::string where(const T& t) {
    return std::to_string(t.epoch) + "/" + std::to_string(t.batch) + "/" + std::to_string(t.step);
  }
};

struct StopAfter {
  Index step;

  template <class T>
  Stop after_step(const T& t) const {
    return t.step < step ? Stop{} : Stop{"enough steps"};
  }
};

/// Keeps network and progress as they are after one step, as a checkpoint would.
struct Keep {
  Index step;
  Progress progress{};
  Net net = support::network();

  template <class T>
  void after_step(const T& t) {
    if (t.step != step) return;
    progress = t;
    net = t.net;
  }
};

/// The same after one epoch.
struct KeepEpoch {
  int epoch;
  Progress progress{};
  Net net = support::network();

  template <class T>
  void after_epoch(const T& t) {
    if (t.epoch != epoch) return;
    progress = t;
    net = t.net;
  }
};

struct GoOnFrom {
  Progress progress;

  template <class T>
  void begin(T& t) const {
    static_cast<Progress&>(t) = progress;
  }
};

}  // namespace

TEST_CASE("fit goes through all epochs and learns", "[fit]") {
  const auto data = support::rings(400);
  auto net = support::network();
  FitOptions options;
  options.epochs = 30;
  options.batch_size = 20;
  const FitReport report = fit(net, data, options);
  CHECK(report);
  CHECK(report.end == FitEnd::completed);
  CHECK(report.reason == "all epochs are done");
  CHECK(report.epochs == 30);
  CHECK(report.steps == 600);
  CHECK(report.failed_steps == 0);
  CHECK(net.steps() == 600);
  CHECK(report.seconds > 0);
  CHECK(evaluate(net, support::rings(400, 2)).accuracy > 0.95);
}

TEST_CASE("the hooks are called in their order, all of them", "[fit]") {
  const auto data = support::rings(100);
  auto net = support::network();
  FitOptions options = three_epochs();
  options.epochs = 2;
  Diary diary;
  fit(net, data, options, diary);
  CHECK(diary.lines == std::vector<std::string>{"begin 0/0/0", "step 0/1/1", "step 0/2/2", "step 0/3/3", "epoch 1/0/3",
                                                "step 1/1/4", "step 1/2/5", "step 1/3/6", "epoch 2/0/6",
                                                "end 2/0/6: all epochs are done"});
}

TEST_CASE("no epochs: no step, but a beginning and an end", "[fit]") {
  auto net = support::network();
  FitOptions options;
  options.epochs = 0;
  Diary diary;
  const auto data = support::rings(10);
  std::feclearexcept(FE_ALL_EXCEPT);
  const FitReport report = fit(net, data, options, diary);
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
  CHECK(diary.lines == std::vector<std::string>{"begin 0/0/0", "end 0/0/0: all epochs are done"});
  CHECK(std::isnan(report.loss));
  CHECK_FALSE(std::signbit(report.loss));  // would print as "-nan"
  CHECK(report.steps == 0);
  CHECK(net == support::network());
}

TEST_CASE("the loss of an epoch is the mean over its samples", "[fit]") {
  const auto data = support::rings(100);
  auto net = support::network();
  FitOptions options = three_epochs();
  options.epochs = 1;
  auto same = net;
  double sum = 0;
  Batches<float> batches{data, options};
  while (const auto* batch = batches.next()) {
    sum += same.step(batch->x, batch->y).loss * static_cast<double>(batch->size());
  }
  CHECK(fit(net, data, options).loss == Approx(sum / 100).epsilon(1e-14));
  CHECK(net == same);
}

TEST_CASE("the order of the samples follows from the seed alone", "[fit]") {
  const auto data = support::rings(100);
  auto a = support::network();
  auto b = support::network();
  auto other = support::network();
  auto unshuffled = support::network();
  b.set_threads(2);
  FitOptions options = three_epochs();
  const double loss = fit(a, data, options).loss;
  CHECK(fit(b, data, options).loss == loss);
  CHECK(a == b);
  options.seed = Seed{2};
  fit(other, data, options);
  CHECK(a != other);
  options.shuffle = false;
  options.epochs = 1;
  fit(unshuffled, data, options);
  auto by_hand = support::network();
  for (Index first = 0; first < 100; first += 40) {
    const Index count = std::min<Index>(40, 100 - first);
    by_hand.step(data.x().middleCols(first, count), data.y().segment(first, count));
  }
  CHECK(unshuffled == by_hand);
}

TEST_CASE("training that stops goes on to the same bits, between epochs and within one", "[fit]") {
  const auto data = support::rings(100);
  auto whole = support::network();
  Keep within{5};
  Keep last_batch{6};
  KeepEpoch between{2};
  const FitReport report = fit(whole, data, three_epochs(), within, last_batch, between);
  REQUIRE(report.steps == 9);
  const auto resume = [&](Net& net, const Progress& progress) {
    FitOptions options = three_epochs();
    const FitReport resumed = fit(net, data, options, GoOnFrom{progress});
    CHECK(net == whole);
    CHECK(resumed.epochs == 3);
    CHECK(resumed.steps == 9);
    CHECK(resumed.loss == report.loss);
  };
  resume(within.net, within.progress);
  resume(last_batch.net, last_batch.progress);
  resume(between.net, between.progress);
}

TEST_CASE("a callback ends training by true or by a reason", "[fit]") {
  const auto data = support::rings(100);
  auto net = support::network();
  Diary diary;

  const FitReport by_reason = fit(net, data, three_epochs(), StopAfter{4}, diary);
  CHECK(by_reason.end == FitEnd::callback);
  CHECK(by_reason.reason == "enough steps");
  CHECK(by_reason);
  CHECK(by_reason.epochs == 1);
  CHECK(by_reason.steps == 4);
  REQUIRE(diary.lines.size() == 7);  // the callbacks after the one that stops are called, too
  CHECK(diary.lines[5] == "step 1/1/4");
  CHECK(diary.lines[6] == "end 1/1/4: enough steps");

  const FitReport by_true = fit(net, data, three_epochs(), Diary{}, [](const auto& t) { return t.epoch == 2; });
  CHECK(by_true.end == FitEnd::callback);
  CHECK(by_true.reason == "callback 2 asked to stop");
  CHECK(by_true.epochs == 2);

  struct Never {
    bool begin(Training<float>&) const { return true; }
  };
  CHECK(fit(net, data, three_epochs(), Never{}).steps == 0);

  const auto reason = [](const auto& t) { return Stop{t.loss() > 0 ? "the loss is positive" : ""}; };
  const FitReport by_function = fit(net, data, three_epochs(), reason, [](const auto&) { return true; });
  CHECK(by_function.reason == "the loss is positive");  // the first one's
  CHECK(by_function.epochs == 1);
}

TEST_CASE("a callback may change the network", "[fit]") {
  auto net = support::network();
  fit(net, support::rings(100), three_epochs(), [](auto& t) {
    if (t.epoch == 1) t.net.set_algorithm(Adam{});
  });
  CHECK(net.algorithm().options<Adam>() != nullptr);
}

TEST_CASE("a step that fails ends training, unless such steps are tolerated", "[fit]") {
  const auto data = support::rings(100);
  AmAdam diverging = AmAdam::equilibrium();
  diverging.code_learning_rate = 1e30;
  diverging.limit_code_rate = false;
  auto net = support::network(diverging);
  const auto before = net.layers();
  FitOptions options = three_epochs();
  Diary diary;
  const FitReport report = fit(net, data, options, diary);
  CHECK_FALSE(report);
  CHECK(report.end == FitEnd::failed_step);
  CHECK(report.reason == "step 1: a code update diverged; no weight moved");
  CHECK(report.steps == 1);
  CHECK(report.failed_steps == 1);
  CHECK(std::isnan(report.loss));
  CHECK(diary.lines.size() == 3);
  CHECK(net.layers() == before);

  options.tolerated_failures = 2;
  CHECK(fit(net, data, options).steps == 3);
  options.tolerated_failures = 100;
  const FitReport tolerated = fit(net, data, options);
  CHECK(tolerated.end == FitEnd::completed);
  CHECK(tolerated.failed_steps == 9);
}

TEST_CASE("fit trains on values as on labels", "[fit]") {
  Net net{Layers<float>{1}.add(Dense{1}), MeanSquaredError{}, Sgd{}};
  const Matrix<float> x = Matrix<float>::Random(1, 50);
  FitOptions options;
  options.batch_size = 10;
  options.epochs = 40;
  const Dataset<float> data{x, Matrix<float>(3 * x.array() - 1)};
  fit(net, data, options);
  CHECK(evaluate(net, data).loss < 1e-6);
}

TEST_CASE("fit refuses what cannot work before the first step", "[fit]") {
  auto net = support::network();
  const auto data = support::rings(81);
  FitOptions options;
  options.epochs = -1;
  CHECK_THROWS_AS(fit(net, data, options), OptionError);
  options = {};
  options.batch_size = 0;
  CHECK_THROWS_AS(fit(net, data, options), OptionError);
  options = {};
  options.tolerated_failures = -1;
  CHECK_THROWS_AS(fit(net, data, options), OptionError);
  CHECK_THROWS_AS(fit(net, Dataset<float>{Matrix<float>(2, 0), Labels(0)}, FitOptions{}), DataError);

  Net normalized{Layers<float>{2}.add(Dense{4}).add(BatchNorm{}).add(Dense{2}), SoftmaxCrossEntropy{}, Adam{}};
  options = {};
  options.epochs = 1;
  options.batch_size = 40;
  CHECK_THROWS_WITH(
      fit(normalized, data, options),
      "fit: the data set has a batch of 1 sample, and layer 1 (BatchNorm) needs at least 2: choose another "
      "batch size, or LastBatch::drop");
  CHECK(normalized.steps() == 0);
  options.last_batch = LastBatch::drop;
  CHECK(fit(normalized, data, options).steps == 2);
}

TEST_CASE("fit names a sample that does not fit by its number in the data set, before the first step", "[fit]") {
  auto net = support::network();
  const auto before = net;
  Diary diary;
  const auto message = [&](const auto& data) {
    try {
      fit(net, data, three_epochs(), diary);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string{};
  };
  auto data = support::rings(100);
  data.mutable_x()(1, 97) = NAN;
  CHECK(message(data) == "samples: feature 1 of sample 97 is not finite");
  const auto sound = support::rings(100);
  Labels y = sound.y();
  y(61) = 2;
  CHECK(message(Dataset<float>{sound.x(), y}) == "SoftmaxCrossEntropy: label of sample 61: expected 0 to 1, got 2");
  CHECK_THROWS_AS(fit(net, Dataset<float>{Matrix<float>::Ones(3, 50), Labels::Zero(50)}, three_epochs(), diary),
                  ShapeError);
  CHECK(net == before);
  CHECK(diary.lines.empty());
  CHECK(fit(net, sound, three_epochs()));
}

TEST_CASE("after an exception in fit the network's scales are what they were before", "[fit]") {
  const auto data = support::rings(100);
  struct Throw {
    void after_step(const Training<float>& t) const {
      if (t.step == 8) throw std::runtime_error("enough");
    }
  };
  for (const double scale : {1.0, 0.25}) {
    auto net = support::network();
    net.set_rate_scale(scale);
    net.set_mu_scale(2 * scale);
    double rate = 0;
    double mu = 0;
    const auto look = [&](const auto& t) {
      rate = t.net.rate_scale();
      mu = t.net.mu_scale();
    };
    CHECK_THROWS_WITH(fit(net, data, three_epochs(), HalveEvery{1}, GrowMu{4}, look, Throw{}), "enough");
    CHECK(rate == 0.25);  // the schedules were at work
    CHECK(mu == 16);
    CHECK(net.rate_scale() == scale);
    CHECK(net.mu_scale() == 2 * scale);
    CHECK_THROWS_WITH(fit(net, data, three_epochs(), CosineDecay{}, Throw{}), "enough");
    CHECK(net.rate_scale() == scale);
    CHECK(net.mu_scale() == 2 * scale);
  }
  auto net = support::network();  // what a callback sets stays, if training ends by itself
  fit(net, data, three_epochs(), [](auto& t) { t.net.set_rate_scale(0.5); });
  CHECK(net.rate_scale() == 0.5);
}

TEST_CASE("a report streams as a line", "[fit]") {
  FitReport report;
  report.reason = "all epochs are done";
  report.epochs = 2;
  report.steps = 10;
  report.loss = 0.5;
  report.seconds = 1.25;
  std::ostringstream out;
  out << report;
  report.failed_steps = 3;
  out << "\n" << report;
  CHECK(out.str() ==
        "2 epochs, 10 steps, loss 0.5, 1.2 s: all epochs are done\n"
        "2 epochs, 10 steps (3 failed), loss 0.5, 1.2 s: all epochs are done");
}

TEST_CASE("fit trains by the weights of a data set", "[fit]") {
  auto data = support::rings(100);
  FitOptions options = three_epochs();
  auto plain = support::network();
  fit(plain, data, options);
  // Samples of weight 0 are not there: so the network learns the labels of the others.
  Labels y = data.y();
  Vector<float> weights = Vector<float>::Ones(100);
  for (Index i = 0; i < 100; i += 2) {
    y[i] = 1 - y[i];
    weights[i] = 0;
  }
  Dataset<float> spoilt{data.x(), y};
  spoilt.set_weights(weights);
  data.set_weights(weights);
  auto a = support::network();
  auto b = support::network();
  fit(a, data, options);
  fit(b, spoilt, options);
  CHECK(a == b);
  CHECK(a != plain);

  auto exact = support::network(AmRecursive{});
  CHECK_THROWS_WITH(fit(exact, data, options), ContainsSubstring("AmRecursive: its signal takes no weights"));
  CHECK(exact.steps() == 0);
}
