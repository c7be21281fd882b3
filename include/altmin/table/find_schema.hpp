#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/readers/csv.hpp"
#include "altmin/table/columns.hpp"
#include "altmin/table/records.hpp"
#include "altmin/table/schema.hpp"
#include "altmin/table/text.hpp"

namespace altmin {

/// What find_schema() is told of a table. A column is named by its name or, where none has that name, by its number:
/// from 1, or from -1, the last one, downwards.
struct TableOptions {
  std::vector<std::string> targets{};            ///< columns
  TargetKind target_kind = TargetKind::classes;  ///< of the targets, where there are any
  std::vector<std::string> numbers{};            ///< columns that must be numbers
  std::vector<std::string> categories{};         ///< columns whose values are categories, also where they are numbers
  std::vector<std::string> hashed{};             ///< columns whose values are hashed
  std::vector<std::string> ignored{};            ///< columns that are no features
  Missing missing = Missing::indicator;          ///< where a column has missing values; indicator, refuse; others: mean
  UnknownValues unknown = UnknownValues::zeros;  ///< see TableSchema
  Index most_values = 256;                       ///< of a category; a column of more is hashed into so many; 1 to 2^20
  std::optional<bool> header{};                  ///< not set: there is one if no field of the first row is a number
  std::optional<char> separator{};               ///< not set: the most frequent of , ; tab | in the first row, or space
  std::optional<char> comment{};                 ///< not set: #, if lines in front of the first row begin with it
  bool decimal_comma = false;                    ///< see TableFormat
  std::vector<std::string> missing_texts = TableSchema{}.missing;
  BadRows bad_rows = BadRows::refuse;  ///< of too few or too many columns
};

namespace detail {

/// What is known of one column after some rows.
class ColumnFinder {
 public:
  ColumnFinder(TableColumn column, std::size_t most_values, bool is_fixed)
      : column_{std::move(column)}, most_values_{most_values}, is_fixed_{is_fixed} {}

  const TableColumn& column() const { return column_; }

  void observe_missing() { ++missing_; }

  /// `where` returns the place of the field, for messages.
  template <class Where>
  void observe(std::string_view text, bool is_number, double number, const Where& where) {
    ++count_;
    if (column_.role == ColumnRole::ignored) return;
    if (is_number) {
      const double difference = number - mean_;
      mean_ += difference / static_cast<double>(++numbers_);
      squares_ += difference * (number - mean_);
    } else if (column_.kind == ColumnKind::number && is_fixed_) {
      throw DataError(where() + "expected a number, got " + in_quotes(text));
    } else if (texts_++ == 0) {
      first_text_ = where() + "expected a number, as most values of this column are, got " + in_quotes(text);
    }
    const bool may_be_category = column_.kind == ColumnKind::category || !is_fixed_;
    if (may_be_category && !has_many_) list(text, where);
  }

  /// The column as a schema's.
  TableColumn finish(Missing missing) {
    if (column_.role == ColumnRole::ignored) return column_;
    if (column_.role == ColumnRole::feature && count_ == 0) {  // nothing can be told
      column_.role = ColumnRole::ignored;
      return column_;
    }
    if (!is_fixed_ && texts_ > 0) column_.kind = ColumnKind::category;
    if (column_.kind == ColumnKind::category && has_many_) {
      if (!is_fixed_ && numbers_ > texts_) throw DataError(first_text_);
      if (!is_fixed_ && all_differ_) column_.role = ColumnRole::ignored;
      column_.kind = ColumnKind::hashed;
      column_.buckets = static_cast<Index>(most_values_);
    }
    if (column_.kind == ColumnKind::number) {
      column_.mean = mean_;
      const double deviation = std::sqrt(squares_ / static_cast<double>(numbers_));
      const bool is_scaled = column_.role == ColumnRole::target && deviation > 0 && deviation - deviation == 0;
      if (is_scaled) column_.deviation = deviation;
    }
    if (column_.kind == ColumnKind::category) column_.values = sorted_values();
    column_.missing = missing == Missing::indicator && missing_ == 0 ? Missing::mean : missing;
    if (column_.role == ColumnRole::target) column_.missing = Missing::mean;
    return column_;
  }

