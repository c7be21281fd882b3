#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"

namespace altmin::detail {

/// A hash of a data set, which other data are all but certain not to have: of every bit of its samples and their
/// targets, or of samples spread evenly over it, the first among them, that make up some 16 million numbers. Never 0.
template <class Scalar>
std::uint64_t fingerprint(const Dataset<Scalar>& data) {
  std::uint64_t hash = 0x9e3779b97f4a7c15;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32U;
  };
  const auto mix_all = [&](const auto* values, Index count) {
    const auto size = static_cast<std::size_t>(count) * sizeof *values;
    for (std::size_t done = 0; done < size; done += sizeof hash) {
      std::uint64_t word = 0;
      std::memcpy(&word, reinterpret_cast<const char*>(values) + done, std::min(sizeof word, size - done));
      mix(word);
    }
  };
  const Index outputs = data.has_labels() ? 1 : data.targets().rows();
  for (const Index size : {data.features(), outputs, data.size()}) mix(static_cast<std::uint64_t>(size));
  constexpr Index most = Index{1} << 24U;
  const Index count = std::min(data.size(), std::max<Index>(most / std::max<Index>(data.features() + outputs, 1), 1));
  for (Index i = 0; i < count; ++i) {
    const Index sample = i * data.size() / count;
    mix_all(data.x().data() + sample * data.features(), data.features());
    if (data.has_labels()) {
      mix(static_cast<std::uint64_t>(data.y()[sample]));
    } else {
      mix_all(data.targets().data() + sample * outputs, outputs);
    }
  }
  for (Index i = 0; data.weights().size() > 0 && i < count; ++i) mix_all(&data.weights()[i * data.size() / count], 1);
  return hash == 0 ? 1 : hash;
}

}  // namespace altmin::detail
