/// Learns online from a stream of images that drifts: the network is tested on every batch before it trains on it.
/// Compares AM-Adam, AM-mem at several rates of forgetting, and backprop with Adam: accuracy over time, accuracy on all
/// tasks at the end, and what has been forgotten.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <cmath>
#include <cstddef>
#include <functional>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "trainer/command_line.hpp"
#include "trainer/files.hpp"
#include "trainer/plot.hpp"
#include "trainer/run.hpp"

namespace {

using altmin::Index;
using altmin::Labels;
using Data = altmin::Dataset<float>;
using Images = altmin::Matrix<float>;
using Network = altmin::Network<float>;

struct Options {
  std::string data;
  std::string drift = "permuted";
  Index tasks = 5;
  Index samples = 10000;
  Index test_samples = 2000;
  Index batch = 50;
  std::vector<Index> hidden{100, 100};
  std::vector<double> forgetting{0.005, 0.05, 0.5};
  std::uint64_t seed = 1;
  int threads = 0;
  std::string history;
  std::string plot;
};

/// The images, each rotated about its centre by so many degrees.
Images rotated(const Images& images, double degrees) {
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(images.rows()))));
  const double angle = degrees * 3.14159265358979323846 / 180;
  const double centre = static_cast<double>(side - 1) / 2;
  Images result = Images::Zero(images.rows(), images.cols());
  for (Index row = 0; row < side; ++row) {
    for (Index column = 0; column < side; ++column) {
      const double down = static_cast<double>(row) - centre;
      const double right = static_cast<double>(column) - centre;
      const auto from_row = static_cast<Index>(std::lround(centre + std::cos(angle) * down - std::sin(angle) * right));
      const auto from = static_cast<Index>(std::lround(centre + std::sin(angle) * down + std::cos(angle) * right));
      const bool inside = from_row >= 0 && from_row < side && from >= 0 && from < side;
      if (inside) result.row(row * side + column) = images.row(from_row * side + from);
    }
  }
  return result;
}

/// The images, with the pixels of all in one new order.
Images permuted(const Images& images, altmin::Seed seed) {
  std::vector<Index> order(static_cast<std::size_t>(images.rows()));
  std::iota(order.begin(), order.end(), Index{0});
  altmin::Random{seed}.shuffle(altmin::Span<Index>{order.data(), images.rows()});
  Images result(images.rows(), images.cols());
  for (Index i = 0; i < images.rows(); ++i) result.row(i) = images.row(order[static_cast<std::size_t>(i)]);
  return result;
}

/// The data of task number `task`; task 0 has them unchanged.
Data drifted(const Data& data, const Options& options, Index task) {
  if (task == 0) return data;
  const auto number = static_cast<std::uint64_t>(task);
  if (options.drift == "permuted") {
    return {permuted(data.x(), altmin::Seed{options.seed * 1000 + number}), data.y(), data.classes()};
  }
  if (options.drift == "rotated") {
    const double degrees = 180.0 * static_cast<double>(task) / static_cast<double>(options.tasks - 1);
    return {rotated(data.x(), degrees), data.y(), data.classes()};
  }
  const auto classes = static_cast<int>(data.classes());  // swapped: each class has the label of another one
  const int shift = static_cast<int>(task % data.classes());
  return {data.x(), data.y().unaryExpr([=](int label) { return (label + shift) % classes; }), data.classes()};
}

double accuracy(const Labels& predicted, const Labels& expected) {
  return static_cast<double>((predicted.array() == expected.array()).count()) / static_cast<double>(expected.size());
}

struct Result {
  std::string name;
  std::vector<double> prequential;            ///< accuracy on each batch before the step on it
  std::vector<std::vector<double>> matrix{};  ///< [t][s]: test accuracy on task s <= t after task t

  double online() const { return mean(prequential, 0, prequential.size()); }

  /// Mean accuracy on all tasks after the last one.
  double final_accuracy() const { return mean(matrix.back(), 0, matrix.size()); }

  /// How far the accuracy on each task but the last one has fallen from its maximum, on average (Chaudhry et al. 2018).
  double forgotten() const {
    double sum = 0;
    for (std::size_t task = 0; task + 1 < matrix.size(); ++task) {
      double best = 0;
      for (std::size_t after = task; after + 1 < matrix.size(); ++after) best = std::max(best, matrix[after][task]);
      sum += best - matrix.back()[task];
    }
    return matrix.size() > 1 ? sum / static_cast<double>(matrix.size() - 1) : 0;
  }

