#pragma once

#include <altmin/altmin.hpp>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "interruption.hpp"
#include "options.hpp"

namespace trainer {

/// What the last line of standard output says; a trainer may add to it. `steps` are those of this run alone.
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
          {"threads", net.threads()}};
}

/// Says how training ended, where it was not as planned; returns the exit status.
inline int exit_status(const std::string& trainer, const Options& options, const altmin::FitReport& report) {
  if (!report) throw std::runtime_error("training failed: " + report.reason);
  if (!Interruption::happened()) return 0;
  std::cerr << trainer << ": interrupted after step " << report.steps << "; "
            << (options.save.empty() ? "nothing is saved (see --save)" : "saved in " + options.save) << '\n';
  return 128 + SIGINT;
}

}  // namespace trainer
