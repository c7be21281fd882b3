#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"
#include "altmin/table/text.hpp"

namespace altmin {

/// What a column of a table is for.
enum class ColumnRole { feature, target, ignored };
constexpr std::array<const char*, 3> names(ColumnRole) { return {"feature", "target", "ignored"}; }

/// How the text of a column is read: a number; one of the values listed; any text, by its hash.
enum class ColumnKind { number, category, hashed };
constexpr std::array<const char*, 3> names(ColumnKind) { return {"number", "category", "hashed"}; }

/// What becomes of a feature that is missing. `mean`: the column's mean stands for a number, zeros for a category.
/// `indicator`: the same, and one more feature of the column is 1. `refuse`: the row is bad.
enum class Missing { mean, indicator, refuse };
constexpr std::array<const char*, 3> names(Missing) { return {"mean", "indicator", "refuse"}; }

/// What becomes of a text that a column's values do not list: zeros stand for it, or the row is bad.
enum class UnknownValues { zeros, refuse };
constexpr std::array<const char*, 2> names(UnknownValues) { return {"zeros", "refuse"}; }

/// What a table's targets are: none; a class, by its text; real numbers; several numbers that are 0 or 1.
enum class TargetKind { none, classes, numbers, flags };
constexpr std::array<const char*, 4> names(TargetKind) { return {"none", "classes", "numbers", "flags"}; }

/// One column of a table.
struct TableColumn {
  std::string name{};
  ColumnRole role = ColumnRole::feature;
  ColumnKind kind = ColumnKind::number;
  Missing missing = Missing::mean;    ///< of features; a target must not be missing
  double mean = 0;                    ///< stands for a number that is missing
  double deviation = 1;               ///< a target that is a number is read as (number - mean) / deviation
  std::vector<std::string> values{};  ///< of a category, one feature each; of a target, the names of its classes
  Index buckets = 0;                  ///< hashed: so many features

  /// Features that it makes.
  Index features() const {
    if (role != ColumnRole::feature) return 0;
    const Index own = kind == ColumnKind::number     ? 1
                      : kind == ColumnKind::category ? static_cast<Index>(values.size())
                                                     : buckets;
    return own + (missing == Missing::indicator ? 1 : 0);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("name", self.name...);
    visit("role", self.role...);
    visit("kind", self.kind...);
    visit("missing", self.missing...);
    visit("mean", self.mean...);
    visit("deviation", self.deviation...);
    visit("values", self.values...);
    visit("buckets", self.buckets...);
  }
};

/// How a table's text is split. Fields may stand in double quotes, and then hold separators, line ends, and quotes,
/// which are doubled.
struct TableFormat {
  char separator = ',';        ///< between two fields; a space stands for any number of spaces and tabs
  bool header = true;          ///< whether the first row of each file holds the columns' names
  char comment = '\0';         ///< lines that begin with it are passed over; NUL: there are none
  bool decimal_comma = false;  ///< 1,5 in place of 1.5; another separator is needed

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("separator", self.separator...);
    visit("header", self.header...);
    visit("comment", self.comment...);
    visit("decimal_comma", self.decimal_comma...);
  }

  /// Throws OptionError.
  void require_valid() const {
    const auto require = [](bool holds, const char* option, const char* range, char got) {
      if (holds) return;
      throw OptionError(std::string("TableFormat: ") + option + " " + range + ", got byte " +
                        detail::text(static_cast<unsigned char>(got)));
    };
    const std::string_view no_separator{"\"+-.0123456789eE\r\n\0", 18};
    require(no_separator.find(separator) == std::string_view::npos && is_ascii(separator), "separator",
            "must be an ASCII character that is not part of numbers, quotes or line ends", separator);
    require(!decimal_comma || separator != ',', "separator", "must not be a comma beside decimal commas", separator);
    const std::string_view no_comment{"\" \t\r\n"};
    require(no_comment.find(comment) == std::string_view::npos && comment != separator && is_ascii(comment), "comment",
            "must be an ASCII character that is no quote, space, separator or line end", comment);
  }

 private:
  static bool is_ascii(char c) { return static_cast<unsigned char>(c) < 128; }
};

