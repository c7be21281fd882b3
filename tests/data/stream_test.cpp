#include <unistd.h>

#include <altmin/data/stream.hpp>
#include <chrono>
#include <set>
#include <sstream>
#include <streambuf>
#include <thread>

#include "catch.hpp"
#include "support.hpp"

using altmin::DataError;
using altmin::Dataset;
using altmin::Index;
using altmin::LastBatch;
using altmin::Matrix;
using altmin::OptionError;
using altmin::Seed;
using altmin::Stream;
using altmin::StreamOptions;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
using support::message_of;
using support::TemporaryFolder;

namespace {

/// Row i is label i % 2, i, 1000 - i * i.
std::string table(int rows) {
  std::string text;
  for (int i = 0; i < rows; ++i) {
    text += std::to_string(i % 2) + "," + std::to_string(i) + "," + std::to_string(1000 - i * i) + "\n";
  }
  return text;
}

StreamOptions small() {
  StreamOptions options;
  options.batch_size = 7;
  options.reservoir = 20;
  options.test_rows = 30;
  options.standardize = false;
  options.seed = Seed{3};
  return options;
}

/// The first features of one pass, which number the rows; every row must be whole.
template <class Scalar>
std::vector<int> pass_over(Stream<Scalar>& stream) {
  std::vector<int> rows;
  while (const auto* batch = stream.next()) {
    for (Index j = 0; j < batch->size(); ++j) {
      const auto row = static_cast<int>(batch->x(0, j));
      REQUIRE(batch->y[j] == row % 2);
      REQUIRE(batch->x(1, j) == static_cast<Scalar>(1000 - row * row));
      rows.push_back(row);
    }
  }
  return rows;
}

/// Gives a few bytes at a time, slowly.
struct SlowBuffer : std::streambuf {
  explicit SlowBuffer(std::string bytes) : text{std::move(bytes)} {}
  int_type underflow() override {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    const std::size_t count = std::min<std::size_t>(101, text.size() - at);
    setg(&text[at], &text[at], &text[at] + count);
    at += count;
    return count > 0 ? traits_type::to_int_type(*gptr()) : traits_type::eof();
  }
  std::string text;
  std::size_t at = 0;
};

}  // namespace

TEMPLATE_TEST_CASE("a pass gives each training row once, in an order of its own, and no test row", "[stream]", float,
                   double) {
  const TemporaryFolder folder;
  Stream<TestType> stream{folder.write("table", table(200)), small()};
  CHECK(stream.features() == 2);
  std::vector<std::vector<int>> orders;
  for (int pass = 0; pass < 3; ++pass) {
    orders.push_back(pass_over(stream));
    const std::set<int> rows{orders.back().begin(), orders.back().end()};
    REQUIRE(orders.back().size() == 170);
    REQUIRE(rows.size() == 170);
    REQUIRE(*rows.rbegin() == 169);
    for (int i = 0; i < 170; ++i)
      REQUIRE(orders.back()[static_cast<std::size_t>(i)] <= i + 19);  // the reservoir's size
    const Dataset<TestType> test = stream.test();
    REQUIRE(test.size() == 30);
    for (Index i = 0; i < 30; ++i) REQUIRE(test.x()(0, i) == TestType(170 + i));
    CHECK(stream.train_rows() == 170);
    CHECK(stream.pass() == pass + 1);
  }
  CHECK(orders[0] != orders[1]);
  CHECK(orders[1] != orders[2]);
}

TEST_CASE("while the first pass goes on, the rows held back have not been trained on", "[stream]") {
  std::istringstream text{table(200)};
  Stream<float> stream{text, small()};
  std::set<int> used;
  Index batches = 0;
  while (const auto* batch = stream.next()) {
    for (Index j = 0; j < batch->size(); ++j) used.insert(static_cast<int>(batch->x(0, j)));
    const auto test = stream.test();
    REQUIRE(test.size() == 30);
    for (Index i = 0; i < 30; ++i) REQUIRE(used.count(static_cast<int>(test.x()(0, i))) == 0);
    REQUIRE(stream.batch() == ++batches);
  }
  CHECK(batches == 25);
}

