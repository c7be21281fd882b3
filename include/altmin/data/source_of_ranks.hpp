#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/batch.hpp"
#include "altmin/data/batch_source.hpp"
#include "altmin/parallel/agreement.hpp"
#include "altmin/parallel/communicator.hpp"

namespace altmin {

/// Of several ranks, each of which has a source of its own, with other samples: the source that fit() trains on. One
/// batch of each rank make a batch together. Where a rank's pass has ended, its part of a batch is empty, until the
/// passes of all have ended: so they may have other numbers of batches.
///
///     Stream<float> own{Source{"table.csv"}.part(ranks.rank(), ranks.size()), options};
///     SourceOfRanks<float> source{own, ranks};
///     fit(net, source, fit_options);
///
/// All ranks call its functions alike. Where the source of one throws an Error, all throw it; where that of one is
/// stopped, all are. There is no order of the samples but that of each source.
template <class Scalar>
class SourceOfRanks : public BatchSource<Scalar> {
 public:
  /// Both are borrowed.
  SourceOfRanks(BatchSource<Scalar>& own, Communicator& communicator) : own_{own}, communicator_{communicator} {
    detail::agree(communicator_, numbers_, [&]() -> std::int64_t { return own_.info().batches; });
    const auto [least, most] = std::minmax_element(numbers_.begin(), numbers_.end());
    batches_ = *least == 0 ? 0 : static_cast<Index>(*most);
  }

  /// This rank's part of the next batch, which may be empty.
  const Batch<Scalar>* next() override {
    detail::agree(communicator_, numbers_, [&]() -> std::int64_t { return static_cast<std::int64_t>(take()); });
    const auto is = [](State state) {
      return [state](std::int64_t number) { return number == static_cast<std::int64_t>(state); };
    };
    stopped_ = std::any_of(numbers_.begin(), numbers_.end(), is(State::stopped));
    if (stopped_) return nullptr;
    if (std::all_of(numbers_.begin(), numbers_.end(), is(State::ended))) {
      ended_ = false;
      return nullptr;
    }
    const Batch<Scalar>* const batch = next_ != nullptr ? next_ : &empty_;
    next_ = nullptr;
    return batch;
  }

  bool stopped() const override { return stopped_; }

  /// Is not stopped.
  void seek(Index pass, Index batch) override {
    detail::agree(communicator_, [&] {
      next_ = nullptr;
      ended_ = false;
      own_.seek(pass, 0);
      for (Index i = 0; i < batch && !ended_; ++i) {
        while (take() == State::stopped) {
        }
        next_ = nullptr;
      }
    });
  }

  /// That of the own source, with the batches that a pass has on the rank that has most.
  SourceInfo info() const override {
    SourceInfo info = own_.info();
    info.batches = batches_;
    info.smallest_batch = 0;
    info.of_rank = true;
    return info;
  }

  void visit(FieldVisitor& visitor) override { own_.visit(visitor); }
  std::uint64_t fingerprint() const override { return own_.fingerprint(); }

 private:
  enum class State { stopped, ended, ready };

  /// Sets next_ where this rank has another batch in this pass.
  State take() {
    if (ended_) return State::ended;
    if (next_ == nullptr) next_ = own_.next();
    if (next_ != nullptr) {
      empty_ = {next_->x.slice(0, 0), {}, next_->targets.slice(0, 0), next_->weights.slice(0, 0)};
      return State::ready;
    }
    if (own_.stopped()) return State::stopped;
    if (empty_.x.rows() == 0)
      throw DataError(own_.info().name + ": expected at least one batch on each rank, got none");
    ended_ = true;
    return State::ended;
  }

  BatchSource<Scalar>& own_;
  Communicator& communicator_;
  Index batches_ = 0;                    // of a pass; 0: unknown
  std::vector<std::int64_t> numbers_;    // of each rank
  const Batch<Scalar>* next_ = nullptr;  // taken, but not given yet
  Batch<Scalar> empty_;                  // with the rows of a batch
  bool ended_ = false;                   // this rank's pass, not that of all
  bool stopped_ = false;
};

}  // namespace altmin
