#pragma once

#include "altmin/core/buffer.hpp"
#include "altmin/network/block.hpp"

namespace altmin {

/// The factors of one gradient step on a code.
template <class Scalar>
struct CodeRates {
  Scalar pull;       // of the term above: the derivative by the block's output is pull * residual
  Scalar proximity;  // of the displacement
  Scalar sparsity;   // of the code's sign
  Scalar rate;
  Scalar momentum;
};

/// One thread's memory for the iterations on a slice of a code, and their step.
template <class Scalar>
struct CodeDescent {
  Buffer<Scalar> velocity;
  Buffer<Scalar> pulled;     // the residual, pulled back through the block above
  Buffer<Scalar> predicted;  // what that block makes of the moved code
  Buffer<Scalar> change;     // its difference from the forward pass
  Scratch<Scalar> scratch;

  /// Takes memory for slices of up to this size.
  void reserve(Index features, Index samples) {
    for (auto* buffer : {&velocity, &pulled, &predicted, &change, &scratch.buffers[0], &scratch.buffers[1]}) {
      buffer->fit(features, samples);
    }
  }

  /// Takes the shapes of a code's slice and of the block's output.
  void fit(Index features, Index outputs, Index samples) {
    velocity.fit(features, samples);
    pulled.fit(features, samples);
    predicted.fit(outputs, samples);
    change.fit(outputs, samples);
  }

  /// One step of Nesterov's momentum in one pass, g the gradient: v <- momentum v + g, c <- c - rate (g + momentum v).
  void move(const CodeRates<Scalar>& rates, ConstView<Scalar> forward_code, View<Scalar> displacement,
            View<Scalar> updated, bool first) {
    if (first) velocity.view().setZero();
    const Scalar* const start = forward_code.data();
    const Scalar* const pull = pulled.view().data();
    Scalar* const v = velocity.view().data();
    Scalar* const delta = displacement.data();
    Scalar* const code = updated.data();
    for (Index i = 0; i < displacement.size(); ++i) {
      const Scalar sign = static_cast<Scalar>((code[i] > Scalar(0)) - (code[i] < Scalar(0)));
      const Scalar gradient = rates.pull * pull[i] + rates.proximity * delta[i] + rates.sparsity * sign;
      v[i] = rates.momentum * v[i] + gradient;
      delta[i] -= rates.rate * (gradient + rates.momentum * v[i]);
      code[i] = start[i] + delta[i];
    }
  }

  Index bytes() const {
    return velocity.bytes() + pulled.bytes() + predicted.bytes() + change.bytes() + scratch.bytes();
  }
};

}  // namespace altmin
