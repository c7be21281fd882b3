#pragma once

// Counts the program's allocations. To be included in one source file of a program: it replaces malloc, which Eigen and
// operator new call.

#include <atomic>
#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALTMIN_SANITIZED
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(ALTMIN_SANITIZED)
#define ALTMIN_COUNTS_ALLOCATIONS 1
#else
#define ALTMIN_COUNTS_ALLOCATIONS 0  // sanitizers have a malloc of their own
#endif

namespace support {

inline std::atomic<long> allocation_count{0};

/// How many times `action` allocates, in all threads.
template <class Action>
long allocations(Action&& action) {
  const long before = allocation_count;
  action();
  return allocation_count - before;
}

}  // namespace support

#if ALTMIN_COUNTS_ALLOCATIONS
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* malloc(std::size_t size) {
  ++support::allocation_count;
  return __libc_malloc(size);
}
#endif
