/// Trains a network on HIGGS, or on any table of numbers in its format, as a stream: in constant memory, whatever the
/// number of rows.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "trainer/files.hpp"
#include "trainer/run.hpp"
#include "trainer/stream_task.hpp"
#include "trainer/train.hpp"

namespace {

using altmin::Index;

struct Options : trainer::Options {
  Options() {
    hidden = {300, 300};
    epochs = 1;
  }

  Index test_rows = 500000;
  Index reservoir = 10000;
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

/// Batches of an epoch; 0 if they are not known before the first one ends.
Index count_batches(const altmin::Source& source, const Options& options, const altmin::CsvOptions& csv) {
  if (!source.repeatable()) return options.limit.value_or(0) / options.batch;
  altmin::CsvReader<float> reader{source, csv};
  altmin::Matrix<float> x(reader.features(), 1024);
  altmin::Labels y(1024);
  Index rows = -options.test_rows;
  for (Index count = 1024; count == 1024; rows += count) count = reader.read(x, {y.data(), 1024});
  return std::max(Index{0}, std::min(rows, options.limit.value_or(rows))) / options.batch;
}

std::unique_ptr<trainer::Task> open(const Options& options) {
  const altmin::Source source = find_table(options.data);
  altmin::CsvOptions csv;
  if (options.skip_bad_rows) csv.bad_rows = altmin::BadRows::skip;
  altmin::StreamOptions stream;
  stream.batch_size = options.batch;
  stream.reservoir = options.reservoir;
  stream.test_rows = options.test_rows;
  stream.limit = options.limit.value_or(0);
  stream.seed = altmin::Seed{options.seed};
  stream.last_batch = altmin::LastBatch::drop;
  return std::make_unique<trainer::StreamTask>(altmin::Stream<float>{source, stream, csv},
                                               [=] { return count_batches(source, options, csv); });
}

int train(const Options& options) {
  trainer::require_stream_options(options);
  return trainer::train("higgs", options, altmin::options_to_json(options).dump(), [&] { return open(options); });
}

}  // namespace

int main(int argc, char** argv) {
  return trainer::run<Options>(argc, argv, "higgs",
                               "Trains a network on HIGGS, or on a table in its format, as a stream.", train);
}