 private:
  template <class Where>
  void list(std::string_view text, const Where& where) {
    constexpr std::size_t longest = 256;
    if (text.size() <= longest && values_.count(std::string{text}) > 0) return;
    if (text.size() <= longest && values_.size() < most_values_) {
      if (!is_utf8(text)) {
        throw DataError(where() + "expected UTF-8 text, got " + in_quotes(text) +
                        " (in Latin-1? convert it by iconv -f LATIN1 -t UTF-8)");
      }
      values_.emplace(text);
      return;
    }
    if (column_.role == ColumnRole::target) {
      throw DataError(where() + "expected a target of at most " + detail::text(most_values_) + " classes" +
                      (texts_ == 0 ? ", got more numbers (are they targets of a regression?)" : ", got more"));
    }
    has_many_ = true;
    all_differ_ = count_ == static_cast<Index>(values_.size()) + 1;
    values_.clear();
  }

  /// Numbers by their size, else by their bytes.
  std::vector<std::string> sorted_values() const {
    std::vector<std::string> result{values_.begin(), values_.end()};
    std::sort(result.begin(), result.end());
    if (texts_ > 0) return result;
    std::string copy;
    const auto number = [&](std::string text) {
      double value = 0;
      text.append(csv_padding, '\0');
      read_whole_number(std::string_view{text}.substr(0, text.size() - csv_padding), false, value, copy);
      return value;
    };
    std::stable_sort(result.begin(), result.end(),
                     [&](const std::string& a, const std::string& b) { return number(a) < number(b); });
    return result;
  }

  TableColumn column_;
  std::size_t most_values_;
  bool is_fixed_;            // its kind is given
  bool has_many_ = false;    // more values than are listed
  bool all_differ_ = false;  // so far, then
  std::unordered_set<std::string> values_;
  Index count_ = 0;
  Index numbers_ = 0;
  Index texts_ = 0;
  Index missing_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // of differences to the mean
  std::string first_text_;
};

/// Finds a schema: what its file looks like, which columns there are, and, row by row, what they hold.
class SchemaFinder {
 public:
  SchemaFinder(const std::vector<Source>& files, const TableOptions& options) : files_{files}, options_{options} {
    require_option(!files.empty(), "find_schema: files", "must be 1 or more", 0);
    constexpr Index most = Index{1} << 20U;
    require_option(options.most_values >= 1 && options.most_values <= most, "TableOptions: most_values",
                   "must be 1 to 2^20", double(options.most_values));
    for (const Source& file : files) {
      std::error_code ignored;
      const bool is_absent = file.is_file() && !std::filesystem::exists(file.path(), ignored);  // as opening it tells
      if (!is_absent && !file.repeatable())
        throw DataError(file.name() + ": it can be read only once: expected a file");
    }
  }

  TableSchema find() {
    find_format();
    find_columns();
    for (const Source& file : files_) observe(file);
    TableSchema schema = layout();
    for (std::size_t i = 0; i < finders_.size(); ++i) schema.columns[i] = finders_[i].finish(options_.missing);
    for (TableColumn& column : schema.columns) {
      if (schema.target != TargetKind::flags || column.role != ColumnRole::target) continue;
      column.mean = 0;  // 0 and 1 are read as they are
      column.deviation = 1;
    }
    if (schema.target == TargetKind::classes && schema.classes() < 2) {
      throw DataError(files_.front().name() + ": column " + in_quotes(schema.target_names().front()) +
                      ": expected at least 2 classes, got " +
                      (schema.classes() == 0 ? "none" : in_quotes(schema.class_names().front()) + " alone"));
    }
    if (schema.features() == 0) {
      throw DataError(files_.front().name() + ": expected at least one row with a feature beside the target, got none");
    }
    schema.require_valid();
    return schema;
  }

 private:
  using Records = RecordReader<TextThread>;
  static constexpr Index longest_row = Index{1} << 20U;

