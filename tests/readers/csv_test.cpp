#include <unistd.h>

#include <altmin/readers/csv.hpp>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <thread>

#include "catch.hpp"
#include "support.hpp"

using altmin::BadRows;
using altmin::CsvOptions;
using altmin::CsvReader;
using altmin::DataError;
using altmin::Dataset;
using altmin::Index;
using altmin::OptionError;
using altmin::Random;
using altmin::Seed;
using Catch::Matchers::ContainsSubstring;
using support::gzip;
using support::message_of;
using support::TemporaryFolder;

namespace {

template <class Scalar = double>
Dataset<Scalar> parse(const std::string& text, const CsvOptions& options = {}) {
  std::istringstream stream{text};
  return altmin::load_csv<Scalar>({stream, "table"}, options);
}

std::string error(const std::string& text, const CsvOptions& options = {}) {
  return message_of<DataError>([&] { parse(text, options); });
}

/// A table of 3 columns whose row i is label i % 2, i, -i / 4.
std::string counting_table(int rows) {
  std::string text;
  for (int i = 0; i < rows; ++i) {
    text += std::to_string(i % 2) + "," + std::to_string(i) + "," + altmin::detail::text(-i / 4.0) + "\n";
  }
  return text;
}

template <class Scalar>
void require_counting(const Dataset<Scalar>& data, Index rows) {
  REQUIRE(data.size() == rows);
  REQUIRE(data.features() == 2);
  Index wrong = 0;
  for (Index i = 0; i < rows; ++i) {
    const auto number = static_cast<Scalar>(i);
    wrong += data.x()(0, i) == number && data.x()(1, i) == -number / 4 && data.y()[i] == i % 2 ? 0 : 1;
  }
  REQUIRE(wrong == 0);
}

CsvOptions skipping() {
  CsvOptions options;
  options.bad_rows = BadRows::skip;
  return options;
}

}  // namespace

TEST_CASE("numbers are the doubles nearest to their texts", "[csv]") {
  Random random{Seed{1}};
  Index wrong = 0;
  for (int i = 0; i < 100000; ++i) {
    const double value = i % 2 == 0 ? random.normal() * std::pow(10.0, random.uniform(-320, 300))
                                    : static_cast<double>(static_cast<float>(random.normal()));
    char text[400] = {};  // zeros stand behind it
    std::snprintf(text, 390, i % 3 == 0 && std::abs(value) < 1e20 ? "%.*f" : "%.*e", static_cast<int>(random.below(22)),
                  value);
    double got = 0;
    const char* const end = altmin::detail::read_number(text, got);
    wrong += end != nullptr && *end == '\0' && got == std::strtod(text, nullptr) ? 0 : 1;
    float rounded = 0;
    wrong += altmin::detail::read_number(text, rounded) == end && rounded == static_cast<float>(got) ? 0 : 1;
  }
  CHECK(wrong == 0);

  const std::pair<const char*, double> cases[] = {
      {"9007199254740993", 9007199254740992.0},  // half way: to the even one
      {"9007199254740993.00000000000000000001", 9007199254740994.0},
      {"1.00000000000000011102230246251565404", 1.0},
      {"1.00000000000000011102230246251565405", 1.0000000000000002},
      {"18446744073709551616", 18446744073709551616.0},
      {"0.00000000000000000000000000000000001e35", 1},
      {"4.9e-324", 4.9e-324},
      {"1e-400", 0},
      {"+.5", 0.5},
      {"5.", 5},
      {"1e400", std::numeric_limits<double>::infinity()}};
  for (const auto& [text, expected] : cases) {
    char padded[64] = {};
    std::snprintf(padded, 50, "%s", text);
    double got = -1;
    REQUIRE(altmin::detail::read_number(padded, got) != nullptr);
    CHECK(got == expected);
  }
  for (const char* text : {"", "-", ".", "e5", "+-1", "x", "inf", "nan"}) {
    char padded[64] = {};
    std::snprintf(padded, 50, "%s", text);
    double got = 0;
    CHECK(altmin::detail::read_number(padded, got) == nullptr);
  }
}

