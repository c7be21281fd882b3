#pragma once

#include <algorithm>

#include "altmin/core/types.hpp"

namespace altmin::detail {

/// Cuts 0 .. length - 1 into nearly equal parts that begin at multiples of `unit`, no longer than `limit`. Of nothing
/// there is one part, which is empty.
struct Partition {
  Partition(Index length_, Index limit, Index unit_)
      : length{length_},
        unit{unit_},
        units{(length + unit - 1) / unit},
        count{length == 0 ? 1 : (length + limit - 1) / limit} {}

  /// The same where threads share the parts: of several there are a multiple of four, for equal shares of two or four.
  static Partition shared(Index length, Index limit, Index unit) {
    Partition partition{length, limit, unit};
    if (partition.count > 1) partition.count = std::min(partition.units, (partition.count + 3) / 4 * 4);
    return partition;
  }

  Index first(Index i) const { return std::min(length, i * units / count * unit); }
  Index size(Index i) const { return first(i + 1) - first(i); }
  Index widest() const { return (units + count - 1) / count * unit; }

  Index length;
  Index unit;
  Index units;
  Index count;
};

}  // namespace altmin::detail
