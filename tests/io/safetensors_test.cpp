// The format: what is written, and what becomes of files that are not what they claim.

#include <altmin/io/safetensors.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "altmin/core/random.hpp"
#include "catch.hpp"
#include "support.hpp"

using altmin::Error;
using altmin::format_safetensors;
using altmin::FormatError;
using altmin::Index;
using altmin::NewTensor;
using altmin::parse_safetensors;
using Catch::Matchers::ContainsSubstring;
using support::message;
using support::with_header;

namespace {

template <class T>
NewTensor tensor(const std::string& name, const std::string& type, std::vector<Index> shape, std::vector<T> values) {
  return {name, type, std::move(shape), [values](char* to) {
            if (!values.empty()) std::memcpy(to, values.data(), values.size() * sizeof(T));
          }};
}

std::string refusal(const std::string& header, const std::string& data = "") {
  return message<FormatError>([&] { parse_safetensors(with_header(header, data)); });
}

}  // namespace

TEST_CASE("a file is read as it was written, large elements first", "[safetensors]") {
  const std::string file =
      format_safetensors({tensor<float>("a.weight", "F32", {2, 1}, {1.5F, -2}), tensor<char>("flag", "BOOL", {}, {1}),
                          tensor<double>("z", "F64", {}, {0.1}), tensor<float>("empty", "F32", {0, 7}, {})},
                         {{"name", "a \"text\"\n"}});
  CHECK(file.substr(0, 8) == std::string("\x18\x01\0\0\0\0\0\0", 8));
  CHECK(file.size() == 8 + 0x118 + 17);
  const auto read = parse_safetensors(file);
  CHECK(read.notes == altmin::Notes{{"name", "a \"text\"\n"}});
  REQUIRE(read.tensors.size() == 4);
  const auto& weight = read.tensors.at("a.weight");
  CHECK(weight.type == "F32");
  CHECK(weight.shape == std::vector<Index>{2, 1});
  float values[2];
  std::memcpy(values, weight.bytes.data(), 8);
  CHECK(values[0] == 1.5F);
  CHECK(values[1] == -2);
  CHECK(read.tensors.at("z").shape.empty());
  CHECK(read.tensors.at("z").bytes.data() == file.data() + 8 + 0x118);
  CHECK(read.tensors.at("empty").bytes.empty());
  CHECK(parse_safetensors(format_safetensors({}, {})).tensors.empty());
}

TEST_CASE("what cannot be written is refused", "[safetensors]") {
  const auto one = tensor<float>("a", "F32", {1}, {1});
  CHECK_THROWS_AS(format_safetensors({one, one}, {}), Error);
  CHECK_THROWS_AS(format_safetensors({}, {{"name", "\xff"}}), Error);
}