TEST_CASE("floats half way between two are rounded as the nearest doubles are", "[csv]") {
  Random random{Seed{2}};
  Index wrong = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto low = static_cast<float>(random.uniform(0.5, 2));
    const double half = (double{low} + double{std::nextafter(low, 3.0F)}) / 2;
    for (const double value : {half, std::nextafter(half, 0.0), std::nextafter(half, 3.0)}) {
      char text[64] = {};
      std::snprintf(text, 50, "%.18e", value);
      float got = 0;
      altmin::detail::read_number(text, got);
      wrong += got == static_cast<float>(std::strtod(text, nullptr)) ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("what lies beyond the largest float is no finite number", "[csv]") {
  // The largest float is 2^128 - 2^104; from 2^128 - 2^103 on, 340282356779733661637539395458142568448, a number is
  // rounded to 2^128.
  for (const char* number : {"340282356779733661637539395458142568448", "-3.4028235677973367e38", "3.4028236e38",
                             "1e39", "1e300", "1e400"}) {
    CAPTURE(number);
    const std::string text = std::string("0,") + number + "\n";
    CHECK_THAT(message_of<DataError>([&] { parse<float>(text); }), ContainsSubstring("expected a finite number"));
  }
  constexpr float largest = std::numeric_limits<float>::max();
  for (const char* number : {"3.4028234e38", "3.4028235e+38", "3.40282347e+38", "3.40282350e38", "3.40282356779733e38",
                             "340282346638528859811704183484516925440"}) {
    CAPTURE(number);
    CHECK(parse<float>(std::string("0,") + number + "\n").x()(0, 0) == largest);
    CHECK(parse<float>(std::string("0,-") + number + "\n").x()(0, 0) == -largest);
  }
  CHECK(parse<float>("0,3.4028233e38\n").x()(0, 0) == std::nextafter(largest, 0.0F));
  constexpr double widest = std::numeric_limits<double>::max();
  CHECK(parse<double>("0,1.7976931348623157e308\n").x()(0, 0) == widest);
  CHECK(parse<double>("0,-1.7976931348623158e308\n").x()(0, 0) == -widest);
  CHECK_THAT(error("0,1.7976931348623159e308\n"), ContainsSubstring("expected a finite number"));
}

TEST_CASE("no number, and no label, raises a floating-point exception", "[csv]") {
  std::feclearexcept(FE_ALL_EXCEPT);
  const std::string text =
      "1,3.4028235e38,1e39\n0,-1e400,1e-400\n1e400,1,1\n-1e300,2,2\nnan,nan,inf\n1,1e-300,4e-324\n0,1e38,"
      "123456789012345678901"
      "\n";
  std::istringstream first{text};
  CHECK(altmin::load_csv<float>(first, skipping()).size() == 2);
  std::istringstream second{text};
  CHECK(altmin::load_csv<double>(second, skipping()).size() == 3);
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}

TEST_CASE("lines may be longer than what is read at a time", "[csv]") {
  std::string text;
  for (int row = 0; row < 7; ++row) {
    text += std::to_string(row % 2);
    for (int column = 0; column < 60000; ++column) text += "," + std::to_string(row + column);
    text += "\n" + std::string(row % 3 == 0 ? 1 : 0, '\n');
  }
  CsvOptions options;
  CHECK_THAT(error(text, options), ContainsSubstring("line 1: expected at most 65536 bytes"));
  options.max_line = 400000;
  const auto data = parse<float>(text, options);
  REQUIRE(data.size() == 7);
  REQUIRE(data.features() == 60000);
  Index wrong = 0;
  for (Index row = 0; row < 7; ++row) {
    for (Index column = 0; column < 60000; ++column) {
      wrong += data.x()(column, row) == static_cast<float>(row + column) ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("a table is read from any source, packed or not", "[csv]", float, double) {
  const TemporaryFolder folder;
  constexpr int rows = 40000;  // several blocks
  const std::string text = counting_table(rows);
  const auto load = [](const altmin::Source& source) { return altmin::load_csv<TestType>(source); };
  require_counting(load(folder.write("plain.csv", text)), rows);
  require_counting(load(folder.write("packed.csv.gz", gzip(folder, text))), rows);
  const std::string members =
      gzip(folder, text.substr(0, 1001)) + gzip(folder, "") + gzip(folder, text.substr(1001)) + std::string(512, '\0');
  require_counting(load(folder.write("members.csv.gz", members)), rows);
  std::istringstream stream{text.substr(0, text.size() - 1)};  // no newline at the end
  require_counting(load(stream), rows);

  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::thread writer{[&] {
    for (std::size_t at = 0; at < members.size(); at += 997) {  // in pieces
      const std::size_t size = std::min<std::size_t>(997, members.size() - at);
      if (write(ends[1], members.data() + at, size) != static_cast<ssize_t>(size)) break;
    }
    close(ends[1]);
  }};
  require_counting(load(altmin::Source::descriptor(ends[0], "pipe")), rows);
  writer.join();
  close(ends[0]);
}

TEST_CASE("a reader that nobody reads any more ends, though its pipe gives nothing", "[csv]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], "1,2\n", 4) == 4);
  { CHECK(CsvReader<float>{altmin::Source::descriptor(ends[0], "pipe")}.features() == 1); }
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a signal leaves a reader cancellable, though its pipe gives nothing", "[csv]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  struct ::sigaction interrupt {};  // no SA_RESTART: system calls end with EINTR
  interrupt.sa_handler = [](int) {};
  struct ::sigaction before {};
  REQUIRE(sigaction(SIGUSR1, &interrupt, &before) == 0);
  altmin::detail::OpenSource source{altmin::Source::descriptor(ends[0], "pipe")};
  std::atomic<int> polls{0};
  std::atomic<bool> wanted{true};
  std::atomic<bool> ended{false};
  std::size_t got = 1;
  std::thread reader{[&] {
    char byte = 0;
    got = source.read(&byte, 1, [&] {
      ++polls;
      return wanted.load();
    });
    ended = true;
  }};
  const auto wait = [](auto&& holds) {  // long enough for any machine; forever would hang where the code is wrong
    for (int i = 0; i < 5000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return holds();
  };
  CHECK(wait([&] { return polls > 0; }));
  for (int i = 0; i < 3; ++i) {
    const int seen = polls;
    pthread_kill(reader.native_handle(), SIGUSR1);
    CHECK(wait([&] { return polls > seen + 1; }));  // it goes on asking
  }
  wanted = false;
  CHECK(wait([&] { return ended.load(); }));
  close(ends[1]);  // lets a reader go on that waits
  reader.join();
  CHECK(got == 0);
  close(ends[0]);
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("a source that cannot be opened is told", "[csv]") {
  const auto refused = [](const altmin::Source& source) {
    return message_of<DataError>([&] { altmin::load_csv<float>(source); });
  };
  CHECK(refused("") == "(empty path): expected a file to read, got: No such file or directory");
  CHECK(refused(std::filesystem::path{}) == "(empty path): expected a file to read, got: No such file or directory");
  CHECK(refused(altmin::Source::descriptor(-1, "pipe")) == "pipe: expected a file to read, got: Bad file descriptor");
  CHECK(refused(altmin::Source::descriptor(1 << 20, "pipe")) ==
        "pipe: expected a file to read, got: Bad file descriptor");
  CHECK_THAT(refused("/"), ContainsSubstring("/: expected a file to read, got: Is a directory"));
  const std::string not_open = "stream: expected a stream to read, got one that is not open or has failed";
  std::ifstream unopened;
  CHECK(refused(unopened) == not_open);
  std::ifstream missing{"/nowhere.csv"};
  CHECK(refused(missing) == not_open);
  std::istream none{nullptr};
  CHECK(refused(none) == not_open);
  std::istringstream failed{"1,2\n"};
  failed.setstate(std::ios::failbit);
  CHECK(refused(failed) == not_open);
  std::ifstream directory{"/"};
  REQUIRE(directory.is_open());
  CHECK_THAT(refused(directory), ContainsSubstring("stream: expected a stream to read, got: "));
}

namespace {

/// Gives a text in pieces, then throws.
struct BreakingBuffer : std::streambuf {
  BreakingBuffer(std::string bytes, bool by_int) : text{std::move(bytes)}, throws_int{by_int} {}
  int_type underflow() override {
    const std::size_t count = std::min<std::size_t>(1000, text.size() - at);
    if (count == 0 && throws_int) throw 7;
    if (count == 0) throw std::runtime_error("the line is cut");
    setg(&text[at], &text[at], &text[at] + count);
    at += count;
    return traits_type::to_int_type(*gptr());
  }
  std::string text;
  bool throws_int;
  std::size_t at = 0;
};

}  // namespace

TEST_CASE("a stream that breaks is an error, not the end of the table", "[csv]") {
  for (const int rows : {0, 3, 40000}) {
    for (const bool by_int : {false, true}) {
      CAPTURE(rows, by_int);
      const std::string expected =
          std::string("table: expected a stream to read, got: ") + (by_int ? "an exception" : "the line is cut");
      BreakingBuffer buffer{counting_table(rows), by_int};
      std::istream stream{&buffer};
      CHECK(message_of<DataError>([&] { altmin::load_csv<float>({stream, "table"}, skipping()); }) == expected);
      CHECK(stream.good());
    }
  }
}

TEST_CASE("a stream may have its exceptions switched on", "[csv]") {
  std::istringstream text{counting_table(40000)};
  text.exceptions(std::ios::badbit | std::ios::failbit | std::ios::eofbit);
  require_counting(altmin::load_csv<float>(text), 40000);
  const TemporaryFolder folder;
  std::ifstream file;
  file.exceptions(std::ios::badbit | std::ios::failbit | std::ios::eofbit);
  file.open(folder.write("packed.csv.gz", gzip(folder, counting_table(40000))));
  require_counting(altmin::load_csv<double>(file), 40000);
}

TEST_CASE("a reader writes no further than it is given room", "[csv]") {
  std::istringstream stream{counting_table(10)};
  CsvReader<float> reader{stream};
  altmin::Matrix<float> x(3, 4);
  altmin::Labels y(4);
  const auto refused = [&](auto&& view, Index labels) {
    return message_of<altmin::ShapeError>([&] { reader.read(view, {y.data(), labels}); });
  };
  altmin::Matrix<float> one(1, 4);
  CHECK(refused(one, 4) == "CsvReader: read: expected x of 2 features (rows), got 1 x 4");
  CHECK(refused(x, 4) == "CsvReader: read: expected x of 2 features (rows), got 3 x 4");
  altmin::Matrix<float> two(2, 4);
  CHECK(refused(two, 3) == "CsvReader: read: expected a place for each of 4 labels, got 3");
  CHECK(reader.lines() == 0);
  CHECK(reader.read({x.data() + 1, 2, 4, 3}, {y.data(), 4}) == 4);  // rows of a larger matrix
  CHECK(x.bottomRows(2) == (altmin::Matrix<float>(2, 4) << 0, 1, 2, 3, 0, -0.25, -0.5, -0.75).finished());
  CHECK(reader.read(altmin::View<float>{two}.slice(0, 0), {y.data(), 0}) == 0);
  CHECK(reader.read(two, {y.data(), 4}) == 4);
  CHECK(two(0, 0) == 4);
}

TEST_CASE("any layout of columns is read", "[csv]") {
  const std::string text =
      "\xef\xbb\xbf"
      "name;a;b;class\r\n\r\nx y;1;2;2\r\n;3.5; 4e1 ;0\r\n";
  CsvOptions options;
  options.separator = ';';
  options.header = true;
  options.label = -1;
  options.classes = 3;
  options.features = {2, 1};
  const auto data = parse(text, options);
  REQUIRE(data.size() == 2);
  CHECK(data.classes() == 3);
  CHECK(data.y() == Eigen::Vector2i{2, 0});
  CHECK(data.x() == (Eigen::Matrix2d{} << 2, 40, 1, 3.5).finished());

  options = {};
  options.missing = -999;
  CHECK(parse("1,?,2\n0,, NA \n", options).x() == (Eigen::Matrix2d{} << -999, -999, 2, -999).finished());

  options.missing = 0;  // it fills features only: a row without a label has no class
  for (const char* label : {"", "?", "NA", " nan "}) {
    CHECK(error("1,2\n" + std::string(label) + ",3\n", options) ==
          "table, line 2, column 1: expected a label in 0 .. 1, got '" + std::string(label) + "'");
  }
  options.bad_rows = BadRows::skip;
  const auto labelled = parse("1,2,\n?,3,4\n0,?,5\n", options);
  CHECK(labelled.y() == Eigen::Vector2i{1, 0});
  CHECK(labelled.x() == (Eigen::Matrix2d{} << 2, 0, 0, 5).finished());
}

TEST_CASE("bad rows are told by line and column", "[csv]") {
  const std::string good = "1,2,3\n";
  CHECK(error(good + "0,2\n") == "table, line 2: expected 3 columns, got 2");
  CHECK(error(good + "\n0,2,3,4\n") == "table, line 3: expected 3 columns, got 4");
  CHECK(error(good + "0,2x,3\n") == "table, line 2, column 2: expected a number, got '2x'");
  CHECK(error(good + "0,2,\n") == "table, line 2, column 3: expected a number, got ''");
  CHECK(error(good + std::string("0,2\0,3\n", 7)) == "table, line 2, column 2: expected a number, got '2?'");
  CHECK(error(good + "0,1e999,3\n") == "table, line 2, column 2: expected a finite number, got '1e999'");
  CHECK(error(good + "2,2,3\n") == "table, line 2, column 1: expected a label in 0 .. 1, got '2'");
  CHECK(error(good + "0.5,2,3") == "table, line 2, column 1: expected a label in 0 .. 1, got '0.5'");
  CHECK(error(good + "1e300,2,3") == "table, line 2, column 1: expected a label in 0 .. 1, got '1e300'");
  CHECK(error(good + "0,2," + std::string(70000, '3') + "\n") ==
        "table, line 2, column 3: expected a finite number, got '" + std::string(40, '3') + "'");
  CHECK(error(good + "0,2,0." + std::string(70000, '3') + "\n") ==
        "table, line 2: expected at most 65536 bytes, got more");
  CHECK(error(good + std::string(1000000, '3')) == "table, line 2: expected at most 65536 bytes, got more");
  CHECK(error("") == "table: expected at least one row, got none");
  CHECK(error("1\n") == "table: expected at least one feature beside the label, got none");
  CHECK_THAT(message_of<DataError>([] { parse<float>("1,1e39\n"); }), ContainsSubstring("expected a finite number"));
  CHECK_THAT(message_of<DataError>([] { altmin::load_csv<float>("/nowhere.csv"); }),
             ContainsSubstring("/nowhere.csv: expected a file to read, got: No such file"));
}

TEST_CASE("bad rows are skipped and counted when asked to", "[csv]") {
  std::istringstream stream{"1,2,3\nx\n0,4," + std::string(1000000, '1') + "\n\n0,5,6,7\n1,1e999,2\n7,1,2\n0,8,9\n0,1"};
  CsvReader<double> reader{stream, skipping()};
  altmin::Matrix<double> x(2, 9);
  altmin::Labels y(9);
  REQUIRE(reader.read(x, {y.data(), 9}) == 2);
  CHECK(x.leftCols(2) == (Eigen::Matrix2d{} << 2, 8, 3, 9).finished());
  CHECK(y.head(2) == Eigen::Vector2i{1, 0});
  CHECK(reader.skipped() == 6);
  CHECK(reader.lines() == 9);
}

TEST_CASE("damaged gzip data is told, or ends the table", "[csv]") {
  const TemporaryFolder folder;
  const std::string whole = gzip(folder, counting_table(40000));
  std::string checksum = whole;
  checksum[whole.size() - 8] = static_cast<char>(checksum[whole.size() - 8] ^ 1);
  CHECK(error(checksum) == "table, line 40001: expected sound gzip data, got: incorrect data check");
  CHECK_THAT(error(whole.substr(0, whole.size() - 9)), ContainsSubstring("got: unexpected end of file"));
  CHECK_THAT(error(whole + "trash"), ContainsSubstring("line 40001: expected sound gzip data"));
  require_counting(parse(whole + "trash", skipping()), 40000);
  for (const char* behind : {"\n", "\r\n", " \t\n\n", "\v\f"}) require_counting(parse(whole + behind), 40000);
  require_counting(parse(whole + std::string("\0\n\0", 3)), 40000);
  require_counting(parse(gzip(folder, counting_table(40000).substr(0, 999)) + "\n" +
                         gzip(folder, counting_table(40000).substr(999)) + "\n"),
                   40000);
  CHECK_THAT(error(whole + "\ntrash"), ContainsSubstring("line 40001: expected sound gzip data"));
  const auto part = parse(whole.substr(0, whole.size() / 2), skipping());
  CHECK(part.size() > 1000);
  require_counting(part, part.size());
}

TEST_CASE("layouts that a table cannot have are refused", "[csv]") {
  const auto refused = [](auto&& change) {
    CsvOptions options;
    change(options);
    return message_of<OptionError>([&] { parse("1,2,3\n", options); });
  };
  CHECK_THAT(refused([](auto& o) { o.label = 3; }), ContainsSubstring("one of the 3 columns of table, got 3"));
  CHECK_THAT(refused([](auto& o) { o.label = -4; }),
             ContainsSubstring("must be one of the 3 columns of table, got -4"));
  CHECK_THAT(refused([](auto& o) { o.features = {1, 1}; }), ContainsSubstring("got 1 twice"));
  CHECK_THAT(refused([](auto& o) { o.features = {0}; }), ContainsSubstring("must not be one of the features"));
  CHECK_THAT(refused([](auto& o) { o.separator = '.'; }), ContainsSubstring("separator"));
  CHECK_THAT(refused([](auto& o) { o.classes = 0; }), ContainsSubstring("classes"));
  CHECK_THAT(refused([](auto& o) { o.max_line = 0; }), ContainsSubstring("max_line"));
  CsvOptions options;
  CHECK_THAT(refused([](auto& o) { o.missing = std::numeric_limits<double>::quiet_NaN(); }),
             ContainsSubstring("missing"));
  options.missing = 1e300;
  CHECK(parse("0,?\n", options).x()(0, 0) == 1e300);
  CHECK_THAT(message_of<OptionError>([&] { parse<float>("0,?\n", options); }),
             ContainsSubstring("CsvOptions: missing must be finite as a float, got 1e+300"));
}
