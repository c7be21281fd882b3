// fit() on sources of batches that are no data set.

#include <altmin/altmin.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Points of the rings, drawn batch by batch without end; or so many a pass, which is repeatable then.
class Drawn : public BatchSource<float> {
 public:
  explicit Drawn(Index batches_a_pass = 0) : batches_{batches_a_pass} {}

  const Batch<float>* next() override {
    if (stop_at == taken) return nullptr;
    if (batches_ > 0 && at_ == batches_) {
      at_ = 0;
      return nullptr;
    }
    data_ = support::rings(20, static_cast<std::uint64_t>(++at_));
    ++taken;
    return &batch_.emplace(Batch<float>{data_.x(), {data_.y().data(), data_.size()}, {}});
  }
  bool stopped() const override { return stop_at == taken; }
  SourceInfo info() const override {
    SourceInfo result;
    result.name = "the rings";
    result.repeatable = batches_ > 0;
    result.shape = features;
    result.classes = classes;
    return result;
  }

  Index taken = 0;
  Index stop_at = -1;
  Shape features{0};
  Index classes = 0;

 private:
  Index batches_;
  Index at_ = 0;
  Dataset<float> data_;
  std::optional<Batch<float>> batch_;
};

FitOptions passes(int epochs) {
  FitOptions options;
  options.epochs = epochs;
  return options;
}

struct StopAtStep {
  Index step;
  bool after_step(const Training<float>& t) const { return t.step == step; }
};

}  // namespace

TEST_CASE("fit trains on a generator without end until a callback stops it", "[source]") {
  Drawn rings;
  auto net = support::network();
  CHECK(evaluate(net, support::rings(500, 99)).accuracy < 0.8);
  const FitReport report = fit(net, rings, passes(1), StopAtStep{600});
  CHECK(report.end == FitEnd::callback);
  CHECK(report.epochs == 0);
  CHECK(report.steps == 600);
  CHECK(rings.taken == 600);
  CHECK(evaluate(net, support::rings(500, 9999)).accuracy > 0.95);
}

TEST_CASE("fit on batches of a data set is fit on the data set", "[source]") {
  const auto data = support::rings(90);
  FitOptions options = passes(3);
  options.batch_size = 40;
  options.seed = Seed{5};
  auto a = support::network();
  auto b = support::network();
  Batches<float> batches{data, options};
  batches.next();  // fit() begins at the first batch all the same
  const FitReport expected = fit(a, data, options, CosineDecay{});
  const FitReport report = fit(b, batches, passes(3), CosineDecay{});
  CHECK(a == b);
  CHECK(report.loss == expected.loss);
  CHECK(report.steps == 9);
}

TEST_CASE("an epoch is a pass over the source, and a run resumes within one", "[source]") {
  auto whole = support::network();
  Drawn rings{5};
  std::vector<std::string> seen;
  const FitReport report = fit(whole, rings, passes(2), [&](const Training<float>& t) {
    seen.push_back(std::to_string(t.epoch) + "/" + std::to_string(t.step) + "/" + std::to_string(t.samples));
  });
  CHECK(seen == std::vector<std::string>{"1/5/100", "2/10/100"});
  CHECK(report.end == FitEnd::completed);
  struct Carry {
    Progress* progress;
    bool goes_on;
    void begin(Training<float>& t) const {
      if (goes_on) static_cast<Progress&>(t) = *progress;
    }
    void end(Training<float>& t, const FitReport&) const { *progress = t; }
  };
  for (const Index step : {2, 5, 7}) {
    auto net = support::network();
    Progress progress;
    Drawn first{5};
    fit(net, first, passes(2), Carry{&progress, false}, StopAtStep{step});
    Drawn second{5};
    const FitReport resumed = fit(net, second, passes(2), Carry{&progress, true});
    CHECK(net == whole);
    CHECK(resumed.loss == report.loss);
    CHECK(resumed.steps == 10);
  }
}

TEST_CASE("fit ends where its source is stopped, and loses nothing", "[source]") {
  auto net = support::network();
  Drawn rings{5};
  rings.stop_at = 7;
  const FitReport report = fit(net, rings, passes(3));
  CHECK(report.end == FitEnd::stopped);
  CHECK(report.reason == "stopped while waiting for data");
  CHECK(report.epochs == 1);
  CHECK(report.steps == 7);
  CHECK(report);
}

