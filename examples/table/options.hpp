#pragma once

#include <CLI/CLI.hpp>
#include <altmin/data.hpp>
#include <string>
#include <vector>

#include "../trainer/command_line.hpp"
#include "../trainer/options.hpp"

namespace table {

using altmin::Index;

/// The options of the trainer `table`.
struct Options : trainer::Options {
  Options() {
    hidden = {64, 64};
    batch = 32;
    epochs = 50;
    standardize = true;
  }

  std::vector<std::string> target;
  std::vector<std::string> numbers;
  std::vector<std::string> categories;
  std::vector<std::string> hash;
  std::vector<std::string> ignore;
  std::string missing = "indicator";
  std::string unknown = "zeros";
  Index most_values = 256;
  std::string header = "auto";
  std::string separator = "auto";
  std::string comment = "auto";
  bool decimal_comma = false;
  bool skip_bad_rows = false;
  Index test_every = 10;
  Index test_rows = 10000;
  Index reservoir = 10000;
  std::string predict;
  std::string evaluate;
  std::string describe;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    trainer::Options::fields(visit, self...);
    visit("target", self.target...);
    visit("regression", self.regression...);
    visit("numbers", self.numbers...);
    visit("categories", self.categories...);
    visit("hash", self.hash...);
    visit("ignore", self.ignore...);
    visit("missing", self.missing...);
    visit("unknown", self.unknown...);
    visit("most-values", self.most_values...);
    visit("header", self.header...);
    visit("separator", self.separator...);
    visit("comment", self.comment...);
    visit("decimal-comma", self.decimal_comma...);
    visit("skip-bad-rows", self.skip_bad_rows...);
    visit("test-every", self.test_every...);
    visit("test-rows", self.test_rows...);
    visit("reservoir", self.reservoir...);
  }
};

inline void add_flags(CLI::App& app, Options& options) {
  trainer::add_flags(app, options);
  const auto columns = [&](const char* flag, std::vector<std::string>& names, const char* purpose) {
    app.add_option(flag, names, purpose)->delimiter(',')->type_name("COLUMN,...");
  };
  columns("--target", options.target, "the column to predict, by its name or number, -1 is the last one");
  app.add_flag("--regression", options.regression, "the targets are numbers (default: a class, by its text)");
  columns("--numbers", options.numbers, "columns that must hold numbers");
  columns("--categories", options.categories, "columns of categories, also where they are numbers");
  columns("--hash", options.hash, "columns whose texts are hashed into --most-values features");
  columns("--ignore", options.ignore, "columns that are no features");
  app.add_option("--missing", options.missing, "what stands for a missing value: an indicator, the mean, or an error")
      ->check(CLI::IsMember({"indicator", "mean", "refuse"}))
      ->capture_default_str();
  app.add_option("--unknown", options.unknown, "what stands for a category that the training rows lack")
      ->check(CLI::IsMember({"zeros", "refuse"}))
      ->capture_default_str();
  app.add_option("--most-values", options.most_values, "of a category; columns of more are hashed")
      ->check(trainer::between(1, 1L << 20))
      ->capture_default_str();
  app.add_option("--header", options.header, "whether the first row has the names of columns")
      ->check(CLI::IsMember({"auto", "yes", "no"}))
      ->capture_default_str();
  app.add_option("--separator", options.separator, "auto, tab, space, or a character")->capture_default_str();
  app.add_option("--comment", options.comment, "what lines to pass over begin with: auto, none, or a character")
      ->capture_default_str();
  app.add_flag("--decimal-comma", options.decimal_comma, "numbers are written as 1,5");
  app.add_flag("--skip-bad-rows", options.skip_bad_rows, "skip and count rows that cannot be read (default: an error)");
  app.add_option("--test-every", options.test_every, "each N-th row is for testing; 0: none")
      ->check(trainer::at_least(0))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--test-rows", options.test_rows, "so many of them, the last ones, are tested on")
      ->check(trainer::at_least(1))
      ->capture_default_str()
      ->type_name("ROWS");
  app.add_option("--reservoir", options.reservoir, "rows among which the next one is drawn; 1: in their order")
      ->check(trainer::at_least(1))
      ->capture_default_str()
      ->type_name("ROWS");
  const auto file = [&](const char* flag, std::string& path, const char* purpose) {
    return app.add_option(flag, path, purpose)->type_name("PATH");
  };
  auto* const predict = file("--predict", options.predict, "with --resume: print a table of answers for these rows");
  auto* const evaluate = file("--evaluate", options.evaluate, "with --resume: how good the answers for these rows are");
  predict->excludes(evaluate);
  file("--describe", options.describe, "print what a model's file holds")->excludes(predict)->excludes(evaluate);
}

/// A character by its name.
inline char character(const std::string& flag, const std::string& text) {
  if (text == "tab") return '\t';
  if (text == "space") return ' ';
  if (text == "none") return '\0';
  if (text.size() == 1) return text[0];
  throw trainer::UsageError(flag + ": expected a character, got " + text);
}

/// What the options say of the table.
inline altmin::TableOptions table_options(const Options& options) {
  altmin::TableOptions table;
  table.targets = options.target;
  table.target_kind = options.regression ? altmin::TargetKind::numbers : altmin::TargetKind::classes;
  table.numbers = options.numbers;
  table.categories = options.categories;
  table.hashed = options.hash;
  table.ignored = options.ignore;
  table.missing = options.missing == "mean"     ? altmin::Missing::mean
                  : options.missing == "refuse" ? altmin::Missing::refuse
                                                : altmin::Missing::indicator;
  table.unknown = options.unknown == "refuse" ? altmin::UnknownValues::refuse : altmin::UnknownValues::zeros;
  table.most_values = options.most_values;
  if (options.header != "auto") table.header = options.header == "yes";
  if (options.separator != "auto") table.separator = character("--separator", options.separator);
  if (options.comment != "auto") table.comment = character("--comment", options.comment);
  table.decimal_comma = options.decimal_comma;
  table.bad_rows = options.skip_bad_rows ? altmin::BadRows::skip : altmin::BadRows::refuse;
  return table;
}

inline altmin::TableReaderOptions reader_options(const Options& options, bool targets = true) {
  altmin::TableReaderOptions reader;
  reader.targets = targets;
  if (options.skip_bad_rows) reader.bad_rows = altmin::BadRows::skip;
  return reader;
}

}  // namespace table
