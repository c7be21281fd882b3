#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <altmin/table/find_schema.hpp>
#include <altmin/table/reader.hpp>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "readers/support.hpp"

using altmin::ColumnKind;
using altmin::ColumnRole;
using altmin::FormatError;
using altmin::Index;
using altmin::Matrix;
using altmin::Missing;
using altmin::Network;
using altmin::Notes;
using altmin::OptionError;
using altmin::TableColumn;
using altmin::TableOptions;
using altmin::TableReader;
using altmin::TableSchema;
using altmin::TargetKind;
using Catch::Matchers::ContainsSubstring;
using support::message_of;
using support::TemporaryFolder;

namespace {

TableSchema sound() {
  TableSchema schema;
  schema.columns.resize(4);
  schema.columns[0].name =
      "gr\xc3\xb6\xc3\x9f"
      "e";
  schema.columns[0].missing = Missing::indicator;
  schema.columns[0].mean = 1.0 / 3;
  schema.columns[1].name = "ci\"ty\n";
  schema.columns[1].kind = ColumnKind::category;
  schema.columns[1].values = {"", "a,b"};
  schema.columns[2].name = "id";
  schema.columns[2].kind = ColumnKind::hashed;
  schema.columns[2].buckets = 5;
  schema.columns[3].name = "y";
  schema.columns[3].kind = ColumnKind::category;
  schema.columns[3].role = ColumnRole::target;
  schema.columns[3].values = {"no", "yes"};
  schema.target = TargetKind::classes;
  return schema;
}

std::string invalid(const std::function<void(TableSchema&)>& change) {
  TableSchema schema = sound();
  change(schema);
  return message_of<OptionError>([&] { schema.require_valid(); });
}

}  // namespace

TEST_CASE("a schema that no table can be read by is one error", "[table]") {
  sound().require_valid();
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[2].name = "y"; }),
             ContainsSubstring("TableSchema: column 'y': expected different names"));
  CHECK_THAT(invalid([](TableSchema& s) {
               s.columns[1].values = {"a", "a"};
             }),
             ContainsSubstring("expected different values"));
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[1].values.clear(); }), ContainsSubstring("at least one value"));
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[2].buckets = 0; }), ContainsSubstring("buckets, got 0"));
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[2].buckets = Index{1} << 40U; }),
             ContainsSubstring("column 'id': expected 1 to 1048576 buckets"));
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[2].buckets = Index{1} << 20U; }),
             ContainsSubstring("expected at most 1048576 features"));
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[0].mean = std::numeric_limits<double>::infinity(); }),
             ContainsSubstring("expected a finite mean, got inf"));
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[3].kind = ColumnKind::number; }),
             ContainsSubstring("column 'y': expected a target that is a category, got number"));
  CHECK_THAT(invalid([](TableSchema& s) { s.columns[3].role = ColumnRole::feature; }),
             ContainsSubstring("target: expected one column for 'classes', got 0"));
  CHECK_THAT(invalid([](TableSchema& s) {
               s.target = TargetKind::none;
               s.columns.clear();
             }),
             ContainsSubstring("at least one feature"));
  for (const char separator : {'"', '\n', '5', '.', '\0', '\x80'}) {
    CHECK_THAT(invalid([=](TableSchema& s) { s.format.separator = separator; }), ContainsSubstring("separator"));
  }
  CHECK_THAT(invalid([](TableSchema& s) { s.format.decimal_comma = true; }), ContainsSubstring("decimal commas"));
  CHECK_THAT(invalid([](TableSchema& s) { s.format.comment = ','; }), ContainsSubstring("comment"));
}

