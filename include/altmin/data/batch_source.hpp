#pragma once

#include <cstdint>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/batch.hpp"
#include "altmin/data/dataset.hpp"

namespace altmin {

/// What is known of a source before it is read; the defaults say: nothing.
struct SourceInfo {
  std::string name = "the source";  ///< for messages
  Shape shape{0};                   ///< of a sample; of size 0: unknown
  Index classes = 0;                ///< of the labels; 0: unknown, or there are real targets
  Index batches = 0;                ///< of a pass; 0: unknown, or there is no end
  Index smallest_batch = 0;         ///< samples of a pass's smallest batch; 0: unknown
  bool repeatable = false;          ///< whether there can be a second pass
};

/// What fit() trains on: a sequence of mini-batches that is gone through once, a pass, or several times. Batches makes
/// them of a data set, Stream of a table of any length. A generator of one's own overrides next(), and what else it can
/// do:
///
///     struct Noise : BatchSource<float> {
///       const Batch<float>* next() override {
///         x.setRandom(8, 32);
///         targets = x.colwise().norm();
///         return &batch.emplace(x, LabelView{}, targets);
///       }
///       Matrix<float> x, targets;
///       std::optional<Batch<float>> batch;
///     };
///
/// A run that is resumed ends with the same bits as one that was not stopped if seek() comes to the same batches.
template <class Scalar>
class BatchSource {
 public:
  BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  virtual ~BatchSource() = default;

  /// The next batch, valid until the next call; null at the end of a pass. The next call then begins another one.
  virtual const Batch<Scalar>* next() = 0;

  /// True if next() returned null before the end of the pass, as it was stopped while it waited. Nothing is lost.
  virtual bool stopped() const { return false; }

  /// Goes to where batch number `batch` of pass number `pass` is next, both from 0. This one reads what comes before,
  /// and expects a source that has not been read from. Throws DataError where that cannot be reached.
  virtual void seek(Index pass, Index batch) {
    for (Index i = 0; i < pass; ++i) {
      while (next() != nullptr) {
      }
    }
    for (Index i = 0; i < batch; ++i) {
      if (next() != nullptr) continue;
      throw DataError(info().name + ": expected more than " + detail::text(batch) + " batches in pass " +
                      detail::text(pass) + ", got " + detail::text(i));
    }
  }

  virtual SourceInfo info() const { return {}; }

  /// Shows what decides the batches besides the data, such as options: a run is not resumed with others.
  virtual void visit(FieldVisitor&) {}

  /// A hash of the data, by which a run that is resumed recognises them; 0: unknown.
  virtual std::uint64_t fingerprint() const { return 0; }

  /// The data set that the batches are made of, if there is one: fit() checks all of it before the first step.
  virtual const Dataset<Scalar>* dataset() const { return nullptr; }

 protected:
  BatchSource(BatchSource&&) = default;
  BatchSource& operator=(BatchSource&&) = default;
};

}  // namespace altmin
