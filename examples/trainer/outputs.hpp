#pragma once

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "files.hpp"
#include "options.hpp"
#include "plot.hpp"
#include "run.hpp"

namespace trainer {

/// The files of --history, --plot, --codes and --plot-codes. The constructor throws if one of them could not be
/// written, as far as that can be known before training.
class Outputs {
 public:
  explicit Outputs(const Options& options) {
    require_different_files({{"--save", options.save},
                             {"--history", options.history},
                             {"--plot", options.plot},
                             {"--codes", options.codes},
                             {"--plot-codes", options.plot_codes}});
    add("--history", options.history, [](const altmin::OutputFile& file, const Results& results, const auto&) {
      file.write(table_of(results.history, file.path().extension() == ".jsonl"));
    });
    add("--codes", options.codes, [](const altmin::OutputFile& file, const Results& results, const auto&) {
      file.write(to_csv(*results.codes));
    });
    for (const auto& [option, path] : {std::pair{"--plot", options.plot}, {"--plot-codes", options.plot_codes}}) {
      if (path.empty()) continue;
      if (options.epochs == 0) throw UsageError(std::string{option} + ": expected at least 1 epoch, got --epochs 0");
      require_gnuplot(option);
    }
    add("--plot", options.plot, [](const altmin::OutputFile& file, const Results& results, const auto& test) {
      if (!results.history.epochs().empty()) file.replace([&](const auto& path) { plot(results, test, path); });
    });
    add("--plot-codes", options.plot_codes, [](const altmin::OutputFile& file, const Results& results, const auto&) {
      if (!results.codes->rows().empty()) file.replace([&](const auto& path) { plot_codes(results, path); });
    });
  }

  /// During training. If that fails (a full disk), training continues: write() tries again, and throws.
  void update(const Results& results) const {
    for (const Output& output : outputs_) {
      if (output.file.in_place()) continue;
      try {
        output.write(output.file, results, {});
      } catch (const std::exception&) {
      }
    }
  }

  /// At the end: the files that are, or are not, written in place (see OutputFile). Throws if one cannot be written.
  void write(bool in_place, const Results& results, const altmin::Metrics& test) const {
    flush_output();  // one of them may be the same
    for (const Output& output : outputs_) {
      if (output.file.in_place() == in_place) output.write(output.file, results, test);
    }
  }

 private:
  using Write = std::function<void(const altmin::OutputFile&, const Results&, const altmin::Metrics& test)>;
  struct Output {
    altmin::OutputFile file;
    Write write;
  };

  void add(const std::string& option, const std::string& path, Write write) {
    if (!path.empty()) outputs_.push_back({output_file(option, path), std::move(write)});
  }

  std::vector<Output> outputs_;
};

}  // namespace trainer
