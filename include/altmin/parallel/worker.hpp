#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "altmin/core/types.hpp"
#include "altmin/parallel/batch_share.hpp"
#include "altmin/parallel/thread_pool.hpp"

namespace altmin {

namespace detail {

/// Memory for what a product cannot read where it stands, of a fixed size: rows of the left factor for all threads that
/// take part, columns of the right one for a thread's own cell. And room for the body of a parallel_for_leaves().
template <class Scalar>
class ThreadMemory {
 public:
  static constexpr Index depth = 2048 / static_cast<Index>(sizeof(Scalar));
  static constexpr Index rows = 960;  // a multiple of the rows of every register tile
  static constexpr Index columns = 32;
  static constexpr Index room = Index{1} << 20;

  ThreadMemory()
      : memory_{Eigen::internal::aligned_malloc(((rows + columns) * depth + room) * sizeof(Scalar)),
                &Eigen::internal::aligned_free} {}

  Scalar* left() { return static_cast<Scalar*>(memory_.get()); }
  Scalar* right() { return left() + rows * depth; }
  Scalar* leaf() { return right() + columns * depth; }

 private:
  std::unique_ptr<void, void (*)(void*)> memory_;
};

}  // namespace detail

/// One thread's place in a pool: what an operation needs to multiply, to run loops in parallel, and to sum over ranks.
template <class Scalar>
class Worker {
 public:
  Worker(ThreadPool& pool, detail::ThreadMemory<Scalar>* buffers, int slot = 0, int depth = 0,
         const BatchShare* share = nullptr)
      : pool_{&pool}, buffers_{buffers}, slot_{slot}, depth_{depth}, share_{share} {}

  /// The same in a step on a batch that is divided among ranks; the share is borrowed.
  Worker on(const BatchShare& share) const { return {*pool_, buffers_, slot_, depth_, &share}; }

  /// Calls body(index, worker of the executing thread) for each index in 0 .. count - 1.
  void parallel_for(Index count, FunctionRef<void(Index, const Worker&)> body) const {
    pool_->run(count, slot_, depth_, [&](Index i, int slot) {
      body(i, Worker{*pool_, buffers_, slot, depth_ + 1, share_});
    });
  }

  /// The same for a body that runs no loops of its own. While this thread waits it takes part in nothing but such
  /// loops, so that its packing memory stays as it is.
  void parallel_for_leaves(Index count, FunctionRef<void(Index, const Worker&)> body) const {
    constexpr int deepest = std::numeric_limits<int>::max();
    pool_->run(count, slot_, deepest, [&](Index i, int slot) {
      body(i, Worker{*pool_, buffers_, slot, deepest, share_});
    });
  }

  /// Calls body(first, count) for ranges that make up 0 .. length - 1, each `cost` elements a unit: enough for a thread
  /// to be worth waking. The partition depends on the sizes alone.
  void parallel_ranges(Index length, Index cost, FunctionRef<void(Index, Index)> body) const {
    constexpr Index worth = 16384;
    const Index step = std::max<Index>(1, worth / std::max<Index>(1, cost));
    parallel_for_leaves((length + step - 1) / step, [&](Index i, const Worker&) {
      const Index first = i * step;
      body(first, std::min(step, length - first));
    });
  }

  /// This rank's share of the batch, where several ranks train on it; null where one is alone, or outside of a step.
  const BatchShare* share() const { return share_; }
  /// Whether this is the only rank, or the first of several.
  bool is_first_rank() const { return share_ == nullptr || share_->communicator()->rank() == 0; }
  /// The samples of all ranks, where this one has so many.
  Index all_samples(Index own) const { return share_ == nullptr ? own : share_->total(); }
  /// Replaces each number by its sum over all ranks. All ranks call it alike, outside of loops on several threads.
  template <class Number>
  void sum(Number* numbers, Index count) const {
    if (share_ != nullptr && count > 0) share_->communicator()->sum(numbers, count);
  }
  /// The same for a matrix that is stored without gaps.
  void sum(View<Scalar> matrix) const { sum(matrix.data(), matrix.size()); }
  double sum(double number) const {
    sum(&number, 1);
    return number;
  }

  detail::ThreadMemory<Scalar>& packing() const { return buffers_[slot_]; }

  /// The number of this thread, below threads(): the place of its scratch memory.
  int slot() const { return slot_; }
  int threads() const { return pool_->threads(); }

 private:
  ThreadPool* pool_;
  detail::ThreadMemory<Scalar>* buffers_;
  int slot_;
  int depth_;
  const BatchShare* share_;  // of several ranks; else null
};

/// A pool of threads, each with memory to multiply in. For one user at a time, who holds its lock. Copies share
/// nothing, unless share() was called: those of workers that share do so as well.
///
/// In a child process that fork() has made, the first user starts new threads; a lock that another thread of the parent
/// held does not hold there.
template <class Scalar>
class Workers {
 public:
  explicit Workers(int threads = 0) : own_{threads} {}
  Workers(const Workers&) = default;
  Workers& operator=(const Workers&) = default;

  /// From now on these workers and the others are the same: threads, memory and lock. Not while either is in use.
  void share(Workers& other) {
    if (&other == this) return;
    if (other.shared_ == nullptr) {
      other.shared_ = std::make_shared<Team>(other.threads());
      other.own_ = Team{1};
    }
    *this = other;
  }

  bool shared() const { return shared_ != nullptr; }

  int threads() const { return team().pool.threads(); }

  /// Locks them for a user who then calls worker().
  std::unique_lock<std::mutex> lock() {
    team().renew_after_fork();
    return std::unique_lock<std::mutex>{team().busy};
  }

  /// The worker of the thread that calls from outside.
  Worker<Scalar> worker() { return team().worker(); }

  /// Calls use(worker) with the pool or, while another user has it, with the calling thread alone.
  void lend(FunctionRef<void(const Worker<Scalar>&)> use) {
    team().renew_after_fork();
    const std::unique_lock<std::mutex> lock{team().busy, std::try_to_lock};
    if (lock) return use(worker());
    Team single{1};
    use(single.worker());
  }

 private:
  struct Team {
    explicit Team(int threads) : pool{threads} {}
    Team(const Team& other) noexcept : pool{other.pool} {}
    Team& operator=(const Team& other) {
      renew_after_fork();
      pool = other.pool;
      if (buffers.size() != static_cast<std::size_t>(pool.threads())) buffers.clear();
      return *this;
    }

    Worker<Scalar> worker() {
      if (buffers.empty()) buffers = std::vector<detail::ThreadMemory<Scalar>>(std::size_t(pool.threads()));
      return {pool, buffers.data()};
    }

    void renew_after_fork() {
      pool.renew_after_fork([this] { new (&busy) std::mutex; });
    }

    ThreadPool pool;
    std::vector<detail::ThreadMemory<Scalar>> buffers;
    std::mutex busy;
  };

  Team& team() { return shared_ ? *shared_ : own_; }
  const Team& team() const { return shared_ ? *shared_ : own_; }

  Team own_;                      // idle where the team is shared
  std::shared_ptr<Team> shared_;  // null where it is not
};

}  // namespace altmin
