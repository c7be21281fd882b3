#pragma once

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <optional>
#include <string>

#include "files.hpp"
#include "options.hpp"
#include "plot.hpp"
#include "run.hpp"

namespace trainer {

/// The files of --history and --plot. The constructor throws if one of them could not be written, as far as that can be
/// known before training.
class Outputs {
 public:
  explicit Outputs(const Options& options) {
    require_different_files({{"--save", options.save}, {"--history", options.history}, {"--plot", options.plot}});
    if (!options.history.empty()) history_ = output_file("--history", options.history);
    if (options.plot.empty()) return;
    plot_ = output_file("--plot", options.plot);
    if (options.epochs == 0) throw UsageError("--plot: expected at least 1 epoch, got --epochs 0");
    require_gnuplot();
  }

  /// During training. If that fails (a full disk), training continues: write() tries again, and throws.
  void update_history(const altmin::History& history) const {
    if (!history_ || history_->in_place()) return;
    try {
      history_->write(to_csv(history));
    } catch (const altmin::Error&) {
    }
  }

  /// At the end: the files that are, or are not, written in place (see OutputFile); `name` is that of the curves.
  /// Throws if a file cannot be written.
  void write(bool in_place, const altmin::History& history, const altmin::Metrics& test, const std::string& title,
             const std::string& name) const {
    flush_output();                                                                      // one of them may be the same
    if (history_ && history_->in_place() == in_place) history_->write(to_csv(history));  // also without an epoch
    if (!plot_ || plot_->in_place() != in_place || history.epochs().empty()) return;
    plot_->replace([&](const std::string& path) { plot(history, test, title, name, path); });
  }

 private:
  std::optional<altmin::OutputFile> history_;
  std::optional<altmin::OutputFile> plot_;
};

}  // namespace trainer
