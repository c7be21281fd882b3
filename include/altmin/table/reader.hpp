#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/readers/csv.hpp"
#include "altmin/readers/row_reader.hpp"
#include "altmin/table/columns.hpp"
#include "altmin/table/records.hpp"
#include "altmin/table/schema.hpp"

namespace altmin {

/// How a TableReader reads.
struct TableReaderOptions {
  /// Whether each row must have its targets. If not, as for predictions, their columns may be absent, and are not read.
  bool targets = true;
  BadRows bad_rows = BadRows::refuse;
  Index longest_row = Index{1} << 20U;  ///< bytes, with its line end; longer ones are bad rows; 1 to 2^30
};

/// Reads a table by its schema, row by row in constant memory: one file, plain or gzipped, or several as one table.
/// Bytes are read and inflated on a thread of their own. Columns are matched by name where files have a header, which
/// may then have more columns than the schema, in any order; else by place.
///
/// A bad row - one of too few or too many fields, of a field that is no finite number or no class, of a missing target
/// - throws DataError with file, line and column, or is skipped and counted. A file that does not fit the schema, and
/// damaged gzip data, always throw.
template <class Scalar, class Bytes = detail::TextThread>
class TableReader : public RowReader<Scalar> {
 public:
  /// Opens the first file. Throws OptionError for a schema that is not valid, DataError for a file that does not fit.
  TableReader(std::vector<Source> files, TableSchema schema, TableReaderOptions options = {});
  TableReader(const Source& file, TableSchema schema, TableReaderOptions options = {})
      : TableReader{std::vector<Source>{file}, std::move(schema), options} {}

  /// Reads as many rows as x has columns: x is features x samples, y has a place for each label. Returns how many it
  /// has read; fewer only at the end. Throws ShapeError for other sizes, and OptionError where the schema has no
  /// classes.
  Index read(View<Scalar> x, Span<int> y) {
    require_kind(classes_ > 0, "labels");
    require_size(y.size() >= x.cols(), "a place for each of " + detail::text(x.cols()) + " labels", y.size());
    return read_rows(x, y.begin(), nullptr, 0);
  }

  /// The same for targets that are numbers or flags: `targets` is targets x samples.
  Index read(View<Scalar> x, View<Scalar> targets) {
    require_kind(targets_ > 0, "targets");
    require_size(targets.rows() == targets_, "targets of " + detail::text(targets_) + " rows", targets.rows());
    require_size(targets.cols() >= x.cols(), "targets of " + detail::text(x.cols()) + " columns", targets.cols());
    return read_rows(x, nullptr, targets.data(), targets.outerStride());
  }

  /// The same without targets, which are still checked if TableReaderOptions::targets says so.
  Index read(View<Scalar> x) { return read_rows(x, nullptr, nullptr, 0); }

  /// The same for any kind of targets.
  Index read(View<Scalar> x, Span<int> y, View<Scalar> targets) override {
    if (classes() > 0) return read(x, y);
    return this->targets() > 0 ? read(x, targets) : read(x);
  }

  /// From any thread: the table ends at once, even where read() waits for a pipe.
  void cancel() override {
    cancelled_ = true;
    const std::lock_guard<std::mutex> lock{mutex_};
    if (records_) records_->cancel();
  }

  const TableSchema& schema() const { return schema_; }
  Index features() const override { return features_; }
  /// Of the labels; 0 where the schema has none, or TableReaderOptions::targets is not set.
  Index classes() const override { return classes_; }
  /// Real targets of a sample; 0 likewise.
  Index targets() const override { return targets_; }

  /// Bad rows that were skipped.
  Index skipped() const override { return skipped_; }

  /// Fields that were of no value in the schema, for which zeros stand.
  Index unknown() const { return unknown_; }

 private:
  using Records = detail::RecordReader<Bytes>;
  using Class = typename Records::Class;

  /// What becomes of a field.
  enum class Use { skip, number, category, hashed, label, target, flag };
  struct Place {
    Use use = Use::skip;
    Index at = 0;                         // of its first feature, or of the target
    const TableColumn* column = nullptr;  // null: of no column
    const std::unordered_map<std::string_view, Index>* values = nullptr;
  };

  /// One row's memory.
  struct Row {
    Scalar* x;
    int* label;       // or null
    Scalar* targets;  // or null
  };

