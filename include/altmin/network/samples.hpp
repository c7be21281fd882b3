#pragma once

#include "altmin/core/error.hpp"
#include "altmin/core/finite.hpp"
#include "altmin/core/types.hpp"

namespace altmin::detail {

/// Throws ShapeError or DataError unless `x` is a batch that a network of so many features can take. That of one of
/// several ranks may be empty.
template <class Scalar>
void require_samples(ConstView<Scalar> x, Index features, bool may_be_empty = false) {
  if (x.rows() != features) {
    throw ShapeError("samples: expected " + text(features) + " features (rows), got " + shape_text(x.rows(), x.cols()));
  }
  if (x.cols() < 1 && !may_be_empty) throw ShapeError("samples: expected at least 1, got an empty batch");
  if (x.outerStride() == x.rows() && all_finite(x.data(), x.size())) return;
  for (Index t = 0; t < x.cols(); ++t) {
    if (all_finite(x.address(0, t), x.rows())) continue;
    for (Index i = 0; i < x.rows(); ++i) {
      if (is_finite(x(i, t))) continue;
      throw DataError("samples: feature " + text(i) + " of sample " + text(t) + " is not finite");
    }
  }
}

}  // namespace altmin::detail
