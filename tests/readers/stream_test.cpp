#include <unistd.h>

#include <altmin/readers/stream.hpp>
#include <chrono>
#include <filesystem>
#include <limits>
#include <memory>
#include <set>
#include <sstream>
#include <streambuf>
#include <thread>
#include <type_traits>

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
using support::gzip;
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
  options.reservoir = 1;
  options.batch_size = std::numeric_limits<Index>::max();
  CHECK_THROWS_AS((Stream<float>{any, options}), OptionError);
}

TEST_CASE("a last row never makes a batch of its own", "[stream]") {
  const TemporaryFolder folder;
  for (const Index reservoir : {1, 2, 3, 20}) {
    for (const Index batch_size : {1, 2, 7}) {
      for (const int rows : {1, 2, 3, 7, 8, 9, 14, 15, 16, 99}) {
        for (const Index test_rows : {0, 3}) {
          CAPTURE(reservoir, batch_size, rows, test_rows);
          StreamOptions options = small();
          options.reservoir = reservoir;
          options.batch_size = batch_size;
          options.test_rows = test_rows;
          Stream<float> stream{folder.write("table", table(rows + static_cast<int>(test_rows))), options};
          for (int pass = 0; pass < 2; ++pass) {
            std::vector<Index> sizes;
            std::vector<int> order;
            while (const auto* batch = stream.next()) {
              sizes.push_back(batch->size());
              REQUIRE(batch->y.size() == batch->size());
              for (Index j = 0; j < batch->size(); ++j) order.push_back(static_cast<int>(batch->x(0, j)));
            }
            std::vector<Index> expected(static_cast<std::size_t>(rows / batch_size), batch_size);
            const Index rest = rows % batch_size;
            if (rest == 1 && !expected.empty()) {
              ++expected.back();
            } else if (rest > 0) {
              expected.push_back(rest);
            }
            REQUIRE(sizes == expected);
            if (reservoir == 1) REQUIRE(std::is_sorted(order.begin(), order.end()));
            const std::set<int> all{order.begin(), order.end()};
            REQUIRE(order.size() == static_cast<std::size_t>(rows));
            REQUIRE(all.size() == static_cast<std::size_t>(rows));
            REQUIRE(*all.rbegin() == rows - 1);
            if (test_rows > 0) REQUIRE(stream.test().x()(0, 0) == static_cast<float>(rows));
          }
        }
      }
    }
  }
}

TEST_CASE("bad rows behind the last good one are counted", "[stream]") {
  const TemporaryFolder folder;
  altmin::CsvOptions csv;
  csv.bad_rows = altmin::BadRows::skip;
  for (const int rows : {1, 1023, 1024, 1025, 2048}) {
    CAPTURE(rows);
    StreamOptions options = small();
    options.test_rows = 0;
    std::string text = table(rows) + "bad\n0,1\n,1,2\n";
    text.insert(text.find('\n') + 1, "x\n");
    Stream<float> stream{folder.write("table", text), options, csv};
    CHECK(pass_over(stream).size() == static_cast<std::size_t>(rows));
    CHECK(stream.skipped() == 4);
    CHECK(pass_over(stream).size() == static_cast<std::size_t>(rows));  // it ends with its last row
    CHECK(stream.skipped() >= 1);
  }
  const std::string packed = gzip(folder, table(1024)) + "trash";
  Stream<float> damaged{folder.write("table", packed), small(), csv};
  pass_over(damaged);
  CHECK(damaged.skipped() == 1);
}

TEST_CASE("a table that changes between two passes is an error", "[stream]") {
  const TemporaryFolder folder;
  const auto path = folder.write("table", table(200));
  Stream<float> stream{path, small()};
  CHECK(pass_over(stream).size() == 170);
  std::string wider;
  for (int i = 0; i < 200; ++i) wider += "0,1,2,3,4,5,6,7,8,9\n";
  folder.write("table", wider);
  for (int again = 0; again < 2; ++again) {
    CHECK(message_of<DataError>([&] { stream.next(); }) == path.string() + ": expected 2 features as before, got 9");
    CHECK(stream.features() == 2);
    CHECK(stream.test().features() == 2);
  }
  folder.write("table", "1,2\n");
  CHECK_THAT(message_of<DataError>([&] { stream.seek(0, 1); }),
             ContainsSubstring("expected 2 features as before, got 1"));
  REQUIRE(std::filesystem::remove(path));
  CHECK_THAT(message_of<DataError>([&] { stream.next(); }), ContainsSubstring("it can be read only once"));
  CHECK(stream.skipped() == 0);
  folder.write("table", table(100));
  CHECK_THAT(message_of<DataError>([&] { pass_over(stream); }),
             ContainsSubstring("expected 170 rows to train on as in the first pass, got 100"));
  folder.write("table", table(200));
  stream.seek(1, 0);
  CHECK(pass_over(stream).size() == 170);
  CHECK(stream.test().x()(0, 0) == 170);
}

