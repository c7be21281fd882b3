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

/// Draws learning curves and confusion matrix as a PNG file.
inline void plot(const altmin::History& history, const altmin::Metrics& test, const std::string& title,
                 const std::string& name, const fs::path& path) {
  const fs::path curves = fs::path{path}.concat(".csv");
  const fs::path confusion = fs::path{path}.concat(".confusion.csv");
  std::ostringstream counts;
  counts << test.confusion.format({0, Eigen::DontAlignCols, ",", "\n"}) << '\n';
  altmin::OutputFile{curves.string()}.write(to_csv(history));
  altmin::OutputFile{confusion.string()}.write(counts.str());
  const bool drawn = run_program({"gnuplot", "-c", ALTMIN_EXAMPLES_DIR "/plot.gnuplot", path.string(), title, name,
                                  curves.string(), confusion.string()});
  fs::remove(curves);
  fs::remove(confusion);
  if (!drawn) throw UsageError("--plot: gnuplot failed");
}

}  // namespace trainer
