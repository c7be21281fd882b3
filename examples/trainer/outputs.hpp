#pragma once

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <optional>
#include <string>

#include "files.hpp"
#include "options.hpp"
#include "plot.hpp"

namespace trainer {

/// The files of --history and --plot. What would fail does so before training.
class Outputs {
 public:
  explicit Outputs(const Options& options) {
    if (!options.history.empty()) history_ = output_file("--history", options.history);
    if (options.plot.empty()) return;
    plot_ = output_file("--plot", options.plot);
    if (options.epochs == 0) throw UsageError("--plot: expected at least 1 epoch, got --epochs 0");
    if (!run_program({"gnuplot", "-e", ""})) throw UsageError("--plot: needs gnuplot (Debian's package gnuplot-nox)");
  }

  void write_history(const altmin::History& history) const {
    if (history_) history_->write(to_csv(history));
  }

  /// At the end; `name` is that of the curves.
  void write(const altmin::History& history, const altmin::Metrics& test, const std::string& title,
             const std::string& name) const {
    write_history(history);  // also where there was no epoch to run
    if (!plot_ || history.epochs().empty()) return;
    plot_->replace([&](const std::string& path) { plot(history, test, title, name, path); });
  }

 private:
  std::optional<altmin::OutputFile> history_;
  std::optional<altmin::OutputFile> plot_;
};

}  // namespace trainer
