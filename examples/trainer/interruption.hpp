#pragma once

#include <csignal>

namespace trainer {

/// Keeps an interruption (Ctrl-C) back, as long as it lives; a second one ends the program.
class Interruption {
 public:
  Interruption() {
    struct sigaction action {};
    action.sa_handler = [](int) { happened_ = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, &before_);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption() { sigaction(SIGINT, &before_, nullptr); }

  static bool happened() { return happened_ != 0; }

 private:
  inline static volatile std::sig_atomic_t happened_ = 0;
  struct sigaction before_ {};
};

}  // namespace trainer