  static double mean(const std::vector<double>& values, std::size_t first, std::size_t count) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
    return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(count), 0.0) / static_cast<double>(count);
  }
};

/// A way to train, with its name in tables and plots.
struct Algorithm {
  std::string name;
  std::function<void(Network&)> set;  ///< gives a network this algorithm
};

template <class Config>
Algorithm algorithm(const std::string& name, const Config& config) {
  config.validate();
  return {name, [config](Network& net) { net.set_algorithm(config); }};
}

Network make_network(const Data& data, const Options& options, const Algorithm& algorithm) {
  altmin::Layers<float> layers{data.features()};
  for (const Index units : options.hidden) layers.add(altmin::Dense{units}).add(altmin::Relu{});
  layers.add(altmin::Dense{data.classes()});
  Network net{std::move(layers), altmin::SoftmaxCrossEntropy{}, altmin::Adam{}, altmin::Seed{options.seed}};
  algorithm.set(net);
  net.set_threads(options.threads);
  return net;
}

/// Shows the tasks completed: one line that is redrawn on a terminal, elsewhere a line for each task.
class TaskLine {
 public:
  explicit TaskLine(Index tasks) : tasks_{tasks}, terminal_{isatty(STDERR_FILENO) != 0} {}

  void show(const std::string& name, Index task) {
    const std::string line = name + ": task " + std::to_string(task + 1) + "/" + std::to_string(tasks_);
    std::cerr << (terminal_ ? "\r" : "") << line << (terminal_ ? "" : "\n") << std::flush;
    width_ = line.size();
  }

  /// Removes the line from a terminal.
  void clear() const {
    if (terminal_) std::cerr << "\r" << std::string(width_, ' ') << "\r" << std::flush;
  }

 private:
  Index tasks_;
  bool terminal_;
  std::size_t width_ = 0;
};

/// Trains on the stream once.
Result learn(const Algorithm& algorithm, const altmin::TrainTest<float>& data, const Options& options) {
  Result result{algorithm.name, {}};
  Network net = make_network(data.train, options, algorithm);
  TaskLine line{options.tasks};
  std::vector<Data> tests;
  for (Index task = 0; task < options.tasks; ++task) {
    const Data train = drifted(data.train, options, task);
    tests.push_back(drifted(data.test, options, task));
    altmin::Batches<float> batches{train, options.batch, altmin::Seed{options.seed + static_cast<std::uint64_t>(task)},
                                   altmin::LastBatch::drop};
    batches.shuffle();
    const Index count = std::min(batches.count(), options.samples / options.batch);
    for (Index i = 0; i < count; ++i) {
      const auto batch = batches.load(i);
      result.prequential.push_back(accuracy(net.classify(batch.x), batch.y));
      net.step(batch.x, batch.y);
    }
    std::vector<double> accuracies;
    for (const Data& test : tests) accuracies.push_back(accuracy(net.classify(test.x()), test.y()));
    result.matrix.push_back(accuracies);
    line.show(algorithm.name, task);
  }
  line.clear();
  return result;
}

/// A line for each window of batches: samples trained on, task, and the accuracy of each algorithm in the window.
std::string to_csv(const std::vector<Result>& results, const Options& options) {
  std::ostringstream text;
  text << "samples,task";
  for (const Result& result : results) text << "," << result.name;
  text << "\n" << std::setprecision(5);
  const std::size_t all = results.front().prequential.size();
  const std::size_t per_task = all / static_cast<std::size_t>(options.tasks);
  const std::size_t window = std::max<std::size_t>(1, per_task / 20);
  for (std::size_t first = 0; first + window <= all; first += window) {
    text << (first + window) * static_cast<std::size_t>(options.batch) << "," << first / per_task + 1;
    for (const Result& result : results) text << "," << Result::mean(result.prequential, first, window);
    text << "\n";
  }
  return text.str();
}

void print_table(const std::vector<Result>& results) {
  std::size_t width = 9;
  for (const Result& result : results) width = std::max(width, result.name.size());
  const auto pad = [&](const std::string& name) { return name + std::string(width - name.size(), ' '); };
  std::cout << pad("") << "   online   all tasks in the end   forgotten\n";
  for (const Result& result : results) {
    using altmin::detail::percent;
    using altmin::detail::right;
    std::cout << pad(result.name) << right(percent(result.online()), 9) << right(percent(result.final_accuracy()), 23)
              << right(percent(result.forgotten()), 12) << "\n";
  }
}

