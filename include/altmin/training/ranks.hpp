#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "altmin/core/field_visitor.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/data/batch_source.hpp"
#include "altmin/network/description.hpp"
#include "altmin/network/network.hpp"
#include "altmin/parallel/agreement.hpp"
#include "altmin/parallel/field_broadcast.hpp"

/// What fit() does on several ranks beside what it does on one. All of them go through the same batches of the same
/// data, each training on its share of every batch, or through a SourceOfRanks; and all end together.

namespace altmin::detail {

/// The samples of a batch that this rank trains on: all of them without a communicator, and where the batch is the
/// rank's own.
template <class Scalar>
Batch<Scalar> share_of(const Batch<Scalar>& batch, const Communicator* communicator, bool of_rank) {
  if (communicator == nullptr || of_rank) return batch;
  const Index first = batch.size() * communicator->rank() / communicator->size();
  const Index count = batch.size() * (communicator->rank() + 1) / communicator->size() - first;
  const bool has_labels = batch.y.size() > 0;
  return {batch.x.slice(first, count),
          {batch.y.data() + (has_labels ? first : 0), has_labels ? count : 0},
          batch.targets.slice(has_labels ? 0 : first, has_labels ? 0 : count),
          batch.weights.rows() > 0 ? batch.weights.slice(first, count) : batch.weights};
}

/// check(), on all ranks: they throw alike.
inline void agree_on_ranks(Communicator* communicator, FunctionRef<void()> check) {
  if (communicator == nullptr) return check();
  agree(*communicator, check);
}

/// check(), on all ranks; and that these have the same options, samples of the same kind and, but for a SourceOfRanks,
/// sources of the same options and sizes.
template <class Scalar, class Options>
void check_on_ranks(Communicator* communicator, const Options& options, BatchSource<Scalar>& source,
                    FunctionRef<void()> check) {
  if (communicator == nullptr) return check();
  require_same_text(*communicator, "fit", [&] {
    check();
    FieldText text;
    const SourceInfo info = source.info();
    text.line("features", detail::text(info.shape.size()));
    text.line("classes", detail::text(info.classes));
    if (!info.of_rank) source.visit(text);
    Options shown = options;
    visit_fields(text, shown);
    return text.lines();
  });
}

/// The next batch of a source; null at the end of a pass, and where the source of a rank is stopped: sets `reason`
/// then. Unless the batches are `known`, which are the same on all ranks, these agree on each; a SourceOfRanks does so.
template <class Scalar>
const Batch<Scalar>* next_on_ranks(BatchSource<Scalar>& source, bool known, Communicator* communicator,
                                   std::string& reason) {
  const Batch<Scalar>* batch = nullptr;
  bool stopped = false;
  const auto take = [&]() -> std::int64_t {
    batch = source.next();
    stopped = batch == nullptr && source.stopped();
    if (stopped) return 0;
    return batch == nullptr ? 1 : 1 + batch->size();
  };
  if (communicator == nullptr || known) {
    take();
  } else {
    std::vector<std::int64_t> sizes;
    agree(*communicator, sizes, take);
    stopped = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
    if (!stopped && std::adjacent_find(sizes.begin(), sizes.end(), std::not_equal_to<>{}) != sizes.end()) {
      throw DataError("fit: expected batches of the same sizes on all ranks, got others from " + source.info().name);
    }
  }
  if (!stopped) return batch;
  reason = "stopped while waiting for data";
  return nullptr;
}

/// Begins, or goes on, where rank 0 does: only its checkpoint needs to be there.
template <class Scalar, class Progress>
void begin_as_rank_0(Network<Scalar>& net, Progress& progress) {
  if (net.communicator() == nullptr) return;
  net.set_communicator(*net.communicator());
  broadcast_fields(*net.communicator(), [&](FieldVisitor& visitor) { visit_fields(visitor, progress); });
}

/// Why training ends: the reason of the first rank that has one; empty: it goes on.
inline std::string reason_of_ranks(Communicator* communicator, const std::string& reason) {
  return communicator == nullptr ? reason : first_text(*communicator, reason);
}

}  // namespace altmin::detail
