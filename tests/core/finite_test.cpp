#include "altmin/core/finite.hpp"

#include <cfenv>
#include <limits>
#include <vector>

#include "catch.hpp"

using altmin::Index;

TEMPLATE_TEST_CASE("finite numbers are told from others by their bits, without a floating-point exception", "[finite]",
                   float, double) {
  using Limits = std::numeric_limits<TestType>;
  const TestType finite[] = {
      0, TestType(-0.0), 1, Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min()};
  const TestType others[] = {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN(),
                             Limits::signaling_NaN()};
  std::feclearexcept(FE_ALL_EXCEPT);
  for (std::size_t size = 0; size < 70; ++size) {
    std::vector<TestType> values(size);
    for (std::size_t i = 0; i < size; ++i) values[i] = finite[i % 7];
    REQUIRE(altmin::detail::all_finite(values.data(), static_cast<Index>(size)));
    for (std::size_t i = 0; i < size; ++i) {
      for (const TestType& other : others) {
        std::memcpy(&values[i], &other, sizeof other);
        REQUIRE_FALSE(altmin::detail::all_finite(values.data(), static_cast<Index>(size)));
      }
      values[i] = finite[i % 7];
    }
  }
  for (const TestType value : finite) CHECK(altmin::detail::is_finite(value));
  CHECK_FALSE(altmin::detail::is_finite(Limits::infinity()));
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}
