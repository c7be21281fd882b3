#include "altmin/core/error.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"

using namespace altmin;

TEST_CASE("all errors are altmin::Error, which is std::runtime_error", "[error]") {
  CHECK_THROWS_AS(throw ShapeError("x"), Error);
  CHECK_THROWS_AS(throw OptionError("x"), Error);
  CHECK_THROWS_AS(throw DataError("x"), Error);
  CHECK_THROWS_AS(throw FormatError("x"), Error);
  CHECK_THROWS_AS(throw Error("x"), std::runtime_error);
}

TEST_CASE("numbers in messages read as one would write them", "[error]") {
  CHECK(detail::text(12) == "12");
  CHECK(detail::text(-3L) == "-3");
  CHECK(detail::text(0.1) == "0.1");
  CHECK(detail::text(2.0) == "2");
  CHECK(detail::text(100.0) == "100");
  CHECK(detail::text(-1e-9) == "-1e-09");  // not "-0"
  CHECK(detail::text(1e30) == "1e+30");
  CHECK(detail::text(std::copysign(std::numeric_limits<float>::quiet_NaN(), -1.0F)) == "nan");  // not "-nan"
  CHECK(detail::shape_text(3, 4L) == "3 x 4");
}

TEST_CASE("an option must hold its condition and be finite", "[error]") {
  CHECK_NOTHROW(detail::require_option(true, "AmAdam: mu", "must be above 0", 1));
  CHECK_THROWS_WITH(detail::require_option(false, "AmAdam: mu", "must be above 0", -0.5),
                    "AmAdam: mu must be above 0, got -0.5");
  CHECK_THROWS_WITH(
      detail::require_option(true, "AmAdam: mu", "must be above 0", std::numeric_limits<double>::infinity()),
      "AmAdam: mu must be above 0 and finite, got inf");
  for (const double sign : {1.0, -1.0}) {
    const double nan = std::copysign(std::numeric_limits<double>::quiet_NaN(), sign);
    CHECK_THROWS_WITH(detail::require_option(false, "AmAdam: mu", "must be above 0", nan),
                      "AmAdam: mu must be above 0 and finite, got nan");
  }
  CHECK_THROWS_AS(
      detail::require_option(true, "AmAdam: mu", "must be above 0", std::numeric_limits<double>::quiet_NaN()),
      OptionError);
}
