#pragma once

#include <vector>

#include "altmin/network/auxiliary_variable.hpp"
#include "altmin/network/block.hpp"
#include "altmin/network/code_sums.hpp"
#include "altmin/network/step.hpp"

namespace altmin {

/// Memory of one thread for the iterations on a slice of a code.
template <class Scalar>
struct CodeScratch {
  Buffer<Scalar> velocity;          // of the code
  Buffer<Scalar> code_residual;     // the block's residual by the code: J' residual
  Buffer<Scalar> front_residual;    // by the output of the block's first layer
  Buffer<Scalar> top_residual;      // by the input of its last layer
  Buffer<Scalar> front_change;      // of the output of the first layer, since the forward pass
  Buffer<Scalar> top_input_change;  // of the input of the last layer, where that is not the same
  Buffer<Scalar> change;            // of the block's output
  Buffer<Scalar> prediction;        // the block's output
  Scratch<Scalar> between;

  Index bytes() const {
    Index sum = between.bytes();
    for (const auto* buffer : {&velocity, &code_residual, &front_residual, &top_residual, &front_change,
                               &top_input_change, &change, &prediction}) {
      sum += buffer->bytes();
    }
    return sum;
  }
};

/// All working memory of a training step, by names. It is no part of a network's value: a copy starts empty.
template <class Scalar>
class Workspace {
 public:
  /// Of one block.
  struct BlockMemory {
    Buffer<Scalar> output;                     // of the forward pass: the code c0, or the prediction
    Evaluation<Scalar> forward;                // the block in the forward pass
    Evaluation<Scalar> moved;                  // and at the moved code below it
    Buffer<Scalar> response;                   // of its weights, samples x samples, where the signal requires it
    Buffer<Scalar> residual;                   // of its output; set by the signal
    Buffer<Scalar> gradients;                  // of all its parameters, in one piece; set by the weight rule
    std::vector<View<Scalar>> gradient_views;  // of each parameter, into that piece
    std::vector<double> gradient_bounds;       // on its absolute values
    Scratch<Scalar> between;

    Index bytes() const {
      return output.bytes() + forward.bytes() + moved.bytes() + response.bytes() + residual.bytes() +
             gradients.bytes() + between.bytes();
    }
  };

  Workspace() = default;
  explicit Workspace(const LayerStack<Scalar>& layers)
      : codes(divide_into_blocks(layers).size() - 1), ranges_{divide_into_blocks(layers)}, blocks_(ranges_.size()) {}
  Workspace(const Workspace& other)
      : codes(other.codes.size()), ranges_{other.ranges_}, blocks_(other.ranges_.size()) {}
  Workspace(Workspace&&) noexcept = default;
  Workspace& operator=(const Workspace& other) { return *this = Workspace{other}; }
  Workspace& operator=(Workspace&&) noexcept = default;
  ~Workspace() = default;

  /// Of the samples of the batch, their mean being 1: 1 x samples; without rows where they have no weights.
  Buffer<Scalar> sample_weights;

  // Of moved codes.
  std::vector<AuxiliaryVariable<Scalar>> codes;  // code l stands between the blocks l and l + 1
  Buffer<Scalar> prediction;                     // of the last block, at the updated codes
  Buffer<Scalar> matrix_target;                  // W' times the target's displacement, of the code being solved
  std::vector<CodeScratch<Scalar>> threads;      // one a thread
  std::vector<CodeSums> slice_sums;              // one a slice of the batch

  const std::vector<BlockRange>& ranges() const { return ranges_; }
  Index blocks() const { return static_cast<Index>(ranges_.size()); }
  Index last() const { return blocks() - 1; }
  Index code_count() const { return static_cast<Index>(codes.size()); }
  Block<Scalar> block(LayerStack<Scalar>& layers, Index l) const { return {layers, ranges_[std::size_t(l)]}; }

  BlockMemory& operator[](Index l) { return blocks_[std::size_t(l)]; }
  const BlockMemory& operator[](Index l) const { return blocks_[std::size_t(l)]; }
  AuxiliaryVariable<Scalar>& code(Index l) { return codes[std::size_t(l)]; }
  const AuxiliaryVariable<Scalar>& code(Index l) const { return codes[std::size_t(l)]; }

  /// Block l where the forward pass evaluated it.
  BlockPoint<Scalar> forward_point(const StepContext<Scalar>& context, Index l) {
    auto& memory = (*this)[l];
    return {l == 0 ? context.x : ConstView<Scalar>{(*this)[l - 1].output.view()}, memory.output.view(), memory.forward,
            memory.forward};
  }

  /// Block l, above a code, at its moved input. Only the last block's output is stored there.
  BlockPoint<Scalar> moved_point(Index l) {
    auto& memory = (*this)[l];
    return {code(l - 1).code.view(), l == last() ? prediction.view() : View<Scalar>{}, memory.moved, memory.forward};
  }

  /// A matrix of any contents, from the time that block l's signal is being found to its derive(): the memory is that
  /// of its gradients, which holds the block's matrix and more.
  View<Scalar> matrix_before_gradients(Index l, Index rows, Index columns) {
    Buffer<Scalar>& memory = (*this)[l].gradients;
    if (rows * columns > memory.size()) memory.fit(rows, columns);
    return {memory.view().data(), rows, columns, rows};
  }

  Index bytes() const {
    Index sum = sample_weights.bytes() + prediction.bytes() + matrix_target.bytes();
    for (const auto& block : blocks_) sum += block.bytes();
    for (const auto& code : codes) sum += code.bytes();
    for (const auto& thread : threads) sum += thread.bytes();
    return sum;
  }

 private:
  std::vector<BlockRange> ranges_;
  std::vector<BlockMemory> blocks_;
};

}  // namespace altmin
