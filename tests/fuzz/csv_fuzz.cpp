// The CSV reader takes any bytes, gzipped or not: it gives rows of finite numbers with labels that are classes, or a
// DataError; where bad rows are skipped, it counts them.

#include <altmin/readers/stream.hpp>
#include <sstream>
#include <string>

#include "fuzz.hpp"

using altmin::Index;

namespace {

/// The first byte chooses the layout.
altmin::CsvOptions layout(unsigned choice) {
  altmin::CsvOptions options;
  options.bad_rows = (choice & 1U) != 0 ? altmin::BadRows::skip : altmin::BadRows::refuse;
  options.header = (choice & 2U) != 0;
  options.separator = (choice & 4U) != 0 ? ';' : ',';
  options.label = (choice & 8U) != 0 ? -1 : 0;
  options.max_line = (choice & 16U) != 0 ? 40 : 65536;
  if ((choice & 32U) != 0) options.missing = -999;
  return options;
}

void require_rows(const altmin::ConstView<float>& x, const int* y) {
  fuzz::require(x.allFinite());
  for (Index i = 0; i < x.cols(); ++i) fuzz::require(y[i] == 0 || y[i] == 1);
}

void read_all(std::istream& table, const altmin::CsvOptions& options) {
  altmin::CsvReader<float, altmin::detail::Text> reader{table, options};
  altmin::Matrix<float> x(reader.features(), 16);
  altmin::Labels y(16);
  Index rows = 0;
  for (Index count = 16; count == 16; rows += count) {
    count = reader.read(x, {y.data(), 16});
    require_rows(altmin::ConstView<float>{x}.slice(0, count), y.data());
  }
  fuzz::require(rows + reader.skipped() <= reader.lines());
  fuzz::require(reader.skipped() == 0 || options.bad_rows == altmin::BadRows::skip);
}

void stream_all(std::istream& table, const altmin::CsvOptions& options) {
  altmin::Stream<float> stream{table, {4, 8, 3}, options};
  while (const auto* batch = stream.next()) require_rows(batch->x, batch->y.data());
  fuzz::require(stream.test().size() == 3);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::istringstream table{std::string{reinterpret_cast<const char*>(data) + 1, size - 1}};
  fuzz::expect<altmin::DataError>([&] {
    if ((data[0] & 192U) == 192U) {
      stream_all(table, layout(data[0]));
    } else {
      read_all(table, layout(data[0]));
    }
  });
  return 0;
}
