#include <altmin/readers/stream.hpp>
#include <altmin/table/reader.hpp>
#include <array>
#include <string>
#include <vector>

#include "catch.hpp"
#include "readers/support.hpp"
#include "table/support.hpp"

using altmin::BadRows;
using altmin::ColumnKind;
using altmin::ColumnRole;
using altmin::CsvReader;
using altmin::DataError;
using altmin::Index;
using altmin::Labels;
using altmin::Matrix;
using altmin::Missing;
using altmin::OptionError;
using altmin::Random;
using altmin::Seed;
using altmin::ShapeError;
using altmin::Source;
using altmin::Span;
using altmin::Stream;
using altmin::StreamOptions;
using altmin::TableColumn;
using altmin::TableReader;
using altmin::TableReaderOptions;
using altmin::TableSchema;
using altmin::TargetKind;
using altmin::UnknownValues;
using altmin::View;
using Catch::Matchers::ContainsSubstring;
using support::gzip;
using support::message_of;
using support::TemporaryFolder;

namespace {

TableColumn feature(const std::string& name, ColumnKind kind = ColumnKind::number, Missing missing = Missing::mean) {
  TableColumn column;
  column.name = name;
  column.kind = kind;
  column.missing = missing;
  return column;
}

TableColumn category(const std::string& name, std::vector<std::string> values, Missing missing = Missing::mean) {
  TableColumn column = feature(name, ColumnKind::category, missing);
  column.values = std::move(values);
  return column;
}

TableColumn target(TableColumn column) {
  column.role = ColumnRole::target;
  return column;
}

/// Age (a number with an indicator), city (Rome, Oslo), a note that is ignored, and the classes no and yes.
TableSchema people() {
  TableSchema schema;
  schema.columns = {feature("age", ColumnKind::number, Missing::indicator), category("city", {"Rome", "Oslo"}),
                    feature("note"), target(category("pays", {"no", "yes"}))};
  schema.columns[0].mean = 40.5;
  schema.columns[2].role = ColumnRole::ignored;
  schema.target = TargetKind::classes;
  return schema;
}

template <class Scalar>
struct Sample {
  Matrix<Scalar> x;
  Labels y;
  Matrix<Scalar> targets;
  Index skipped = 0;
  Index unknown = 0;
};

template <class Scalar, class Bytes>
Sample<Scalar> read_by(const std::string& text, const TableSchema& schema, const TableReaderOptions& options) {
  std::istringstream stream{text};
  TableReader<Scalar, Bytes> reader{Source{stream, "table"}, schema, options};
  constexpr Index most = 100;
  Sample<Scalar> sample{{reader.features(), most}, Labels(reader.classes() > 0 ? most : 0), {reader.targets(), most}};
  const Index count = reader.read(sample.x, Span<int>{sample.y.data(), sample.y.size()}, View<Scalar>{sample.targets});
  sample.x.conservativeResize(Eigen::NoChange, count);
  sample.y.conservativeResize(reader.classes() > 0 ? count : 0);
  sample.targets.conservativeResize(Eigen::NoChange, count);
  sample.skipped = reader.skipped();
  sample.unknown = reader.unknown();
  return sample;
}

/// The same, however the text is cut into blocks.
template <class Scalar = double>
Sample<Scalar> read(const std::string& text, const TableSchema& schema, const TableReaderOptions& options = {}) {
  auto sample = read_by<Scalar, altmin::detail::Text>(text, schema, options);
  const auto other = read_by<Scalar, support::Chunks<3>>(text, schema, options);
  CAPTURE(text);
  REQUIRE(sample.x == other.x);
  REQUIRE(sample.y == other.y);
  REQUIRE(sample.targets == other.targets);
  REQUIRE(sample.skipped == other.skipped);
  return sample;
}

std::string table_error(const std::string& text, const TableSchema& schema, const TableReaderOptions& options = {}) {
  return message_of<DataError>([&] { read(text, schema, options); });
}

TableReaderOptions without_targets() {
  TableReaderOptions options;
  options.targets = false;
  return options;
}

}  // namespace