TEST_CASE("a reservoir of one keeps the order, one of all rows mixes evenly", "[stream]") {
  const TemporaryFolder folder;
  const auto path = folder.write("table", table(60));
  StreamOptions options = small();
  options.test_rows = 0;
  options.reservoir = 1;
  Stream<float> ordered{path, options};
  const auto rows = pass_over(ordered);
  CHECK(std::is_sorted(rows.begin(), rows.end()));
  CHECK(rows.size() == 60);

  options.reservoir = 60;
  Stream<float> mixed{path, options};
  double sum = 0;  // of the first row of each pass, whose mean is 29.5 and deviation 17.3
  constexpr int passes = 200;
  for (int pass = 0; pass < passes; ++pass) sum += pass_over(mixed).front();
  CHECK_THAT(sum / passes, WithinAbs(29.5, 4 * 17.3 / std::sqrt(passes)));
}

TEST_CASE("batches do not depend on how fast a stream comes", "[stream]") {
  const std::string text = table(200);
  std::istringstream fast{text};
  SlowBuffer buffer{text};
  std::istream slow{&buffer};
  Stream<float> a{fast, small()};
  Stream<float> b{slow, small()};
  CHECK(pass_over(a) == pass_over(b));
}

TEMPLATE_TEST_CASE("features are standardized by the training rows alone", "[stream]", float, double) {
  const TemporaryFolder folder;
  StreamOptions options = small();
  options.standardize = true;
  std::string text = table(170);
  for (int i = 0; i < 30; ++i) text += "0,1e6,-1e6\n";  // a leak would show
  Stream<TestType> stream{folder.write("table", text), options};
  while (stream.next() != nullptr) {
  }
  const double mean = 84.5;
  const double deviation = std::sqrt((170.0 * 170 - 1) / 12);
  CHECK_THAT(stream.standardizer().mean()(0), WithinAbs(mean, 1e-9));
  CHECK_THAT(stream.standardizer().deviation()(0), WithinAbs(deviation, 1e-9));
  CHECK_THAT(stream.test().x()(0, 0), WithinAbs((1e6 - mean) / deviation, 1e-2));
  double sum = 0;
  double squares = 0;
  while (const auto* batch = stream.next()) {
    sum += static_cast<double>(batch->x.row(1).sum());
    squares += static_cast<double>(batch->x.row(1).squaredNorm());
  }
  CHECK_THAT(sum, WithinAbs(0, 1e-3));
  CHECK_THAT(squares / 170, WithinAbs(1, 1e-5));
  CHECK(stream.standardizer().count() == 170);
}

TEST_CASE("a new stream goes on from any batch to the same bits", "[stream]") {
  const TemporaryFolder folder;
  const auto path = folder.write("table", table(200));
  StreamOptions options = small();
  options.standardize = true;
  Stream<float> whole{path, options};
  std::vector<std::vector<Matrix<float>>> batches(3);
  for (auto& pass : batches) {
    while (const auto* batch = whole.next()) pass.emplace_back(batch->x);
  }
  for (const auto& [pass, first] : {std::pair<Index, Index>{0, 0}, {0, 11}, {0, 25}, {1, 0}, {2, 24}}) {
    Stream<float> resumed{path, options};
    resumed.seek(pass, first);
    for (Index i = first; i < 25; ++i) {
      const auto* batch = resumed.next();
      REQUIRE(batch != nullptr);
      REQUIRE(Matrix<float>(batch->x) == batches[static_cast<std::size_t>(pass)][static_cast<std::size_t>(i)]);
    }
    REQUIRE(resumed.next() == nullptr);
    REQUIRE(resumed.test().x() == whole.test().x());
  }
  CHECK_THAT(message_of<DataError>([&] {
               Stream<float>{path, options}.seek(1, 26);
             }),
             ContainsSubstring("expected more than 26 batches in pass 1, got 25"));
}