TEST_CASE("hostile files are refused, in one sentence", "[safetensors]") {
  CHECK(message<FormatError>([] { parse_safetensors(""); }) == "header: expected at least 8 bytes, got 0");
  CHECK(message<FormatError>([] { parse_safetensors(std::string(100, '\xff')); }) ==
        "header: expected a length of up to 92 bytes, got 18446744073709551615");
  CHECK_THAT(refusal(""), ContainsSubstring("header: expected JSON"));
  CHECK_THAT(refusal("{"), ContainsSubstring("header: expected JSON"));
  CHECK_THAT(refusal("{\"\xff\": 1}"), ContainsSubstring("header: expected JSON"));
  CHECK(refusal("[1]") == "header: expected an object, got [1]");
  CHECK(refusal(std::string(100'000, '[')) == "header: expected JSON of up to 16 levels, got more");
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += R"({"a":)";
  CHECK(refusal(nested) == "header: expected JSON of up to 16 levels, got more");
  CHECK(refusal(R"({"__metadata__":{"a":1}})") == "header: __metadata__.a: expected a string, got 1");
  CHECK(refusal(R"({"__metadata__":[]})") == "header: __metadata__: expected an object, got []");

  const auto refused = [](const std::string& entry) { return refusal(R"({"w":)" + entry + "}", std::string(8, 'x')); };
  const std::string range = R"("data_offsets":[0,8]})";
  CHECK(refused("3") == "tensor 'w': expected dtype, shape and data_offsets, got 3");
  CHECK_THAT(refused(R"({"dtype":"F32","shape":[2]})"), ContainsSubstring("expected dtype, shape and data_offsets"));
  CHECK_THAT(refused(R"({"dtype":"F33","shape":[2],)" + range), ContainsSubstring("'w': dtype: expected a known type"));
  CHECK_THAT(refused(R"({"dtype":32,"shape":[2],)" + range), ContainsSubstring("'w': dtype"));
  CHECK_THAT(refused(R"({"dtype":"F32","shape":2,)" + range), ContainsSubstring("'w': shape"));
  CHECK_THAT(refused(R"({"dtype":"F32","shape":[-2],)" + range), ContainsSubstring("'w': shape"));
  CHECK_THAT(refused(R"({"dtype":"F32","shape":[2.0],)" + range), ContainsSubstring("'w': shape"));
  CHECK_THAT(refused(R"({"dtype":"F32","shape":[18446744073709551615],)" + range), ContainsSubstring("'w': shape"));
  CHECK_THAT(refused(R"({"dtype":"F32","shape":[3],)" + range), ContainsSubstring("as many bytes as the shape needs"));
  for (const char* shape : {"[4611686018427387905,2]", "[4294967296,4294967298]", "[9223372036854775807]"}) {
    CHECK_THAT(refused(std::string(R"({"dtype":"F32","shape":)") + shape + "," + range),
               ContainsSubstring("as many bytes as the shape needs"));
  }
  for (const char* offsets : {"[0,9]", "[8,16]", "[5,1]", "[-8,0]", "[0]", "[0,8,8]", "[0,1e3]", "\"\""}) {
    CHECK_THAT(refused(std::string(R"({"dtype":"F32","shape":[2],"data_offsets":)") + offsets + "}"),
               ContainsSubstring("'w': data_offsets"));
  }

  const auto entry = [](const char* name, int begin, int end) {
    return "\"" + std::string(name) + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
           "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  const auto two = [&](const std::string& a, const std::string& b) {
    return refusal("{" + a + "," + b + "}", std::string(8, 'x'));
  };
  CHECK(two(entry("a", 0, 4), entry("b", 4, 8)).empty());
  CHECK(two(entry("a", 0, 4), entry("a", 4, 8)) == "header: the name 'a' stands there twice");
  CHECK(two(entry("a", 0, 8), entry("b", 0, 8)) == "tensor 'b': its data overlap those of tensor 'a'");
  CHECK_THAT(two(entry("a", 0, 5), entry("b", 4, 8)), ContainsSubstring("'b': expected its data from byte 5"));
  CHECK_THAT(two(entry("a", 0, 8), entry("b", 3, 3)), ContainsSubstring("'b': expected its data from byte 8"));
  CHECK_THAT(two(entry("a", 0, 3), entry("b", 4, 8)), ContainsSubstring("'b': expected its data from byte 3"));
  CHECK(two(entry("a", 0, 3), entry("b", 3, 7)) == "data: expected 7 bytes, got 8");
  CHECK_THAT(refusal("{" + entry("\\u0007\\u00e9long\\n", 1, 1) + "}"), ContainsSubstring("tensor '???long?'"));
  CHECK(refusal("{\"" + std::string(100'000, 'w') + "\":1}").size() < 200);
}

TEST_CASE("a header is read to its last byte, and of any number of tensors", "[safetensors]") {
  using namespace std::string_literals;
  CHECK(refusal("{}\0{}"s) == "header: expected JSON, got a NUL at byte 2");
  CHECK(refusal("{}    \0"s) == "header: expected JSON, got a NUL at byte 6");
  CHECK(refusal("\xef\xbb\xbf{}") == "header: expected JSON, got a byte order mark");
  CHECK(refusal("{}    ").empty());

  // In quadratic time, this takes minutes.
  constexpr int count = 100'000;
  std::string header = "{";
  for (int i = 0; i < count; ++i) {
    header += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  CHECK(parse_safetensors(with_header(header + "}")).tensors.size() == count);
}

TEST_CASE("a file that is cut anywhere is refused, and one with changed bytes never read wrong", "[safetensors]") {
  const std::string file = format_safetensors(
      {tensor<float>("a", "F32", {2, 2}, {1, 2, 3, 4}), tensor<double>("b", "F64", {1}, {5})}, {{"note", "text"}});
  for (std::size_t size = 0; size < file.size(); ++size) {
    CHECK_THROWS_AS(parse_safetensors(std::string_view{file}.substr(0, size)), FormatError);
  }
  altmin::Random random{altmin::Seed{1}};
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = file;
    for (auto count = 1 + random.below(4); count > 0; --count) {
      changed[random.below(static_cast<std::uint32_t>(changed.size()))] = static_cast<char>(random.below(256));
    }
    try {
      for (const auto& entry : parse_safetensors(changed).tensors) {
        const auto& bytes = entry.second.bytes;
        const bool inside =
            bytes.data() >= changed.data() && bytes.data() + bytes.size() <= changed.data() + changed.size();
        if (!inside) FAIL("a tensor outside the file");
      }
    } catch (const FormatError&) {
    }
  }
  SUCCEED();
}
