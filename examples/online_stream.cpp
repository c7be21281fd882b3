/// Learns online, in one pass: test, then train, on each batch of a stream of images that drifts, or of a table.
/// Compares recursive AM-mem with Adam, SGD and other baselines, tuned on another seed: accuracy over samples, mean and
/// spread.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <altmin/io.hpp>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "online_stream/runs.hpp"
#include "trainer/command_line.hpp"
#include "trainer/files.hpp"
#include "trainer/plot.hpp"
#include "trainer/run.hpp"

namespace {

using altmin::Index;
using online::Result;
using online::Run;

struct Options {
  std::string data;
  std::string table;
  bool standardize = false;
  online::Drift drift;
  Index samples = 20000;
  Index test_samples = 10000;
  Index batch = 1;
  std::vector<Index> hidden{100, 100};
  std::vector<std::string> algorithms{"am-recursive", "adam", "sgd"};
  Index seeds = 3;
  std::uint64_t seed = 1;
  Index tune = 0;
  Index tune_samples = 10000;
  int threads = 1;
  std::string resume;
  std::string history;
  std::string plot;

  /// What decides the result of a run.
  std::string key() const {
    std::ostringstream text;
    text << (table.empty() ? data : table) << ' ' << standardize << ' ' << drift.kind << ' ' << drift.every << ' '
         << drift.noise << ' ' << samples << ' ' << test_samples << ' ' << batch << ' ' << tune << ' ' << tune_samples;
    for (const Index units : hidden) text << ' ' << units;
    return text.str();
  }
};

/// The images; none where a table is the stream.
altmin::TrainTest<float> load(const Options& options) {
  if (!options.table.empty()) return {};
  auto data = altmin::load_idx<float>(trainer::data_folder(options.data, "mnist"));
  if (options.standardize) altmin::Standardizer<float>::fit_shared(data.train.x()).apply(data);
  data.test = data.test.take(std::min(options.test_samples, data.test.size()));
  return data;
}

std::unique_ptr<online::SampleStream> make_stream(const altmin::TrainTest<float>& data, const Options& options,
                                                  Index samples, std::uint64_t seed) {
  if (!options.table.empty()) return std::make_unique<online::TableStream>(options.table, samples, options.batch);
  return std::make_unique<online::ImageStream>(data, options.drift, samples, options.batch, seed);
}

/// One line on standard error: redrawn on a terminal, elsewhere one for each step of the work.
class StatusLine {
 public:
  void show(const std::string& text) {
    const bool terminal = isatty(STDERR_FILENO) != 0;
    const std::size_t leftover = width_ > text.size() ? width_ - text.size() : 0;
    std::cerr << (terminal ? "\r" : "") << text << (terminal ? std::string(leftover, ' ') : "\n") << std::flush;
    width_ = terminal ? text.size() : 0;
  }
  void clear() {
    if (width_ > 0) show("");
    if (isatty(STDERR_FILENO) != 0) std::cerr << '\r';
    width_ = 0;
  }

 private:
  std::size_t width_ = 0;
};

/// Runs that have been completed, in a file with one line each, to which others are appended.
class Journal {
 public:
  explicit Journal(const Options& options) : path_{options.resume}, key_{options.key()} {
    if (path_.empty()) return;
    std::ifstream file{path_};
    for (std::string line; std::getline(file, line);) {
      const auto entry = nlohmann::json::parse(line, nullptr, false);
      if (entry.is_discarded() || !entry.contains("key")) continue;  // the run that was stopped while it was written
      if (entry["key"] == key_) entries_[entry["name"]] = entry["value"];
    }
  }

  const nlohmann::json* find(const std::string& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
  }
  void add(const std::string& name, const nlohmann::json& value) {
    if (path_.empty()) return;
    std::ofstream file{path_, std::ios::app};
    file << nlohmann::json{{"key", key_}, {"name", name}, {"value", value}}.dump() + "\n";
    if (!file.flush()) throw trainer::UsageError("--resume: cannot write " + path_);
  }

 private:
  std::string path_;
  std::string key_;
  std::map<std::string, nlohmann::json> entries_;
};

class Bench {
 public:
  Bench(const Options& options, const altmin::TrainTest<float>& data)
      : options_{options}, data_{data}, journal_{options} {}

  std::vector<Result> run() {
    std::vector<Result> results;
    for (const std::string& name : options_.algorithms) {
      Result result{name, {}};
      const online::Rates rates = tuned(method(name).tuned_as);
      for (Index k = 0; k < options_.seeds; ++k) {
        const std::uint64_t seed = options_.seed + static_cast<std::uint64_t>(k);
        result.runs.push_back(run_once(name, seed, rates));
      }
      results.push_back(std::move(result));
    }
    status_.clear();
    return results;
  }

