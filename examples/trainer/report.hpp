#pragma once

#include <altmin/altmin.hpp>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "interruption.hpp"
#include "options.hpp"
#include "run.hpp"

namespace trainer {

/// The content of the last line of standard output; a trainer may add to it. `steps` are those of this run alone.
inline nlohmann::ordered_json report_line(const Options& options, const altmin::Network<float>& net,
                                          const altmin::FitReport& report, const altmin::Metrics& test,
                                          altmin::Index steps, altmin::Index samples) {
  return {{"algorithm", options.algorithm},
          {"model", options.model},
          {"parameters", net.layers().parameter_count()},
          {"epochs", report.epochs},
          {"steps", report.steps},
          {"train_loss", report.loss},
          {"test_loss", test.loss},
          {"test_accuracy", test.accuracy},
          {"train_seconds", report.seconds},
          {"seconds_per_step", report.seconds / static_cast<double>(steps)},
          {"samples", samples},
          {"batch", options.batch},
          {"seed", options.seed},
          {"threads", net.threads()},
          {"ranks", net.communicator() == nullptr ? 1 : net.communicator()->size()}};
}

/// Prints the result of a run and, if it ended early, the reason. Writes its files by write_files(), devices and pipes
/// first, as the result is the last line of standard output; the result is printed even if one of them cannot be
/// written. Returns the exit status.
template <class WriteFiles>
int finish(const std::string& trainer, const Options& options, const altmin::FitReport& report,
           const nlohmann::ordered_json& line, WriteFiles&& write_files) {
  std::exception_ptr failure;
  try {
    write_files(true);
  } catch (...) {
    failure = std::current_exception();
  }
  std::cout << line.dump() << '\n';
  flush_output();
  int status = 0;
  if (!report) {
    complain(trainer, "training failed: " + report.reason);
    status = 1;
  } else if (Interruption::happened()) {
    complain(trainer, "interrupted after step " + std::to_string(report.steps) + "; " +
                          (options.save.empty() ? "nothing is saved (see --save)" : "saved in " + options.save));
    status = 128 + Interruption::signal();
  }
  write_files(false);
  if (failure) std::rethrow_exception(failure);
  return status;
}

}  // namespace trainer
