#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <ctime>

namespace trainer {

/// During its lifetime, signals that would end the program are only recorded, so that a run can be saved first: an
/// interruption (Ctrl-C), SIGTERM, and SIGHUP unless the program was started to ignore it (nohup). Another one a second
/// later or more, before hold() is called, ends the program at once: a step may take long.
class Interruption {
 public:
  Interruption() {
    struct sigaction action {};
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (const int signal : signals) sigaddset(&action.sa_mask, signal);
    for (std::size_t i = 0; i < signals.size(); ++i) {
      sigaction(signals[i], nullptr, &before_[i]);
      if (signals[i] == SIGHUP && before_[i].sa_handler == SIG_IGN) continue;
      sigaction(signals[i], &action, nullptr);
    }
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption() {
    for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &before_[i], nullptr);
  }

  static bool happened() { return signal_ != 0; }

  /// The first signal received; 0 for none.
  static int signal() { return signal_; }

  /// From now on no further signal ends the program: the run is being saved.
  static void hold() { held_ = 1; }

 private:
  static constexpr std::array<int, 3> signals{SIGINT, SIGTERM, SIGHUP};

  static void handle(int signal) {  // async-signal-safe
    struct timespec now {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (signal_ == 0) {
      seconds_ = now.tv_sec;
      nanoseconds_ = now.tv_nsec;
      signal_ = signal;
      return;
    }
    const auto since = now.tv_sec - seconds_ - (now.tv_nsec < nanoseconds_ ? 1 : 0);
    if (held_ != 0 || since < 1) return;  // one signal may arrive twice, from the terminal and from a wrapper
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }

  inline static volatile std::sig_atomic_t signal_ = 0;
  inline static volatile std::sig_atomic_t held_ = 0;
  inline static volatile time_t seconds_ = 0;  // when the first one was received
  inline static volatile long nanoseconds_ = 0;
  std::array<struct sigaction, 3> before_{};
};

}  // namespace trainer
