/// Trains a network on HIGGS, or on any table of numbers in its format, as a stream: in constant memory, whatever the
/// number of rows.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <string>

#include "trainer/algorithms.hpp"
#include "trainer/files.hpp"
#include "trainer/interruption.hpp"
#include "trainer/network.hpp"
#include "trainer/outputs.hpp"
#include "trainer/report.hpp"
#include "trainer/run.hpp"
#include "trainer/saver.hpp"

namespace {

using altmin::Index;
using Network = altmin::Network<float>;
using Stream = altmin::Stream<float>;
using Training = altmin::Training<float>;
using Clock = std::chrono::steady_clock;

struct Options : trainer::Options {
  Options() {
    hidden = {300, 300};
    epochs = 1;
  }

  Index test_rows = 500000;
  Index reservoir = 10000;
  Index evaluate_every = 0;
  bool skip_bad_rows = false;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    trainer::Options::fields(visit, self...);
    visit("test-rows", self.test_rows...);
    visit("reservoir", self.reservoir...);
    visit("skip-bad-rows", self.skip_bad_rows...);
  }
};

void add_flags(CLI::App& app, Options& options) {
  trainer::add_flags(app, options);
  app.add_option("--test-rows", options.test_rows, "how many of the last rows are for testing")
      ->check(trainer::at_least(1))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--reservoir", options.reservoir, "rows among which the next one is drawn; 1: in their order")
      ->check(trainer::at_least(1))
      ->capture_default_str()
      ->type_name("ROWS");
  app.add_option("--evaluate-every", options.evaluate_every, "evaluate after so many steps, too; 0: only after epochs")
      ->check(trainer::at_least(0))
      ->capture_default_str()
      ->type_name("STEPS");
  app.add_flag("--skip-bad-rows", options.skip_bad_rows, "skip and count rows that cannot be read (default: an error)");
}

/// The table that --data names: a file, the one in a directory, or standard input.
altmin::Source find_table(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path place = path.empty() ? trainer::data_home() / "higgs" : fs::path{path};
  if (path == "-" || (!path.empty() && !fs::is_directory(place))) return place;
  for (const char* name : {"HIGGS.csv.gz", "HIGGS.csv", "HIGGS_subset.csv.gz"}) {
    if (fs::is_regular_file(place / name)) return place / name;
  }
  throw altmin::DataError("no HIGGS.csv.gz, HIGGS.csv or HIGGS_subset.csv.gz in " + place.string() +
                          ": name the table, or its directory, with --data (- is standard input), or fetch it by "
                          "examples/download.sh higgs");
}

/// Steps of an epoch; 0 if they are not known before the first one ends.
Index count_steps(const altmin::Source& source, const Options& options, const altmin::CsvOptions& csv) {
  if (!source.repeatable()) return options.limit.value_or(0) / options.batch;
  altmin::CsvReader<float> reader{source, csv};
  altmin::Matrix<float> x(reader.features(), 1024);
  altmin::Labels y(1024);
  Index rows = -options.test_rows;
  for (Index count = 1024; count == 1024; rows += count) count = reader.read(x, {y.data(), 1024});
  return std::max(Index{0}, std::min(rows, options.limit.value_or(rows))) / options.batch;
}

/// Shows the progress of training: a line that is redrawn on a terminal, and one that stays for each evaluation.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : quiet_{quiet}, terminal_{isatty(STDERR_FILENO) != 0} {}

  void begin(const Training& t) { first_step_ = t.step; }

  void after_step(const Training& t) {
    if (quiet_ || !terminal_ || t.seconds - drawn_ < 0.2) return;
    drawn_ = t.seconds;
    std::cerr << '\r' << line(t, t.epoch + 1) << "   " << std::flush;
  }

  void evaluated(const Training& t, int epoch) const {
    if (quiet_) return;
    std::cerr << (terminal_ ? "\r" : "") << line(t, epoch) << "  accuracy "
              << altmin::detail::percent(t.validation->accuracy) << ", AUC "
              << altmin::detail::fixed(t.validation->auc, 4) << '\n';
  }

 private:
  std::string line(const Training& t, int epoch) const {
    const auto rows = static_cast<double>((t.step - first_step_) * t.options.batch_size);
    return "epoch " + std::to_string(epoch) + "/" + std::to_string(t.options.epochs) + "  " +
           std::to_string(t.samples) + " rows  loss " + altmin::detail::number(t.loss(), 4) + "  " +
           altmin::detail::fixed(rows / t.seconds, 0) + " rows/s";
  }

  bool quiet_;
  bool terminal_;
  double drawn_ = 0;
  Index first_step_ = 0;
};

