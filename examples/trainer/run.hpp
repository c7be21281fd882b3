#pragma once

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "command_line.hpp"

namespace trainer {

/// Prints an error as one line on standard error.
inline void complain(const std::string& name, std::string line) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::cerr << name << ": " << line << '\n';
}

/// Flushes standard output. Returns the error number of the first failure, or 0.
inline int flush_output() {
  static int error = 0;
  errno = 0;
  if (!std::cout.flush() && error == 0) error = errno != 0 ? errno : EIO;
  return error;
}

/// Throws unless all of standard output has been written: a disk may be full, a pipe closed.
inline void require_printed() {
  const int error = flush_output();
  if (error == 0) return;
  throw std::runtime_error("cannot write standard output: " + std::generic_category().message(error));
}

/// main() of a program: its action returns the exit status. An error is printed as one line, and gives 1.
template <class Action>
int guarded(const std::string& name, Action&& action) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe does not end the run
  try {
    const int status = action();
    require_printed();
    return status;
  } catch (const std::exception& error) {
    complain(name, error.what());
    return 1;
  }
}

/// main() of a trainer: reads its options, and trains by train(options), which returns the exit status.
template <class TaskOptions, class Train>
int run(int argc, char** argv, const std::string& name, const std::string& purpose, Train&& train) {
  return guarded(name, [&] {
    TaskOptions options;
    return parse(argc, argv, name, purpose, options) ? train(options) : 0;
  });
}

}  // namespace trainer
