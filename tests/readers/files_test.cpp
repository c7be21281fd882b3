#include <altmin/readers/csv.hpp>
#include <altmin/readers/files.hpp>
#include <altmin/readers/stream.hpp>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using altmin::DataError;
using altmin::Index;
using altmin::OptionError;

TEST_CASE("files are found by a pattern, in the order of their names", "[files]") {
  const support::TemporaryFolder folder;
  for (const char* const name : {"b-2.csv", "a-10.csv", "B-1.csv", "a-9.csv", "a.txt"}) folder.write(name, "");
  const auto names = [&](const std::string& pattern) {
    std::vector<std::string> found;
    for (const auto& path : altmin::find_files((folder.path() / pattern).string())) {
      CHECK(path.parent_path() == folder.path());
      found.push_back(path.filename().string());
    }
    return found;
  };
  CHECK(names("*.csv") == std::vector<std::string>{"B-1.csv", "a-10.csv", "a-9.csv", "b-2.csv"});
  CHECK(names("a-?.csv") == std::vector<std::string>{"a-9.csv"});
  CHECK(names("a.txt") == std::vector<std::string>{"a.txt"});
  CHECK_THROWS_AS(names("c*"), DataError);
}

TEST_CASE("a list is dealt out to parts", "[files]") {
  const std::vector<int> all{0, 1, 2, 3, 4, 5, 6};
  CHECK(altmin::deal(all, 0, 3) == std::vector<int>{0, 3, 6});
  CHECK(altmin::deal(all, 2, 3) == std::vector<int>{2, 5});
  CHECK(altmin::deal(all, 0, 1) == all);
  CHECK(support::message_of<DataError>([&] { altmin::deal(all, 7, 8); }) ==
        "deal: expected at least one of a list for each of 8 parts, got 7");
  CHECK(support::message_of<OptionError>([&] { altmin::deal(all, 3, 3); }) == "deal: expected a part of 0 to 2, got 3");
}

TEST_CASE("the parts of a table make up the whole", "[files]") {
  constexpr Index rows = 5000;
  const bool header = GENERATE(false, true);
  altmin::CsvOptions options;
  options.header = header;
  options.bad_rows = altmin::BadRows::skip;
  std::string text = header ? "label,a\n" : "";
  for (Index i = 0; i < rows; ++i) text += i == 2500 ? "bad\n" : "0," + std::to_string(i) + "\n";
  for (const Index parts : {1, 2, 3, 7}) {
    CAPTURE(header, parts);
    std::vector<int> found(rows);
    Index skipped = 0;
    for (Index part = 0; part < parts; ++part) {
      std::istringstream stream{text};
      altmin::CsvReader<double> reader{altmin::Source{stream}.part(part, parts), options};
      altmin::Matrix<double> x(1, rows);
      altmin::Labels y(rows);
      const Index count = reader.read(altmin::View<double>{x}, {y.data(), rows});
      for (Index i = 0; i < count; ++i) ++found[static_cast<std::size_t>(x(0, i))];
      skipped += reader.skipped();
      // Blocks of 1024 lines, one after the other.
      if (count > 0) CHECK(x(0, 0) == (part == 0 ? 0 : static_cast<double>(1024 * part - (header ? 1 : 0))));
      if (parts > 1) CHECK(count <= (rows / 1024 / parts + 1) * 1024);
    }
    CHECK(skipped == 1);
    std::vector<int> expected(rows, 1);
    expected[2500] = 0;
    CHECK(found == expected);
  }
  std::istringstream stream{text};
  CHECK(support::message_of<OptionError>([&] { altmin::Source{stream}.part(2, 2); }) ==
        "Source: expected a part of 0 to 1, got 2");
}

TEST_CASE("a stream reads a table in several files, as if it were in one", "[files]") {
  const support::TemporaryFolder folder;
  const std::string names = "label,a,b\n";
  std::string whole = names;
  constexpr Index sizes[] = {1500, 1, 700};
  Index row = 0;
  for (int file = 0; file < 3; ++file) {
    std::string text;
    for (Index i = 0; i < sizes[file]; ++i, ++row) {
      text += std::to_string(row % 2) + "," + std::to_string(row) + "," + std::to_string(-row) + "\n";
    }
    whole += text;
    text = names + text;
    const std::string packed = support::gzip(folder, text);
    text.pop_back();  // the last line of a file may have no end
    folder.write("part-" + std::to_string(file), file == 1 ? packed : text);
  }
  const auto paths = altmin::find_files((folder.path() / "part-*").string());
  const std::vector<altmin::Source> files{paths.begin(), paths.end()};
  altmin::StreamOptions options;
  options.batch_size = 64;
  options.reservoir = 100;
  options.test_rows = 50;
  altmin::CsvOptions csv;
  csv.header = true;
  altmin::Stream<double> stream{files, options, csv};
  altmin::Stream<double> expected{folder.write("whole", whole), options, csv};
  for (int pass = 0; pass < 2; ++pass) {
    Index batches = 0;
    bool same = true;
    while (const auto* const batch = expected.next()) {
      const auto* const got = stream.next();
      REQUIRE(got != nullptr);
      same = same && got->x == batch->x && got->y == batch->y;
      ++batches;
    }
    CHECK(same);
    CHECK(stream.next() == nullptr);
    CHECK(batches == (2201 - 50 + 63) / 64);
    CHECK(stream.test().x() == expected.test().x());
  }
  CHECK(stream.info().repeatable);

  folder.write("part-1", "label,a\n0,1\n");
  CHECK(support::message_of<DataError>([&] {
          altmin::Stream<double> other{files, options, csv};
          while (other.next() != nullptr) {
          }
        }).find("part-1: expected 2 features as in ") != std::string::npos);
  CHECK(support::message_of<OptionError>([&] { altmin::Stream<double>{std::vector<altmin::Source>{}}; }) ==
        "csv_rows: expected at least one file, got none");
}