TEST_CASE("a schema comes back from the notes of a file", "[table]") {
  Notes notes;
  altmin::set_note(notes, "table", sound());
  CHECK(altmin::get_note<TableSchema>(notes, "table") == sound());
  CHECK_THAT(message_of<FormatError>([&] { altmin::get_note<TableSchema>(notes, "chair"); }),
             ContainsSubstring("expected a note 'chair'"));
  TableSchema latin1 = sound();
  latin1.columns[0].name =
      "gr\xf6\xdf"
      "e";
  CHECK_THAT(message_of<altmin::Error>([&] { altmin::set_note(notes, "table", latin1); }),
             ContainsSubstring("note 'table'"));

  const std::pair<const char*, const char*> hostile[] = {
      {"", "expected JSON"},
      {"[]", "expected an object"},
      {"{}", "at least one feature"},
      {R"({"columns": 7})", "expected a list"},
      {R"({"columns": [{"name": 3}]})", "note 'table'.columns[0].name: expected a string"},
      {R"({"columns": [{"name": "x"}, {"name": "x"}]})", "expected different names"},
      {R"({"columns": [{"name": "x", "kind": "magic"}]})", "expected one of number, category, hashed"},
      {R"({"columns": [{"kind": "hashed", "buckets": 1e18}]})", "expected a whole number"},
      {R"({"columns": [{"kind": "hashed", "buckets": 1000000000000}]})", "expected 1 to 1048576 buckets"},
      {R"({"columns": [{"mean": "nan"}]})", "expected a finite mean"},
      {R"({"columns": [{"size": 1}]})", "there is no option 'size'"},
      {R"({"columns": [{}], "target": "flags"})", "at least one column for 'flags', got 0"},
      {R"({"columns": [{}], "format": {"separator": 300}})", "up to 127"},
  };
  for (const auto& [json, expected] : hostile) {
    CAPTURE(json);
    notes["table"] = json;
    CHECK_THAT(message_of<FormatError>([&] { altmin::get_note<TableSchema>(notes, "table"); }),
               ContainsSubstring("note 'table'") && ContainsSubstring(expected));
  }
}

TEMPLATE_TEST_CASE("a model that carries its schema predicts raw rows to the same bits", "[table]", float, double) {
  const TemporaryFolder folder;
  std::string text = "x,city,y\n";
  for (int i = 0; i < 60; ++i) {
    text += (i % 9 == 0 ? std::string{"?"} : std::to_string(i * 37 % 50)) + "," + (i % 4 == 0 ? "Rome" : "Oslo") + "," +
            (i * 37 % 50 > 25 ? "yes" : "no") + "\n";
  }
  const altmin::Source file = folder.write("table.csv", text);
  const std::string path = folder.path() / "model.safetensors";
  const auto rows = [&](const TableSchema& schema) {
    altmin::TableReaderOptions options;
    options.targets = false;
    TableReader<TestType> reader{file, schema, options};
    Matrix<TestType> x(reader.features(), 60);
    REQUIRE(reader.read(x) == 60);
    return x;
  };
  Matrix<TestType> expected;
  {
    TableOptions options;
    options.targets = {"y"};
    const TableSchema schema = altmin::find_schema(file, options);
    Network<TestType> net{altmin::Layers<TestType>{schema.features()}
                              .add(altmin::Standardize{})
                              .add(altmin::Dense{8})
                              .add(altmin::Relu{})
                              .add(altmin::Dense{schema.classes()}),
                          altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};
    TableReader<TestType> reader{file, schema};
    Matrix<TestType> x(reader.features(), 60);
    altmin::Labels y(60);
    REQUIRE(reader.read(x, altmin::Span<int>{y.data(), 60}) == 60);
    for (int i = 0; i < 3; ++i) net.step(x, y);
    expected = net.predict(rows(schema));
    Notes notes;
    altmin::set_note(notes, "table", schema);
    altmin::save_checkpoint(net, path, {}, notes);
  }
  const auto schema = altmin::load_note<TableSchema>(path, "table");
  const auto net = altmin::load_model<TestType>(path);
  CHECK(net.predict(rows(schema)) == expected);
  CHECK(altmin::get_note<TableSchema>(altmin::load_checkpoint<TestType>(path).notes, "table") == schema);
}
