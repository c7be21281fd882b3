#include "altmin/parallel/thread_pool.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "forked.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

using altmin::Index;
using altmin::ThreadPool;

namespace {

using Count = std::atomic<Index>;

/// Long enough for other threads to get into the way.
void linger(Index turns) {
  for (Index i = 0; i < turns; ++i) std::this_thread::yield();
}

/// Sum over 0 .. count - 1 of i + 1, by the pool.
Index sum(ThreadPool& pool, Index count) {
  Count result{0};
  pool.run(count, 0, 0, [&](Index i, int) { result += i + 1; });
  return result;
}

}  // namespace

TEST_CASE("a loop runs every index once", "[thread_pool]") {
  const int threads = GENERATE(1, 2, 5);
  const Index count = GENERATE(0, 1, 2, 3, 1000);
  ThreadPool pool{threads};
  std::vector<Count> runs(static_cast<std::size_t>(count));
  Count strangers{0};
  pool.run(count, 0, 0, [&](Index i, int slot) {
    ++runs[static_cast<std::size_t>(i)];
    if (slot < 0 || slot >= threads) ++strangers;
  });
  for (const auto& times : runs) CHECK(times == 1);
  CHECK(strangers == 0);
}

TEST_CASE("a pool of 0 threads takes as many as the process may run on", "[thread_pool]") {
  CHECK(altmin::available_threads() >= 1);
  CHECK(altmin::available_threads() <= altmin::most_threads);
  CHECK(ThreadPool{}.threads() == altmin::available_threads());
  CHECK(ThreadPool{3}.threads() == 3);
}

#if defined(__linux__)
TEST_CASE("available threads are those of the CPU affinity", "[thread_pool]") {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;  // a machine of more processors
  CHECK(altmin::available_threads() == CPU_COUNT(&allowed));
  // Processors are taken from a thread of this test one by one.
  std::thread{[allowed]() mutable {
    for (std::size_t processor = 0; processor < CPU_SETSIZE && CPU_COUNT(&allowed) > 1; ++processor) {
      if (!CPU_ISSET(processor, &allowed)) continue;
      CPU_CLR(processor, &allowed);
      if (sched_setaffinity(0, sizeof(allowed), &allowed) != 0) return;
      CHECK(altmin::available_threads() == CPU_COUNT(&allowed));
      CHECK(ThreadPool{}.threads() == CPU_COUNT(&allowed));
      CHECK(ThreadPool{5}.threads() == 5);  // literally
    }
  }}.join();
  CHECK(altmin::available_threads() >= 1);
}
#endif

TEST_CASE("each thread begins with the same share of every loop", "[thread_pool]") {
  ThreadPool pool{4};
  for (const Index count : {4, 100}) {
    std::vector<Index> first(4, -1);
    Count begun{0};
    pool.run(count, 0, 0, [&](Index i, int slot) {
      Index& mine = first[static_cast<std::size_t>(slot)];
      if (mine >= 0) return;
      mine = i;
      ++begun;
      for (int wait = 0; wait < 20000 && begun < 4; ++wait) {
        std::this_thread::sleep_for(std::chrono::microseconds{100});
      }
    });
    CHECK(first == std::vector<Index>{0, count / 4, count / 2, count * 3 / 4});
  }
}

TEST_CASE("the first loop has all threads, however deep it counts", "[thread_pool]") {
  const int depth = GENERATE(0, 1, 100);
  ThreadPool pool{3};
  Count running{0};
  Count together{0};
  pool.run(3, 0, depth, [&](Index, int) {
    ++running;
    for (int i = 0; i < 20000 && running < 3; ++i) std::this_thread::sleep_for(std::chrono::microseconds{100});
    if (running == 3) ++together;
  });
  CHECK(together == 3);
}

TEST_CASE("loops nest", "[thread_pool]") {
  ThreadPool pool{GENERATE(1, 2, 5)};
  Count total{0};
  pool.run(7, 0, 0, [&](Index i, int outer) {
    pool.run(i, outer, 1, [&](Index j, int middle) {
      pool.run(j, middle, 2, [&](Index k, int) { total += 100 * i + 10 * j + k; });
    });
  });
  Index expected = 0;
  for (Index i = 0; i < 7; ++i) {
    for (Index j = 0; j < i; ++j) {
      for (Index k = 0; k < j; ++k) expected += 100 * i + 10 * j + k;
    }
  }
  CHECK(total == expected);
}

TEST_CASE("a slot belongs to one thread, and to one iteration of a depth", "[thread_pool]") {
  constexpr int threads = 5;
  constexpr Index depths = 3;
  ThreadPool pool{threads};
  std::vector<Count> inside(threads * depths);
  std::vector<std::atomic<std::thread::id>> owners(threads);
  Count clashes{0};
  const auto enter = [&](int slot, Index depth) {
    if (++inside[static_cast<std::size_t>(slot * depths + depth)] != 1) ++clashes;
    std::thread::id owner{};
    const bool first =
        owners[static_cast<std::size_t>(slot)].compare_exchange_strong(owner, std::this_thread::get_id());
    if (!first && owner != std::this_thread::get_id()) ++clashes;
  };
  const auto leave = [&](int slot, Index depth) { --inside[static_cast<std::size_t>(slot * depths + depth)]; };
  for (int round = 0; round < 20; ++round) {
    pool.run(40, 0, 0, [&](Index i, int outer) {
      enter(outer, 0);
      pool.run(3, outer, 1, [&](Index j, int middle) {
        // The thread that waits here has shorter work than its helpers: it meets open loops of every depth.
        pool.run(2, middle, 2, [&](Index k, int inner) {
          enter(inner, 2);
          linger(i % 3 + 4 * k + j);
          leave(inner, 2);
        });
      });
      leave(outer, 0);
    });
  }
  CHECK(clashes == 0);
}

