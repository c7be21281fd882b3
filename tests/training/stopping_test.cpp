#include <algorithm>
#include <altmin/altmin.hpp>
#include <cfenv>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using Metric = EarlyStopping::Metric;

namespace {

using Net = Network<float>;

/// With batch normalization: layers have more than parameters.
Net network() {
  Net net{Layers<float>{2}.add(Dense{8}).add(BatchNorm{}).add(Relu{}).add(Dense{2}), SoftmaxCrossEntropy{}, AmAdam{}};
  net.set_threads(1);
  return net;
}

FitOptions epochs(int count) {
  FitOptions options;
  options.epochs = count;
  options.batch_size = 40;
  return options;
}

/// A validation with these metrics, by epoch.
struct Script {
  std::vector<double> losses;
  std::vector<double> accuracies{};

  template <class T>
  void after_epoch(T& t) const {
    const auto epoch = static_cast<std::size_t>(t.epoch - 1);
    t.validation.emplace();
    t.validation->loss = losses.at(epoch);
    if (accuracies.empty()) return;
    t.validation->accuracy = accuracies.at(epoch);
    t.validation->confusion = Matrix<Index>::Zero(2, 2);
  }
};

/// Keeps the layers and the progress of all epochs.
struct Album {
  std::vector<Net> nets{};
  std::vector<Progress> progress{};

  template <class T>
  void after_epoch(const T& t) {
    nets.push_back(t.net);
    progress.push_back(t);
  }
};

/// A clock of a second a step.
struct Clock {
  template <class T>
  void after_step(T& t) const {
    t.seconds = static_cast<double>(t.step);
  }
};

}  // namespace

TEST_CASE("early stopping waits, says why, and restores the layers of the best epoch to the bit", "[stopping]") {
  const auto data = support::rings(100);
  auto net = network();
  Album album;
  const FitReport report =
      fit(net, data, epochs(20), Script{{5, 3, 4, 2.5, 2.75, 2.5, 2.6, 1, 0}}, EarlyStopping{3}, album);
  CHECK(report.end == FitEnd::callback);
  CHECK(report.reason == "for 3 epochs no validation loss was better than 2.5, that of epoch 4");
  CHECK(report.epochs == 7);
  REQUIRE(album.nets.size() == 7);
  CHECK(net.layers() == album.nets[3].layers());
  CHECK(net.layers() != album.nets[6].layers());
  CHECK(net.steps() == 21);
}

TEST_CASE("early stopping keeps the best of a real validation", "[stopping]") {
  const auto rings = support::rings(60);
  Labels wrong = rings.y();
  for (Index i = 0; i < 60; i += 4) wrong(i) = 1 - wrong(i);  // to be learned by heart
  const Dataset<float> data{rings.x(), wrong};
  const auto other = support::rings(200, 2);
  Adam adam;
  adam.learning_rate = 0.01;
  auto net = support::network(adam);
  History history;
  FitOptions options = epochs(200);
  options.batch_size = 20;
  const FitReport report = fit(net, data, options, Validation{other}, history, EarlyStopping{10});
  double best = std::numeric_limits<double>::infinity();
  for (const auto& epoch : history.epochs()) best = std::min(best, epoch.validation_loss);
  CHECK(evaluate(net, other).loss == best);
  REQUIRE(report.end == FitEnd::callback);
  CHECK(history.epochs()[static_cast<std::size_t>(report.epochs - 11)].validation_loss == best);
}

