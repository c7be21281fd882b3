#include "altmin/network/samples.hpp"

#include <cfenv>
#include <limits>
#include <string>

#include "catch.hpp"

using altmin::ConstView;
using altmin::DataError;
using altmin::Index;
using altmin::Matrix;

TEMPLATE_TEST_CASE("samples are checked for finiteness without a floating-point exception", "[samples]", float,
                   double) {
  using Limits = std::numeric_limits<TestType>;
  Matrix<TestType> whole = Matrix<TestType>::Constant(7, 5, Limits::max());
  whole.row(6).setConstant(Limits::infinity());  // beside the view
  const ConstView<TestType> part{whole.data(), 6, 5, 7};
  std::feclearexcept(FE_ALL_EXCEPT);
  altmin::detail::require_samples<TestType>(part, 6);
  for (const TestType bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    for (Index i = 0; i < 6; ++i) {
      for (Index t = 0; t < 5; ++t) {
        whole(i, t) = bad;
        REQUIRE_THROWS_WITH(
            altmin::detail::require_samples<TestType>(part, 6),
            "samples: feature " + std::to_string(i) + " of sample " + std::to_string(t) + " is not finite");
        whole(i, t) = -Limits::max();
      }
    }
  }
  const Matrix<TestType> dense = Matrix<TestType>::Constant(6, 5, Limits::lowest());
  altmin::detail::require_samples<TestType>(dense, 6);
  CHECK(std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0);
}
