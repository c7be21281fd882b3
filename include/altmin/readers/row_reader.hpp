#pragma once

#include <functional>
#include <memory>
#include <string>

#include "altmin/core/types.hpp"

namespace altmin {

/// What reads a table row by row, in constant memory: a CsvReader, a TableReader, or one of your own.
template <class Scalar>
class RowReader {
 public:
  RowReader() = default;
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;
  virtual ~RowReader() = default;

  /// Numbers of a sample; 1 or more.
  virtual Index features() const = 0;
  /// Classes of the labels; 0 where the targets are real numbers, or there are none.
  virtual Index classes() const = 0;
  /// Real targets of a sample; 0 for labels.
  virtual Index targets() const = 0;

  /// Reads as many rows as x has columns, and returns how many; fewer only at the end. x is features x samples; y has a
  /// place for each label, `targets` is targets x samples: one of the two is empty. Throws DataError.
  virtual Index read(View<Scalar> x, Span<int> y, View<Scalar> targets) = 0;

  /// Bad rows that were skipped.
  virtual Index skipped() const { return 0; }

  /// From any thread: read() ends as soon as it can.
  virtual void cancel() {}
};

/// Where rows come from.
template <class Scalar>
struct RowSource {
  std::string name;  ///< for messages
  std::function<bool()>
      repeatable;  ///< whether open() may be called once more, for the same rows from the first one on
  std::function<std::unique_ptr<RowReader<Scalar>>()> open;
};

}  // namespace altmin
