#include <altmin/table/find_schema.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"
#include "readers/support.hpp"

using altmin::BadRows;
using altmin::ColumnKind;
using altmin::ColumnRole;
using altmin::DataError;
using altmin::Missing;
using altmin::OptionError;
using altmin::Source;
using altmin::TableColumn;
using altmin::TableOptions;
using altmin::TableSchema;
using altmin::TargetKind;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
using support::gzip;
using support::message_of;
using support::TemporaryFolder;

namespace {

TableSchema find(const std::string& text, const TableOptions& options = {}) {
  const TemporaryFolder folder;
  return altmin::find_schema(folder.write("table", text), options);
}

template <class Thrown = DataError>
std::string find_error(const std::string& text, const TableOptions& options = {}) {
  return message_of<Thrown>([&] { find(text, options); });
}

TableOptions with_target(const std::string& column, TargetKind kind = TargetKind::classes) {
  TableOptions options;
  options.targets = {column};
  options.target_kind = kind;
  return options;
}

}  // namespace

TEST_CASE("kinds, values and means of columns are found", "[table]") {
  const TableSchema schema =
      find("age, job ,x,empty,income\n10,b,1,,<=50K\n?,\"a, c\",2,NA,>50K\n20,b,-3.5e1,?,<=50K\n30,,4,,>50K\n",
           with_target("income"));
  REQUIRE(schema.columns.size() == 5);
  const TableColumn& age = schema.columns[0];
  CHECK(age.name == "age");
  CHECK(age.kind == ColumnKind::number);
  CHECK(age.missing == Missing::indicator);
  CHECK(age.mean == 20);
  const TableColumn& job = schema.columns[1];
  CHECK(job.name == "job");
  CHECK(job.kind == ColumnKind::category);
  CHECK(job.values == std::vector<std::string>{"a, c", "b"});
  CHECK(job.missing == Missing::indicator);
  CHECK(schema.columns[2].kind == ColumnKind::number);
  CHECK(schema.columns[2].missing == Missing::mean);
  CHECK_THAT(schema.columns[2].mean, WithinAbs(-7, 1e-12));
  CHECK(schema.columns[3].role == ColumnRole::ignored);
  CHECK(schema.columns[4].role == ColumnRole::target);
  CHECK(schema.class_names() == std::vector<std::string>{"<=50K", ">50K"});
  CHECK(schema.features() == 6);

  TableSchema reversed =
      find("age,job,x,empty,income\n30,,4,,>50K\n20,b,-3.5e1,?,<=50K\n?,\"a, c\",2,NA,>50K\n10,b,1,,<=50K",
           with_target("-1"));
  for (std::size_t i : {0U, 2U}) reversed.columns[i].mean = schema.columns[i].mean;  // but for their last bits
  CHECK(reversed == schema);
}

TEST_CASE("the format is found", "[table]") {
  const auto format = [](const std::string& text, const TableOptions& options = {}) {
    return find(text, options).format;
  };
  CHECK(format("a,b\n1,2\n").separator == ',');
  CHECK(format("a;b\n1,5;2,5\n").separator == ';');
  CHECK(format("a\tb\n1 2\t3\n").separator == '\t');
  CHECK(format("a|b\n1|2\n").separator == '|');
  CHECK(format("1  2   3\n").separator == ' ');
  CHECK(format("\"a;b;c\",d\n1,2\n").separator == ',');
  CHECK(format("a,b\n1,2\n").header);
  CHECK_FALSE(format("1,b\n1,2\n").header);
  CHECK(format("a,b\n1,2\n").comment == '\0');
  CHECK(format("# made by x\n# in 2020\na,b\n1,2\n").comment == '#');
  CHECK(format("#a,b\n1,2\n").comment == '\0');
  CHECK(find("#a,b\n1,2\n").columns[0].name == "#a");
  CHECK(find("# made by x\na,b\n1,2\n").columns[0].name == "a");
  TableOptions comma;
  comma.decimal_comma = true;
  CHECK(format("a;b\n1,5;2,5\n", comma).separator == ';');
  CHECK(find("a;b\n1,5;2,5\n", comma).columns[0].mean == 1.5);
  TableOptions names;
  names.header = true;
  CHECK(find("2019,2020\n1,2\n", names).columns[1].name == "2020");
  CHECK(find("1,2\n3,4\n").columns[1].name == "2");
  const auto renamed = find("x,,x,2\n1,2,3,4\n", names);
  CHECK(renamed.columns[1].name == "2");
  CHECK(renamed.columns[2].name == "x.2");
  CHECK(renamed.columns[3].name == "2.2");
}