  Index read_rows(View<Scalar> x, int* labels, Scalar* targets, Index stride);
  bool next_file();
  void place_columns(const std::vector<std::string>* header, Index count);
  bool read_row(const Row& row);
  bool read_plain(const Row& row);
  bool read_split(const Row& row);
  bool set(const Place& place, std::string_view text, const Row& row);
  template <class Number>
  bool set_number(std::string_view text, Number& value);
  bool set_missing(const Place& place, const Row& row);
  bool is_missing(std::string_view text) const;
  bool fail(std::string expected) {
    expected_ = std::move(expected);
    return false;
  }
  bool bad_row(const std::string& what);

  static void require_kind(bool holds, const char* what) {
    if (!holds) throw OptionError(std::string("TableReader: read: expected a table that is read with ") + what);
  }
  static void require_size(bool holds, const std::string& expected, Index got) {
    if (!holds) throw ShapeError("TableReader: read: expected " + expected + ", got " + detail::text(got));
  }

  std::vector<Source> files_;
  TableSchema schema_;
  TableReaderOptions options_;
  Index features_ = 0;
  Index classes_ = 0;
  Index targets_ = 0;
  std::vector<std::unordered_map<std::string_view, Index>> values_;  // of each column; views into the schema
  bool is_plain_ = true;                                             // rows may be read without splitting first
  bool is_sparse_ = false;                                           // features that a row does not set are 0
  std::vector<Place> places_;                                        // of each field of a row
  std::size_t file_ = 0;                                             // the next one
  std::unique_ptr<Records> records_;
  std::mutex mutex_;
  std::atomic<bool> cancelled_{false};
  std::vector<std::string_view> fields_;
  std::string expected_;  // of the last field that failed
  std::string number_;    // with a decimal point
  Index skipped_ = 0;
  Index unknown_ = 0;
};

/// The files of a table: "-" is standard input, a directory stands for its files in the order of their names, without
/// hidden ones. Throws DataError for a directory without files.
inline std::vector<Source> table_files(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (path == "-" || !fs::is_directory(path, error)) return {path};
  std::vector<std::string> paths;
  for (fs::directory_iterator entry{path, error}, end; !error && entry != end; entry.increment(error)) {
    if (entry->is_regular_file() && entry->path().filename().string()[0] != '.') paths.push_back(entry->path());
  }
  if (error) throw DataError(path + ": expected a directory to read, got: " + error.message());
  if (paths.empty()) throw DataError(path + ": expected a directory of tables, got no file in it");
  std::sort(paths.begin(), paths.end());
  return {paths.begin(), paths.end()};
}

/// The rows of a table, as a Stream takes them:
///
///     const auto files = table_files("adult.csv");
///     const TableSchema schema = find_schema(files, options);
///     Stream<float> stream{table_rows<float>(files, schema), stream_options};
template <class Scalar>
RowSource<Scalar> table_rows(const std::vector<Source>& files, const TableSchema& schema,
                             const TableReaderOptions& options = {}) {
  const auto repeatable = [=] {
    return std::all_of(files.begin(), files.end(), [](const Source& file) { return file.repeatable(); });
  };
  return {files.empty() ? "" : files.front().name(), repeatable,
          [=] { return std::make_unique<TableReader<Scalar>>(files, schema, options); }};
}

/// Reads a whole table into memory. Throws as TableReader does, and DataError for one without rows or targets.
template <class Scalar>
Dataset<Scalar> load_table(const std::vector<Source>& files, const TableSchema& schema,
                           const TableReaderOptions& options = {}) {
  TableReader<Scalar> reader{files, schema, options};
  Matrix<Scalar> x(reader.features(), 1024);
  Labels y(reader.classes() > 0 ? 1024 : 0);
  Matrix<Scalar> targets(reader.targets(), 1024);
  Index size = 0;
  for (;;) {
    const Index room = x.cols() - size;
    const Index labels = y.size() > 0 ? room : 0;
    const Index count =
        reader.read(View<Scalar>{x}.slice(size, room), Span<int>{y.data() + (y.size() - labels), labels},
                    View<Scalar>{targets}.slice(size, room));
    size += count;
    if (count < room) break;
    x.conservativeResize(Eigen::NoChange, 2 * size);
    targets.conservativeResize(Eigen::NoChange, 2 * size);
    if (y.size() > 0) y.conservativeResize(2 * size);
  }
  if (size == 0 || (reader.classes() == 0 && reader.targets() == 0)) {
    throw DataError(files.front().name() + ": expected rows with targets, got " + (size == 0 ? "no row" : "no target"));
  }
  x.conservativeResize(Eigen::NoChange, size);
  if (reader.classes() > 0) return {std::move(x), y.head(size), reader.classes()};
  return {std::move(x), targets.leftCols(size)};
}

template <class Scalar, class Bytes>
TableReader<Scalar, Bytes>::TableReader(std::vector<Source> files, TableSchema schema, TableReaderOptions options)
    : files_{std::move(files)}, schema_{std::move(schema)}, options_{options} {
  schema_.require_valid();
  constexpr Index most = Index{1} << 30U;
  detail::require_option(options_.longest_row >= 1 && options_.longest_row <= most, "TableReaderOptions: longest_row",
                         "must be 1 to 2^30", double(options_.longest_row));
  detail::require_option(!files_.empty(), "TableReader: files", "must be 1 or more", 0);
  for (const Source& file : files_) {  // a record may have several lines
    detail::require_option(file.parts() == 1, "TableReader: parts of a file", "must be 1 (deal out files)",
                           double(file.parts()));
  }
  features_ = schema_.features();
  if (options_.targets && schema_.target == TargetKind::classes) classes_ = schema_.classes();
  if (options_.targets && schema_.target != TargetKind::classes) targets_ = schema_.targets();
  is_plain_ = schema_.format.separator != ' ' && !schema_.format.decimal_comma;
  values_.resize(schema_.columns.size());
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    const TableColumn& column = schema_.columns[i];
    if (column.role == ColumnRole::ignored) continue;
    const bool is_dense = column.kind == ColumnKind::number && column.missing != Missing::indicator;
    is_sparse_ = is_sparse_ || (column.role == ColumnRole::feature && !is_dense);
    if (column.kind != ColumnKind::category) continue;
    for (const std::string& value : column.values) values_[i].emplace(value, static_cast<Index>(values_[i].size()));
  }
  next_file();
}

