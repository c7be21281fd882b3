/// Trains a network on any table - its columns found from the data - as a stream, and answers the rows of another one:
///
///     table --data adult.csv --target income --save model.safetensors
///     table --resume model.safetensors --predict new.csv > answers.csv

#include <unistd.h>

#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "table/answers.hpp"
#include "table/describe.hpp"
#include "table/model.hpp"
#include "table/options.hpp"
#include "trainer/algorithms.hpp"
#include "trainer/interruption.hpp"
#include "trainer/network.hpp"
#include "trainer/outputs.hpp"
#include "trainer/report.hpp"
#include "trainer/run.hpp"
#include "trainer/saver.hpp"

namespace {

using altmin::Index;
using table::Options;
using Stream = altmin::Stream<float>;

/// Batches of all epochs, which a schedule needs; as many rows are trained on as these options tell.
double count_steps(const std::vector<altmin::Source>& files, const altmin::TableSchema& schema,
                   const Options& options) {
  altmin::TableReader<float> reader{files, schema, table::reader_options(options)};
  altmin::Matrix<float> x(reader.features(), 1024);
  Index rows = 0;
  for (Index count = x.cols(); count == x.cols(); rows += count) count = reader.read(x);
  if (options.test_every > 0) rows -= rows / options.test_every;
  rows = std::min(rows, options.limit.value_or(rows));
  return static_cast<double>(options.epochs) * static_cast<double>(std::max<Index>(1, rows / options.batch));
}

/// How good the answers for the test rows are; null figures without such rows.
void add_test_scores(nlohmann::ordered_json& line, const table::Network& net, const altmin::TableSchema& schema,
                     const altmin::Dataset<float>& test) {
  if (test.size() == 0 || test.has_labels()) return;
  table::Scores scores{net, schema};
  scores.add(test);
  line["test_r2"] = scores.r2();
  line["test_rmse"] = scores.root_mean_squared_errors();
}

int train(const Options& options) {
  const trainer::Algorithm algorithm = trainer::make_algorithm(options);
  if (options.patience) throw trainer::UsageError("--patience: of a stream, no tenth can be held out");
  if (options.data.empty()) throw trainer::UsageError("--data: expected a table, got none");
  if (options.test_every == 1) throw trainer::UsageError("--test-every: expected 0, or 2 or more, got 1");
  const auto files = altmin::table_files(options.data);
  const auto schema = options.resume.empty()
                          ? altmin::find_schema(files, table::table_options(options))
                          : altmin::load_note<altmin::TableSchema>(options.resume, table::schema_note);
  altmin::History history = trainer::earlier_history(options.resume);
  altmin::Notes notes;
  altmin::set_note(notes, table::schema_note, schema);
  trainer::Saver saver{"table", options, altmin::options_to_json(options).dump(), history, notes};
  const trainer::Outputs outputs{options};

  altmin::StreamOptions stream_options;
  stream_options.batch_size = options.batch;
  stream_options.reservoir = options.reservoir;
  stream_options.test_every = options.test_every;
  stream_options.test_rows = options.test_every > 0 ? options.test_rows : 0;
  stream_options.limit = options.limit.value_or(0);
  stream_options.standardize = false;  // the network does
  stream_options.seed = altmin::Seed{options.seed};
  Stream stream{altmin::table_rows<float>(files, schema, table::reader_options(options)), stream_options};
  stream.set_stop(trainer::Interruption::happened);

  table::Network net = trainer::make_network(options, algorithm, stream.features(), table::outputs(schema));
  altmin::FitOptions fit_options;
  fit_options.epochs = options.epochs;
  std::optional<altmin::Validation<float>> validation;
  if (options.test_every > 0) validation.emplace([&] { return stream.test(); }, options.evaluate_every);
  std::optional<altmin::TimeLimit> time_limit;
  if (options.time_limit) time_limit = altmin::TimeLimit{*options.time_limit};
  trainer::Schedule schedule = trainer::make_schedule(options);
  if (schedule.cosine) schedule.cosine->steps = count_steps(files, schema, options);
  std::ostream nowhere{nullptr};
  std::ostream& progress = options.quiet ? nowhere : std::cerr;
  using altmin::ProgressBar;
  const auto style = isatty(STDERR_FILENO) != 0 ? ProgressBar::Style::bar : ProgressBar::Style::lines;
  const auto save_history = [&](const auto&) { outputs.update_history(history); };
  progress << net << '\n';
  const altmin::FitReport report = [&] {
    const trainer::Interruption kept_back;
    return altmin::fit(net, stream, fit_options, altmin::Resume{options.resume}, schedule.cosine, schedule.halve,
                       time_limit, validation, history, save_history, saver, ProgressBar{progress, style});
  }();

  altmin::Dataset<float> test_set;
  altmin::Metrics test;
  test.loss = std::numeric_limits<double>::quiet_NaN();
  if (options.test_every > 0 && report.steps > 0) {
    test_set = stream.test();
    test = altmin::evaluate(net, test_set);
    if (!options.quiet) std::cout << test << '\n';
  }
  const Index steps = report.steps - saver.first_step();
  auto line = trainer::report_line(options, net, report, test, steps, stream.train_rows());
  add_test_scores(line, net, schema, test_set);
  line["features"] = schema.features();
  line["test_rows"] = test.samples;
  line["skipped_rows"] = stream.skipped();
  return trainer::finish("table", options, report, line, [&](bool in_place) {
    outputs.write(in_place, history, test, "table, " + options.model, options.algorithm);
  });
}

/// Does what the options tell; returns the exit status.
int run(const Options& options) {
  if (!options.describe.empty()) return table::describe(options.describe);
  for (const auto& [flag, path] :
       {std::pair{"--predict", options.predict}, std::pair{"--evaluate", options.evaluate}}) {
    if (!path.empty() && options.resume.empty()) {
      throw trainer::UsageError(std::string{flag} + ": expected a model by --resume, got none");
    }
  }
  if (!options.predict.empty()) return table::predict(options);
  if (!options.evaluate.empty()) return table::evaluate(options);
  return train(options);
}

}  // namespace

int main(int argc, char** argv) {
  return trainer::run<Options>(argc, argv, "table",
                               "Trains a network on a table of any kind, and answers the rows of another one.", run);
}