TEMPLATE_TEST_CASE("rows become samples by the schema", "[table]", float, double) {
  using Expected = Eigen::Matrix<TestType, Eigen::Dynamic, Eigen::Dynamic>;
  Expected x(4, 4);
  x << 30, 40.5, 40.5, -0.5,  // age
      0, 1, 1, 0,             // age is missing
      1, 0, 0, 0,             // Rome
      0, 1, 0, 0;             // Oslo
  Labels y(4);
  y << 1, 0, 1, 0;
  // Row 3 lacks the city, row 4 has one that is unknown.
  for (const std::string text :
       {"age,city,note,pays\n30,Rome,x,yes\n?,Oslo,,no\n,,,yes\n-5e-1,Bonn,,no\n",
        "age, city, note, pays\r\n 30 , Rome,\"x,\n\", \"yes\"\r\n\"NA\",\"Oslo\",,no\r\n"
        "N/A,null,NULL,yes\r\n\"-0.5\",Bonn,\"\",no",
        "\xef\xbb\xbfpays,extra,age,city\nyes,1,30,Rome\nno,,nan,Oslo\nyes,2,,\nno,3,-.5,Bonn\n"}) {
    const auto sample = read<TestType>(text, people());
    CHECK(sample.x == x);
    CHECK(sample.y == y);
    CHECK(sample.unknown == 1);
  }
  CHECK(people().feature_names() == std::vector<std::string>{"age", "age is missing", "city=Rome", "city=Oslo"});
  CHECK(people().class_names() == std::vector<std::string>{"no", "yes"});
}

TEST_CASE("targets are read, checked, or may be absent", "[table]") {
  TableSchema schema = people();
  const auto sample = read("age,city\n30,Rome\n", schema, without_targets());
  CHECK(sample.x.col(0) == Eigen::Vector4d(30, 0, 1, 0));
  CHECK(sample.y.size() == 0);
  CHECK(read("age,city,pays\n30,Rome,what\n", schema, without_targets()).x.cols() == 1);
  CHECK_THAT(table_error("age,city\n30,Rome\n", schema),
             ContainsSubstring("table: expected a column 'pays', got a header of 'age', 'city'"));
  CHECK_THAT(table_error("age,city,pays\n30,Rome,what\n", schema),
             ContainsSubstring("table, line 2, column 'pays': expected a class 'no', 'yes', got 'what'"));
  CHECK_THAT(table_error("age,city,pays\n30,Rome,\n", schema), ContainsSubstring("got ''"));

  schema.columns.back() = target(feature("pays"));
  schema.columns[1] = target(feature("city"));
  schema.target = TargetKind::numbers;
  const auto numbers = read("age,city,pays\n30,1.5,-2e3\n31,0,7\n", schema);
  CHECK(numbers.targets == (Matrix<double>(2, 2) << 1.5, 0, -2000, 7).finished());
  schema.columns[1].mean = 1;
  schema.columns[1].deviation = 0.25;
  CHECK(read("age,city,pays\n30,1.5,7\n", schema).targets == Eigen::Vector2d(2, 7));
  CHECK(schema.target_number(0, 2) == 1.5);
  CHECK_THAT(table_error("age,city,pays\n30,?,7\n", schema),
             ContainsSubstring("line 2, column 'city': expected a number, got '?'"));
  schema.target = TargetKind::flags;
  schema.columns[1] = target(feature("city"));
  CHECK(read("age,city,pays\n30,1,0\n", schema).targets == Eigen::Vector2d(1, 0));
  CHECK_THAT(table_error("age,city,pays\n30,1,0.5\n", schema), ContainsSubstring("column 'pays': expected 0 or 1"));
}

TEST_CASE("what is missing or unknown is refused where the schema says so", "[table]") {
  TableSchema schema = people();
  schema.unknown = UnknownValues::refuse;
  CHECK_THAT(table_error("age,city,pays\n30,Bonn,yes\n", schema),
             ContainsSubstring("column 'city': expected one of the 2 values that its schema has, got 'Bonn'"));
  for (TableColumn& column : schema.columns) column.missing = Missing::refuse;
  CHECK_THAT(table_error("age,city,pays\n?,Rome,yes\n", schema),
             ContainsSubstring("column 'age': expected a value, as its schema refuses what is missing, got '?'"));
  CHECK_THAT(table_error("age,city,pays\n1,,yes\n", schema), ContainsSubstring("column 'city': expected a value"));
}

