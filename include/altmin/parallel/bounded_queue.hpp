#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

namespace altmin {

/// Hands values from a thread that makes them to one that takes them, a few at a time on their way. Values are swapped
/// in and out, so that their memory goes round.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : slots_(capacity) {}

  /// For the producer: waits for room. False once the consumer has closed the queue.
  bool push(T& value) {
    std::unique_lock<std::mutex> lock{mutex_};
    changed_.wait(lock, [this] { return count_ < slots_.size() || cancelled_; });
    if (cancelled_) return false;
    using std::swap;
    swap(slots_[(first_ + count_) % slots_.size()], value);
    ++count_;
    changed_.notify_all();
    return true;
  }

  /// For the maker: there will be no more values, or nothing but this exception.
  void finish(std::exception_ptr error = nullptr) {
    const std::lock_guard<std::mutex> lock{mutex_};
    finished_ = true;
    error_ = std::move(error);
    changed_.notify_all();
  }

  /// For the taker: waits for a value. False at the end, or once cancelled; throws what the maker ended with.
  bool pop(T& value) {
    std::unique_lock<std::mutex> lock{mutex_};
    changed_.wait(lock, [this] { return is_ready(); });
    return take(value);
  }

  /// The same, but calls stop() before each wait of this period: where that is true, there is no value for now.
  template <class Period, class Stop>
  bool pop(T& value, Period period, Stop&& stop) {
    std::unique_lock<std::mutex> lock{mutex_};
    while (!is_ready()) {
      if (stop()) return false;
      changed_.wait_for(lock, period, [this] { return is_ready(); });
    }
    return take(value);
  }

  /// From any thread: no more values are taken.
  void cancel() {
    const std::lock_guard<std::mutex> lock{mutex_};
    cancelled_ = true;
    changed_.notify_all();
  }

 private:
  /// Both under the lock: whether pop() has an answer, and that answer.
  bool is_ready() const { return count_ > 0 || finished_ || cancelled_; }
  bool take(T& value) {
    if (count_ == 0 || cancelled_) {
      if (error_ && !cancelled_) std::rethrow_exception(error_);
      return false;
    }
    using std::swap;
    swap(slots_[first_], value);
    first_ = (first_ + 1) % slots_.size();
    --count_;
    changed_.notify_all();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> slots_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  bool finished_ = false;
  bool cancelled_ = false;
  std::exception_ptr error_;
};

}  // namespace altmin