template <class Scalar, class Bytes>
Index TableReader<Scalar, Bytes>::read_rows(View<Scalar> x, int* labels, Scalar* targets, Index stride) {
  require_size(x.rows() == features_, "x of " + detail::text(features_) + " features (rows)", x.rows());
  Index count = 0;
  while (count < x.cols()) {
    if (!records_->find_record()) {
      if (next_file()) continue;
      break;
    }
    const Row row{x.data() + count * x.outerStride(), labels == nullptr ? nullptr : labels + count,
                  targets == nullptr ? nullptr : targets + count * stride};
    if (read_row(row)) ++count;
  }
  return count;
}

/// Opens the next file that has a row; false where there is none.
template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::next_file() {
  while (file_ < files_.size() && !cancelled_) {
    auto records = std::make_unique<Records>(files_[file_++], schema_.format, options_.longest_row);
    {
      const std::lock_guard<std::mutex> lock{mutex_};
      records_ = std::move(records);
      if (cancelled_) records_->cancel();
    }
    if (schema_.format.header) {
      const auto header = detail::read_header(*records_);
      place_columns(&header, static_cast<Index>(header.size()));
    } else {
      places_.clear();  // by the first row
    }
    if (records_->find_record()) return true;
  }
  return false;
}

/// Decides what becomes of each field of a file's rows.
template <class Scalar, class Bytes>
void TableReader<Scalar, Bytes>::place_columns(const std::vector<std::string>* header, Index count) {
  const auto& columns = schema_.columns;
  const auto indices = detail::match_columns(schema_, header, count, options_.targets, records_->name());
  places_.assign(static_cast<std::size_t>(count), {});
  Index feature = 0;
  Index target = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const TableColumn& column = columns[i];
    Place place;
    place.column = &column;
    place.values = &values_[i];
    if (column.role == ColumnRole::feature) {
      place.at = feature;
      place.use = column.kind == ColumnKind::number     ? Use::number
                  : column.kind == ColumnKind::category ? Use::category
                                                        : Use::hashed;
    } else if (column.role == ColumnRole::target && options_.targets) {
      place.at = target++;
      place.use = schema_.target == TargetKind::classes   ? Use::label
                  : schema_.target == TargetKind::numbers ? Use::target
                                                          : Use::flag;
    }
    feature += column.features();
    if (indices[i] >= 0) places_[static_cast<std::size_t>(indices[i])] = place;
  }
}

template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::read_row(const Row& row) {
  if (is_sparse_) std::fill_n(row.x, features_, Scalar{0});
  return (is_plain_ && read_plain(row)) || read_split(row);
}