TEST_CASE("kinds of columns can be set", "[table]") {
  TableOptions options = with_target("y", TargetKind::numbers);
  options.categories = {"zip"};
  options.hashed = {"3"};
  options.ignored = {"id"};
  options.most_values = 16;
  const std::string text = "id,zip,name,y\n1,10,a,1\n2,9,b,2.5\n3,10,c,3\n";
  const TableSchema schema = find(text, options);
  CHECK(schema.columns[0].role == ColumnRole::ignored);
  CHECK(schema.columns[1].values == std::vector<std::string>{"9", "10"});  // by size
  CHECK(schema.columns[2].buckets == 16);
  CHECK(schema.columns[3].kind == ColumnKind::number);
  CHECK_THAT(schema.target_number(0, 0), WithinAbs(6.5 / 3, 1e-12));
  CHECK_THAT(schema.target_number(0, 1), WithinAbs(6.5 / 3 + std::sqrt(13.0 / 18), 1e-12));
  CHECK(schema.features() == 18);
  options.targets = {"y", "id"};
  options.ignored.clear();
  CHECK(find(text, options).target_names() == std::vector<std::string>{"id", "y"});
  TableOptions flags = with_target("y", TargetKind::flags);
  CHECK(find("x,y\n1,0\n2,1\n", flags).target_number(0, 0.5) == 0.5);

  options.targets = {"z"};
  CHECK_THAT(find_error<OptionError>(text, options),
             ContainsSubstring("TableOptions: targets: expected one of the columns of") &&
                 ContainsSubstring("'id', 'zip', 'name', 'y', got 'z'"));
  options.targets = {"zip"};
  CHECK_THAT(find_error<OptionError>(text, options), ContainsSubstring("got 'zip' again"));
  options = with_target("5");
  CHECK_THAT(find_error<OptionError>(text, options), ContainsSubstring("got '5'"));
  options = with_target("y");
  options.targets = {"y", "zip"};
  CHECK_THAT(find_error<OptionError>(text, options), ContainsSubstring("expected one column of classes, got 2"));
  options = with_target("y");
  options.numbers = {"name"};
  CHECK_THAT(find_error(text, options), ContainsSubstring("line 2, column 'name': expected a number, got 'a'"));
  CHECK_THAT(find_error(text, with_target("name", TargetKind::numbers)), ContainsSubstring("expected a number"));
}

TEST_CASE("a column of many values is hashed, or refused where it is all but a number", "[table]") {
  std::string many = "name,x\n";
  std::string numbers = "name,x\n";
  std::string ids = "name,x\n";
  for (int i = 0; i < 300; ++i) {
    many += "n" + std::to_string(i) + ",1\nn" + std::to_string(i) + ",1\n";
    ids += "n" + std::to_string(i) + ",1\n";
    numbers += std::to_string(i) + (i == 200 ? ",oops\n" : "," + std::to_string(i) + "\n");
  }
  const TableColumn name = find(many).columns[0];
  CHECK(name.kind == ColumnKind::hashed);
  CHECK(name.buckets == 256);
  CHECK(name.values.empty());
  CHECK(find(ids).columns[0].role == ColumnRole::ignored);
  CHECK_THAT(find_error(numbers),
             ContainsSubstring("line 202, column 'x': expected a number") && ContainsSubstring("got 'oops'"));
  TableOptions options;
  options.most_values = 300;
  CHECK(find(many, options).columns[0].values.size() == 300);
  CHECK(find("name,x\nb,2\nb,3\n" + std::string(300, 'a') + ",1\n").columns[0].kind == ColumnKind::hashed);

  std::string classes = "y,x\n";
  for (int i = 0; i < 1001; ++i) classes += std::to_string(i) + ",1\n";
  CHECK_THAT(find_error(classes, with_target("y")),
             ContainsSubstring("line 1002, column 'y': expected a target of at most 1000 classes") &&
                 ContainsSubstring("regression"));
  CHECK(find(classes, with_target("y", TargetKind::numbers)).columns[0].mean == 500);
}

TEST_CASE("a table without a schema is refused", "[table]") {
  CHECK_THAT(find_error(""), ContainsSubstring("expected at least one row, got none"));
  CHECK_THAT(find_error("a,b\n"), ContainsSubstring("expected at least one row with a feature"));
  CHECK_THAT(find_error("a,b\n1,x\n2,x\n", with_target("b")),
             ContainsSubstring("expected at least 2 classes, got 'x'"));
  CHECK_THAT(find_error("a\nx\ny\n", with_target("a")), ContainsSubstring("with a feature"));
  CHECK_THAT(find_error("a,b\n1,2\n3\n"), ContainsSubstring("line 3: expected 2 columns, got 1"));
  CHECK_THAT(find_error("a,b\n1,caf\xe9\n"), ContainsSubstring("line 2, column 'b': expected UTF-8 text, got 'caf?'"));
  CHECK_THAT(find_error("a,caf\xe9\n1,2\n"), ContainsSubstring("expected names of columns in UTF-8"));
  CHECK_THAT(find_error("\xff\xfe"
                        "a"),
             ContainsSubstring("UTF-16"));
  TableOptions options;
  options.bad_rows = BadRows::skip;
  CHECK(find("a,b\n1,2\n3\n5,6\n", options).columns[0].mean == 3);
  CHECK_THAT(message_of<DataError>([&] { altmin::find_schema("nowhere"); }),
             ContainsSubstring("nowhere: expected a file to read"));
  std::istringstream once{"a,b\n1,2\n"};
  CHECK_THAT(message_of<DataError>([&] {
               altmin::find_schema(Source{once, "pipe"});
             }),
             ContainsSubstring("pipe: it can be read only once"));
}

TEST_CASE("the schema is that of all files", "[table]") {
  const TemporaryFolder folder;
  const auto a = folder.write("a", "x,kind\n1,u\n");
  const auto b = folder.write("b.gz", gzip(folder, "kind,x\nv,2\n"));
  const TableSchema schema = altmin::find_schema(std::vector<Source>{a, b});
  CHECK(schema.columns[0].mean == 1.5);
  CHECK(schema.columns[1].values == std::vector<std::string>{"u", "v"});
  const auto c = folder.write("c", "x\n2\n");
  CHECK_THAT(message_of<DataError>([&] {
               altmin::find_schema(std::vector<Source>{a, c});
             }),
             ContainsSubstring("c: expected a column 'kind', got a header of 'x'"));
}
