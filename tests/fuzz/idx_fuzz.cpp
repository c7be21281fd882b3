// The IDX readers take a file of any bytes, gzipped or not: they give what is in it, or a DataError.

#include <altmin/readers/idx.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file{data, size};
  fuzz::expect<altmin::DataError>([&] {
    const auto x = altmin::read_idx_images<float>(file.path());
    fuzz::require(x.size() > 0 && x.minCoeff() >= 0 && x.maxCoeff() <= 1);
  });
  fuzz::expect<altmin::DataError>([&] {
    const auto y = altmin::read_idx_labels(file.path());
    fuzz::require(y.size() > 0 && y.minCoeff() >= 0 && y.maxCoeff() <= 255);
  });
  return 0;
}