TEST_CASE("a hashed column sets one bucket, the same in every program", "[table]") {
  TableSchema schema;
  schema.columns = {feature("id", ColumnKind::hashed, Missing::indicator)};
  schema.columns[0].buckets = 8;
  const auto x = read("id\nabc\n\"abc\"\n?\nx y\n", schema).x;
  REQUIRE(x.rows() == 9);
  CHECK(x.colwise().sum() == Eigen::RowVector4d::Ones());
  CHECK(x.col(0) == x.col(1));
  CHECK(x(8, 2) == 1);
  // FNV-1a of "abc" is e71fa2190541574b: its halves mixed, the last 3 bits are those of e71fa219 ^ 0541574b.
  CHECK(x(2, 0) == 1);
  CHECK(schema.feature_names()[2] == "id#2");
}

TEST_CASE("a row that does not fit names file, line and column, or is skipped", "[table]") {
  const TableSchema schema = people();
  const std::string header = "age,city,note,pays\n";
  CHECK_THAT(table_error(header + "1,Rome,,no\n\n2,Rome,\"\n\",no\n3x,Oslo,,no\n", schema),
             ContainsSubstring("table, line 6, column 'age': expected a number, got '3x'"));
  CHECK_THAT(table_error(header + "1e999,Rome,,no\n", schema), ContainsSubstring("expected a finite number"));
  CHECK_THAT(table_error(header + "1,Rome,no\n", schema),
             ContainsSubstring("table, line 2: expected 4 columns, got 3"));
  CHECK_THAT(table_error(header + "1,Rome,,no,\n", schema), ContainsSubstring("expected 4 columns, got 5"));
  CHECK_THAT(table_error(header + "\"1,Rome,,no\n", schema), ContainsSubstring("line 2: expected a closing quote"));
  TableReaderOptions skipping;
  skipping.bad_rows = BadRows::skip;
  const auto sample = read(
      header + "1,Rome,,no\nx,Rome,,no\n2,Rome\n3,Rome,\"a\"b,no\n4,Oslo,,maybe\n5,Oslo,\"\",yes\n", schema, skipping);
  CHECK(sample.x.row(0) == Eigen::RowVector2d(1, 5));
  CHECK(sample.skipped == 4);
  skipping.longest_row = 30;
  CHECK(read(header + "1,Rome," + std::string(40, 'x') + ",no\n2,Oslo,,yes\n", schema, skipping).x(0, 0) == 2);
}

TEST_CASE("a table without header is matched by place", "[table]") {
  TableSchema schema = people();
  schema.format.header = false;
  CHECK(read("30,Rome,,yes\n", schema).x.col(0) == Eigen::Vector4d(30, 0, 1, 0));
  CHECK(read("30,Rome,,yes\n", schema, without_targets()).x.col(0) == Eigen::Vector4d(30, 0, 1, 0));
  CHECK(read("30,Rome,\n", schema, without_targets()).x.col(0) == Eigen::Vector4d(30, 0, 1, 0));
  CHECK_THAT(table_error("30,Rome\n", schema, without_targets()),
             ContainsSubstring("table: expected 4 columns as its schema has, got 2"));
  CHECK_THAT(table_error("30,Rome,\n", schema), ContainsSubstring("expected 4 columns"));
  CHECK(read("", schema).x.cols() == 0);
  TableReaderOptions skipping;
  skipping.bad_rows = BadRows::skip;
  CHECK(read("a title\n30,Rome,,yes\n", schema, skipping).skipped == 1);
}

