#include "altmin/kernels/sign_matrix.hpp"

#include <utility>
#include <vector>

#include "altmin/core/random.hpp"
#include "altmin/kernels/plain.hpp"
#include "catch.hpp"

TEMPLATE_TEST_CASE("packed signs are counted as signs are", "[signs]", float, double) {
  using altmin::Index;
  using altmin::Matrix;
  using altmin::Vector;
  using altmin::detail::SignWord;
  altmin::Random random{altmin::Seed{1}};
  const auto draw = [&] { return TestType(static_cast<int>(random.below(5)) - 2); };  // zeros among them
  for (const auto& [outputs, inputs] : {std::pair<Index, Index>{1, 1}, {3, 64}, {64, 63}, {65, 65}, {130, 200}}) {
    CAPTURE(outputs, inputs);
    Matrix<TestType> weights(outputs, inputs);
    for (auto& weight : weights.reshaped()) weight = draw();
    Vector<TestType> x(inputs);
    for (auto& value : x) value = draw();
    const altmin::detail::SignMatrix packed{weights};
    std::vector<SignWord> bits(static_cast<std::size_t>(altmin::detail::words(inputs)));
    altmin::detail::pack_signs(x.data(), inputs, bits.data());
    Vector<Index> counts(packed.tiles() * altmin::detail::word_bits);
    for (Index t = 0; t < packed.tiles(); ++t) {
      SignWord tile[altmin::detail::word_bits];
      packed.count_differences(t, bits.data(), tile);
      for (Index o = 0; o < altmin::detail::word_bits; ++o) {
        counts(t * altmin::detail::word_bits + o) = static_cast<Index>(tile[o]);
      }
    }
    CHECK(counts.head(outputs) == altmin::detail::count_differences_plain(weights, x));
  }
}