 private:
  static const online::Method& method(const std::string& name) {
    for (const auto& each : online::methods()) {
      if (name == each.name) return each;
    }
    throw trainer::UsageError("--algorithms: expected other names, got " + name);
  }

  Run run_once(const std::string& name, std::uint64_t seed, const online::Rates& rates) {
    const std::string title = name + " seed " + std::to_string(seed);
    if (const auto* earlier = journal_.find(title)) return Run::from_json(*earlier);
    status_.show(title);
    const Index window = std::max<Index>(options_.batch, options_.samples / 100 / options_.batch * options_.batch);
    Run run = learn(name, seed, rates, options_.samples, window);
    run.method = name;
    run.seed = seed;
    journal_.add(title, run.to_json());
    return run;
  }

  Run learn(const std::string& name, std::uint64_t seed, const online::Rates& rates, Index samples, Index window) {
    const auto stream = make_stream(data_, options_, samples, seed);
    const online::Setting setting{stream->features(), stream->classes(), options_.hidden, seed, options_.threads};
    const auto learner = method(name).make(setting, rates);
    return online::learn(*learner, *stream, window);
  }

  /// The best of --tune settings on a shorter stream of another seed; the usual one without --tune.
  online::Rates tuned(const std::string& name) {
    if (name.empty()) return {0};
    altmin::Random random{altmin::Seed{options_.seed + 1000}};
    online::Rates best = online::candidate(name, 0, random);
    double most = -1;
    for (Index k = 0; k < options_.tune; ++k) {
      const online::Rates rates = online::candidate(name, k, random);
      const std::string title = "tune " + name + " " + std::to_string(k);
      double accuracy = 0;
      if (const auto* earlier = journal_.find(title)) {
        accuracy = *earlier;
      } else {
        status_.show(title + " of " + std::to_string(options_.tune));
        const Index samples = std::min(options_.samples, options_.tune_samples);
        accuracy = learn(name, options_.seed + 1000, rates, samples, samples).means.at("all");
        journal_.add(title, accuracy);
      }
      if (accuracy <= most) continue;
      most = accuracy;
      best = rates;
    }
    if (options_.tune > 0 && told_.insert({name, true}).second) {
      status_.clear();
      std::cerr << name << ", the best of " << options_.tune << ": rate " << best.rate << ", decay " << best.decay
                << (name == "sgd" ? ", momentum " : ", beta2 ") << best.second << ", weight decay " << best.weight_decay
                << '\n';
    }
    return best;
  }

  const Options& options_;
  const altmin::TrainTest<float>& data_;
  Journal journal_;
  StatusLine status_;
  std::map<std::string, bool> told_;
};

/// A line for each window: samples seen and, of each algorithm, the mean accuracy and its deviation.
std::string to_csv(const std::vector<Result>& results, const Options& options) {
  std::ostringstream text;
  text << "samples";
  for (const Result& result : results) text << "," << result.method << "," << result.method << " sd";
  text << "\n" << std::setprecision(5);
  const Index window = std::max<Index>(options.batch, options.samples / 100 / options.batch * options.batch);
  for (std::size_t k = 0; k < results.front().runs.front().windows.size(); ++k) {
    text << static_cast<Index>(k + 1) * window;
    for (const Result& result : results) {
      const auto [mean, deviation] = result.window(k);
      text << "," << mean << "," << deviation;
    }
    text << "\n";
  }
  return text.str();
}

void print_table(const std::vector<Result>& results) {
  using altmin::detail::fixed;
  using altmin::detail::right;
  std::size_t width = 9;
  for (const Result& result : results) width = std::max(width, result.method.size());
  const auto pad = [&](const std::string& name) { return name + std::string(width - name.size(), ' '); };
  std::vector<std::string> columns;
  for (const std::string name :
       {"first 1000", "first 5000", "all", "last half", "test", "AUC", "us/sample", "refused steps"}) {
    const bool known = std::any_of(results.begin(), results.end(),
                                   [&](const Result& result) { return result.runs.front().means.count(name) > 0; });
    if (known) columns.push_back(name);
  }
  std::cout << pad("");
  for (const auto& name : columns) std::cout << right(name, 16);
  std::cout << "\n";
  for (const Result& result : results) {
    std::cout << pad(result.method);
    for (const auto& name : columns) {
      const auto [mean, deviation] = result.of(name);
      const bool share = name != "us/sample" && name != "refused steps";
      const double unit = share ? 100 : 1;
      const int digits = share ? 2 : 0;
      std::string cell = std::isnan(mean) ? "-" : fixed(unit * mean, digits);
      if (result.runs.size() > 1 && !std::isnan(mean) && share) cell += " +- " + fixed(unit * deviation, digits);
      std::cout << right(cell, 16);
    }
    std::cout << "\n";
  }
}

/// Draws the accuracies as a PNG file.
void draw(const std::string& csv, const Options& options) {
  const altmin::OutputFile file = trainer::output_file("--plot", options.plot);
  const altmin::detail::TemporaryFolder tables;  // not beside the picture, where the user's files may be
  const std::string table = tables.file("accuracies.csv");
  altmin::OutputFile{table}.write(csv);
  const std::string title = options.table.empty() ? options.drift.kind + " images" : options.table;
  file.replace([&](const std::string& path) {
    const bool drawn =
        trainer::run_program({"gnuplot", "-c", ALTMIN_EXAMPLES_DIR "/online_stream.gnuplot", path, title, table});
    if (!drawn) throw trainer::UsageError("--plot: gnuplot failed");
  });
}

void run(const Options& options) {
  trainer::require_different_files(
      {{"--history", options.history}, {"--plot", options.plot}, {"--resume", options.resume}});
  if (!options.history.empty()) trainer::output_file("--history", options.history);
  if (!options.plot.empty()) {
    trainer::output_file("--plot", options.plot);
    trainer::require_gnuplot("--plot");
  }
  if (options.samples < options.batch) {
    throw trainer::UsageError("--samples: expected at least " + std::to_string(options.batch) +
                              ", the samples of a step (see --batch), got " + std::to_string(options.samples));
  }
  const auto data = load(options);
  const std::vector<Result> results = Bench{options, data}.run();
  for (const Result& result : results) {
    if (result.runs.front().windows.empty()) {
      throw trainer::UsageError("the stream: expected at least " + std::to_string(options.samples / 100) +
                                " samples, got fewer");
    }
  }
  print_table(results);
  trainer::flush_output();  // the table is first, even if --history is /dev/stdout
  const std::string csv = to_csv(results, options);
  if (!options.history.empty()) altmin::OutputFile{options.history}.write(csv);
  if (!options.plot.empty()) draw(csv, options);
}

}  // namespace