  void find_format() {
    format_.decimal_comma = options_.decimal_comma;
    format_.comment = options_.comment.value_or('#');
    std::string line = first_line();
    if (!options_.comment) {  // a header may begin with it as well
      format_.comment = '\0';
      const std::string first = first_line();
      if (first.empty() || first[0] != '#') {
        line = first;
      } else if (line.empty() || (best_separator(line).second == best_separator(first).second && first != line &&
                                  best_separator(first).second > 1)) {
        line = first;
      } else {
        format_.comment = '#';
      }
    }
    format_.separator = options_.separator ? *options_.separator : best_separator(line).first;
    format_.require_valid();
  }

  std::string first_line() const { return Records{files_.front(), format_, longest_row}.first_line(); }

  /// The separator of a line, and the fields that it makes.
  std::pair<char, Index> best_separator(const std::string& line) const {
    std::pair<char, Index> best{',', 1};
    for (const char c : {',', ';', '\t', '|'}) {
      if (c == ',' && options_.decimal_comma) continue;
      bool within = false;
      Index count = 1;
      for (const char byte : line) {
        within = within != (byte == '"');
        count += byte == c && !within ? 1 : 0;
      }
      if (count > best.second) best = {c, count};
    }
    if (best.second > 1) return best;
    const bool has_spaces = line.find_first_of(" \t") != std::string::npos && line.find('"') == std::string::npos;
    return has_spaces || options_.decimal_comma ? std::pair{has_spaces ? ' ' : ';', Index{1}} : best;
  }

  void find_columns() {
    Records records{files_.front(), format_, longest_row};
    std::vector<std::string_view> fields;
    if (!records.find_record()) throw DataError(records.name() + ": expected at least one row, got none");
    if (records.split(fields) == Records::Status::bad) {
      throw DataError(records.name() + ", line " + text(records.line()) + ": " + records.problem());
    }
    const bool has_number = std::any_of(fields.begin(), fields.end(), [&](std::string_view field) {
      double value = 0;
      return read_whole_number(field, format_.decimal_comma, value, copy_);
    });
    format_.header = options_.header.value_or(!has_number);
    if (!format_.header) fields.assign(fields.size(), {});  // called by their numbers
    const auto all = column_names(fields);
    for (const std::string& name : all) {
      if (!is_utf8(name)) {
        throw DataError(records.name() + ": expected names of columns in UTF-8, got " + in_quotes(name) +
                        " (in Latin-1? convert it by iconv -f LATIN1 -t UTF-8)");
      }
    }
    std::vector<TableColumn> columns(all.size());
    std::vector<bool> is_fixed(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) columns[i].name = all[i];
    const auto choose = [&](const std::vector<std::string>& names, const char* what, auto&& set) {
      for (const std::string& name : names) {
        const std::size_t i = index_of(name, all, what);
        if (is_fixed[i]) {
          throw OptionError(std::string("TableOptions: ") + what + ": expected a column that is named once, got " +
                            in_quotes(name) + " again");
        }
        is_fixed[i] = true;
        set(columns[i]);
      }
    };
    const bool has_classes = options_.target_kind == TargetKind::classes;
    choose(options_.targets, "targets", [&](TableColumn& column) {
      column.role = ColumnRole::target;
      column.kind = has_classes ? ColumnKind::category : ColumnKind::number;
    });
    choose(options_.ignored, "ignored", [](TableColumn& column) { column.role = ColumnRole::ignored; });
    choose(options_.numbers, "numbers", [](TableColumn& column) { column.kind = ColumnKind::number; });
    choose(options_.categories, "categories", [](TableColumn& column) { column.kind = ColumnKind::category; });
    choose(options_.hashed, "hashed", [&](TableColumn& column) {
      column.kind = ColumnKind::hashed;
      column.buckets = options_.most_values;
    });
    if (has_classes && options_.targets.size() > 1) {
      throw OptionError("TableOptions: targets: expected one column of classes, got " + text(options_.targets.size()));
    }
    constexpr std::size_t most_classes = 1000;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool is_target = columns[i].role == ColumnRole::target;
      finders_.emplace_back(columns[i], is_target ? most_classes : static_cast<std::size_t>(options_.most_values),
                            is_fixed[i]);
    }
  }

