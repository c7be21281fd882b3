#pragma once

#include <algorithm>
#include <cstddef>
#include <thread>

#if defined(__linux__)
#include <sched.h>

#include <cerrno>
#endif

namespace altmin {

/// The most threads that a pool takes.
constexpr int most_threads = 1024;

/// The number of processors that the calling thread may run on: on Linux by its CPU affinity (taskset, cpusets, the
/// binding of Slurm and mpirun), elsewhere all of the machine's. 1 to most_threads.
inline int available_threads() {
  int count = 0;
#if defined(__linux__)
  // A mask that is too small for the machine is refused with EINVAL.
  for (std::size_t processors = CPU_SETSIZE; processors <= std::size_t{1} << 20; processors *= 2) {
    cpu_set_t* const allowed = CPU_ALLOC(processors);
    if (allowed == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(processors);
    const bool known = ::sched_getaffinity(0, size, allowed) == 0;
    const bool too_small = !known && errno == EINVAL;
    if (known) count = CPU_COUNT_S(size, allowed);
    CPU_FREE(allowed);
    if (!too_small) break;
  }
#endif
  if (count == 0) count = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(count, 1, most_threads);
}

}  // namespace altmin
