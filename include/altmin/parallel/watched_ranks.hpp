#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/parallel/communicator.hpp"

namespace altmin {

/// How long a rank may wait for the others in one operation.
struct StallLimits {
  double report_after = 60;  ///< seconds until it says so; 0: it does not
  double end_after = 0;      ///< seconds until it ends the job; 0: it does not

  void validate() const {
    detail::require_option(report_after >= 0, "StallLimits: report_after", "must be 0 or more", report_after);
    detail::require_option(end_after >= 0, "StallLimits: end_after", "must be 0 or more", end_after);
  }
};

/// Another communicator under watch, by a thread that sleeps: where this rank waits too long in an operation, because
/// another one computes for long, hangs, or calls operations of another number, it says so in a sentence that names
/// rank and operation. The ranks that send no such sentence are those that others wait for.
class WatchedRanks : public Communicator {
 public:
  /// The communicator is borrowed. report(sentence) and end() are called by the watching thread, each at most once an
  /// operation, while the rank waits in it: end() ends the process. Throws OptionError for limits below 0.
  WatchedRanks(Communicator& ranks, StallLimits limits, std::function<void(const std::string&)> report,
               std::function<void()> end)
      : ranks_{ranks}, limits_{limits}, report_{std::move(report)}, end_{std::move(end)} {
    limits_.validate();
    thread_ = std::thread{[this] { watch(); }};
  }
  WatchedRanks(const WatchedRanks&) = delete;
  WatchedRanks& operator=(const WatchedRanks&) = delete;
  ~WatchedRanks() override {
    {
      const std::lock_guard<std::mutex> lock{mutex_};
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  int rank() const override { return ranks_.rank(); }
  int size() const override { return ranks_.size(); }

  void run(const RankOperation& operation) override {
    const Waiting waiting{*this, operation};
    ranks_.run(operation);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// What the watching thread reads of an operation while it runs.
  struct Waiting {
    Waiting(WatchedRanks& watched, const RankOperation& operation) : all{watched} {
      const std::lock_guard<std::mutex> lock{all.mutex_};
      all.operation_ = operation;
      all.since_ = Clock::now();
      all.waits_ = true;
      ++all.number_;
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() {
      const std::lock_guard<std::mutex> lock{all.mutex_};
      all.waits_ = false;
    }

    WatchedRanks& all;
  };

  void watch() {
    const auto limit = [](double seconds) { return seconds > 0 ? seconds : std::numeric_limits<double>::infinity(); };
    const double report_after = limit(limits_.report_after);
    const double end_after = limit(limits_.end_after);
    const std::chrono::duration<double> period{std::clamp(std::min(report_after, end_after) / 4, 0.001, 1.0)};
    std::unique_lock<std::mutex> lock{mutex_};
    std::int64_t reported = 0;  // the number of an operation
    while (!changed_.wait_for(lock, period, [this] { return closing_; })) {
      if (!waits_) continue;
      const double seconds = std::chrono::duration<double>(Clock::now() - since_).count();
      const bool ends = seconds >= end_after;
      if (!ends && (seconds < report_after || reported == number_)) continue;
      reported = number_;
      report_("rank " + detail::text(rank()) + " has waited " + detail::text(static_cast<Index>(seconds)) +
              " s for others in operation " + detail::text(number_) + ", " + to_string(operation_) +
              (ends ? ": the job ends" : ""));
      if (!ends) continue;
      end_();
      return;
    }
  }

  Communicator& ranks_;
  const StallLimits limits_;
  const std::function<void(const std::string&)> report_;
  const std::function<void()> end_;

  std::mutex mutex_;
  std::condition_variable changed_;
  RankOperation operation_;  // the latest
  std::int64_t number_ = 0;  // of this rank, from 1
  Clock::time_point since_;
  bool waits_ = false;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace altmin
