// The reader of CIFAR-10's files takes a file of any bytes, gzipped or not: it gives what is in it, or a DataError.

#include <altmin/readers/cifar10.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file{data, size};
  fuzz::expect<altmin::DataError>([&] {
    const auto set = altmin::read_cifar10<float>(file.path());
    fuzz::require(set.size() > 0 && set.x().minCoeff() >= 0 && set.x().maxCoeff() <= 1);
    fuzz::require(set.y().minCoeff() >= 0 && set.y().maxCoeff() <= 9);
  });
  return 0;
}
