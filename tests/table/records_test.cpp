#include <altmin/core/random.hpp>
#include <altmin/table/records.hpp>
#include <string>
#include <vector>

#include "catch.hpp"
#include "readers/support.hpp"
#include "table/support.hpp"

using altmin::DataError;
using altmin::Index;
using altmin::Random;
using altmin::Seed;
using altmin::Source;
using altmin::TableFormat;
using altmin::detail::RecordReader;
using Catch::Matchers::ContainsSubstring;
using support::Chunks;
using support::message_of;

namespace {

using Fields = std::vector<std::string>;

/// What a text holds: fields, or {"bad", problem}; each with the line where it begins.
struct Records {
  std::vector<Fields> fields;
  std::vector<Index> lines;
};

template <class Bytes>
Records split_by(const std::string& text, const TableFormat& format, Index longest) {
  std::istringstream stream{text};
  RecordReader<Bytes> reader{Source{stream, "table"}, format, longest};
  Records records;
  std::vector<std::string_view> fields;
  while (reader.find_record()) {
    const bool is_bad = reader.split(fields) == RecordReader<Bytes>::Status::bad;
    records.fields.push_back(is_bad ? Fields{"bad", reader.problem()} : Fields{fields.begin(), fields.end()});
    records.lines.push_back(reader.line());
  }
  return records;
}

/// The same, however the text is cut into blocks.
Records split(const std::string& text, const TableFormat& format = {}, Index longest = 1000) {
  Records records = split_by<altmin::detail::Text>(text, format, longest);
  const auto require_same = [&](const Records& other) {
    CAPTURE(text);
    REQUIRE(other.fields == records.fields);
    REQUIRE(other.lines == records.lines);
  };
  require_same(split_by<Chunks<1>>(text, format, longest));
  require_same(split_by<Chunks<2>>(text, format, longest));
  require_same(split_by<Chunks<3>>(text, format, longest));
  require_same(split_by<Chunks<7>>(text, format, longest));
  return records;
}

TableFormat separated_by(char separator, char comment = '\0') {
  TableFormat format;
  format.separator = separator;
  format.comment = comment;
  return format;
}

using Table = std::vector<Fields>;

}  // namespace

TEST_CASE("records are split at separators and line ends", "[table]") {
  const Table plain{{"a", "b"}, {"1", ""}, {"", "2"}};
  CHECK(split("a,b\n1,\n,2\n").fields == plain);
  CHECK(split("a,b\r\n1,\r\n,2\r\n").fields == plain);
  CHECK(split("a,b\r1,\r,2\r").fields == plain);
  CHECK(split("a,b\n1,\r\n,2").fields == plain);  // mixed, and no line end at last
  CHECK(split("a,b\n\n  \n\r\n1,\n\t\n,2\n\n").fields == plain);
  CHECK(split("a,b\n\n  \n\r\n1,\n\t\n,2\n\n").lines == std::vector<Index>{1, 5, 7});
  CHECK(split(" a ,\tb\t\n1 \t, \t\n ,2 ").fields == plain);
  CHECK(split("").fields.empty());
  CHECK(split("\n\r\r\n  ").fields.empty());
  CHECK(split("x").fields == Table{{"x"}});
  CHECK(split("x,").fields == Table{{"x", ""}});
  CHECK(split("5\" disk,it's\n").fields == Table{{"5\" disk", "it's"}});  // no quote at its begin
}

TEST_CASE("fields in quotes hold separators, line ends and quotes", "[table]") {
  CHECK(split("\"a,b\",\"c\nd\",\"e\"\"f\"\n1,2,3\n").fields == Table{{"a,b", "c\nd", "e\"f"}, {"1", "2", "3"}});
  CHECK(split("\"a\r\nb\",\"c\rd\n\"\n1,2\n\"x\"\n").lines == std::vector<Index>{1, 5, 6});
  CHECK(split(" \" a \" , \"b\"\t\n").fields == Table{{" a ", "b"}});
  CHECK(split("\"\",\"\"\"\"\n").fields == Table{{"", "\""}});
  CHECK(split("\"a\"").fields == Table{{"a"}});
  CHECK(split("\"a\"\r\"b\"\r\n").fields == Table{{"a"}, {"b"}});
}

