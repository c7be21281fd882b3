#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/core/types.hpp"
#include "altmin/parallel/communicator.hpp"

namespace altmin {

/// Ranks as threads of one process: for tests, and to try out what several machines will do. Numbers are summed in the
/// order of the ranks.
///
///     ThreadRanks ranks{3};
///     ranks.run([&](Communicator& communicator) { ... });
///
/// A rank that throws, or leaves while others wait for it, releases these: their operation throws an Error that names
/// that rank and the operation. So does one that calls another operation than rank 0.
class ThreadRanks {
 public:
  /// Throws OptionError unless `size` is 1 to 1024.
  explicit ThreadRanks(int size) : size_{size} {
    detail::require_option(size >= 1 && size <= 1024, "ThreadRanks: size", "must be 1 to 1024", size);
  }

  /// Calls body(communicator) on each rank, rank 0 on the calling thread. Once all have returned, throws again what was
  /// thrown first. May be called again.
  void run(FunctionRef<void(Communicator&)> body);

 private:
  /// What a rank has called, and on what.
  struct Call {
    std::string_view operation{};
    Index count = 0;
    int root = 0;
    void* data = nullptr;
  };

  class Rank : public Communicator {
   public:
    Rank(ThreadRanks& all, int rank) : all_{all}, rank_{rank} {}

    int rank() const override { return rank_; }
    int size() const override { return all_.size_; }
    void sum(float* numbers, Index count) override { all_.sum<float>(rank_, {"a sum of floats", count, 0, numbers}); }
    void sum(double* numbers, Index count) override {
      all_.sum<double>(rank_, {"a sum of doubles", count, 0, numbers});
    }
    void sum(std::int64_t* numbers, Index count) override {
      all_.sum<std::int64_t>(rank_, {"a sum of integers", count, 0, numbers});
    }
    void broadcast(void* bytes, Index count, int root) override {
      all_.broadcast(rank_, {"a broadcast", count, root, bytes});
    }

   private:
    ThreadRanks& all_;
    int rank_;
  };

  void run_rank(int rank, FunctionRef<void(Communicator&)> body);
  void leave(const std::string& who, const std::exception_ptr& failure);

  /// Waits until all ranks have come to this call. Throws once one has gone.
  void meet(const Call& call);

  /// Publishes the call, meets the others, and throws if they have called something else.
  void begin(int rank, const Call& call);

  template <class Number>
  void sum(int rank, const Call& call) {
    begin(rank, call);
    // Each rank sums up a part, and writes it to all.
    const Index first = call.count * rank / size_;
    const Index end = call.count * (rank + 1) / size_;
    for (Index i = first; i < end; ++i) {
      Number total = 0;
      for (const Call& other : calls_) total += static_cast<const Number*>(other.data)[i];
      for (const Call& other : calls_) static_cast<Number*>(other.data)[i] = total;
    }
    meet(call);
  }

  void broadcast(int rank, const Call& call) {
    begin(rank, call);
    const Call& root = calls_[std::size_t(call.root)];
    if (rank != call.root && call.count > 0) std::memcpy(call.data, root.data, std::size_t(call.count));
    meet(call);
  }

  static std::string text(const Call& call) {
    return std::string{call.operation} + " (" + detail::text(call.count) + " in all)";
  }

  int size_;
  std::vector<Call> calls_;  // of each rank; written before all meet, read until they meet again

  std::mutex mutex_;
  std::condition_variable met_;
  int waiting_ = 0;               // ranks that have come to the present meeting
  std::uint64_t meetings_ = 0;    // that are over
  std::string gone_;              // which rank has gone, and why; empty: none
  std::exception_ptr failure_{};  // the first
};

inline void ThreadRanks::run(FunctionRef<void(Communicator&)> body) {
  calls_.assign(std::size_t(size_), {});
  waiting_ = 0;
  gone_.clear();
  failure_ = nullptr;
  std::vector<std::thread> threads;
  try {
    for (int rank = 1; rank < size_; ++rank) {
      threads.emplace_back([this, rank, body] { run_rank(rank, body); });
    }
    run_rank(0, body);
  } catch (const std::system_error&) {
    leave("rank " + detail::text(threads.size() + 1) + " could not be started", std::current_exception());
  }
  for (std::thread& thread : threads) thread.join();
  if (failure_) std::rethrow_exception(failure_);
}

inline void ThreadRanks::run_rank(int rank, FunctionRef<void(Communicator&)> body) {
  const std::string name = "rank " + detail::text(rank);
  try {
    Rank communicator{*this, rank};
    body(communicator);
    leave(name + " has returned", nullptr);
  } catch (const std::exception& error) {
    leave(name + " has failed (" + error.what() + ")", std::current_exception());
  } catch (...) {
    leave(name + " has failed", std::current_exception());
  }
}

inline void ThreadRanks::leave(const std::string& who, const std::exception_ptr& failure) {
  const std::lock_guard<std::mutex> lock{mutex_};
  if (failure && !failure_) failure_ = failure;
  if (gone_.empty()) gone_ = who;
  met_.notify_all();
}

inline void ThreadRanks::meet(const Call& call) {
  std::unique_lock<std::mutex> lock{mutex_};
  const std::uint64_t meeting = meetings_;
  if (gone_.empty() && ++waiting_ == size_) {
    waiting_ = 0;
    ++meetings_;
    met_.notify_all();
    return;
  }
  met_.wait(lock, [&] { return meetings_ > meeting || !gone_.empty(); });
  if (meetings_ == meeting) throw Error("ranks: " + gone_ + " while others waited for it in " + text(call));
}

inline void ThreadRanks::begin(int rank, const Call& call) {
  calls_[std::size_t(rank)] = call;
  meet(call);
  const Call& first = calls_.front();
  for (std::size_t other = 1; other < calls_.size(); ++other) {
    const Call& got = calls_[other];
    if (got.operation == first.operation && got.count == first.count && got.root == first.root) continue;
    throw Error("rank " + detail::text(other) + ": expected " + text(first) + ", as on rank 0, got " + text(got));
  }
}

}  // namespace altmin
