#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "files.hpp"

extern char** environ;

namespace trainer {

/// What a run leaves beside its network, as far as it has come.
struct Results {
  const altmin::History& history;
  const std::optional<altmin::CodeHistory<float>>& codes;
  std::string trainer;    // the titles of pictures
  std::string algorithm;  // the name of a curve
};

/// A line each epoch: of comma-separated values, or of JSON.
inline std::string table_of(const altmin::History& history, bool json_lines) {
  std::ostringstream text;
  if (json_lines) {
    history.write_json_lines(text);
  } else {
    history.write_csv(text);
  }
  return text.str();
}

inline std::string to_csv(const altmin::CodeHistory<float>& codes) {
  std::ostringstream text;
  codes.write_csv(text);
  return text.str();
}

/// Runs a program to its end; false if there is no such program, or it failed.
inline bool run_program(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  return posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ) == 0 &&
         waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Throws UsageError, in the name of an option, unless gnuplot can be run.
inline void require_gnuplot(const std::string& option) {
  if (!run_program({"gnuplot", "-e", ""})) throw UsageError(option + ": needs gnuplot (Debian's package gnuplot-nox)");
}

/// Draws learning curves and, unless it is empty, the confusion matrix of `test` as a PNG file.
inline void plot(const Results& results, const altmin::Metrics& test, const fs::path& path) {
  const altmin::detail::TemporaryFolder tables;  // not beside the picture, where the user's files may be
  const std::string curves = tables.file("curves.csv");
  altmin::OutputFile{curves}.write(table_of(results.history, false));
  std::vector<std::string> command{
      "gnuplot", "-c", ALTMIN_EXAMPLES_DIR "/plot.gnuplot", path.string(), results.trainer, results.algorithm, curves};
  if (test.confusion.size() > 0) {
    std::ostringstream counts;
    counts << test.confusion.format({0, Eigen::DontAlignCols, ",", "\n"}) << '\n';
    command.push_back(tables.file("confusion.csv"));
    altmin::OutputFile{command.back()}.write(counts.str());
  }
  if (!run_program(command)) throw UsageError("--plot: gnuplot failed");
}

/// Draws what a run did to its codes as a PNG file.
inline void plot_codes(const Results& results, const fs::path& path) {
  const altmin::detail::TemporaryFolder tables;
  const std::string codes = tables.file("codes.csv");
  altmin::OutputFile{codes}.write(to_csv(*results.codes));
  const std::string title = results.trainer + ", " + results.algorithm;
  if (!run_program({"gnuplot", "-c", ALTMIN_EXAMPLES_DIR "/codes.gnuplot", path.string(), title, codes})) {
    throw UsageError("--plot-codes: gnuplot failed");
  }
}

}  // namespace trainer
