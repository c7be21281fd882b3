#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "altmin/readers/csv.hpp"

namespace altmin {

/// A table in several files, one after the other, each with its line of names where there is one.
template <class Scalar>
class CsvFiles : public RowReader<Scalar> {
 public:
  /// Opens the first file. Throws as CsvReader does, and OptionError where there is no file.
  CsvFiles(std::vector<Source> files, CsvOptions options) : files_{std::move(files)}, options_{std::move(options)} {
    if (files_.empty()) throw OptionError("CsvFiles: expected at least one file, got none");
    reader_ = std::make_unique<CsvReader<Scalar>>(files_.front(), options_);
    features_ = reader_->features();
  }

  Index features() const override { return features_; }
  Index classes() const override { return options_.classes; }
  Index targets() const override { return 0; }

  /// Throws DataError for a file of other columns.
  Index read(View<Scalar> x, Span<int> y, View<Scalar>) override {
    Index count = 0;
    do {
      count += reader_->read(x.slice(count, x.cols() - count), {y.begin() + count, y.size() - count});
    } while (count < x.cols() && open_next());
    return count;
  }

  Index skipped() const override { return skipped_before_ + reader_->skipped(); }

  void cancel() override {
    const std::lock_guard<std::mutex> lock{mutex_};
    cancelled_ = true;
    reader_->cancel();
  }

 private:
  /// False behind the last file, or once cancelled.
  bool open_next() {
    if (next_ == files_.size()) return false;
    const Source& file = files_[next_];
    auto reader = std::make_unique<CsvReader<Scalar>>(file, options_);
    if (reader->features() != features_) {
      throw DataError(file.name() + ": expected " + detail::text(features_) + " features as in " +
                      files_.front().name() + ", got " + detail::text(reader->features()));
    }
    ++next_;
    skipped_before_ += reader_->skipped();
    const std::lock_guard<std::mutex> lock{mutex_};
    reader_.swap(reader);
    return !cancelled_;
  }

  std::vector<Source> files_;
  CsvOptions options_;
  std::size_t next_ = 1;
  Index features_ = 0;
  Index skipped_before_ = 0;                   // lines of the files before
  std::mutex mutex_;                           // of the next two
  std::unique_ptr<CsvReader<Scalar>> reader_;  // exchanged by read() alone
  bool cancelled_ = false;
};

/// The rows of a table of numbers in one or more files, as a Stream takes them.
template <class Scalar>
RowSource<Scalar> csv_rows(const std::vector<Source>& files, const CsvOptions& options = {}) {
  if (files.empty()) throw OptionError("csv_rows: expected at least one file, got none");
  std::string name = files.front().name();
  if (files.size() > 1) name += " and " + detail::text(files.size() - 1) + " more";
  const auto repeatable = [=] {
    return std::all_of(files.begin(), files.end(), [](const Source& file) { return file.repeatable(); });
  };
  return {std::move(name), repeatable, [=] { return std::make_unique<CsvFiles<Scalar>>(files, options); }};
}
template <class Scalar>
RowSource<Scalar> csv_rows(const Source& source, const CsvOptions& options = {}) {
  return csv_rows<Scalar>(std::vector<Source>{source}, options);
}

}  // namespace altmin