TEST_CASE("decimal commas and other separators are read", "[table]") {
  TableSchema schema = people();
  schema.format.separator = ';';
  schema.format.decimal_comma = true;
  CHECK(read("age;city;pays\n1,5;Rome;no\n\"-2,25\";Oslo;yes\n,5e1;Oslo;yes\n", schema).x.row(0) ==
        Eigen::RowVector3d(1.5, -2.25, 5));
  CHECK_THAT(table_error("age;city;pays\n1.5;Rome;no\n", schema), ContainsSubstring("expected a number, got '1.5'"));
  schema.format = {};
  schema.format.separator = ' ';
  CHECK(read("age city  pays\n  1.5   Rome\tno \n", schema).x(0, 0) == 1.5);
  schema.format.separator = '\t';
  CHECK(read("age\tcity\tpays\n 1.5\tRome \tno\n", schema).x(0, 0) == 1.5);
}

TEST_CASE("several files are one table, each with its own header", "[table]") {
  const TemporaryFolder folder;
  folder.write("b.csv", "age,city,pays\n2,Oslo,no\n");
  folder.write("a.csv.gz", gzip(folder, "pays,city,age\nyes,Rome,1\n"));
  std::filesystem::remove(folder.path() / "packing.gz");
  folder.write(".hidden", "no table");
  folder.write("c.csv", "age,city,pays\n");
  const auto files = altmin::table_files(folder.path());
  REQUIRE(files.size() == 3);
  TableReader<float> reader{files, people()};
  Matrix<float> x(4, 10);
  Labels y(10);
  REQUIRE(reader.read(x, Span<int>{y.data(), 10}) == 2);
  CHECK(x.leftCols(2) == (Matrix<float>(4, 2) << 1, 2, 0, 0, 1, 0, 0, 1).finished());
  CHECK(y.head(2) == Eigen::Vector2i(1, 0));
  CHECK(reader.read(x, Span<int>{y.data(), 10}) == 0);

  folder.write("d.csv", "age,pays\n1,no\n");
  TableReader<float> other{altmin::table_files(folder.path()), people()};
  CHECK_THAT(message_of<DataError>([&] {
               other.read(x, Span<int>{y.data(), 10});
             }),
             ContainsSubstring("d.csv: expected a column 'city', got a header of 'age', 'pays'"));
  folder.write("e.csv.gz", gzip(folder, "age,city,pays\n1,Rome,no\n").substr(0, 30));
  CHECK_THAT(message_of<DataError>([&] {
               TableReader<float> cut{Source{folder.path() / "e.csv.gz"}, people()};
               cut.read(x, Span<int>{y.data(), 10});
             }),
             ContainsSubstring("expected sound gzip data"));
  const TemporaryFolder empty;
  CHECK_THAT(message_of<DataError>([&] { altmin::table_files(empty.path()); }), ContainsSubstring("no file in it"));
}

TEST_CASE("read checks the sizes of its matrices", "[table]") {
  std::istringstream text{"age,city,pays\n1,Rome,no\n"};
  TableReader<float> reader{Source{text, "table"}, people()};
  Matrix<float> x(3, 2);
  Labels y(2);
  CHECK_THROWS_AS(reader.read(x, Span<int>{y.data(), 2}), ShapeError);
  x.resize(4, 3);
  CHECK_THROWS_AS(reader.read(x, Span<int>{y.data(), 2}), ShapeError);
  Matrix<float> targets(1, 3);
  CHECK_THROWS_AS(reader.read(x, View<float>{targets}), OptionError);
}

TEMPLATE_TEST_CASE("a table of numbers is read as a CsvReader reads it", "[table]", float, double) {
  Random random{Seed{7}};
  std::string text;
  const Index rows = 20000;  // of several blocks
  for (Index i = 0; i < rows; ++i) {
    text += std::to_string(random.below(2));
    for (int j = 0; j < 4; ++j) {
      std::array<char, 40> number{};
      std::snprintf(number.data(), number.size(), j % 2 == 0 ? "%.*e" : "%.*f", static_cast<int>(random.below(19)),
                    random.normal() * 100);
      text += std::string(",") + number.data();
    }
    text += i % 7 == 0 ? "\r\n" : "\n";
  }
  TableSchema schema;
  schema.format.header = false;
  schema.target = TargetKind::classes;
  schema.columns = {target(category("1", {"0", "1"})), feature("2"), feature("3"), feature("4"), feature("5")};
  std::istringstream streams[2]{std::istringstream{text}, std::istringstream{text}};
  CsvReader<TestType> plain{Source{streams[0], "table"}};
  TableReader<TestType> reader{Source{streams[1], "table"}, schema};
  Matrix<TestType> x[2] = {Matrix<TestType>(4, 1000), Matrix<TestType>(4, 1000)};
  Labels y[2] = {Labels(1000), Labels(1000)};
  for (Index i = 0; i < rows; i += 1000) {
    REQUIRE(plain.read(x[0], Span<int>{y[0].data(), 1000}) == 1000);
    REQUIRE(reader.read(x[1], Span<int>{y[1].data(), 1000}) == 1000);
    REQUIRE(x[0] == x[1]);
    REQUIRE(y[0] == y[1]);
  }
}