  std::size_t index_of(const std::string& name, const std::vector<std::string>& all, const char* what) const {
    const auto found = std::find(all.begin(), all.end(), name);
    if (found != all.end()) return static_cast<std::size_t>(found - all.begin());
    const bool is_number =
        name.find_first_not_of("0123456789", name.substr(0, 1) == "-" ? 1 : 0) == std::string::npos &&
        name.size() < 9 && name.find_first_of("0123456789") != std::string::npos;
    const long number = is_number ? std::stol(name) : 0;
    const auto count = static_cast<long>(all.size());
    if (number >= 1 && number <= count) return static_cast<std::size_t>(number - 1);
    if (number <= -1 && number >= -count) return static_cast<std::size_t>(count + number);
    throw OptionError(std::string("TableOptions: ") + what + ": expected one of the columns of " +
                      files_.front().name() + ", " + list_of(all) + ", got " + in_quotes(name));
  }

  /// The schema, but for what the rows tell.
  TableSchema layout() const {
    TableSchema schema;
    for (const ColumnFinder& finder : finders_) schema.columns.push_back(finder.column());
    schema.target = options_.targets.empty() ? TargetKind::none : options_.target_kind;
    schema.unknown = options_.unknown;
    schema.format = format_;
    schema.missing = options_.missing_texts;
    return schema;
  }

  void observe(const Source& file) {
    Records records{file, format_, longest_row};
    std::vector<std::string> header;
    if (format_.header) header = read_header(records);
    const auto count = format_.header ? header.size() : finders_.size();
    const auto places =
        match_columns(layout(), format_.header ? &header : nullptr, static_cast<Index>(count), true, file.name());
    std::vector<std::string_view> fields;
    while (records.find_record()) {
      std::string problem;
      if (records.split(fields) == Records::Status::bad) {
        problem = ": " + records.problem();
      } else if (fields.size() != count) {
        problem = ": expected " + text(count) + " columns, got " + text(fields.size());
      }
      if (problem.empty()) {
        observe_row(fields, places, records);
      } else if (options_.bad_rows == BadRows::refuse) {
        throw DataError(records.name() + ", line " + text(records.line()) + problem);
      }
    }
  }

  void observe_row(const std::vector<std::string_view>& fields, const std::vector<Index>& places,
                   const Records& records) {
    for (std::size_t i = 0; i < finders_.size(); ++i) {
      if (places[i] < 0) continue;
      const std::string_view field = fields[static_cast<std::size_t>(places[i])];
      double value = 0;
      const bool is_number = read_whole_number(field, format_.decimal_comma, value, copy_) && value - value == 0;
      if (!is_number && std::count(options_.missing_texts.begin(), options_.missing_texts.end(), field) > 0) {
        finders_[i].observe_missing();
      } else {
        finders_[i].observe(field, is_number, value, [&] {
          return records.name() + ", line " + text(records.line()) + ", column " +
                 in_quotes(finders_[i].column().name) + ": ";
        });
      }
    }
  }

  const std::vector<Source>& files_;
  const TableOptions& options_;
  TableFormat format_;
  std::vector<ColumnFinder> finders_;
  std::string copy_;
};

}  // namespace detail

/// Finds the schema of a table, one file or several, in one pass and in constant memory. A column is a number if all of
/// its values are; else a category, or, where it has more values than TableOptions::most_values, hashed. Three are not
/// what they seem: one of many values, most of which are numbers, is an error; one of many texts that all differ names
/// the rows, and is ignored, as is one without values. Categories and classes are sorted: they do not depend on the
/// order of rows. Targets that are numbers are standardized, see TableColumn::deviation. Throws DataError for a table
/// that cannot be read, OptionError for options that do not fit it.
inline TableSchema find_schema(const std::vector<Source>& files, const TableOptions& options = {}) {
  return detail::SchemaFinder{files, options}.find();
}
inline TableSchema find_schema(const Source& file, const TableOptions& options = {}) {
  return find_schema(std::vector<Source>{file}, options);
}

}  // namespace altmin
