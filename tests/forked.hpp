#pragma once

// Runs part of a test in a child process.

#if defined(__unix__) || defined(__APPLE__)
#define ALTMIN_TESTS_FORK 1
#include <sys/wait.h>
#include <unistd.h>
#else
#define ALTMIN_TESTS_FORK 0
#endif

// A child of several threads may start none below the thread sanitizer.
#if defined(__SANITIZE_THREAD__)
#define ALTMIN_FORKED_THREADS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ALTMIN_FORKED_THREADS 0
#endif
#endif
#ifndef ALTMIN_FORKED_THREADS
#define ALTMIN_FORKED_THREADS 1
#endif

#if ALTMIN_TESTS_FORK
namespace support {

/// Whether a child process in which `action` runs ends within a minute, and action() returns true there.
template <class Action>
bool holds_in_child(Action&& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // a child that hangs dies
    bool holds = false;
    try {
      holds = action();
    } catch (...) {
    }
    ::_exit(holds ? 0 : 1);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace support
#endif
