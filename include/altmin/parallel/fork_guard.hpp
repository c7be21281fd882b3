#pragma once

#include <atomic>
#include <new>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#define ALTMIN_FORKS 1
#else
#define ALTMIN_FORKS 0
#endif

namespace altmin::detail {

/// Tells an object whether it is in the process that it was made in, or in one that fork() has copied it to. A child
/// has only the thread that forked: its copies of threads, and of locks that other threads may have held, must be made
/// anew.
///
/// On Linux the mark is a page that fork() fills with zeros, so that a check costs one load; getpid(), which serves
/// elsewhere, is a system call.
class ForkGuard {
 public:
  ForkGuard() noexcept {
#if ALTMIN_FORKS && defined(MADV_WIPEONFORK)
    void* const page = ::mmap(nullptr, sizeof(Mark), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
      if (::madvise(page, sizeof(Mark), MADV_WIPEONFORK) == 0) {
        page_ = new (page) Mark{0};
      } else {
        ::munmap(page, sizeof(Mark));  // an old kernel
      }
    }
#endif
    mark() = self();
  }
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;
  ~ForkGuard() {
#if ALTMIN_FORKS
    if (page_ != nullptr) ::munmap(page_, sizeof(Mark));
#endif
  }

  /// With the first call in a process that did not make the object, calls renew() and returns true. Of several threads
  /// that call it at once, one does so while the others wait.
  template <class Renew>
  bool renew(Renew&& renew) {
    const int current = self();
    int owner = mark().load(std::memory_order_acquire);
    while (owner != current) {
      if (owner == -current) {  // another thread is renewing it
        std::this_thread::yield();
        owner = mark().load(std::memory_order_acquire);
      } else if (mark().compare_exchange_weak(owner, -current, std::memory_order_acquire)) {
        renew();
        mark().store(current, std::memory_order_release);
        return true;
      }
    }
    return false;
  }

 private:
  using Mark = std::atomic<int>;

  /// What the mark is in the object's own process; negative while a thread renews the object.
  int self() const {
#if ALTMIN_FORKS
    if (page_ == nullptr) return static_cast<int>(::getpid());
#endif
    return 1;
  }

  Mark& mark() { return page_ == nullptr ? own_ : *page_; }

  Mark* page_ = nullptr;  // 0 in a child
  Mark own_{0};           // without a page
};

}  // namespace altmin::detail
