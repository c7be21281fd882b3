#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/readers/csv_number.hpp"
#include "altmin/table/records.hpp"
#include "altmin/table/schema.hpp"
#include "altmin/table/text.hpp"

/// What reading a table and finding its schema share: names of columns, and what a field stands for.

namespace altmin::detail {

/// "'a', 'b', 'c' or one of 7 more".
inline std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i > 0 ? ", " : "") + in_quotes(names[i]);
  return names.size() > most ? text + " or one of " + detail::text(names.size() - most) + " more" : text;
}

/// The names that a header gives to columns. One without a name is called by its number, from 1; the second column
/// called `x` is "x.2".
inline std::vector<std::string> column_names(const std::vector<std::string_view>& header) {
  std::vector<std::string> result;
  std::map<std::string, int> count;
  for (std::size_t i = 0; i < header.size(); ++i) {
    std::string name = header[i].empty() ? text(i + 1) : std::string{header[i]};
    while (count[name]++ > 0) name += "." + text(count[name]);
    result.push_back(name);
  }
  return result;
}

/// The names in the next record. Throws DataError where it is bad, or there is none.
template <class Bytes>
std::vector<std::string> read_header(RecordReader<Bytes>& records) {
  std::vector<std::string_view> fields;
  if (!records.find_record()) throw DataError(records.name() + ": expected a header, got no row");
  if (records.split(fields) == RecordReader<Bytes>::Status::bad) {
    throw DataError(records.name() + ", line " + text(records.line()) + ": " + records.problem());
  }
  return column_names(fields);
}

/// Whether a row of so many fields may be one of a table without header: of all columns, or of those without targets.
inline bool fits_by_place(const TableSchema& schema, Index count, bool needs_targets) {
  const auto all = static_cast<Index>(schema.columns.size());
  return count == all || (!needs_targets && count == all - schema.targets());
}

/// Where each column of the schema stands in a file of `count` columns, by their names where it has a header; -1: it
/// does not. Ignored columns may be absent, and so may targets that are not needed. Throws DataError, naming the
/// column.
inline std::vector<Index> match_columns(const TableSchema& schema, const std::vector<std::string>* header, Index count,
                                        bool needs_targets, const std::string& file) {
  const auto& columns = schema.columns;
  std::vector<Index> result(columns.size(), -1);
  if (header != nullptr) {
    std::map<std::string_view, Index> places;
    for (const std::string& name : *header) places.emplace(name, static_cast<Index>(places.size()));
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto found = places.find(columns[i].name);
      if (found != places.end()) result[i] = found->second;
      const bool needed =
          columns[i].role == ColumnRole::feature || (columns[i].role == ColumnRole::target && needs_targets);
      if (result[i] >= 0 || !needed) continue;
      throw DataError(file + ": expected a column " + in_quotes(columns[i].name) + ", got a header of " +
                      list_of(*header));
    }
    return result;
  }
  const bool whole = count == static_cast<Index>(columns.size());
  if (!fits_by_place(schema, count, needs_targets)) {
    throw DataError(file + ": expected " + text(columns.size()) + " columns as its schema has, got " + text(count));
  }
  Index next = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (whole || columns[i].role != ColumnRole::target) result[i] = next++;
  }
  return result;
}

/// Reads a number that is all of a text, behind which csv_padding bytes are readable, the first of which belongs to no
/// number. `copy` is memory for one with a decimal comma.
template <class Number>
bool read_whole_number(std::string_view text, bool decimal_comma, Number& value, std::string& copy) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (decimal_comma) {
    if (text.find('.') != std::string_view::npos) return false;
    copy.assign(text);
    std::replace(copy.begin(), copy.end(), ',', '.');
    const std::size_t size = copy.size();
    copy.append(csv_padding, '\0');
    text = std::string_view{copy}.substr(0, size);
  }
  return read_number(text.data(), value) == text.data() + text.size();
}

/// The bucket of a text: its FNV-1a hash of 64 bits, its halves mixed, modulo their number.
inline Index bucket_of(std::string_view text, Index buckets) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash ^= hash >> 32U;
  return static_cast<Index>(hash % static_cast<std::uint64_t>(buckets));
}

}  // namespace altmin::detail