TEST_CASE("what counts as an improvement", "[stopping]") {
  const auto data = support::rings(100);
  const auto best_epoch = [&](const Script& script, EarlyStopping stopping) {
    auto net = network();
    const FitReport report = fit(net, data, epochs(4), script, stopping);
    return std::pair<int, int>{stopping.best_epoch, report.epochs};
  };
  using Epochs = std::pair<int, int>;  // the best one, all
  CHECK(best_epoch({{4, 3, 2, 1}}, {}) == Epochs{4, 4});
  CHECK(best_epoch({{4, 4, 4, 4}}, {}) == Epochs{1, 4});
  CHECK(best_epoch({{4, 3, 2, 1}}, {3, Metric::loss, 1}) == Epochs{3, 4});  // by less in all, and then by 2
  CHECK(best_epoch({{4, 3, 2, 1}}, {2, Metric::loss, 4}) == Epochs{1, 3});
  CHECK(best_epoch({{1, 1, 1, 1}, {.5, .7, .6, .7}}, {9, Metric::accuracy}) == Epochs{2, 4});
  CHECK(best_epoch({{NAN, NAN, 3, NAN}}, {}) == Epochs{3, 4});
  CHECK(best_epoch({{INFINITY, 3, 3, 3}}, {}) == Epochs{2, 4});

  auto net = network();
  Album album;
  const FitReport report = fit(net, data, epochs(4), Script{{NAN, NAN}}, EarlyStopping{2}, album);
  CHECK(report.reason == "for 2 epochs no validation loss was a number");
  CHECK(net == album.nets[1]);  // there is nothing better
}

TEST_CASE("the best layers are restored however training ends", "[stopping]") {
  const auto data = support::rings(100);
  const Script script{{2, 1, 3, 4}};
  const auto check = [&](FitEnd end, auto&&... others) {
    auto net = network();
    Album album;
    const FitReport report = fit(net, data, epochs(4), Clock{}, script, album, EarlyStopping{9}, others...);
    CHECK(report.end == end);
    CHECK(net.layers() == album.nets[1].layers());
    CHECK(report.steps > 6);
  };
  check(FitEnd::completed);
  check(FitEnd::callback, TimeLimit{8});
  check(FitEnd::callback, [](const auto& t) { return t.epoch == 3; });
}

TEST_CASE("early stopping goes on with a resumed run, and starts anew with a new one", "[stopping]") {
  const auto data = support::rings(100);
  const Script script{{2, 1, 3, 4, 5, 6, 7}};
  auto whole = network();
  Album album;
  const FitReport report = fit(whole, data, epochs(7), script, album, EarlyStopping{4});
  REQUIRE(report.epochs == 6);

  EarlyStopping stopping{4};
  auto net = network();
  fit(net, data, epochs(7), script, stopping, [](const auto& t) { return t.epoch == 3; });
  CHECK(stopping.waited == 1);
  net = album.nets[2];  // as a checkpoint has it
  struct GoOn {
    Progress progress;
    void begin(Training<float>& t) const { static_cast<Progress&>(t) = progress; }
  };
  const FitReport resumed = fit(net, data, epochs(7), GoOn{album.progress[2]}, script, stopping);
  CHECK(resumed.reason == report.reason);
  CHECK(resumed.epochs == report.epochs);
  CHECK(net == whole);

  fit(net, data, epochs(1), script, stopping);
  CHECK(stopping.best == 2);
  CHECK(stopping.waited == 0);
}