TEST_CASE("an exception comes through and leaves the pool usable", "[thread_pool]") {
  ThreadPool pool{GENERATE(1, 2, 5)};
  for (int round = 0; round < 50; ++round) {
    CHECK_THROWS_WITH(pool.run(20, 0, 0,
                               [](Index i, int) {
                                 if (i == 7) throw std::runtime_error("seven");
                               }),
                      "seven");
    CHECK(sum(pool, 10) == 55);
  }
  CHECK_THROWS_WITH(pool.run(4, 0, 0,
                             [&](Index i, int slot) {
                               pool.run(4, slot, 1, [&](Index j, int) {
                                 if (i == 2 && j == 3) throw std::runtime_error("inner");
                               });
                             }),
                    "inner");
  CHECK_THROWS_AS(pool.run(30, 0, 0, [](Index, int) { throw 1; }), int);
  CHECK(sum(pool, 10) == 55);
}

TEST_CASE("an exception leaves no iteration running", "[thread_pool]") {
  ThreadPool pool{5};
  Count inside{0};
  try {
    pool.run(30, 0, 0, [&](Index i, int) {
      ++inside;
      linger(20);
      --inside;
      if (i == 0) throw std::runtime_error("first");
    });
    FAIL("no exception");
  } catch (const std::runtime_error&) {
    CHECK(inside == 0);
  }
}

TEST_CASE("copies of a pool share its size alone", "[thread_pool]") {
  ThreadPool pool{3};
  CHECK(sum(pool, 100) == 5050);
  ThreadPool copy{pool};
  CHECK(copy.threads() == 3);
  CHECK(sum(copy, 100) == 5050);

  Count total{0};  // both at once, each with its own outside thread
  std::thread other{[&] { total += sum(copy, 1000); }};
  total += sum(pool, 1000);
  other.join();
  CHECK(total == 2 * 500500);
}

TEST_CASE("an assigned pool takes the other's size, after it has run", "[thread_pool]") {
  ThreadPool pool{4};
  CHECK(sum(pool, 100) == 5050);
  for (const int threads : {2, 1, 5, 5}) {
    pool = ThreadPool{threads};
    CHECK(pool.threads() == threads);
    CHECK(sum(pool, 100) == 5050);
  }
  const ThreadPool& self = pool;
  pool = self;
  CHECK(sum(pool, 100) == 5050);
}

TEST_CASE("thousands of tiny loops end", "[thread_pool]") {
  ThreadPool pool{GENERATE(2, 5)};
  Index total = 0;
  for (Index i = 0; i < 5000; ++i) {
    total += sum(pool, 1 + i % 5);
    if (i % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // let them fall asleep
  }
  CHECK(total == 1000 * (1 + 3 + 6 + 10 + 15));

  Count inner{0};
  pool.run(1000, 0, 0, [&](Index, int slot) { pool.run(3, slot, 1, [&](Index, int) { ++inner; }); });
  CHECK(inner == 3000);
}

TEST_CASE("pools come and go", "[thread_pool]") {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool{3};
    if (i % 2 == 0) CHECK(sum(pool, 4) == 10);
  }
}

#if ALTMIN_TESTS_FORK
TEST_CASE("a pool is destroyed and resized in a child process that has none of its threads", "[thread_pool]") {
  const int rest = GENERATE(0, 5);  // milliseconds: the threads look for work, or sleep
  auto pool = std::make_unique<ThreadPool>(3);
  CHECK(sum(*pool, 100) == 5050);
  std::this_thread::sleep_for(std::chrono::milliseconds{rest});
  for (int i = 0; i < 20; ++i) {
    CHECK(support::holds_in_child([&] {
      pool.reset();
      return true;
    }));
    CHECK(support::holds_in_child([&] {
      *pool = ThreadPool{1};
      return sum(*pool, 100) == 5050;
    }));
  }
  CHECK(sum(*pool, 100) == 5050);
}

#if ALTMIN_FORKED_THREADS
TEST_CASE("a pool starts threads of its own in a child process, and in that one's child", "[thread_pool]") {
  ThreadPool pool{3};
  CHECK_FALSE(pool.renew_after_fork([] {}));
  CHECK(sum(pool, 100) == 5050);
  const auto works = [&] {
    if (!pool.renew_after_fork([] {}) || pool.renew_after_fork([] {})) return false;
    Count running{0};
    Count together{0};
    pool.run(3, 0, 0, [&](Index, int) {
      ++running;
      for (int i = 0; i < 20000 && running < 3; ++i) std::this_thread::sleep_for(std::chrono::microseconds{100});
      if (running == 3) ++together;
    });
    return together == 3 && sum(pool, 1000) == 500500;
  };
  CHECK(support::holds_in_child(works));
  CHECK(support::holds_in_child([&] { return works() && support::holds_in_child(works) && sum(pool, 100) == 5050; }));
  CHECK(sum(pool, 100) == 5050);
}

TEST_CASE("a child process of a pool at work forgets the loops of other threads", "[thread_pool]") {
  ThreadPool pool{3};
  std::atomic<bool> end{false};
  std::thread other{[&] {
    while (!end) sum(pool, 100);
  }};
  for (int i = 0; i < 20; ++i) {
    CHECK(support::holds_in_child([&] { return pool.renew_after_fork([] {}) && sum(pool, 1000) == 500500; }));
  }
  end = true;
  other.join();
}
#endif
#endif