/// Draws the accuracies as a PNG file.
void draw(const std::string& csv, const Options& options) {
  const altmin::OutputFile file = trainer::output_file("--plot", options.plot);
  const altmin::detail::TemporaryFolder tables;  // not beside the picture, where the user's files may be
  const std::string table = tables.file("accuracies.csv");
  altmin::OutputFile{table}.write(csv);
  file.replace([&](const std::string& path) {
    const bool drawn = trainer::run_program({"gnuplot", "-c", ALTMIN_EXAMPLES_DIR "/online_stream.gnuplot", path,
                                             options.drift, table, std::to_string(options.tasks)});
    if (!drawn) throw trainer::UsageError("--plot: gnuplot failed");
  });
}

altmin::TrainTest<float> load(const Options& options) {
  auto data = altmin::load_idx<float>(options.data.empty() ? (trainer::data_home() / "mnist").string() : options.data);
  altmin::Standardizer<float>::fit_shared(data.train.x()).apply(data);
  data.test = data.test.take(std::min(options.test_samples, data.test.size()));
  return data;
}

/// Throws unless every task has a batch.
void require_batches(const Data& train, const Options& options) {
  const auto require = [&](const std::string& what, Index got) {
    if (got >= options.batch) return;
    throw trainer::UsageError(what + ": expected at least " + std::to_string(options.batch) +
                              ", the samples of a step (see --batch), got " + std::to_string(got));
  };
  require("--samples", options.samples);
  require("--data: training samples", train.size());
}

void run(const Options& options) {
  trainer::require_different_files({{"--history", options.history}, {"--plot", options.plot}});
  if (!options.history.empty()) trainer::output_file("--history", options.history);
  if (!options.plot.empty()) {
    trainer::output_file("--plot", options.plot);
    trainer::require_gnuplot();
  }
  std::vector<Algorithm> algorithms{algorithm("Adam", altmin::Adam{}), algorithm("AM-Adam", altmin::AmAdam{})};
  for (const double forgetting : options.forgetting) {
    altmin::AmMem memory;
    memory.forgetting = forgetting;
    algorithms.push_back(algorithm("AM-mem " + altmin::detail::number(forgetting), memory));
  }
  const auto data = load(options);
  require_batches(data.train, options);
  std::vector<Result> results;
  for (const Algorithm& each : algorithms) results.push_back(learn(each, data, options));
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
  CLI::App app{
      "Learns online from a stream of images that drifts; the network is tested on every batch before it trains on it.",
      "online_stream"};
  app.add_option("--data", options.data, "MNIST, or a set in its format (default: where download.sh puts it)")
      ->type_name("DIR");
  app.add_option("--drift", options.drift,
                 "what changes from task to task: the order of pixels, the angle, or the labels")
      ->check(CLI::IsMember({"permuted", "rotated", "swapped"}))
      ->capture_default_str();
  app.add_option("--tasks", options.tasks, "one after another")->check(at_least(2))->capture_default_str();
  app.add_option("--samples", options.samples, "of each task, as many as a step's or more")
      ->check(at_least(1))
      ->capture_default_str();
  app.add_option("--test-samples", options.test_samples, "of each task")->check(at_least(1))->capture_default_str();
  app.add_option("--batch", options.batch, "samples a step")->check(at_least(1))->capture_default_str();
  app.add_option("--hidden", options.hidden, "units of the hidden layers")->delimiter(',')->check(at_least(1));
  app.add_option("--forgetting", options.forgetting, "AM-mem's, one run each")->delimiter(',')->capture_default_str();
  app.add_option("--seed", options.seed, "of weights, drift and order")->capture_default_str();
  app.add_option("--threads", options.threads, "up to 1024; 0: as many as the process may run on")
      ->check(between(0, 1024))
      ->capture_default_str();
  app.add_option("--history", options.history, "write accuracies over time")->type_name("FILE.csv");
  app.add_option("--plot", options.plot, "draw them (needs gnuplot)")->type_name("FILE.png");
  return trainer::guarded("online_stream", [&] {
    if (trainer::parse(app, argc, argv)) run(options);
    return 0;
  });
}