/// The parts of a training run.
struct Parts {
  Stream& stream;
  trainer::Schedule schedule;
  std::optional<altmin::TimeLimit> time_limit;
  trainer::Saver& saver;
  altmin::History& history;
  const trainer::Outputs& outputs;
  ProgressLine progress;
  Index evaluate_every;
};

/// One step; returns a reason to stop, or none.
std::string step(Training& t, Parts& parts, const altmin::Batch<float>& batch, Clock::time_point start) {
  t.last = t.net.step(batch.x, batch.y);
  t.seconds += std::chrono::duration<double>(Clock::now() - start).count();
  ++t.batch;
  ++t.step;
  if (!t.last) {
    ++t.failed_steps;
    return "step " + std::to_string(t.step) + ": " + altmin::to_string(t.last.status);
  }
  t.samples += batch.size();
  t.loss_sum += t.last.loss * static_cast<double>(batch.size());
  if (parts.schedule.cosine) parts.schedule.cosine->after_step(t);
  parts.progress.after_step(t);
  if (parts.evaluate_every > 0 && t.step % parts.evaluate_every == 0) {
    t.validation = altmin::evaluate(t.net, parts.stream.test());
    parts.progress.evaluated(t, t.epoch + 1);
  }
  std::string reason = parts.saver.after_step(t).reason;
  if (reason.empty() && parts.time_limit) reason = parts.time_limit->after_step(t).reason;
  return reason;
}

/// Runs all epochs; returns the reason if they end early, or none. (fit() does the same for a data set in memory.)
std::string run_epochs(Training& t, Parts& parts) {
  while (t.epoch < t.options.epochs) {
    if (t.batch == 0) {
      t.samples = 0;
      t.loss_sum = 0;
    }
    for (;;) {
      const auto start = Clock::now();
      const auto* batch = parts.stream.next();
      if (batch == nullptr && trainer::Interruption::happened()) {  // while next() waited for rows
        trainer::Interruption::hold();
        return "interrupted";
      }
      if (batch == nullptr) break;
      const std::string reason = step(t, parts, *batch, start);
      if (!reason.empty()) return reason;
    }
    if (t.batch == 0) throw altmin::DataError("expected training rows for at least one batch, got too few");
    ++t.epoch;
    t.batch = 0;
    t.validation = altmin::evaluate(t.net, parts.stream.test());
    parts.progress.evaluated(t, t.epoch);
    parts.history.after_epoch(t);
    parts.outputs.update_history(parts.history);
    if (parts.schedule.halve) parts.schedule.halve->after_epoch(t);
    parts.saver.after_epoch(t);
  }
  return {};
}

/// The metrics of the test rows after so many steps; not a number if the run was interrupted before they were read.
altmin::Metrics evaluate(const Network& net, Stream& stream, Index steps) {
  if (steps == 0) {
    while (stream.next() != nullptr) {  // to the test rows
    }
    if (trainer::Interruption::happened()) {
      altmin::Metrics unknown;
      unknown.loss = std::numeric_limits<double>::quiet_NaN();
      return unknown;
    }
  }
  return altmin::evaluate(net, stream.test());
}

/// A hash of the first rows of a table that can be read again, which other tables are all but certain not to have; 0
/// for tables that can be read only once.
std::uint64_t fingerprint(const altmin::Source& source, const altmin::CsvOptions& csv) {
  if (!source.repeatable()) return 0;
  altmin::CsvReader<float> reader{source, csv};
  constexpr Index most = 1024;
  altmin::Matrix<float> x(reader.features(), most);
  altmin::Labels y(most);
  const Index count = reader.read(x, {y.data(), most});
  return altmin::detail::fingerprint(altmin::Dataset<float>{x.leftCols(count), y.head(count), csv.classes});
}