/// Reads a row as it stands in the text; false, and nothing is passed, for one that has quotes, that may go on beyond
/// the window, or that is bad.
template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::read_plain(const Row& row) {
  if (places_.empty()) return false;
  const char separator = schema_.format.separator;
  const char* at = records_->window().at();
  const Place* const end = places_.data() + places_.size();
  for (const Place* place = places_.data(); place != end; ++place) {
    if (place != places_.data()) {
      if (*at != separator) return false;
      ++at;
    }
    if (place->use == Use::number) {
      Scalar value = 0;
      const char* const behind = detail::read_number(at, value);
      if (behind != nullptr && records_->class_of(*behind) == Class::end && detail::is_finite(value)) {
        row.x[place->at] = value;
        at = behind;
        continue;
      }
    }
    const char* const first = at;
    while (records_->class_of(*at) == Class::inner) ++at;
    if (records_->class_of(*at) == Class::special) return false;
    if (place->use == Use::skip) continue;
    if (!set(*place, records_->trimmed(first, at), row)) return false;
  }
  return *at != separator && records_->pass_record(at);
}

/// Reads a row of any kind; false where it is bad.
template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::read_split(const Row& row) {
  if (records_->split(fields_) == Records::Status::bad) return bad_row(": " + records_->problem());
  if (places_.empty()) {
    const auto count = static_cast<Index>(fields_.size());
    const bool fits = detail::fits_by_place(schema_, count, options_.targets);
    if (!fits && options_.bad_rows == BadRows::skip) return bad_row("");
    place_columns(nullptr, count);
  }
  if (fields_.size() != places_.size()) {
    return bad_row(": expected " + detail::text(places_.size()) + " columns, got " + detail::text(fields_.size()));
  }
  if (is_sparse_) std::fill_n(row.x, features_, Scalar{0});  // what read_plain() has set
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Place& place = places_[i];
    if (place.use == Use::skip || set(place, fields_[i], row)) continue;
    return bad_row(", column " + detail::in_quotes(place.column->name) + ": expected " + expected_ + ", got " +
                   detail::in_quotes(fields_[i]));
  }
  return true;
}

/// Sets what a field stands for; false where it has no place, and expected_ says what has.
template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::set(const Place& place, std::string_view text, const Row& row) {
  switch (place.use) {
    case Use::number:
      if (set_number(text, row.x[place.at])) return true;
      return is_missing(text) && set_missing(place, row);
    case Use::category: {
      const auto found = place.values->find(text);
      if (found != place.values->end()) {
        row.x[place.at + found->second] = 1;
        return true;
      }
      if (is_missing(text)) return set_missing(place, row);
      if (schema_.unknown == UnknownValues::refuse) {
        return fail("one of the " + detail::text(place.values->size()) + " values that its schema has");
      }
      ++unknown_;
      return true;
    }
    case Use::hashed:
      if (is_missing(text)) return set_missing(place, row);
      row.x[place.at + detail::bucket_of(text, place.column->buckets)] = 1;
      return true;
    case Use::label: {
      const auto found = place.values->find(text);
      if (found == place.values->end()) return fail("a class " + detail::list_of(place.column->values));
      if (row.label != nullptr) *row.label = static_cast<int>(found->second);
      return true;
    }
    case Use::target:
    case Use::flag: {
      double number = 0;
      if (!set_number(text, number)) return false;
      if (place.use == Use::flag && number != 0 && number != 1) return fail("0 or 1");
      const auto value = detail::narrow<Scalar>((number - place.column->mean) / place.column->deviation);
      if (!detail::is_finite(value)) return fail("a finite number, also in units of its deviation");
      if (row.targets != nullptr) row.targets[place.at] = value;
      return true;
    }
    case Use::skip: break;
  }
  return true;
}

template <class Scalar, class Bytes>
template <class Number>
bool TableReader<Scalar, Bytes>::set_number(std::string_view text, Number& value) {
  Number number = 0;
  if (!detail::read_whole_number(text, schema_.format.decimal_comma, number, number_)) return fail("a number");
  if (!detail::is_finite(number)) return fail("a finite number");
  value = number;
  return true;
}

template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::set_missing(const Place& place, const Row& row) {
  const TableColumn& column = *place.column;
  if (column.missing == Missing::refuse) return fail("a value, as its schema refuses what is missing");
  if (column.kind == ColumnKind::number) row.x[place.at] = detail::narrow<Scalar>(column.mean);
  if (column.missing == Missing::indicator) row.x[place.at + column.features() - 1] = 1;
  return true;
}

template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::is_missing(std::string_view text) const {
  return std::find(schema_.missing.begin(), schema_.missing.end(), text) != schema_.missing.end();
}

/// Throws or counts.
template <class Scalar, class Bytes>
bool TableReader<Scalar, Bytes>::bad_row(const std::string& what) {
  if (options_.bad_rows == BadRows::refuse) {
    throw DataError(records_->name() + ", line " + detail::text(records_->line()) + what);
  }
  ++skipped_;
  return false;
}

}  // namespace altmin
