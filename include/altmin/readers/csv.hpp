#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/readers/csv_number.hpp"
#include "altmin/readers/csv_source.hpp"
#include "altmin/readers/row_reader.hpp"

namespace altmin {

/// What becomes of a row that cannot be read.
enum class BadRows { refuse, skip };
constexpr std::array<const char*, 2> names(BadRows) { return {"refuse", "skip"}; }

/// The layout of a table of numbers, one sample a line. Columns are counted from 0, and in messages from 1. The
/// defaults are those of HIGGS: the label, the features, no names.
struct CsvOptions {
  Index label = 0;                  ///< column of the label; below 0: from the end, -1 is the last one
  Index classes = 2;                ///< labels are 0 .. classes - 1; 1 or more
  std::vector<Index> features{};    ///< columns of the features, in this order; none: all but the label
  char separator = ',';             ///< between two columns
  bool header = false;              ///< whether the first line holds names, which are passed over
  std::optional<double> missing{};  ///< stands for a feature that is empty, NA, NaN or ?; not set: such a row is bad,
                                    ///< as one without a label always is; finite as a Scalar
  BadRows bad_rows = BadRows::refuse;
  Index max_line = 65536;  ///< bytes; longer lines are bad rows; 1 or more

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("label", self.label...);
    visit("classes", self.classes...);
    visit("features", self.features...);
    visit("separator", self.separator...);
    visit("header", self.header...);
    visit("missing", self.missing...);
    visit("bad_rows", self.bad_rows...);
    visit("max_line", self.max_line...);
  }
};

/// Reads a table of comma-separated values, plain or gzipped (of several members, too), row by row in constant memory;
/// bytes are read and inflated on a thread of their own. A number is the double nearest to its text, cast to Scalar.
/// Lines end in LF or CR LF; empty lines are passed over, and so are spaces around a number.
///
/// A bad row - one of too few or too many columns, of a field that is not a finite number, of a label that is no
/// class, or too long - throws DataError with file, line and column, or is skipped and counted. So is damaged gzip
/// data, which ends the table. Where the system fails to read, that is always thrown. (With detail::Text as `Bytes`,
/// nothing is done on another thread.)
template <class Scalar, class Bytes = detail::TextThread>
class CsvReader : public RowReader<Scalar> {
 public:
  /// Reads up to the first row, whose columns every row must have. Throws OptionError for a layout that this table
  /// cannot have, DataError where there is no row.
  explicit CsvReader(const Source& source, CsvOptions options = {})
      : name_{source.name()}, options_{std::move(options)}, bytes_{source} {
    const auto separator = std::string_view{&options_.separator, 1};
    detail::require_option(separator.find_first_of("+-.0123456789eE \r\n") != 0, "CsvOptions: separator",
                           "must not be a part of numbers or lines", options_.separator);
    detail::require_option(options_.classes >= 1 && options_.classes <= std::numeric_limits<int>::max(),
                           "CsvOptions: classes", "must be 1 or more", double(options_.classes));
    constexpr Index most = Index{1} << 30U;
    detail::require_option(options_.max_line >= 1 && options_.max_line <= most, "CsvOptions: max_line",
                           "must be 1 to 2^30", double(options_.max_line));
    const double missing = options_.missing.value_or(0);
    missing_ = detail::narrow<Scalar>(missing);
    detail::require_option(detail::is_finite(missing_), "CsvOptions: missing",
                           sizeof(Scalar) < sizeof(double) ? "must be finite as a float" : "must be finite", missing);
    at_ = end_ = text_end_ = block_.bytes();
    find_columns();
  }

  /// Reads as many rows as x has columns: x is features x samples, y has a place for each label. Returns how many it
  /// has read; fewer only at the end. Throws ShapeError for an x of other rows, or a y of fewer places.
  Index read(View<Scalar> x, Span<int> y) {
    if (x.rows() != features_) {
      throw ShapeError("CsvReader: read: expected x of " + detail::text(features_) + " features (rows), got " +
                       detail::shape_text(x.rows(), x.cols()));
    }
    if (y.size() < x.cols()) {
      throw ShapeError("CsvReader: read: expected a place for each of " + detail::text(x.cols()) + " labels, got " +
                       detail::text(y.size()));
    }
    Index count = 0;
    while (count < x.cols() && (at_ != end_ || refill())) {
      if (read_row(x.data() + count * x.outerStride(), y[count])) ++count;
    }
    return count;
  }

  Index read(View<Scalar> x, Span<int> y, View<Scalar>) override { return read(x, y); }

  /// From any thread: the table ends at once, even where read() waits for a pipe.
  void cancel() override { bytes_.cancel(); }

  Index features() const override { return features_; }
  Index classes() const override { return options_.classes; }
  Index targets() const override { return 0; }

  /// Lines read.
  Index lines() const { return line_; }

