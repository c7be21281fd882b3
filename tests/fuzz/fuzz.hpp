#pragma once

// What the fuzzers share. One is a file NAME_fuzz.cpp with the function below, and a folder corpus/NAME of small files
// to start from.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

/// libFuzzer calls it with each input, replay.cpp with each file of the corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// What must hold for any input.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Calls, and takes one kind of exception as a good answer.
template <class Error, class Call>
void expect(Call&& call) {
  try {
    call();
  } catch (const Error&) {
  }
}

/// A file in memory alone, for readers that want a path.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size) {
    require(file_ >= 0 && write(file_, data, size) == static_cast<ssize_t>(size));
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(file_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_ = memfd_create("input", 0);
};

}  // namespace fuzz
