#pragma once

#include "altmin/core/buffer.hpp"
#include "altmin/network/block.hpp"

namespace altmin {

/// One thread's memory for the iterations on a slice of a code.
template <class Scalar>
struct CodeDescent {
  Buffer<Scalar> velocity;
  Buffer<Scalar> pulled;       // memory of the layer above the code, see CodeStep
  Buffer<Scalar> slope;        // the residual, pulled back to the input of the block's last layer
  Buffer<Scalar> inner_slope;  // and to the output of its first layer, where others stand between the two
  Buffer<Scalar> moved;        // how far the input of the last layer has moved from the forward pass
  Buffer<Scalar> inner_moved;  // how far the output of the first has
  Buffer<Scalar> change;       // how far the block's output has
  Buffer<Scalar> predicted;    // the block's output
  Scratch<Scalar> scratch;

  /// Takes the shapes of a code's slice, of the input of the block's last layer and of its output.
  void fit(Index features, Index inputs, Index outputs, Index samples) {
    velocity.fit(features, samples);
    pulled.fit(features, samples);
    slope.fit(inputs, samples);
    moved.fit(inputs, samples);
    change.fit(outputs, samples);
  }

  /// Takes memory for going through the block layer by layer, `largest` the rows of its largest array.
  void fit_aside(Index largest, Index samples) {
    for (auto* buffer : {&inner_slope, &inner_moved, &predicted, &scratch.buffers[0], &scratch.buffers[1]}) {
      buffer->fit(largest, samples);
    }
  }

  Index bytes() const {
    Index sum = scratch.bytes();
    for (const auto* buffer : {&velocity, &pulled, &slope, &inner_slope, &moved, &inner_moved, &change, &predicted}) {
      sum += buffer->bytes();
    }
    return sum;
  }
};

}  // namespace altmin