TEST_CASE("fit refuses what its source cannot give before the first step", "[source]") {
  auto net = support::network();
  const auto before = net;
  const auto message = [&](Drawn&& rings, const FitOptions& options, auto&&... callbacks) {
    try {
      fit(net, rings, options, callbacks...);
    } catch (const Error& error) {
      CHECK(rings.taken == 0);
      CHECK(net == before);
      return std::string{error.what()};
    }
    return std::string{};
  };
  CHECK(message(Drawn{}, passes(2)) ==
        "FitOptions: epochs must be at most 1, as the rings can be read only once, got 2");
  FitOptions options = passes(1);
  options.batch_size = 40;
  CHECK(message(Drawn{}, options) ==
        "FitOptions: batch_size, seed, shuffle, last_batch and augmentation are those of a data set: expected their "
        "defaults for the rings, which has batches of its own");
  CHECK(message(Drawn{}, passes(1), CosineDecay{}) ==
        "CosineDecay: expected a source that tells its batches in an epoch, or `steps`, got the rings and none");
  Drawn wide;
  wide.features = Shape{3};
  CHECK_THROWS_WITH(fit(net, wide, passes(1)), "fit: the rings: expected 2 features, as the network has inputs, got 3");
  Drawn more;
  more.classes = 3;
  CHECK_THROWS_WITH(fit(net, more, passes(1)),
                    ContainsSubstring("fit: the rings has 3 classes") && ContainsSubstring("expected 0 to 1, got 2"));
  CHECK(wide.taken + more.taken == 0);
}

TEST_CASE("a schedule over so many steps needs no length of an epoch", "[source]") {
  auto net = support::network();
  Drawn rings;
  std::vector<double> scales;
  struct Note {
    std::vector<double>& scales;
    void before_step(const Training<float>& t) const { scales.push_back(t.net.rate_scale()); }
  };
  CosineDecay cosine;
  cosine.steps = 8;
  fit(net, rings, passes(1), cosine, Note{scales}, StopAtStep{10});
  REQUIRE(scales.size() == 10);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(scales[i] == Approx(0.5 * (1 + std::cos(3.14159265358979 * static_cast<double>(i) / 8))));
  }
  CHECK(scales[9] == 0);
}

TEST_CASE("before_step sees the batch, and may end training", "[source]") {
  auto net = support::network();
  Drawn rings;
  Index samples = 0;
  struct Look {
    Index& samples;
    bool before_step(const Training<float>& t) const {
      samples += t.current->size();
      return t.step == 3;
    }
  };
  const FitReport report = fit(net, rings, passes(1), Look{samples});
  CHECK(report.steps == 3);
  CHECK(samples == 80);
}

TEST_CASE("a validation within epochs is seen by history, progress and early stopping", "[source]") {
  auto net = support::network();
  Drawn rings;
  int asked = 0;
  const auto metrics = [&](const Network<float>& trained) {
    ++asked;
    return evaluate(trained, support::rings(50, 77));
  };
  const Validation<float> held_out{metrics, 10};
  History history;
  std::ostringstream out;
  fit(net, rings, passes(1), held_out, history, ProgressBar{out, ProgressBar::Style::lines}, StopAtStep{35});
  CHECK(asked == 3);
  REQUIRE(history.epochs().size() == 3);
  CHECK(history.epochs()[1].steps == 20);
  CHECK(history.epochs()[1].epoch == 0);
  CHECK(history.epochs()[1].validation_accuracy >= 0);
  const std::string text = out.str();
  CHECK_THAT(text, ContainsSubstring("epoch 1/1  400 rows  loss 0.") && ContainsSubstring(" rows/s  accuracy "));
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);  // and why training ended

  auto second = support::network();
  Drawn others;
  struct Worse {
    void after_step(Training<float>& t) const {
      if (t.step % 10 != 0) return;
      t.validation.emplace();
      t.validation->loss = static_cast<double>(t.step);
    }
  };
  EarlyStopping stopping{2};
  const FitReport report = fit(second, others, passes(1), Worse{}, stopping);
  CHECK(report.steps == 30);
  CHECK(report.reason == "for 2 validations no validation loss was better than 10, that of step 10");
  CHECK(stopping.best_step == 10);

  // At the end of an epoch one line, and one judgement, even if a step validated just before.
  auto third = support::network();
  Drawn finite{10};
  History once;
  fit(third, finite, passes(2), held_out, once);
  REQUIRE(once.epochs().size() == 2);
  CHECK(once.epochs()[1].epoch == 2);
}
