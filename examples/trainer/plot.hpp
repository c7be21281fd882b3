#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "files.hpp"

extern char** environ;

namespace trainer {

inline std::string to_csv(const altmin::History& history) {
  std::ostringstream text;
  history.write_csv(text);
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

/// Throws UsageError unless gnuplot can be run.
inline void require_gnuplot() {
  if (!run_program({"gnuplot", "-e", ""})) throw UsageError("--plot: needs gnuplot (Debian's package gnuplot-nox)");
}

/// Draws learning curves and confusion matrix as a PNG file.
inline void plot(const altmin::History& history, const altmin::Metrics& test, const std::string& title,
                 const std::string& name, const fs::path& path) {
  const altmin::detail::TemporaryFolder tables;  // not beside the picture, where the user's files may be
  const std::string curves = tables.file("curves.csv");
  altmin::OutputFile{curves}.write(to_csv(history));
  std::vector<std::string> command{"gnuplot", "-c",  ALTMIN_EXAMPLES_DIR "/plot.gnuplot", path.string(), title,
                                   name,      curves};
  if (test.confusion.size() > 0) {
    std::ostringstream counts;
    counts << test.confusion.format({0, Eigen::DontAlignCols, ",", "\n"}) << '\n';
    command.push_back(tables.file("confusion.csv"));
    altmin::OutputFile{command.back()}.write(counts.str());
  }
  if (!run_program(command)) throw UsageError("--plot: gnuplot failed");
}

}  // namespace trainer
