#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "altmin/core/function_ref.hpp"
#include "altmin/core/types.hpp"
#include "altmin/parallel/agreement.hpp"
#include "altmin/parallel/communicator.hpp"

namespace altmin {

/// A rank's share of the batch of a training step: the samples of rank 0 come first, then those of rank 1, and so on. A
/// rank may have none.
class BatchShare {
 public:
  /// Of a program alone, that has all samples.
  BatchShare() = default;
  /// The communicator is borrowed.
  explicit BatchShare(Communicator& communicator) : communicator_{communicator.size() > 1 ? &communicator : nullptr} {}

  /// Null where the program is alone.
  Communicator* communicator() const { return communicator_; }
  bool alone() const { return communicator_ == nullptr; }

  /// Begins a step in which this rank has so many samples, of several ranks: calls check() on each. Where it throws an
  /// Error on some ranks, all throw that of the first of them.
  void divide(Index samples, FunctionRef<void()> check) {
    detail::agree(*communicator_, counts_, [&]() -> std::int64_t {
      check();
      return samples;
    });
    first_ = total_ = 0;
    for (std::size_t rank = 0; rank < counts_.size(); ++rank) {
      if (rank < static_cast<std::size_t>(communicator_->rank())) first_ += counts_[rank];
      total_ += counts_[rank];
    }
  }

  /// The number in the batch of this rank's first sample, and of all samples.
  Index first() const { return first_; }
  Index total() const { return total_; }

 private:
  Communicator* communicator_ = nullptr;
  std::vector<std::int64_t> counts_;  // of each rank
  Index first_ = 0;
  Index total_ = 0;
};

}  // namespace altmin
