#pragma once

#include "altmin/core/buffer.hpp"

namespace altmin {

/// The auxiliary variable ("code") between two blocks for one batch: the pre-activations c of a layer, features x
/// samples. What a code update sets is the displacement delta = c - c0 from the forward pass's c0 (held by the
/// workspace): a difference of nearly equal matrices would be rounding noise a few layers below the loss.
template <class Scalar>
struct AuxiliaryVariable {
  /// The target of the block below is c0 + target_scale * target() (see CodeOptions::preserve_scale).
  ConstView<Scalar> target() const { return time_target.rows() > 0 ? time_target.view() : displacement.view(); }

  void fit(Index features, Index samples) {
    displacement.fit(features, samples);
    code.fit(features, samples);
  }

  Index bytes() const { return displacement.bytes() + code.bytes() + time_target.bytes() + time_change.bytes(); }

  Buffer<Scalar> displacement;  // delta
  Buffer<Scalar> code;          // c = c0 + delta
  Scalar target_scale = 1;
  // Of the outputs of recurrent layers alone, see CodesInTime; else empty.
  Buffer<Scalar> time_target;  // the target's displacement, in place of delta
  Buffer<Scalar> time_change;  // of the block's prediction, by the moved codes of the steps before
};

}  // namespace altmin
