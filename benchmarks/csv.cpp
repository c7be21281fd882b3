// csv/<plain, gzip>: a table in HIGGS's format, read from a file. For comparison, zlib/gzip: the same gzipped bytes
// inflated alone; peer/pandas: the plain file read by pandas.read_csv in chunks of so many rows, where there is a
// pandas. The file is made on the first run, of random numbers.

#include <zlib.h>

#include <altmin/readers/csv.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "nets.hpp"

namespace {

using bench::Index;

/// 250,000 rows of a label and 28 floats, plain and gzipped, in a folder that is removed at the end.
class Tables {
 public:
  Tables() {
    std::string name = (std::filesystem::temp_directory_path() / "altmin_csv_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    altmin::Random random{altmin::Seed{1}};
    std::string text;
    for (int row = 0; row < 250000; ++row) {
      text += random.below(2) == 0 ? "0.000000000000000000e+00" : "1.000000000000000000e+00";
      for (int feature = 0; feature < 28; ++feature) {
        char number[40];
        std::snprintf(number, sizeof number, ",%.18e", static_cast<double>(static_cast<float>(random.normal())));
        text += number;
      }
      text += '\n';
    }
    size_ = static_cast<double>(text.size());
    for (const char* mode : {"wbT", "wb6"}) {
      gzFile file = gzopen(path(mode[2] == '6').c_str(), mode);
      gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
      gzclose(file);
    }
  }
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;
  ~Tables() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string path(bool packed) const { return folder_ + (packed ? "/table.csv.gz" : "/table.csv"); }
  double megabytes() const { return size_ / 1e6; }

  static const Tables& get() {
    static const Tables tables;
    return tables;
  }

 private:
  std::string folder_;
  double size_ = 0;
};

void read_table(benchmark::State& state, bool packed) {
  const Tables& tables = Tables::get();
  const bench::Rate rate{state};
  for (auto _ : state) {
    altmin::CsvReader<float> reader{tables.path(packed)};
    altmin::Matrix<float> x(reader.features(), 1024);
    altmin::Labels y(1024);
    while (reader.read(x, {y.data(), 1024}) > 0) benchmark::ClobberMemory();
  }
  rate.report("MB/s", tables.megabytes());
}

void inflate_table(benchmark::State& state) {
  const Tables& tables = Tables::get();
  std::string bytes(1U << 18U, '\0');
  const bench::Rate rate{state};
  for (auto _ : state) {
    gzFile file = gzopen(tables.path(true).c_str(), "rb");
    gzbuffer(file, 1U << 17U);
    while (gzread(file, bytes.data(), static_cast<unsigned>(bytes.size())) > 0) benchmark::ClobberMemory();
    gzclose(file);
  }
  rate.report("MB/s", tables.megabytes());
}

#ifdef ALTMIN_PANDAS_PYTHON
/// A program that reads the table once and prints how many seconds that took, without the start of Python.
std::string pandas_program(Index chunk) {
  const std::string file = Tables::get().path(false);
  return std::string{ALTMIN_PANDAS_PYTHON} + " -c '\n" +
         "import time, pandas\n"
         "start = time.perf_counter()\n"
         "for part in pandas.read_csv(\"" +
         file + "\", header=None, chunksize=" + std::to_string(chunk) +
         "): pass\n"
         "print(time.perf_counter() - start)'";
}

void read_by_pandas(benchmark::State& state, Index chunk) {
  const std::string program = pandas_program(chunk);
  double total = 0;
  for (auto _ : state) {
    double seconds = 0;
    FILE* const output = popen(program.c_str(), "r");
    const bool read = output != nullptr && std::fscanf(output, "%lf", &seconds) == 1;
    if (output == nullptr || pclose(output) != 0 || !read) return state.SkipWithError("pandas did not read the table");
    state.SetIterationTime(seconds);
    total += seconds;
  }
  state.counters["MB/s"] = Tables::get().megabytes() * static_cast<double>(state.iterations()) / total;
}
#endif

[[maybe_unused]] const bool added = [] {
  bench::add("csv/plain", [](benchmark::State& state) { read_table(state, false); });
  bench::add("csv/gzip", [](benchmark::State& state) { read_table(state, true); });
  bench::add("zlib/gzip", inflate_table);
#ifdef ALTMIN_PANDAS_PYTHON
  for (const Index chunk : {10000, 100000}) {
    bench::add("peer/pandas" + bench::field("chunk", chunk), [=](auto& state) {
      read_by_pandas(state, chunk);
    })->UseManualTime();
  }
#endif
  return true;
}();

}  // namespace