  /// Bad rows among them that were skipped.
  Index skipped() const override { return skipped_; }

 private:
  static constexpr int label_place = -1;
  static constexpr int no_place = -2;

  /// Finds where the fields of the first line belong.
  void find_columns() {
    while (at_ != end_ || refill()) {
      if (line_ == 0 && end_ - at_ >= 3 && std::memcmp(at_, "\xef\xbb\xbf", 3) == 0) at_ += 3;  // byte order mark
      if (!is_blank(at_)) break;
      next_line(at_);
    }
    if (at_ == end_) throw DataError(name_ + ": expected at least one row, got none");
    const char* const newline = line_end(at_);
    const auto columns = static_cast<Index>(std::count(at_, newline, options_.separator)) + 1;
    places_.assign(static_cast<std::size_t>(columns), options_.features.empty() ? 0 : no_place);
    const auto place = [&](Index column, const char* what, Index got) -> int& {
      if (column < 0 || column >= columns) {
        throw OptionError("CsvOptions: " + std::string(what) + " must be one of the " + detail::text(columns) +
                          " columns of " + name_ + ", got " + detail::text(got));
      }
      return places_[static_cast<std::size_t>(column)];
    };
    for (const Index column : options_.features) {
      int& free = place(column, "features", column);
      if (free != no_place)
        throw OptionError("CsvOptions: features must differ, got " + detail::text(column) + " twice");
      free = static_cast<int>(features_++);
    }
    int& label = place(options_.label < 0 ? columns + options_.label : options_.label, "label", options_.label);
    if (!options_.features.empty() && label != no_place) {
      throw OptionError("CsvOptions: label must not be one of the features, got " + detail::text(options_.label));
    }
    label = label_place;
    for (int& free : places_) {
      if (options_.features.empty() && free != label_place) free = static_cast<int>(features_++);
    }
    if (features_ == 0) throw DataError(name_ + ": expected at least one feature beside the label, got none");
    if (options_.header) next_line(newline);
  }

  /// Reads one line; false where it is no row.
  bool read_row(Scalar* x, int& y) {
    const char* at = at_;
    if (*at <= ' ' && is_blank(at)) return next_line(at);
    const int* const end = places_.data() + places_.size();
    const Scalar* const missing = options_.missing ? &missing_ : nullptr;
    for (const int* place = places_.data(); place != end; ++place) {
      if (*place == no_place) {
        at = field_end(at);
      } else {
        const char* const field = at;
        if (*place == label_place) {
          double value = 0;
          at = read_field(field, value, nullptr);
          if (at != nullptr) y = static_cast<int>(std::min(std::max(value, -1.0), double(options_.classes)));
          if (at == nullptr || y != value || y < 0 || y >= options_.classes) {
            return bad_field(place, "a label in 0 .. " + detail::text(options_.classes - 1), field);
          }
        } else {
          Scalar value = 0;
          at = read_field(field, value, missing);
          if (at == nullptr) return bad_field(place, "a number", field);
          if (!detail::is_finite(value)) return bad_field(place, "a finite number", field);
          x[*place] = value;
        }
      }
      if ((*at == '\n') != (place + 1 == end)) return bad_count(at);
      ++at;
    }
    if (at - at_ > options_.max_line + 1) return bad_length();
    at_ = at;
    ++line_;
    return true;
  }

  /// Reads a field and returns its end; null for one that is no number, nor missing where `missing` is not null.
  template <class Number>
  const char* read_field(const char* field, Number& value, const Scalar* missing) const {
    const char* const at = detail::read_number(field, value);
    return at != nullptr && (*at == options_.separator || *at == '\n') ? at : read_unusual(field, value, missing);
  }

  /// The same for a number among spaces, and for one that is missing.
  template <class Number>
  EIGEN_DONT_INLINE const char* read_unusual(const char* field, Number& value, const Scalar* missing) const {
    const char* const end = field_end(field);
    while (field != end && is_space(*field)) ++field;
    const char* rest = detail::read_number(field, value);
    if (rest != nullptr) {
      while (rest != end && is_space(*rest)) ++rest;
      return rest == end ? end : nullptr;
    }
    std::string_view text{field, static_cast<std::size_t>(end - field)};
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    const bool lacks = text.empty() || text == "?" || text == "NA" || text == "NaN" || text == "nan";
    if (!lacks || missing == nullptr) return nullptr;
    value = *missing;
    return end;
  }

  bool bad_field(const int* place, const std::string& expected, const char* field) {
    std::string got;
    for (const char* c = field; c != field_end(field) && got.size() < 40; ++c) got += *c >= ' ' && *c <= '~' ? *c : '?';
    return bad_row(", column " + detail::text(place - places_.data() + 1) + ": expected " + expected + ", got '" + got +
                   "'");
  }
  bool bad_count(const char* at) {
    const char* const newline = line_end(at);
    return bad_row(": expected " + detail::text(places_.size()) + " columns, got " +
                   detail::text(std::count(at_, newline, options_.separator) + 1));
  }
  bool bad_length() { return bad_row(": expected at most " + detail::text(options_.max_line) + " bytes, got more"); }

