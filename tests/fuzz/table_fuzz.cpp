// Tables take any bytes: what splits records, finds a schema and reads rows gives rows of finite numbers with targets
// of the schema, or a DataError; where bad rows are skipped, it counts them. Any JSON is a schema by which a table can
// be read, or a FormatError.

#include <altmin/table/reader.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.hpp"

#if __has_include(<nlohmann/json.hpp>)
#include <altmin/io/notes.hpp>
#define ALTMIN_FUZZ_SCHEMA
#endif

using altmin::Index;
using altmin::TableColumn;
using altmin::TableSchema;

namespace {

using Reader = altmin::TableReader<float, altmin::detail::Text>;

/// The first byte chooses the layout.
TableSchema layout(unsigned choice) {
  TableSchema schema;
  schema.columns.resize(4);
  schema.columns[0].name = "x";
  schema.columns[0].missing = (choice & 1U) != 0 ? altmin::Missing::indicator : altmin::Missing::refuse;
  schema.columns[1].name = "kind";
  schema.columns[1].kind = altmin::ColumnKind::category;
  schema.columns[1].values = {"a", "b, c", "\""};
  schema.columns[2].name = "id";
  schema.columns[2].kind = altmin::ColumnKind::hashed;
  schema.columns[2].buckets = 3;
  schema.columns[3].name = "y";
  schema.columns[3].role = altmin::ColumnRole::target;
  schema.target = (choice & 2U) != 0 ? altmin::TargetKind::numbers : altmin::TargetKind::classes;
  if ((choice & 2U) == 0) {
    schema.columns[3].kind = altmin::ColumnKind::category;
    schema.columns[3].values = {"no", "yes"};
  }
  schema.format.header = (choice & 4U) != 0;
  schema.format.comment = (choice & 8U) != 0 ? '#' : '\0';
  const char separators[] = {',', ';', '\t', ' '};
  schema.format.separator = separators[(choice >> 4U) & 3U];
  schema.format.decimal_comma = (choice & 64U) != 0 && schema.format.separator != ',';
  return schema;
}

void read_all(const std::string& text, const TableSchema& schema, unsigned choice) {
  std::istringstream table{text};
  altmin::TableReaderOptions options;
  options.bad_rows = (choice & 128U) != 0 ? altmin::BadRows::skip : altmin::BadRows::refuse;
  options.longest_row = (choice & 32U) != 0 ? 60 : 65536;
  Reader reader{altmin::Source{table, "table"}, schema, options};
  constexpr Index room = 16;
  altmin::Matrix<float> x(reader.features(), room);
  altmin::Labels y(room);
  altmin::Matrix<float> targets(reader.targets(), room);
  for (Index count = room; count == room;) {
    count = reader.read(x, {y.data(), room}, altmin::View<float>{targets});
    fuzz::require(x.leftCols(count).allFinite());
    fuzz::require(targets.leftCols(count).allFinite());
    for (Index i = 0; i < count && reader.classes() > 0; ++i) fuzz::require(y[i] >= 0 && y[i] < reader.classes());
  }
  fuzz::require(reader.skipped() == 0 || options.bad_rows == altmin::BadRows::skip);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text{reinterpret_cast<const char*>(data) + 1, size - 1};
#ifdef ALTMIN_FUZZ_SCHEMA
  const std::size_t end = text.find('\n');  // of a schema in front of a table
  if (text[0] == '{') {
    fuzz::expect<altmin::FormatError>([&] {
      const altmin::Notes notes{{"table", text.substr(0, end)}};
      const auto schema = altmin::get_note<TableSchema>(notes, "table");
      fuzz::require(schema.features() <= Index{1} << 20U);
      altmin::Notes again;
      altmin::set_note(again, "table", schema);
      fuzz::require(altmin::get_note<TableSchema>(again, "table") == schema);
      if (end == std::string::npos || schema.features() > 1000) return;
      fuzz::expect<altmin::DataError>([&] { read_all(text.substr(end + 1), schema, data[0]); });
    });
    return 0;
  }
#endif
  fuzz::expect<altmin::DataError>([&] { read_all(text, layout(data[0]), data[0]); });
  return 0;
}
