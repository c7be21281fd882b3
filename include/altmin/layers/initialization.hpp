#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "altmin/core/random.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// How a weight matrix starts. fan_in and fan_out are the numbers of inputs of an output, and of outputs of an input.
enum class Initialization {
  he_uniform,      ///< uniform in +-sqrt(6 / fan_in), for ReLU (He et al. 2015)
  he_normal,       ///< normal of variance 2 / fan_in
  glorot_uniform,  ///< uniform in +-sqrt(6 / (fan_in + fan_out)), for tanh (Glorot and Bengio 2010)
  glorot_normal,   ///< normal of variance 2 / (fan_in + fan_out)
  lecun_uniform,   ///< uniform in +-sqrt(3 / fan_in) (LeCun et al. 1998)
  lecun_normal,    ///< normal of variance 1 / fan_in
  orthogonal,      ///< orthonormal rows or columns, whichever are fewer, times sqrt(2) (Saxe et al. 2014)
  pytorch          ///< uniform in +-1 / sqrt(fan_in), biases too: PyTorch's default, and the published code's
};
constexpr std::array<const char*, 8> names(Initialization) {
  return {"he_uniform",    "he_normal",    "glorot_uniform", "glorot_normal",
          "lecun_uniform", "lecun_normal", "orthogonal",     "pytorch"};
}

namespace detail {

/// `length` x `count` orthonormal columns, by Gram-Schmidt, twice for accuracy; count <= length.
inline std::vector<double> orthonormal_columns(std::size_t length, std::size_t count, Random& random) {
  std::vector<double> basis(length * count);
  const auto dot = [&](const double* a, const double* b) { return std::inner_product(a, a + length, b, 0.0); };
  for (std::size_t j = 0; j < count; ++j) {
    double* const column = &basis[j * length];
    for (std::size_t i = 0; i < length; ++i) column[i] = random.normal();
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < j; ++k) {
        const double* const earlier = &basis[k * length];
        const double along = dot(earlier, column);
        for (std::size_t i = 0; i < length; ++i) column[i] -= along * earlier[i];
      }
    }
    const double norm = std::sqrt(dot(column, column));
    for (std::size_t i = 0; i < length; ++i) column[i] /= norm;
  }
  return basis;
}

}  // namespace detail

/// Fills a weight matrix (outputs x inputs).
template <class Scalar>
void initialize(View<Scalar> weight, Initialization kind, Index fan_in, Index fan_out, Random& random) {
  const auto in = static_cast<double>(fan_in);
  const auto both = static_cast<double>(fan_in + fan_out);
  const auto fill = [&](auto draw) {
    for (Index j = 0; j < weight.cols(); ++j) {
      for (Index i = 0; i < weight.rows(); ++i) weight(i, j) = static_cast<Scalar>(draw());
    }
  };
  const auto uniform = [&](double limit) { fill([&] { return random.uniform(-limit, limit); }); };
  const auto normal = [&](double variance) { fill([&, s = std::sqrt(variance)] { return s * random.normal(); }); };
  switch (kind) {
    case Initialization::he_uniform: return uniform(std::sqrt(6 / in));
    case Initialization::he_normal: return normal(2 / in);
    case Initialization::glorot_uniform: return uniform(std::sqrt(6 / both));
    case Initialization::glorot_normal: return normal(2 / both);
    case Initialization::lecun_uniform: return uniform(std::sqrt(3 / in));
    case Initialization::lecun_normal: return normal(1 / in);
    case Initialization::pytorch: return uniform(1 / std::sqrt(in));
    case Initialization::orthogonal: {
      const bool wide = weight.rows() < weight.cols();
      const Index length = wide ? weight.cols() : weight.rows();
      const Index count = wide ? weight.rows() : weight.cols();
      const auto basis =
          detail::orthonormal_columns(static_cast<std::size_t>(length), static_cast<std::size_t>(count), random);
      Index next = 0;
      fill([&] {
        const Index i = next % weight.rows();
        const Index j = next++ / weight.rows();
        return std::sqrt(2.0) * basis[static_cast<std::size_t>(wide ? i * length + j : j * length + i)];
      });
      return;
    }
  }
}

}  // namespace altmin