/// Trains and reports; returns the exit status.
int train(const Options& options) {
  const trainer::Algorithm algorithm = trainer::make_algorithm(options);
  if (options.distributed) throw trainer::UsageError("--distributed: expected a data set in memory, not a stream");
  if (options.patience) throw trainer::UsageError("--patience: of a stream, no tenth can be held out");
  altmin::History history = trainer::earlier_history(options.resume);
  trainer::Saver saver{"higgs", options, altmin::options_to_json(options).dump(), history};
  const trainer::Outputs outputs{options};

  const altmin::Source source = find_table(options.data);
  altmin::CsvOptions csv;
  if (options.skip_bad_rows) csv.bad_rows = altmin::BadRows::skip;
  altmin::StreamOptions stream_options;
  stream_options.batch_size = options.batch;
  stream_options.reservoir = options.reservoir;
  stream_options.test_rows = options.test_rows;
  stream_options.limit = options.limit.value_or(0);
  stream_options.seed = altmin::Seed{options.seed};
  stream_options.last_batch = altmin::LastBatch::drop;
  Stream stream{source, stream_options, csv};
  if (options.epochs > 1 && !source.repeatable()) {
    throw trainer::UsageError("--epochs: expected 1, as " + source.name() + " can be read only once, got " +
                              std::to_string(options.epochs));
  }

  Network net = trainer::make_network(options, algorithm, stream.features(), stream.classes());
  altmin::FitOptions fit_options;
  fit_options.epochs = options.epochs;
  fit_options.batch_size = options.batch;
  fit_options.seed = stream_options.seed;
  const altmin::Dataset<float> none;  // Training holds a data set in memory, and the stream is none
  Training t{{}, net, none, fit_options, 0};
  Parts parts{stream,
              trainer::make_schedule(options),
              {},
              saver,
              history,
              outputs,
              ProgressLine{options.quiet},
              options.evaluate_every};
  if (options.time_limit) parts.time_limit = altmin::TimeLimit{*options.time_limit};

  if (!options.save.empty() || !options.resume.empty()) t.fingerprint = fingerprint(source, csv);
  altmin::Resume{options.resume}.begin(t);
  if (parts.schedule.cosine) {
    t.steps_per_epoch = count_steps(source, options, csv);
    if (t.steps_per_epoch == 0) parts.schedule.cosine.reset();
  }
  if (parts.schedule.cosine) parts.schedule.cosine->begin(t);
  if (parts.schedule.halve) parts.schedule.halve->begin(t);
  if (parts.time_limit) parts.time_limit->begin(t);
  saver.begin(t);
  parts.progress.begin(t);
  if (!options.quiet) std::cerr << net << '\n';
  stream.seek(t.epoch, t.batch);
  stream.set_stop(trainer::Interruption::happened);

  altmin::FitReport report;
  {
    const trainer::Interruption kept_back;
    report.reason = run_epochs(t, parts);
    if (!report.reason.empty()) {
      report.end = t.failed_steps > 0 ? altmin::FitEnd::failed_step : altmin::FitEnd::callback;
    }
    report.epochs = t.epoch;
    report.steps = t.step;
    report.failed_steps = t.failed_steps;
    report.loss = t.loss();
    report.seconds = t.seconds;
    net.set_rate_scale(1);
    saver.end(t, report);
  }

  const altmin::Metrics test = evaluate(net, stream, t.step);
  if (!options.quiet) {
    std::cerr << report.reason << (report.reason.empty() ? "" : "\n");
    if (test.samples > 0) std::cout << test << '\n';
  }
  const Index steps = report.steps - saver.first_step();
  auto line = trainer::report_line(options, net, report, test, steps, stream.train_rows());
  line["test_auc"] = test.auc;
  line["test_rows"] = test.samples;
  line["skipped_rows"] = stream.skipped();
  line["rows_per_second"] = static_cast<double>(steps * options.batch) / report.seconds;
  return trainer::finish("higgs", options, report, line, [&](bool in_place) {
    outputs.write(in_place, history, test, "higgs, " + options.model, options.algorithm);
  });
}

}  // namespace

int main(int argc, char** argv) {
  return trainer::run<Options>(argc, argv, "higgs",
                               "Trains a network on HIGGS, or on a table in its format, as a stream.", train);
}