TEST_CASE("a stream runs over a table", "[table]") {
  const TemporaryFolder folder;
  std::string text = "x,kind,y\n";
  for (int i = 0; i < 300; ++i)
    text += std::to_string(i) + (i % 2 == 0 ? ",even," : ",odd,") + std::to_string(-i) + "\n";
  const auto files = std::vector<Source>{folder.write("table.csv", text)};
  TableSchema schema;
  schema.target = TargetKind::numbers;
  schema.columns = {feature("x"), category("kind", {"even", "odd"}), target(feature("y"))};
  StreamOptions options;
  options.batch_size = 7;
  options.reservoir = 50;
  options.test_rows = 20;
  options.standardize = false;
  Stream<float> stream{altmin::table_rows<float>(files, schema), options};
  CHECK(stream.classes() == 0);
  CHECK(stream.targets() == 1);
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<bool> seen(300);
    while (const auto* batch = stream.next()) {
      REQUIRE(batch->y.size() == 0);
      REQUIRE(batch->targets.cols() == batch->size());
      for (Index i = 0; i < batch->size(); ++i) {
        const auto row = static_cast<int>(batch->x(0, i));
        REQUIRE(batch->targets(0, i) == static_cast<float>(-row));
        REQUIRE(batch->x(1 + row % 2, i) == 1);
        REQUIRE(batch->x(2 - row % 2, i) == 0);
        REQUIRE_FALSE(seen[static_cast<std::size_t>(row)]);
        seen[static_cast<std::size_t>(row)] = true;
      }
    }
    CHECK(std::count(seen.begin(), seen.end(), true) == 280);
  }
  const auto test = stream.test();
  CHECK_FALSE(test.has_labels());
  CHECK(test.targets().row(0) == -test.x().row(0));
  CHECK(test.x()(0, 0) == 280);
}

TEST_CASE("a table is read into memory", "[table]") {
  const TemporaryFolder folder;
  std::string text = "age,city,pays\n";
  std::string numbers = "age,city,pays\n";
  for (int i = 0; i < 3000; ++i) {
    text += std::to_string(i) + ",Rome," + (i % 3 == 0 ? "yes" : "no") + "\n";
    numbers += std::to_string(i) + ",Oslo," + std::to_string(2 * i) + "\n";
  }
  TableSchema schema = people();
  const auto labelled = altmin::load_table<float>({folder.write("labels", text)}, schema);
  REQUIRE(labelled.size() == 3000);
  CHECK(labelled.x().row(0) == Eigen::RowVectorXf::LinSpaced(3000, 0, 2999));
  CHECK(labelled.y().head(4) == Eigen::Vector4i(1, 0, 0, 1));
  CHECK(labelled.y()[2999] == 0);
  CHECK(labelled.classes() == 2);
  schema.columns.back() = target(feature("pays"));
  schema.target = TargetKind::numbers;
  const auto real = altmin::load_table<float>({folder.write("numbers", numbers)}, schema);
  REQUIRE_FALSE(real.has_labels());
  CHECK(real.targets().row(0) == 2 * real.x().row(0));
  CHECK_THAT(
      message_of<DataError>([&] { altmin::load_table<float>({folder.write("none", "age,city,pays\n")}, schema); }),
      ContainsSubstring("none: expected rows with targets, got no row"));
}