TEST_CASE("a record with an open or a misplaced quote is bad, and the next line is read", "[table]") {
  const auto open = split("1,2\n3,\"4\n5,6\n");
  CHECK(open.fields == Table{{"1", "2"}, {"bad", "expected a closing quote, got the end of the text"}, {"5", "6"}});
  CHECK(open.lines == std::vector<Index>{1, 2, 3});
  CHECK(split("\"a\"b,c\n1,2\n").fields ==
        Table{{"bad", "expected a separator behind a quoted field, got 'b'"}, {"1", "2"}});
  const std::string longer(2000, 'x');
  const auto passed = split("1\n" + longer + "\n2\n\"" + longer + "\n3\n" + std::string(999, 'y') + "\n", {}, 1000);
  REQUIRE(passed.fields.size() == 6);
  CHECK(passed.fields[1] == Fields{"bad", "expected at most 1000 bytes, got more"});
  CHECK(passed.fields[2] == Fields{"2"});
  CHECK_THAT(passed.fields[3][1], ContainsSubstring("got more (is a closing quote missing?)"));
  CHECK(passed.fields[5] == Fields{std::string(999, 'y')});  // with its line end 1000
  CHECK(passed.lines == std::vector<Index>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("comments and byte order marks are passed over", "[table]") {
  CHECK(split("# a, b\n1,2\n  #x\r\n3,#4\n#", separated_by(',', '#')).fields == Table{{"1", "2"}, {"3", "#4"}});
  CHECK(split("#a,b\n1,2\n").fields == Table{{"#a", "b"}, {"1", "2"}});
  CHECK(split("# a\n\n1\n", separated_by(',', '#')).lines == std::vector<Index>{3});
  CHECK(split("#" + std::string(5000, 'x') + "\n1\n", separated_by(',', '#')).fields == Table{{"1"}});
  const std::string mark = "\xef\xbb\xbf";
  CHECK(split(mark + "a,b\n1,2\n" + mark + "\"3\",4\n" + mark).fields == Table{{"a", "b"}, {"1", "2"}, {"3", "4"}});
  CHECK(split("1," + mark + "2\n").fields == Table{{"1", mark + "2"}});
}

TEST_CASE("tables are separated by semicolons, tabs or spaces", "[table]") {
  CHECK(split("1,5;\"a;b\"\n", separated_by(';')).fields == Table{{"1,5", "a;b"}});
  CHECK(split("a b\t\t c \n\t\t\n", separated_by('\t')).fields == Table{{"a b", "", "c"}, {"", "", ""}});
  CHECK(split("  1  2\t3 \n\n4 \"5 6\" 7\n\"8\"\t9  10", separated_by(' ')).fields ==
        Table{{"1", "2", "3"}, {"4", "5 6", "7"}, {"8", "9", "10"}});
}

TEST_CASE("text in UTF-16 is named", "[table]") {
  for (const std::string mark : {"\xff\xfe", "\xfe\xff"}) {
    CHECK_THAT(message_of<DataError>([&] {
                 split(mark + std::string{"a\0,\0", 4});
               }),
               ContainsSubstring("table: expected UTF-8 text, got UTF-16: convert it by iconv"));
  }
  const std::string without_mark{"a\0,\0b\0\n\0", 8};
  CHECK_THAT(split(without_mark).fields[0][1], ContainsSubstring("got a NUL byte (UTF-16?"));
  CHECK_THAT(split(std::string{"1,\"a\0\"\n", 7}).fields[0][1], ContainsSubstring("got a NUL byte"));
}

TEST_CASE("any fields come back from the text that quotes them", "[table]") {
  Random random{Seed{5}};
  const std::string bytes = "aZ09 \t,;\"\r\n#\xc3\xa4.";
  for (int trial = 0; trial < 200; ++trial) {
    const std::string line_end = trial % 3 == 0 ? "\n" : trial % 3 == 1 ? "\r\n" : "\r";
    Table table;
    std::string text;
    for (Index i = 0; i < 1 + random.below(5); ++i) {
      Fields fields;
      for (Index j = 0; j < 3; ++j) {
        std::string field;
        for (Index k = random.below(7); k > 0; --k) field += bytes[random.below(static_cast<unsigned>(bytes.size()))];
        fields.push_back(field);
        const bool is_plain = field.find_first_not_of("aZ09.\xc3\xa4") == std::string::npos && random.below(2) == 0;
        std::string escaped;
        for (const char c : field) escaped += c == '"' ? "\"\"" : std::string(1, c);
        text += (j > 0 ? "," : "") + (is_plain ? field : "\"" + escaped + "\"");
      }
      table.push_back(fields);
      text += line_end;
    }
    REQUIRE(split(text).fields == table);
  }
}
