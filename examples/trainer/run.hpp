#pragma once

#include <algorithm>
#include <exception>
#include <iostream>
#include <string>

#include "command_line.hpp"

namespace trainer {

/// main() of a trainer: reads its options, and trains by train(options), which returns the exit status. An error is
/// told in one line.
template <class TaskOptions, class Train>
int run(int argc, char** argv, const std::string& name, const std::string& purpose, Train&& train) {
  try {
    TaskOptions options;
    return parse(argc, argv, name, purpose, options) ? train(options) : 0;
  } catch (const std::exception& error) {
    std::string line = error.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::cerr << name << ": " << line << '\n';
    return 1;
  }
}

}  // namespace trainer
