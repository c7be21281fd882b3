// Options structs as JSON.

#include <altmin/io/options.hpp>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using altmin::FormatError;
using altmin::options_to_json;
using altmin::read_options;
using Catch::Matchers::ContainsSubstring;
using support::message;

namespace {

enum class Colour { red, green };
constexpr std::array<const char*, 2> names(Colour) { return {"red", "green"}; }

struct Inner {
  int depth = 3;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("depth", self.depth...);
  }
};

struct Everything {
  bool flag = true;
  int count = -4;
  std::uint64_t seed = 18446744073709551615U;
  double rate = 0.1;
  float small = 0.1F;
  Colour colour = Colour::green;
  std::string text = "a";
  std::optional<double> set = 0.5;
  std::optional<int> unset;
  std::vector<int> list{1, 2};
  Inner inner;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("flag", self.flag...);
    visit("count", self.count...);
    visit("seed", self.seed...);
    visit("rate", self.rate...);
    visit("small", self.small...);
    visit("colour", self.colour...);
    visit("text", self.text...);
    visit("set", self.set...);
    visit("unset", self.unset...);
    visit("list", self.list...);
    visit("inner", self.inner...);
  }
};

std::string options_refusal(const std::string& text) {
  Everything value;
  return message<FormatError>([&] { read_options(nlohmann::json::parse(text), value, "it"); });
}

}  // namespace

TEST_CASE("options are read as they were written", "[options]") {
  Everything other{false, 5, 0, 1e300, -2, Colour::red, "", {}, 7, {}, {8}};
  const std::string text = options_to_json(Everything{}).dump();
  CHECK(text == R"({"colour":"green","count":-4,"flag":true,"inner":{"depth":3},"list":[1,2],"rate":0.1,)"
                R"("seed":18446744073709551615,"set":0.5,"small":0.10000000149011612,"text":"a","unset":null})");
  read_options(nlohmann::json::parse(text), other, "it");
  CHECK(altmin::equal(other, Everything{}));
}

TEST_CASE("numbers that JSON has not are written as texts", "[options]") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double number : {infinity, -infinity, std::nan("")}) {
    double read = 0;
    read_options(nlohmann::json::parse(options_to_json(number).dump()), read, "it");
    CHECK((read == number || (std::isnan(read) && std::isnan(number))));
  }
}

TEST_CASE("what is missing keeps its value, and what is not known or does not fit is refused", "[options]") {
  Everything value;
  value.count = 9;
  read_options(nlohmann::json::parse(R"({"rate":2})"), value, "it");
  CHECK(value.count == 9);
  CHECK(value.rate == 2);
  CHECK(options_refusal("[]") == "it: expected an object, got []");
  CHECK(options_refusal(R"({"ratte":1})") == "it: there is no option 'ratte' in this version");
  CHECK(options_refusal(R"({"inner":{"depht":1}})") == "it.inner: there is no option 'depht' in this version");
  CHECK(options_refusal(R"({"flag":1})") == "it.flag: expected true or false, got 1");
  CHECK(options_refusal(R"({"colour":"blue"})") == "it.colour: expected one of red, green, got \"blue\"");
  CHECK(options_refusal(R"({"colour":1})") == "it.colour: expected one of red, green, got 1");
  CHECK(options_refusal(R"({"count":1.5})") == "it.count: expected a whole number, up to 2147483647, got 1.5");
  CHECK_THAT(options_refusal(R"({"count":2147483648})"), ContainsSubstring("it.count"));
  CHECK_THAT(options_refusal(R"({"count":-2147483649})"), ContainsSubstring("it.count"));
  CHECK(options_refusal(R"({"count":-2147483648})").empty());
  CHECK_THAT(options_refusal(R"({"seed":-1})"), ContainsSubstring("it.seed: expected a whole number of 0 or more"));
  CHECK(options_refusal(R"({"rate":"fast"})") == "it.rate: expected a number, got \"fast\"");
  CHECK(options_refusal(R"({"text":1})") == "it.text: expected a string, got 1");
  CHECK(options_refusal(R"({"list":[1,"x"]})") == "it.list[1]: expected a whole number, up to 2147483647, got \"x\"");
  CHECK(options_refusal(R"({"set":"x"})") == "it.set: expected a number, got \"x\"");
}

TEST_CASE("JSON that may be anything is JSON to its last byte", "[options]") {
  using namespace std::string_literals;
  const auto refused = [](const std::string& text) {
    return message<FormatError>([&] { altmin::detail::parse_json(text, "it"); });
  };
  CHECK(refused("{\"a\":[1,2.5,-3,null,true,\"x\"],\"b\":{\"a\":{}}} \n").empty());
  CHECK(altmin::detail::parse_json("{\"a\":[1,{\"b\":2}]}", "it")["a"][1]["b"] == 2);
  CHECK(refused("\xef\xbb\xbf{}") == "it: expected JSON, got a byte order mark");
  CHECK(refused("{}\0{}"s) == "it: expected JSON, got a NUL at byte 2");
  CHECK(refused("{}\0"s) == "it: expected JSON, got a NUL at byte 2");
  CHECK(refused("{\"a\0b\":1}"s) == "it: expected JSON, got a NUL at byte 3");
  CHECK(refused("\0"s) == "it: expected JSON, got a NUL at byte 0");
  CHECK_THAT(refused("{} {}"), ContainsSubstring("it: expected JSON"));
  CHECK_THAT(refused(""), ContainsSubstring("it: expected JSON"));
  CHECK_THAT(refused("{\"a\":1e999}"), ContainsSubstring("it: expected JSON"));
  CHECK(refused(R"({"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]})").empty());
  CHECK(refused(R"({"b":{"a":1,"c":[],"a":2}})") == "it: the name 'a' stands there twice");
  const auto nested = [](int levels) {
    return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
  };
  CHECK(refused(nested(17)).empty());  // a value at level 0, lists around it at 16 more
  CHECK(refused(nested(18)) == "it: expected JSON of up to 16 levels, got more");
}
