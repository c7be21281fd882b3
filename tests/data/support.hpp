#pragma once

#include <altmin/core/random.hpp>
#include <altmin/core/types.hpp>
#include <cstdint>

#include "message_of.hpp"

namespace support {

template <class Scalar>
altmin::Matrix<Scalar> random_matrix(altmin::Index rows, altmin::Index columns, std::uint64_t seed) {
  altmin::Random random{altmin::Seed{seed}};
  return altmin::Matrix<Scalar>::NullaryExpr(rows, columns, [&] { return static_cast<Scalar>(random.normal()); });
}

}  // namespace support
