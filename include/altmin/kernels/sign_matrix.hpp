#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "altmin/core/types.hpp"

namespace altmin::detail {

/// 64 signs, a bit each: 1 for +1.
using SignWord = std::uint64_t;
constexpr Index word_bits = 64;

/// Words for so many signs. Bits beyond the last one are 0.
constexpr Index words(Index signs) { return (signs + word_bits - 1) / word_bits; }

/// The number of bits that are 1.
inline SignWord ones(SignWord word) { return std::bitset<word_bits>{word}.count(); }

/// The bits of signs, by the rule of Sign.
template <class Scalar>
void pack_signs(const Scalar* values, Index count, SignWord* bits) {
  for (Index first = 0; first < count; first += word_bits) {
    const Index size = std::min(word_bits, count - first);
    SignWord word = 0;
    for (Index i = 0; i < size; ++i) word |= SignWord{values[first + i] > Scalar(0)} << i;
    *bits++ = word;
  }
}

/// The signs of a matrix's elements, by tiles of 64 rows (outputs): of a tile, for each 64 columns (inputs), a word a
/// row.
class SignMatrix {
 public:
  template <class Scalar>
  explicit SignMatrix(const Matrix<Scalar>& matrix)
      : outputs_{matrix.rows()},
        inputs_{matrix.cols()},
        words_(static_cast<std::size_t>(tiles() * words(inputs_) * word_bits)) {
    for (Index o = 0; o < outputs_; ++o) {
      for (Index i = 0; i < inputs_; ++i) {
        if (matrix(o, i) > Scalar(0)) tile(o / word_bits, i / word_bits)[o % word_bits] |= SignWord{1} << i % word_bits;
      }
    }
  }

  Index outputs() const { return outputs_; }
  Index inputs() const { return inputs_; }
  Index tiles() const { return words(outputs_); }

  /// The signs of one output's weights, of inputs 64 k and up.
  SignWord word(Index output, Index k) const { return tile(output / word_bits, k)[output % word_bits]; }

  /// counts[o] = how many inputs x differ in sign from the weights of output 64 t + o; `x` has words(inputs()).
  void count_differences(Index t, const SignWord* x, SignWord* counts) const {
    SignWord sums[word_bits] = {};
    for (Index k = 0; k < words(inputs_); ++k) {
      const SignWord* const weights = tile(t, k);
      for (Index o = 0; o < word_bits; ++o) sums[o] += ones(weights[o] ^ x[k]);
    }
    std::copy_n(sums, word_bits, counts);
  }

 private:
  const SignWord* tile(Index t, Index k) const { return words_.data() + (t * words(inputs_) + k) * word_bits; }
  SignWord* tile(Index t, Index k) { return words_.data() + (t * words(inputs_) + k) * word_bits; }

  Index outputs_;
  Index inputs_;
  std::vector<SignWord> words_;
};

}  // namespace altmin::detail
