#pragma once

#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "interruption.hpp"
#include "options.hpp"
#include "task.hpp"

namespace trainer {

/// Throws UsageError for options that only data sets in memory have.
inline void require_stream_options(const Options& options) {
  if (options.distributed) throw UsageError("--distributed: expected a data set in memory, not a stream");
  if (options.patience) throw UsageError("--patience: of a stream, no tenth can be held out");
}

/// The rows of a table, which is tested on the rows that its stream holds back. An interruption ends the wait for rows.
class StreamTask : public Task {
 public:
  /// count() tells the batches of an epoch, or 0.
  StreamTask(altmin::Stream<float> stream, std::function<altmin::Index()> count)
      : stream_{std::move(stream)}, count_{std::move(count)} {
    stream_.set_stop(Interruption::happened);
  }

  altmin::BatchSource<float>& source() override { return stream_; }
  altmin::Index count_batches() override { return count_(); }
  altmin::Index samples() const override { return stream_.train_rows(); }

  /// Not a number if the run was interrupted before the test rows were read.
  altmin::Metrics test(const altmin::Network<float>& net) override {
    if (stream_.pass() == 0 && stream_.batch() == 0) {
      while (stream_.next() != nullptr) {  // to the test rows
      }
    }
    if (stream_.pass() == 0 && stream_.batch() == 0) {
      altmin::Metrics unknown;
      unknown.loss = std::numeric_limits<double>::quiet_NaN();
      return unknown;
    }
    return altmin::evaluate(net, stream_.test());
  }

  void report(nlohmann::ordered_json& line, const altmin::FitReport& report, altmin::Index steps,
              const altmin::Metrics& test) const override {
    line["test_auc"] = test.auc;
    line["test_rows"] = test.samples;
    line["skipped_rows"] = stream_.skipped();
    line["rows_per_second"] = static_cast<double>(steps) * line["batch"].get<double>() / report.seconds;
  }

 private:
  altmin::Stream<float> stream_;
  std::function<altmin::Index()> count_;
};

}  // namespace trainer