int main(int argc, char** argv) {
  using trainer::at_least;
  using trainer::between;
  Options options;
  std::vector<std::string> names;
  for (const auto& method : online::methods()) names.emplace_back(method.name);
  CLI::App app{
      "Learns online, in one pass, from a stream of images that drifts, or from a table: each batch is a test "
      "before it is trained on.",
      "online_stream"};
  app.add_option("--data", options.data, "MNIST, or a set in its format (default: where download.sh puts it)")
      ->type_name("DIR");
  app.add_option("--table", options.table,
                 "rows of numbers, the label (0 or 1) first, as CSV, plain or gzipped; in place of images")
      ->type_name("FILE");
  app.add_flag("--standardize", options.standardize, "images to mean 0 and deviation 1 (default: pixels of 0 to 1)");
  app.add_option("--drift", options.drift.kind,
                 "what changes: nothing; the order of pixels; the angle; the labels, by one, all, or of five classes")
      ->check(CLI::IsMember(online::Drift::kinds()))
      ->capture_default_str();
  app.add_option("--every", options.drift.every, "samples from one change to the next")
      ->check(at_least(1))
      ->capture_default_str();
  app.add_option("--noise", options.drift.noise, "share of labels drawn at random; tests are on the true ones")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--samples", options.samples, "of the stream, as many as a step's or more")
      ->check(at_least(1))
      ->capture_default_str();
  app.add_option("--test-samples", options.test_samples, "for a test at the end")
      ->check(at_least(1))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "samples a step")->check(at_least(1))->capture_default_str();
  app.add_option("--hidden", options.hidden, "units of the hidden layers")->delimiter(',')->check(at_least(1));
  app.add_option("--algorithms", options.algorithms, "one after another")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  app.add_option("--seeds", options.seeds, "runs of each, of as many seeds")->check(at_least(1))->capture_default_str();
  app.add_option("--seed", options.seed, "the first one, of weights, drift and order")->capture_default_str();
  app.add_option("--tune", options.tune, "settings of Adam and of SGD to choose from, on another seed")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--tune-samples", options.tune_samples, "of the stream for that")
      ->check(at_least(1))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "up to 1024; 0: as many as the process may run on")
      ->check(between(0, 1024))
      ->capture_default_str();
  app.add_option("--resume", options.resume, "keep completed runs in this file, and do not repeat them")
      ->type_name("FILE");
  app.add_option("--history", options.history, "write accuracies over time")->type_name("FILE.csv");
  app.add_option("--plot", options.plot, "draw them (needs gnuplot)")->type_name("FILE.png");
  return trainer::guarded("online_stream", [&] {
    if (trainer::parse(app, argc, argv)) run(options);
    return 0;
  });
}
