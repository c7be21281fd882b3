#pragma once

#include "altmin/core/buffer.hpp"

namespace altmin {

/// The auxiliary variable ("code") between two blocks for one batch: the pre-activations c of a layer, features x
/// samples. What is stored is the displacement delta = c - c0 from the forward pass's c0 (held by ForwardPass): a
/// difference of nearly equal matrices would be rounding noise a few layers below the loss.
template <class Scalar>
struct AuxiliaryVariable {
  Buffer<Scalar> displacement;  // delta
  Buffer<Scalar> updated;       // c = c0 + delta, where somebody reads it
  // Of recurrent layers alone, see TimeProblem.
  Buffer<Scalar> asked;    // d, in place of delta
  Buffer<Scalar> carried;  // how far the updated codes move the prediction of the next step
  /// The block below is asked for c0 + target_scale * delta (see AmAdam::preserve_scale).
  Scalar target_scale = 1;

  /// delta as the block below is asked for it, before it is scaled.
  ConstView<Scalar> target() const { return asked.rows() > 0 ? asked.view() : displacement.view(); }

  void fit(Index features, Index samples, bool keeps_updated) {
    displacement.fit(features, samples);
    if (keeps_updated) updated.fit(features, samples);
  }

  void fit_time(Index features, Index samples) {
    asked.fit(features, samples);
    carried.fit(features, samples);
  }

  Index bytes() const { return displacement.bytes() + updated.bytes() + asked.bytes() + carried.bytes(); }
};

}  // namespace altmin
