// Checkpoints of fit(), and by what they know their data again.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "catch.hpp"
#include "small_model.hpp"

using namespace altmin;
using Catch::Matchers::ContainsSubstring;
using support::changed;
using support::Folder;
using support::message;
using support::Problem;
using support::small;

TEMPLATE_TEST_CASE("data are known again by all their numbers", "[model]", float, double) {
  const Problem<TestType> problem{3, 2, 500};
  const Dataset<TestType> data{problem.x, problem.y};
  const auto known = detail::fingerprint(data);
  CHECK(known != 0);
  CHECK(known == detail::fingerprint(Dataset<TestType>{data}));
  for (Index t = 0; t < 500; ++t) {
    auto x = problem.x;
    x(t % 3, t) = -x(t % 3, t);
    REQUIRE(detail::fingerprint(Dataset<TestType>{x, problem.y}) != known);
    Labels y = problem.y;
    y(t) = 1 - y(t);
    REQUIRE(detail::fingerprint(Dataset<TestType>{problem.x, y}) != known);
  }
  Matrix<TestType> targets = Matrix<TestType>::Ones(3, 500);
  const auto with_targets = detail::fingerprint(Dataset<TestType>{problem.x, targets});
  CHECK(with_targets == detail::fingerprint(Dataset<TestType>{problem.x, targets}));
  CHECK(with_targets != known);
  targets(2, 499) = 2;
  CHECK(with_targets != detail::fingerprint(Dataset<TestType>{problem.x, targets}));

  // Of large sets, of samples spread evenly, the first among them.
  Matrix<TestType> large = Matrix<TestType>::Zero(5000, 4000);
  const Labels none = Labels::Zero(4000);
  const auto at_rest = detail::fingerprint(Dataset<TestType>{large, none});
  large(4999, 0) = 1;
  CHECK(detail::fingerprint(Dataset<TestType>{large, none}) != at_rest);
  large(4999, 0) = 0;
  large.block(7, 3000, 1, 2).setOnes();
  CHECK(detail::fingerprint(Dataset<TestType>{large, none}) != at_rest);
}

TEST_CASE("fit saves checkpoints, and goes on from them", "[model]") {
  const Folder folder;
  const std::string path = folder.file("run");
  const Problem<float> problem{4, 2, 50};
  const Dataset<float> data{problem.x, problem.y};
  FitOptions options;
  options.epochs = 6;
  options.batch_size = 12;
  const auto net = [] {
    Network<float> made{Layers<float>{4}.add(Dense{6}).add(BatchNorm{}).add(Relu{}).add(Dropout{0.1}).add(Dense{2}),
                        SoftmaxCrossEntropy{}, AmAdam{}, Seed{1}};
    made.set_threads(1);
    return made;
  };
  struct StopAfter {
    Index step;
    bool after_step(const Training<float>& t) const { return t.step == step; }
  };

  auto whole = net();
  const auto report = fit(whole, data, options, Resume{path}, CosineDecay{}, Checkpoint{path});
  CHECK(load_checkpoint<float>(path).network == whole);
  CHECK(load_checkpoint<float>(path).network.rate_scale() == 1);
  const std::string bytes = read_file(path);
  CHECK(folder.files() == 1);

  for (const Index step : {1, 5, 10, 13}) {  // within epochs, and at the end of one
    INFO(step);
    std::filesystem::remove(path);
    auto stopped = net();
    fit(stopped, data, options, Resume{path}, CosineDecay{}, StopAfter{step}, Checkpoint{path, 2});
    auto resumed = net();
    const auto again = fit(resumed, data, options, Resume{path}, CosineDecay{}, Checkpoint{path});
    CHECK(resumed == whole);
    CHECK(again.steps == report.steps);
    CHECK(again.loss == report.loss);
    CHECK(read_file(path) == bytes);
  }

  const auto refused = [&](auto made, const FitOptions& other, const Dataset<float>& set) {
    const auto before = made;
    const std::string told = message<OptionError>([&] { fit(made, set, other, Resume{path}); });
    CHECK(made == before);
    return told.substr(told.find(": ") + 2);
  };
  FitOptions other = options;
  other.batch_size = 13;
  CHECK(refused(net(), other, data) == "fit.batch_size: expected 13, as in the run that goes on, got 12");
  other = options;
  other.seed = Seed{4};
  CHECK_THAT(refused(net(), other, data), ContainsSubstring("fit.seed.value: expected 4"));
  other = options;
  other.epochs = 5;
  CHECK(refused(net(), other, data) == "expected at most 5 epochs, as in the run that goes on, got 6");
  CHECK_THAT(refused(net(), options, data.take(48)), ContainsSubstring("fit.samples: expected 48"));
  // Data of the same size, but for one number, one label, or their order.
  const std::string told =
      "fit.data: expected the training data of the run that goes on, got other data of the same size";
  Dataset<float> moved = data;
  moved.mutable_x()(2, 30) = std::nextafter(moved.x()(2, 30), 1.0F);
  CHECK(refused(net(), options, moved) == told);
  Labels labels = problem.y;
  labels(49) = 1 - labels(49);
  CHECK(refused(net(), options, {problem.x, labels}) == told);
  moved = data;
  moved.mutable_x().col(0).swap(moved.mutable_x().col(1));
  CHECK(refused(net(), options, moved) == told);
  const std::string earlier = folder.file("earlier");  // a checkpoint that tells nothing of its data
  OutputFile{earlier}.write(changed(bytes, [](nlohmann::json& header, const nlohmann::json&) {
    auto place = nlohmann::json::parse(header["__metadata__"]["fit"].get<std::string>());
    REQUIRE(place.erase("data") == 1);
    header["__metadata__"]["fit"] = place.dump();
  }));
  auto goes_on = net();
  CHECK(fit(goes_on, data, options, Resume{earlier}).steps == report.steps);
  CHECK(goes_on == whole);
  auto with_options = net();
  AmAdam am;
  am.mu = 2;
  with_options.set_algorithm(am);
  CHECK_THAT(refused(with_options, options, data), ContainsSubstring("network.algorithm.options.mu: expected 2.0"));
  CHECK_THAT(refused(small(), options, data), ContainsSubstring("network.algorithm"));

  other = options;
  other.epochs = 8;
  // A pipe gets one checkpoint, at the end.
  const std::string fifo = folder.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  std::string through;
  std::thread reader{[&] {
    std::ifstream in{fifo};
    through.assign(std::istreambuf_iterator<char>{in}, {});
  }};
  auto piped = net();
  fit(piped, data, options, CosineDecay{}, Checkpoint{fifo, 1});
  reader.join();
  CHECK(through == bytes);
  auto longer = net();
  CHECK(fit(longer, data, other, Resume{path}).epochs == 8);
  CHECK_THROWS_AS(fit(longer, data, options, Checkpoint{folder.file("nowhere/run")}), Error);
  CHECK_THROWS_AS(fit(longer, data, options, Checkpoint{path, -1}), OptionError);
}