TEST_CASE("early stopping refuses what it cannot watch", "[stopping]") {
  const auto data = support::rings(100);
  auto net = network();
  CHECK_THROWS_AS(fit(net, data, epochs(1), Validation{data}, EarlyStopping{0}), OptionError);
  CHECK_THROWS_AS(fit(net, data, epochs(1), Validation{data}, EarlyStopping{1, Metric::loss, -1}), OptionError);
  CHECK(net.steps() == 0);
  CHECK_THROWS_WITH(fit(net, data, epochs(1), EarlyStopping{}, Validation{data}),
                    "EarlyStopping: expected a Validation before it in the call of fit(), got none");
  std::optional<Validation<float>> none;
  History history;
  std::ostringstream out;
  const auto print = [&](const auto& t) { out << t.epoch; };
  CHECK_THROWS_AS(fit(net, data, epochs(1), none, history, HalveEvery{}, GrowMu{}, CosineDecay{}, ProgressBar{out},
                      TimeLimit{9}, print, EarlyStopping{}, Validation{data}),
                  OptionError);
  CHECK(net.steps() == 0);  // before an epoch of training
  CHECK(out.str().empty());
  none.emplace(data);
  CHECK(fit(net, data, epochs(1), none, print, EarlyStopping{}));
  // One's own callback may set the metrics, by what says so or by what does not.
  CHECK(fit(
      net, data, epochs(1), [](auto& t) { t.validation = Metrics{}; }, EarlyStopping{}));
  const Index steps = net.steps();
  CHECK_THROWS_AS(fit(
                      net, data, epochs(1), [](Training<float>&) {}, EarlyStopping{}),
                  OptionError);
  CHECK(net.steps() == steps + 3);

  Net regression{Layers<float>{1}.add(Dense{1}), MeanSquaredError{}, Sgd{}};
  const Dataset<float> line{Matrix<float>::Random(1, 50), Matrix<float>(Matrix<float>::Random(1, 50))};
  CHECK_THROWS_WITH(fit(regression, line, epochs(1), Validation{line}, EarlyStopping{1, Metric::accuracy}),
                    "EarlyStopping: metric accuracy expects a Validation with labels, got one with real targets");
  CHECK(regression.steps() == 0);
  CHECK(fit(regression, line, epochs(2), Validation{line}, EarlyStopping{}));
}

TEST_CASE("early stopping compares without a floating-point exception", "[stopping]") {
  EarlyStopping stopping;
  auto net = network();
  const auto data = support::rings(40);
  const FitOptions options = epochs(4);
  const Batches<float> batches{data, options};
  Training<float> training{{}, net, batches, options, 1};
  training.may_be_validated = true;
  training.validation.emplace();
  std::feclearexcept(FE_ALL_EXCEPT);
  stopping.begin(training);
  for (const double loss : {double{NAN}, 3.0, double{NAN}, 2.0}) {
    ++training.epoch;
    training.validation->loss = loss;
    stopping.after_epoch(training);
  }
  CHECK(std::fetestexcept(FE_INVALID) == 0);
  CHECK(stopping.best_epoch == 4);
  CHECK(stopping.best == 2);
}

TEST_CASE("the time limit counts seconds of training", "[stopping]") {
  const auto data = support::rings(100);
  auto net = network();
  const FitReport report = fit(net, data, epochs(9), Clock{}, TimeLimit{4.5});
  CHECK(report.end == FitEnd::callback);
  CHECK(report.reason == "the time limit of 4.5 s is reached");
  CHECK(report.steps == 5);
  CHECK(fit(net, data, epochs(1), TimeLimit{1e9}).end == FitEnd::completed);
  CHECK(fit(net, data, epochs(1), TimeLimit{1e-12}).steps == 1);
  for (const double seconds : {0.0, -1.0, double{NAN}}) {
    CHECK_THROWS_AS(fit(net, data, epochs(1), TimeLimit{seconds}), OptionError);
  }
  CHECK_THROWS_WITH(fit(net, data, epochs(1), TimeLimit{INFINITY}),
                    "TimeLimit: seconds must be above 0 and finite, got inf");
}

TEST_CASE("an optional callback is called where there is one", "[stopping]") {
  const auto data = support::rings(100);
  auto net = network();
  std::optional<TimeLimit> limit;
  CHECK(fit(net, data, epochs(2), Clock{}, limit).steps == 6);
  limit = TimeLimit{2};
  CHECK(fit(net, data, epochs(2), Clock{}, limit).steps == 2);
  const std::optional<TimeLimit> fixed = limit;
  CHECK(fit(net, data, epochs(2), Clock{}, fixed).steps == 2);

  std::optional<History> history{History{}};
  fit(net, data, epochs(2), history);
  CHECK(history->epochs().size() == 2);
}
