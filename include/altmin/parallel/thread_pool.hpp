#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "altmin/core/denormals.hpp"
#include "altmin/core/error.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/core/types.hpp"
#include "altmin/parallel/available_threads.hpp"
#include "altmin/parallel/fork_guard.hpp"

namespace altmin {

/// A team of threads for loops whose iterations are independent. Loops nest: a thread that waits for its own loop helps
/// with others, so that the parts of one large iteration spread over threads that have run out of small ones.
///
/// Each slot begins with a share of the indices of its own, the same part of every loop, before it takes from others:
/// what a thread has written in one loop it finds near in the next.
///
/// Every thread has a slot number, 0 .. threads - 1, that no other thread has at the same time; the thread that calls
/// from outside is slot 0. Only one outside thread may use a pool at a time. Copying a pool copies its size alone.
///
/// A process that fork() has made has none of its parent's threads: a pool that is destroyed or resized there joins
/// none, and renew_after_fork() starts new ones with the next loop.
class ThreadPool {
 public:
  /// `threads` >= 1 counts the calling thread; 0 stands for available_threads(). They start with the first loop.
  explicit ThreadPool(int threads = 0) : threads_{threads > 0 ? threads : available_threads()} {}

  ThreadPool(const ThreadPool& other) noexcept : threads_{other.threads_} {}
  ThreadPool& operator=(const ThreadPool& other) {
    if (threads_ != other.threads_) {
      stop();
      threads_ = other.threads_;
      waiting_ = threads_ - 1;
    }
    return *this;
  }
  ~ThreadPool() { stop(); }

  int threads() const { return threads_; }

  /// To be called before the first loop in a process that may be a child of the one that made the pool. There, with the
  /// first call, the pool forgets the parent's threads and loops; then also() is called, and true returned.
  template <class Also>
  bool renew_after_fork(Also&& also) {
    return fork_guard_.renew([&] {
      // Of threads that do not exist, and of the locks that they held, joining, locking or destroying may never return.
      for (std::thread& worker : workers_) new (&worker) std::thread;
      workers_.clear();
      new (&mutex_) std::mutex;
      new (&awake_) std::condition_variable;
      loops_ = nullptr;
      quit_ = false;
      waiting_ = threads_ - 1;
      deepest_ = -1;
      also();
    });
  }

  /// Calls body(index, slot) once for each index in 0 .. count - 1, in any order, from any thread. `slot` is that of
  /// the calling thread, `depth` the number of loops around this one: a waiting thread never starts an iteration of an
  /// outer loop, so what belongs to a slot is safe in the middle of an iteration. The first exception of a body is
  /// thrown again here once no body runs any more; iterations that had not begun may be left out. Throws Error, before
  /// the first iteration, where the system does not give as many threads.
  void run(Index count, int slot, int depth, FunctionRef<void(Index, int)> body) {
    if (count <= 1 || threads_ == 1) {
      for (Index i = 0; i < count; ++i) body(i, slot);
      return;
    }
    // Within another loop, this one is announced to other threads only when one of them has no work.
    Index first = 0;
    while (depth > 0 && first < count && waiting_.load(std::memory_order_relaxed) == 0) body(first++, slot);
    if (first == count) return;
    Loop loop;
    loop.share_out(first, count, threads_);
    loop.depth = depth;
    loop.body = &body;
    if (workers_.empty()) start();
    finish(loop, slot);
    if (loop.failure) std::rethrow_exception(loop.failure);
  }

 private:
  /// Indices that no thread has taken.
  struct Share {
    Index size() const { return end - next; }

    Index next;
    Index end;
  };

  struct Loop {
    void share_out(Index first, Index count, int threads) {
      share_count = std::min(threads, most_shares);
      untaken = unfinished = count - first;
      for (int k = 0; k < share_count; ++k) {
        shares[k] = {first + untaken * k / share_count, first + untaken * (k + 1) / share_count};
      }
    }

    /// The next index of the slot's own share or, when that is empty, the last of the largest other one.
    Index take(int slot) {
      --untaken;
      Share& own = shares[slot % share_count];
      if (own.size() > 0) return own.next++;
      const auto smaller = [](const Share& a, const Share& b) { return a.size() < b.size(); };
      return --std::max_element(shares, shares + share_count, smaller)->end;
    }

