#include "altmin/losses/target.hpp"

#include <cfenv>
#include <limits>

#include "catch.hpp"

TEMPLATE_TEST_CASE("targets are checked for finiteness without a floating-point exception", "[target]", float, double) {
  using Limits = std::numeric_limits<TestType>;
  altmin::Matrix<TestType> values = altmin::Matrix<TestType>::Constant(3, 4, Limits::max());
  const altmin::Target<TestType> target{altmin::ConstView<TestType>{values}};
  std::feclearexcept(FE_ALL_EXCEPT);
  altmin::detail::require_values("Loss", 3, target);
  for (const TestType bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    values(2, 1) = bad;
    CHECK_THROWS_WITH(altmin::detail::require_values("Loss", 3, target), "Loss: target of sample 1 is not finite");
  }
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}
