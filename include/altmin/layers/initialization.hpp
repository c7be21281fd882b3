#pragma once

#include <array>
#include <cmath>

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

/// Orthonormal rows (or columns, if there are fewer of them), by Gram-Schmidt, twice for accuracy.
/// `Number` is double; a template so that only users of it pay for its compilation.
template <class Number>
Matrix<Number> orthonormal(Index rows, Index columns, Random& random) {
  const bool wide = rows < columns;
  Matrix<Number> basis(wide ? columns : rows, wide ? rows : columns);
  for (Index j = 0; j < basis.cols(); ++j) {
    for (Index i = 0; i < basis.rows(); ++i) basis(i, j) = random.normal();
    for (int pass = 0; pass < 2; ++pass) {
      for (Index k = 0; k < j; ++k) basis.col(j) -= basis.col(k).dot(basis.col(j)) * basis.col(k);
    }
    basis.col(j).normalize();
  }
  if (wide) basis.transposeInPlace();
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
    case Initialization::orthogonal:
      weight =
          (std::sqrt(2.0) * detail::orthonormal<double>(weight.rows(), weight.cols(), random)).template cast<Scalar>();
      return;
  }
}

}  // namespace altmin
