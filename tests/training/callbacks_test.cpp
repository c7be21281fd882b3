#include <algorithm>
#include <altmin/altmin.hpp>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using Catch::Matchers::ContainsSubstring;

namespace {

FitOptions two_epochs() {
  FitOptions options;
  options.epochs = 2;
  options.batch_size = 40;
  return options;
}

}  // namespace

TEST_CASE("a validation is seen by the callbacks after it, and changes nothing", "[callbacks]") {
  const auto data = support::rings(100);
  const auto other = support::rings(50, 2);
  auto net = support::network();
  auto alone = net;
  std::vector<double> losses;
  bool seen_before = false;
  fit(
      net, data, two_epochs(), [&](const auto& t) { seen_before = seen_before || t.validation.has_value(); },
      Validation{other},
      [&](const auto& t) {
        losses.push_back(t.validation->loss);
        CHECK(t.validation->loss == evaluate(t.net, other).loss);
      });
  CHECK_FALSE(seen_before);
  CHECK(losses.size() == 2);
  fit(alone, data, two_epochs());
  CHECK(net == alone);
}

TEST_CASE("a history keeps epochs and writes them as CSV", "[callbacks]") {
  const auto data = support::rings(100);
  const auto other = support::rings(50, 2);
  auto net = support::network();
  History history;
  const FitReport report = fit(net, data, two_epochs(), Validation{other}, history);
  REQUIRE(history.epochs().size() == 2);
  const auto& last = history.epochs()[1];
  CHECK(last.epoch == 2);
  CHECK(last.steps == 6);
  CHECK(last.loss == report.loss);
  CHECK(last.seconds == report.seconds);
  CHECK(last.validation_loss == evaluate(net, other).loss);
  CHECK(last.validation_accuracy == evaluate(net, other).accuracy);

  std::stringstream csv;
  csv.precision(2);  // of no effect
  history.write_csv(csv);
  std::string line;
  REQUIRE(std::getline(csv, line));
  CHECK(line == "epoch,steps,train_loss,train_seconds,validation_loss,validation_accuracy");
  REQUIRE(std::getline(csv, line));
  REQUIRE(std::getline(csv, line));
  CHECK(std::count(line.begin(), line.end(), ',') == 5);
  CHECK(line.substr(0, 4) == "2,6,");
  CHECK(std::stod(line.substr(4)) == last.loss);  // to the bit
  CHECK_FALSE(std::getline(csv, line));
}

TEST_CASE("a history without validation leaves its cells empty", "[callbacks]") {
  auto net = support::network();
  History history;
  fit(net, support::rings(100), two_epochs(), history);
  std::ostringstream csv;
  history.write_csv(csv);
  const std::string text = csv.str();
  CHECK(text.substr(text.size() - 3) == ",,\n");
  CHECK_THAT(text, !ContainsSubstring("nan"));

  std::ostringstream lines;
  history.write_json_lines(lines);
  const std::string json = lines.str();
  CHECK(std::count(json.begin(), json.end(), '\n') == 2);
  const History::Epoch& first = history.epochs()[0];
  const std::string start = "{\"epoch\":1,\"steps\":3,\"train_loss\":" + altmin::detail::number(first.loss) +
                            ",\"train_seconds\":" + altmin::detail::number(first.seconds) +
                            ",\"validation_loss\":null,\"validation_accuracy\":null}\n{\"epoch\":2,";
  CHECK(json.substr(0, start.size()) == start);
}

TEST_CASE("a progress bar is redrawn in place and leaves a line for each epoch", "[callbacks]") {
  const auto data = support::rings(100);
  auto net = support::network();
  std::ostringstream out;
  fit(net, data, two_epochs(), Validation{data}, ProgressBar{out});
  CHECK_THAT(out.str(), ContainsSubstring("epoch 1/2  [=="));
  CHECK_THAT(out.str(), ContainsSubstring("\repoch 1/2  loss 0."));
  CHECK_THAT(out.str(), ContainsSubstring("epoch 2/2  loss 0.") && ContainsSubstring("validation loss 0."));
  CHECK_THAT(out.str(), ContainsSubstring("accuracy ") && ContainsSubstring(" samples/s  0:0"));
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.back() == '\n');
}

TEST_CASE("progress as lines has no line drawn twice", "[callbacks]") {
  const auto data = support::rings(100);
  auto net = support::network();
  std::ostringstream out;
  fit(net, data, two_epochs(), ProgressBar{out, ProgressBar::Style::lines});
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK_THAT(text, !ContainsSubstring("\r") && !ContainsSubstring("["));
}

TEST_CASE("a progress bar says why training ended early, and ends its line whatever happens", "[callbacks]") {
  AmAdam diverging = AmAdam::equilibrium();
  diverging.code_learning_rate = 1e30;
  diverging.limit_code_rate = false;
  auto net = support::network(diverging);
  std::ostringstream out;
  fit(net, support::rings(100), two_epochs(), ProgressBar{out});
  CHECK_THAT(out.str(), ContainsSubstring("\nstep 1: a code update diverged; no weight moved\n"));

  auto data = support::rings(100);
  struct Spoil {
    Dataset<float>& data;
    void after_step(const Training<float>&) { data.mutable_x()(0, 99) = NAN; }
  };
  auto sound = support::network();
  std::ostringstream broken;
  FitOptions options = two_epochs();
  options.shuffle = false;
  CHECK_THROWS_AS(fit(sound, data, options, ProgressBar{broken}, Spoil{data}), DataError);
  CHECK_THAT(broken.str(), ContainsSubstring("epoch 1/2"));
  CHECK(broken.str().back() == '\n');
}

TEST_CASE("a validation set that does not fit is refused before the first step", "[callbacks]") {
  const auto data = support::rings(100);
  auto net = support::network();
  const auto before = net;
  const auto message = [&](const Dataset<float>& other) {
    try {
      fit(net, data, two_epochs(), Validation{other});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string{};
  };
  using Samples = Matrix<float>;
  CHECK(message({Samples::Ones(3, 5), Labels::Zero(5)}) ==
        "Validation: samples: expected 2 features (rows), got 3 x 5");
  CHECK(message({Samples::Ones(2, 5), Samples::Ones(2, 5)}) ==
        "Validation: SoftmaxCrossEntropy: expected a vector of integer labels, got a matrix of values of 2 x 5");
  CHECK(message({Samples::Ones(2, 5), Labels::LinSpaced(5, 0, 4)}) ==
        "Validation: SoftmaxCrossEntropy: label of sample 2: expected 0 to 1, got 2");
  CHECK(message({Samples(2, 0), Labels(0)}) == "Validation: expected at least 1 sample, got an empty data set");
  Samples broken = Samples::Ones(2, 5);
  broken(1, 3) = INFINITY;
  CHECK(message({broken, Labels::Zero(5)}) == "Validation: samples: feature 1 of sample 3 is not finite");
  const Dataset<float> narrow{Samples::Ones(1, 5), Labels::Zero(5)};
  CHECK_THROWS_AS(fit(net, data, two_epochs(), Validation{narrow}), ShapeError);
  const Dataset<float> spoilt{broken, Labels::Zero(5)};
  CHECK_THROWS_AS(fit(net, data, two_epochs(), Validation{spoilt}), DataError);
  CHECK(net == before);
}