    int depth = 0;
    const FunctionRef<void(Index, int)>* body = nullptr;
    std::atomic<bool> done{false};
    // All below guarded by mutex_.
    static constexpr int most_shares = 64;
    Share shares[most_shares];
    int share_count;
    Index untaken;
    Index unfinished;
    Loop* older = nullptr;  // the list of loops with indices to take, newest first
    std::exception_ptr failure;
  };

  using Lock = std::unique_lock<std::mutex>;

  void start() {
    quit_ = false;
    try {
      for (int slot = 1; slot < threads_; ++slot) {
        workers_.emplace_back([this, slot] {
          const FlushDenormals flush;
          --waiting_;
          Lock lock{mutex_};
          while (!quit_) {
            if (!help(lock, slot, 0)) wait(lock, nullptr);
          }
        });
      }
    } catch (const std::system_error& error) {
      const auto started = workers_.size() + 1;
      stop();
      waiting_ = threads_ - 1;
      throw Error("threads: expected to start " + detail::text(threads_) + ", the system gave " +
                  detail::text(started) + " (" + error.what() + ")");
    }
  }

  void stop() {
    renew_after_fork([] {});
    {
      const Lock lock{mutex_};
      quit_ = true;
      awake_.notify_all();
    }
    for (auto& worker : workers_) worker.join();
    workers_.clear();
  }

  void finish(Loop& loop, int slot) {
    Lock lock{mutex_};
    loop.older = loops_;
    loops_ = &loop;
    note_deepest();
    awake_.notify_all();
    while (!loop.done.load(std::memory_order_relaxed)) {
      if (!help(lock, slot, loop.depth)) wait(lock, &loop);
    }
  }

  /// Takes one index of the newest loop at `depth` or deeper and runs it, unlocked meanwhile; false: nothing to take.
  bool help(Lock& lock, int slot, int depth) {
    Loop** place = &loops_;
    while (*place != nullptr && (*place)->depth < depth) place = &(*place)->older;
    Loop* const loop = *place;
    if (loop == nullptr) return false;
    const Index index = loop->take(slot);
    if (loop->untaken == 0) {
      *place = loop->older;
      note_deepest();
    }
    lock.unlock();
    std::exception_ptr failure;
    try {
      (*loop->body)(index, slot);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !loop->failure) loop->failure = failure;
    if (--loop->unfinished == 0) {
      loop->done.store(true, std::memory_order_release);
      awake_.notify_all();
    }
    return true;
  }

  /// Until there may be something to take, or `loop` is done, or the pool quits. Looks for a while before it sleeps,
  /// giving way to other programs: a thread that sleeps takes up to a tenth of a millisecond to wake, and most loops of
  /// a step follow each other sooner.
  void wait(Lock& lock, const Loop* loop) {
    const int depth = loop == nullptr ? 0 : loop->depth;
    const auto ready = [&] {
      return deepest_.load(std::memory_order_acquire) >= depth ||
             (loop != nullptr && loop->done.load(std::memory_order_acquire));
    };
    ++waiting_;
    lock.unlock();
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::milliseconds{1};
    for (int look = 1; !ready(); ++look) {
      if (look % 256 != 0) continue;
      if (Clock::now() > end) break;
      std::this_thread::yield();
    }
    lock.lock();
    awake_.wait(lock, [&] { return quit_ || ready(); });
    --waiting_;
  }

  void note_deepest() {
    int deepest = -1;
    for (const Loop* open = loops_; open != nullptr; open = open->older) deepest = std::max(deepest, open->depth);
    deepest_.store(deepest, std::memory_order_release);
  }

  int threads_;
  detail::ForkGuard fork_guard_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable awake_;
  Loop* loops_ = nullptr;                   // guarded by mutex_
  bool quit_ = false;                       // guarded by mutex_
  std::atomic<int> waiting_{threads_ - 1};  // threads without work, those that have not started yet included
  std::atomic<int> deepest_{-1};  // the largest depth in loops_, -1 without any: to be looked at without the lock
};

}  // namespace altmin
