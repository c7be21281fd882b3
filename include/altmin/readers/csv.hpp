#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <limits>
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
#include "altmin/readers/text_window.hpp"

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
      : name_{source.name()},
        options_{checked(std::move(options))},
        part_{source.part()},
        parts_{source.parts()},
        window_{source, options_.max_line} {
    const double missing = options_.missing.value_or(0);
    missing_ = detail::narrow<Scalar>(missing);
    detail::require_option(detail::is_finite(missing_), "CsvOptions: missing",
                           sizeof(Scalar) < sizeof(double) ? "must be finite as a float" : "must be finite", missing);
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
    while (count < x.cols() && has_text()) {
      if (is_of_other_part()) {
        has_line() ? pass_line() : grow_line();
      } else if (read_row(x.data() + count * x.outerStride(), y[count])) {
        ++count;
      }
    }
    return count;
  }

  Index read(View<Scalar> x, Span<int> y, View<Scalar>) override { return read(x, y); }

  /// From any thread: the table ends at once, even where read() waits for a pipe.
  void cancel() override { window_.cancel(); }

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

  /// Throws OptionError.
  static CsvOptions checked(CsvOptions options) {
    const auto separator = std::string_view{&options.separator, 1};
    detail::require_option(separator.find_first_of("+-.0123456789eE \r\n") != 0, "CsvOptions: separator",
                           "must not be a part of numbers or lines", options.separator);
    detail::require_option(options.classes >= 1 && options.classes <= std::numeric_limits<int>::max(),
                           "CsvOptions: classes", "must be 1 or more", double(options.classes));
    constexpr Index most = Index{1} << 30U;
    detail::require_option(options.max_line >= 1 && options.max_line <= most, "CsvOptions: max_line",
                           "must be 1 to 2^30", double(options.max_line));
    return options;
  }

  /// Finds where the fields of the first line belong.
  void find_columns() {
    while (has_text()) {
      if (!has_line()) {
        grow_line();
        continue;
      }
      const char* const at = window_.at();
      const bool is_marked = line_ == 0 && window_.end() - at >= 3 && std::memcmp(at, "\xef\xbb\xbf", 3) == 0;
      if (is_marked) window_.pass(at + 3);  // byte order mark
      if (!is_blank(window_.at())) break;
      pass_line();
    }
    if (!has_text()) throw DataError(name_ + ": expected at least one row, got none");
    const char* const newline = line_end();
    const auto columns = static_cast<Index>(std::count(window_.at(), newline, options_.separator)) + 1;
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
    if (options_.header) pass_line();
  }

  /// Whether the next line is left to another part of the source. The line of names is of all.
  bool is_of_other_part() const {
    constexpr Index block = 1024;
    return parts_ > 1 && line_ / block % parts_ != part_;
  }

  /// Reads one line; false where it is no row, or only the beginning of one.
  bool read_row(Scalar* x, int& y) {
    const char* const line = window_.at();
    const char* at = line;
    if (*at <= ' ' && is_blank(at)) return has_line() ? pass_line() : grow_line();
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
      if ((*at == '\n') != (place + 1 == end)) return has_line() ? bad_count() : grow_line();
      ++at;
    }
    if (at > window_.end() && !window_.complete()) return grow_line();
    if (at - line > options_.max_line + 1) return bad_length();
    window_.pass(at);
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
    if (!has_line()) return grow_line();
    std::string got;
    for (const char* c = field; c != field_end(field) && got.size() < 40; ++c) got += *c >= ' ' && *c <= '~' ? *c : '?';
    return bad_row(", column " + detail::text(place - places_.data() + 1) + ": expected " + expected + ", got '" + got +
                   "'");
  }
  bool bad_count() {
    return bad_row(": expected " + detail::text(places_.size()) + " columns, got " +
                   detail::text(std::count(window_.at(), line_end(), options_.separator) + 1));
  }
  bool bad_length() { return bad_row(": expected at most " + detail::text(options_.max_line) + " bytes, got more"); }

  /// Goes on to the next line, and throws or counts.
  bool bad_row(const std::string& what) {
    if (has_text()) pass_line();
    if (options_.bad_rows == BadRows::refuse) throw DataError(name_ + ", line " + detail::text(line_) + what);
    ++skipped_;
    return false;
  }

  /// Goes on to the next line, as far as the window holds this one.
  bool pass_line() {
    window_.pass(line_end() + 1);
    ++line_;
    return false;
  }

  bool has_text() { return window_.at() != window_.end() || (grow() && has_text()); }

  /// Whether the window holds all of a line.
  bool has_line() const { return window_.complete() || line_end() != window_.end(); }

  /// Reads more of a line, or passes over all of it where it is too long.
  bool grow_line() {
    if (window_.end() - window_.at() <= options_.max_line) {
      grow();
      return false;
    }
    bad_length();
    while (window_.at() == window_.end() && grow()) {
      window_.pass(line_end());
    }
    window_.pass(window_.at() + 1);
    return false;
  }

  /// Reads more text; false where there is none.
  bool grow() {
    try {
      return window_.grow();
    } catch (const detail::DamagedGzip& damage) {
      window_.pass(window_.end());
      ++line_;
      return bad_row(": expected sound gzip data, got: " + damage.reason);
    }
  }

  static bool is_space(char c) { return c == ' ' || c == '\r'; }

  /// Where the line at the window's beginning ends, or the window.
  const char* line_end() const {
    const auto size = static_cast<std::size_t>(window_.end() - window_.at());
    const void* const found = std::memchr(window_.at(), '\n', size);
    return found != nullptr ? static_cast<const char*>(found) : window_.end();
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
  Index line_ = 0;
  Index skipped_ = 0;
  Index part_;  // of the source's lines
  Index parts_;
  detail::TextWindow<Bytes> window_;
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