TEST_CASE("the first rows alone, and whole batches alone, when asked to", "[stream]") {
  const TemporaryFolder folder;
  StreamOptions options = small();
  options.limit = 50;
  options.last_batch = LastBatch::drop;
  Stream<float> stream{folder.write("table", table(200)), options};
  for (int pass = 0; pass < 2; ++pass) {
    const auto rows = pass_over(stream);
    CHECK(rows.size() == 49);
    CHECK(*std::max_element(rows.begin(), rows.end()) <= 49);
    CHECK(stream.test().x()(0, 29) == 199);
    CHECK(stream.train_rows() == 50);
  }
}

TEST_CASE("what is wrong in the reader's thread reaches the caller", "[stream]") {
  std::istringstream bad{table(100) + "0,x,1\n"};
  Stream<float> stream{bad, small()};
  CHECK_THAT(message_of<DataError>([&] { pass_over(stream); }),
             ContainsSubstring("stream, line 101, column 2: expected a number, got 'x'"));

  std::istringstream once{table(100)};
  Stream<float> single{once, small()};
  CHECK(pass_over(single).size() == 70);
  CHECK_THAT(message_of<DataError>([&] { single.next(); }), ContainsSubstring("it can be read only once"));

  std::istringstream few{table(30)};
  Stream<float> none{few, small()};
  CHECK_THAT(message_of<DataError>([&] { none.next(); }), ContainsSubstring("expected more than 30 rows"));
  CHECK(none.test().size() == 30);

  std::istringstream skipped{"0,1\nbad\n1,2\n"};
  altmin::CsvOptions csv;
  csv.bad_rows = altmin::BadRows::skip;
  Stream<float> skipping{skipped, {}, csv};
  CHECK(skipping.next()->size() == 2);
  CHECK(skipping.next() == nullptr);
  CHECK(skipping.skipped() == 1);

  StreamOptions options;
  options.reservoir = 0;
  std::istringstream any{table(3)};
  CHECK_THROWS_AS((Stream<float>{any, options}), OptionError);
}

TEMPLATE_TEST_CASE("waiting for rows can be stopped, and goes on to the same batches", "[stream]", float, double) {
  const std::string text = table(3500);
  std::istringstream whole{text};
  Stream<TestType> expected{whole, small()};
  const auto rows = pass_over(expected);

  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const auto write = [&](std::size_t from, std::size_t to) {
    REQUIRE(::write(ends[1], text.data() + from, to - from) == static_cast<::ssize_t>(to - from));
  };
  constexpr int parts = 5;
  const auto end_of = [&](int part) { return text.size() * static_cast<std::size_t>(part) / parts; };
  write(0, end_of(1));
  Stream<TestType> stream{altmin::Source::descriptor(ends[0], "pipe"), small()};
  int asked = 0;
  stream.set_stop([&] { return ++asked % 2 == 0; });  // waits once
  std::vector<int> got;
  for (int part = 1; part < parts; ++part) {
    for (int again = 0; again < 2; ++again) {
      const auto more = pass_over(stream);  // up to where the pipe gives no more: not the end of the pass
      got.insert(got.end(), more.begin(), more.end());
      CHECK(stream.pass() == 0);
      CHECK(stream.batch() == static_cast<Index>(got.size()) / small().batch_size);
    }
    write(end_of(part), end_of(part + 1));
  }
  CHECK(asked >= 2 * 2 * (parts - 1));
  ::close(ends[1]);
  stream.set_stop({});
  const auto more = pass_over(stream);
  got.insert(got.end(), more.begin(), more.end());
  CHECK(got == rows);
  CHECK(stream.pass() == 1);
  CHECK(stream.test().x() == expected.test().x());
  ::close(ends[0]);
}