  /// Goes on to the next line, and throws or counts.
  bool bad_row(const std::string& what) {
    if (at_ != end_) next_line(at_);
    if (options_.bad_rows == BadRows::refuse) throw DataError(name_ + ", line " + detail::text(line_) + what);
    ++skipped_;
    return false;
  }

  bool next_line(const char* at) {
    at_ = line_end(at) + 1;
    ++line_;
    return false;
  }

  /// Makes [at_, end_) the next whole lines, where none is left; false at the end of the table.
  bool refill() {
    for (;;) {
      if (text_end_ - end_ > options_.max_line) {
        passing_ = true;
        ++line_;
        drop_rest();
        bad_length();
      }
      const bool more = append_block();
      if (!more && text_end_ == end_) return false;
      if (!more) *text_end_++ = '\n';
      std::memset(text_end_, 0, detail::csv_padding);
      if (passing_) {
        end_ = std::find(end_, static_cast<const char*>(text_end_), '\n');
        passing_ = end_ == text_end_;
        if (!passing_) ++end_;
      }
      at_ = end_;
      const std::string_view text{at_, static_cast<std::size_t>(text_end_ - at_)};
      end_ += text.rfind('\n') + 1;  // none found: 0
      if (at_ != end_) return true;
    }
  }

  /// Puts the rest of a line in front of the next block, or a long one with this block into memory of its own; false
  /// where there is none.
  bool append_block() {
    try {
      if (!at_end_) at_end_ = !bytes_.next(next_);
    } catch (const detail::DamagedGzip& damage) {
      at_end_ = true;
      ++line_;
      drop_rest();
      bad_row(": expected sound gzip data, got: " + damage.reason);
    }
    if (at_end_) return false;
    const auto rest = static_cast<std::size_t>(text_end_ - end_);
    if (rest <= detail::TextBlock::ahead) {
      std::swap(block_, next_);
      text_end_ = block_.bytes() + block_.size;
      end_ = static_cast<const char*>(std::memcpy(block_.bytes() - rest, end_, rest));
    } else {
      const std::size_t room = detail::TextBlock::capacity + detail::TextBlock::behind;
      if (!long_line_) long_line_.reset(new char[static_cast<std::size_t>(options_.max_line) + room]);
      end_ = static_cast<const char*>(std::memmove(long_line_.get(), end_, rest));
      text_end_ = std::copy_n(next_.bytes(), next_.size, long_line_.get() + rest);
    }
    at_ = end_;
    return true;
  }

  void drop_rest() { text_end_ -= text_end_ - end_; }

  static bool is_space(char c) { return c == ' ' || c == '\r'; }

  const char* line_end(const char* at) const {
    return static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end_ - at)));
  }
  const char* field_end(const char* at) const {
    while (*at != options_.separator && *at != '\n') ++at;
    return at;
  }
  static bool is_blank(const char* at) {
    while (is_space(*at)) ++at;
    return *at == '\n';
  }

  std::string name_;
  CsvOptions options_;
  std::vector<int> places_;  // of each column: the feature, or one of the above
  Index features_ = 0;
  Scalar missing_ = 0;  // CsvOptions::missing, where set
  std::unique_ptr<char[]> long_line_;
  const char* at_ = nullptr;   // the next line
  const char* end_ = nullptr;  // behind the last whole one
  char* text_end_ = nullptr;   // behind what there is of the next
  bool passing_ = false;       // over the rest of a line that was too long
  bool at_end_ = false;
  Index line_ = 0;
  Index skipped_ = 0;
  detail::TextBlock block_;  // the text, unless a line of it is long
  detail::TextBlock next_;
  Bytes bytes_;
};

/// Reads a whole table into memory. Throws as CsvReader does, and DataError where no row is good.
template <class Scalar>
Dataset<Scalar> load_csv(const Source& source, const CsvOptions& options = {}) {
  CsvReader<Scalar> reader{source, options};
  Matrix<Scalar> x(reader.features(), 1024);
  Labels y(x.cols());
  Index size = 0;
  for (;;) {
    const Index room = x.cols() - size;
    const Index count = reader.read(View<Scalar>{x}.slice(size, room), Span<int>{y.data() + size, room});
    size += count;
    if (count < room) break;
    x.conservativeResize(Eigen::NoChange, 2 * size);
    y.conservativeResize(2 * size);
  }
  if (size == 0) throw DataError(source.name() + ": expected at least one good row, got none");
  x.conservativeResize(Eigen::NoChange, size);
  y.conservativeResize(size);
  return Dataset<Scalar>{std::move(x), std::move(y), options.classes};
}

}  // namespace altmin
