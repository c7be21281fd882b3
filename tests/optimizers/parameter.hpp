#pragma once

#include "altmin/layers/parameter.hpp"
#include "support.hpp"

namespace support {

/// A parameter of these values.
template <class Scalar>
altmin::Parameter<Scalar> parameter(const Matrix<Scalar>& values, bool is_weight = true) {
  altmin::Parameter<Scalar> result{"weight", values.rows(), values.cols(), is_weight};
  result.set(values);
  return result;
}

}  // namespace support