TEMPLATE_TEST_CASE("a stream moves with all that it holds", "[stream]", float, double) {
  const TemporaryFolder folder;
  const auto path = folder.write("table", table(200));
  StreamOptions options = small();
  options.standardize = true;
  Stream<TestType> whole{path, options};
  auto from = std::make_unique<Stream<TestType>>(path, options);
  for (int i = 0; i < 5; ++i) REQUIRE(Matrix<TestType>(whole.next()->x) == from->next()->x);
  Stream<TestType> moved{std::move(*from)};
  const std::string gone = "Stream: expected a stream to read from, got one that has been moved elsewhere";
  CHECK(message_of<altmin::Error>([&] { from->next(); }) == gone);
  CHECK(message_of<altmin::Error>([&] { from->test(); }) == gone);
  CHECK(message_of<altmin::Error>([&] { from->seek(0, 0); }) == gone);
  CHECK(message_of<altmin::Error>([&] { from->skipped(); }) == gone);
  from.reset();
  for (int i = 0; i < 5; ++i) REQUIRE(Matrix<TestType>(whole.next()->x) == moved.next()->x);
  std::istringstream other{"0,1,2,3\n1,4,5,6\n"};
  Stream<TestType> target{other};
  CHECK(target.next()->x.rows() == 3);
  target = std::move(moved);
  CHECK(target.features() == 2);
  moved = Stream<TestType>{path, options};
  CHECK(moved.next()->size() == 7);
  while (const auto* batch = whole.next()) {
    const auto* const same = target.next();
    REQUIRE(same != nullptr);
    REQUIRE(Matrix<TestType>(batch->x) == same->x);
    REQUIRE(altmin::Labels(batch->y) == same->y);
  }
  CHECK(target.next() == nullptr);
  CHECK(target.test().x() == whole.test().x());
  CHECK(Matrix<TestType>(whole.next()->x) == target.next()->x);
  static_assert(!std::is_copy_constructible_v<Stream<TestType>> && !std::is_copy_assignable_v<Stream<TestType>>);
  static_assert(!std::is_move_constructible_v<altmin::CsvReader<TestType>>);
}

TEST_CASE("an outlier leaves its feature alive", "[stream]") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    text += std::to_string(i % 2) + "," + (i == 100 ? "1e200" : std::to_string(i % 10)) + ",1\n";
  }
  StreamOptions options = small();
  options.standardize = true;
  Stream<double> stream{folder.write("table", text), options};
  double spread = 0;
  Index rows = 0;
  for (int pass = 0; pass < 2; ++pass) {
    while (const auto* batch = stream.next()) {
      REQUIRE(batch->x.allFinite());
      if (batch->x.row(0).maxCoeff() > 1e100) continue;
      if (batch->size() < 2 || stream.batch() < 500) continue;
      spread += batch->x.row(0).maxCoeff() - batch->x.row(0).minCoeff();
      ++rows;
    }
  }
  CHECK(spread / static_cast<double>(rows) > 0.1);  // 2.5 without the outlier
  CHECK(stream.standardizer().deviation()(0) < 100);
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

TEST_CASE("each n-th row is held back, in every pass, and the latest of them are for testing", "[stream]") {
  const TemporaryFolder folder;
  StreamOptions options = small();
  options.test_every = 5;
  options.test_rows = 10;
  const auto path = folder.write("table", table(200));
  Stream<float> stream{path, options};
  for (int pass = 0; pass < 3; ++pass) {
    const auto order = pass_over(stream);
    REQUIRE(order.size() == 160);
    REQUIRE(std::set<int>{order.begin(), order.end()}.size() == 160);
    for (const int row : order) REQUIRE(row % 5 != 4);
    const auto test = stream.test();
    REQUIRE(test.size() == 10);
    for (Index i = 0; i < 10; ++i) REQUIRE(test.x()(0, i) == static_cast<float>(154 + 5 * i));
  }
  options.test_every = 1;
  CHECK_THROWS_WITH((Stream<float>{path, options}),
                    ContainsSubstring("test_every must be 0, or 2 or more with test_rows"));
  options.test_every = 5;
  options.test_rows = 0;
  CHECK_THROWS_AS((Stream<float>{path, options}), OptionError);
}

TEST_CASE("a stream tells what is known of it", "[stream]") {
  const TemporaryFolder folder;
  for (const int rows : {40, 44, 45, 46, 50}) {  // 10, 14, 15, 16 and 20 to train on
    StreamOptions options = small();
    options.last_batch = GENERATE(LastBatch::keep, LastBatch::drop);
    const auto path = folder.write("table", table(rows));
    Stream<float> stream{path, options};
    CHECK(stream.info().name == path);
    CHECK(stream.info().shape.size() == 2);
    CHECK(stream.info().classes == 2);
    CHECK(stream.info().repeatable);
    CHECK(stream.info().batches == 0);
    Index batches = 0;
    while (stream.next() != nullptr) ++batches;
    CHECK(stream.info().batches == batches);
  }
  std::istringstream text{table(50)};
  Stream<float> once{text, small()};
  CHECK_FALSE(once.info().repeatable);
  CHECK(once.fingerprint() == 0);

  const auto path = folder.write("table", table(2000));
  Stream<float> stream{path, small()};
  const auto known = stream.fingerprint();
  CHECK(known != 0);
  CHECK(stream.next() != nullptr);  // which is not read from for that
  CHECK((Stream<float>{path, small()}.fingerprint()) == known);
  std::string other = table(2000);
  other[other.find("989")] = '8';
  CHECK((Stream<float>{folder.write("other", other), small()}.fingerprint()) != known);
}
