/// Trains a network on any table - its columns found from the data - as a stream, and answers the rows of another one:
///
///     table --data adult.csv --target income --save model.safetensors
///     table --resume model.safetensors --predict new.csv > answers.csv

#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <altmin/io.hpp>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "table/answers.hpp"
#include "table/describe.hpp"
#include "table/model.hpp"
#include "table/options.hpp"
#include "trainer/run.hpp"
#include "trainer/stream_task.hpp"
#include "trainer/train.hpp"

namespace {

using altmin::Index;
using table::Options;

/// The rows of a table, some of which are held back for testing, or none.
class TableTask : public trainer::StreamTask {
 public:
  TableTask(altmin::Stream<float> stream, std::function<Index()> count, altmin::TableSchema schema, bool is_tested)
      : StreamTask{std::move(stream), std::move(count)}, schema_{std::move(schema)}, is_tested_{is_tested} {}

  Index outputs() override { return table::outputs(schema_); }

  altmin::Notes notes() const override {
    altmin::Notes notes;
    altmin::set_note(notes, table::schema_note, schema_);
    return notes;
  }

  altmin::Metrics test(const table::Network& net) override {
    altmin::Metrics metrics;
    metrics.loss = std::numeric_limits<double>::quiet_NaN();
    return is_tested_ ? StreamTask::test(net) : metrics;
  }

  void report(nlohmann::ordered_json& line, const altmin::FitReport& report, Index steps,
              const altmin::Metrics& test) const override {
    StreamTask::report(line, report, steps, test);
    line["features"] = schema_.features();
    table::add_regression(line, "test_", schema_, test);
  }

 private:
  altmin::TableSchema schema_;
  bool is_tested_;
};

/// Batches of an epoch.
Index count_batches(const std::vector<altmin::Source>& files, const altmin::TableSchema& schema,
                    const Options& options) {
  altmin::TableReader<float> reader{files, schema, table::reader_options(options)};
  altmin::Matrix<float> x(reader.features(), 1024);
  Index rows = 0;
  for (Index count = x.cols(); count == x.cols(); rows += count) count = reader.read(x);
  if (options.test_every > 0) rows -= rows / options.test_every;
  rows = std::min(rows, options.limit.value_or(rows));
  return (rows + options.batch - 1) / options.batch;
}

std::unique_ptr<trainer::Task> open(const Options& options) {
  const auto files = altmin::table_files(options.data);
  const auto schema = options.resume.empty()
                          ? altmin::find_schema(files, table::table_options(options))
                          : altmin::load_note<altmin::TableSchema>(options.resume, table::schema_note);
  altmin::StreamOptions stream;
  stream.batch_size = options.batch;
  stream.reservoir = options.reservoir;
  stream.test_every = options.test_every;
  stream.test_rows = options.test_every > 0 ? options.test_rows : 0;
  stream.limit = options.limit.value_or(0);
  stream.standardize = false;  // the network does
  stream.seed = altmin::Seed{options.seed};
  altmin::Stream<float> rows{altmin::table_rows<float>(files, schema, table::reader_options(options)), stream};
  return std::make_unique<TableTask>(
      std::move(rows), [=] { return count_batches(files, schema, options); }, schema, options.test_every > 0);
}

int train(const Options& options) {
  trainer::require_stream_options(options);
  if (options.data.empty()) throw trainer::UsageError("--data: expected a table, got none");
  if (options.target.empty()) throw trainer::UsageError("--target: expected a column to predict, got none");
  if (options.test_every == 1) throw trainer::UsageError("--test-every: expected 0, or 2 or more, got 1");
  if (options.regression && !options.plot.empty())
    throw trainer::UsageError("--plot: expected classes, got --regression");
  return trainer::train("table", options, altmin::options_to_json(options).dump(), [&] { return open(options); });
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