/// What a table's columns are, and how its rows become samples: all that is needed to read another table of the same
/// kind. A plain value, found by find_schema() or written by hand; it travels with the network in a model's file (see
/// set_note()).
struct TableSchema {
  std::vector<TableColumn> columns{};  ///< in the order of the table that it was made of
  TargetKind target = TargetKind::none;
  UnknownValues unknown = UnknownValues::zeros;
  TableFormat format{};
  std::vector<std::string> missing{"", "?", "NA", "N/A", "NaN", "nan", "NULL", "null"};  ///< texts of what is missing

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("columns", self.columns...);
    visit("target", self.target...);
    visit("unknown", self.unknown...);
    visit("format", self.format...);
    visit("missing", self.missing...);
  }

  /// Features of a sample. Those of a column stand together, in the order of columns: the number, each of the
  /// categories, or each of the buckets; then the indicator of what is missing, where there is one.
  Index features() const {
    Index sum = 0;
    for (const TableColumn& column : columns) sum += column.features();
    return sum;
  }

  /// "age", "age is missing", "city=Berlin", "ticket#17".
  std::vector<std::string> feature_names() const {
    std::vector<std::string> result;
    for (const TableColumn& column : columns) {
      if (column.role != ColumnRole::feature) continue;
      if (column.kind == ColumnKind::number) result.push_back(column.name);
      if (column.kind == ColumnKind::category) {
        for (const std::string& value : column.values) result.push_back(column.name + "=" + value);
      }
      if (column.kind == ColumnKind::hashed) {
        for (Index i = 0; i < column.buckets; ++i) result.push_back(column.name + "#" + detail::text(i));
      }
      if (column.missing == Missing::indicator) result.push_back(column.name + " is missing");
    }
    return result;
  }

  /// The names of the target's classes; none unless the target is a class.
  std::vector<std::string> class_names() const {
    if (target != TargetKind::classes) return {};
    for (const TableColumn& column : columns) {
      if (column.role == ColumnRole::target) return column.values;
    }
    return {};
  }
  Index classes() const { return static_cast<Index>(class_names().size()); }

  /// The names of the columns that are targets.
  std::vector<std::string> target_names() const {
    std::vector<std::string> result;
    for (const TableColumn& column : columns) {
      if (column.role == ColumnRole::target) result.push_back(column.name);
    }
    return result;
  }

  /// The number that an output stands for, of target number `i`.
  double target_number(Index i, double output) const {
    for (const TableColumn& column : columns) {
      if (column.role == ColumnRole::target && i-- == 0) return output * column.deviation + column.mean;
    }
    throw OptionError("TableSchema: target_number: expected 0 to " + detail::text(targets() - 1) + ", got another one");
  }

  /// Columns that are targets.
  Index targets() const {
    return static_cast<Index>(std::count_if(
        columns.begin(), columns.end(), [](const TableColumn& column) { return column.role == ColumnRole::target; }));
  }

  /// Throws OptionError, naming the column, unless a table can be read by it: columns of different names, at least one
  /// feature and at most 2^20, values that differ, as many targets as its kind needs.
  void require_valid() const {
    const auto require = [](bool holds, const std::string& where, const std::string& what) {
      if (!holds) throw OptionError("TableSchema: " + where + ": " + what);
    };
    constexpr Index most_features = Index{1} << 20U;
    format.require_valid();
    std::set<std::string_view> names_so_far;
    Index sum = 0;
    for (const TableColumn& column : columns) {
      const std::string where = "column " + detail::in_quotes(column.name);
      require(names_so_far.insert(column.name).second, where, "expected different names, got it twice");
      if (column.role == ColumnRole::ignored) continue;
      if (column.kind == ColumnKind::category) {
        const std::set<std::string_view> distinct{column.values.begin(), column.values.end()};
        require(!distinct.empty(), where, "expected at least one value, got none");
        require(distinct.size() == column.values.size(), where, "expected different values, got one twice");
      }
      if (column.kind == ColumnKind::hashed) {
        require(column.buckets >= 1 && column.buckets <= most_features, where,
                "expected 1 to " + detail::text(most_features) + " buckets, got " + detail::text(column.buckets));
      }
      require(column.mean - column.mean == 0, where, "expected a finite mean, got " + detail::text(column.mean));
      require(column.deviation > 0 && column.deviation - column.deviation == 0, where,
              "expected a finite deviation above 0, got " + detail::text(column.deviation));
      sum += column.features();
      require(sum <= most_features, where, "expected at most " + detail::text(most_features) + " features, got more");
      if (column.role == ColumnRole::target) {
        const bool classes = target == TargetKind::classes;
        require(column.kind == (classes ? ColumnKind::category : ColumnKind::number), where,
                "expected a target that is a " + std::string(classes ? "category" : "number") + ", got " +
                    names(column.kind)[static_cast<std::size_t>(column.kind)]);
      }
    }
    require(sum >= 1, "columns", "expected at least one feature, got none");
    const Index count = targets();
    const bool fits = target == TargetKind::none ? count == 0 : target == TargetKind::classes ? count == 1 : count >= 1;
    require(fits, "target",
            "expected " +
                std::string(target == TargetKind::none      ? "no column"
                            : target == TargetKind::classes ? "one column"
                                                            : "at least one column") +
                " for '" + names(target)[static_cast<std::size_t>(target)] + "', got " + detail::text(count));
  }
};

}  // namespace altmin
