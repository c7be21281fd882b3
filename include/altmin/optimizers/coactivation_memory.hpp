#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"
#include "altmin/kernels/product.hpp"

namespace altmin {

/// What AM-mem remembers of an affine map's inputs a and codes c: A = sum a a', B = sum c a' (algorithm 2 of the paper,
/// after the online dictionary learning of Mairal et al. 2009), and the descent on the surrogate objective
/// 1/2 tr(W'W A) - tr(W'B) + lambda |W|_1 that they make.
template <class Scalar>
class CoactivationMemory {
 public:
  /// The empty memory of a map from `inputs` to `outputs`.
  explicit CoactivationMemory(Index outputs = 0, Index inputs = 0)
      : inputs_{Matrix<Scalar>::Zero(inputs, inputs)}, targets_{Matrix<Scalar>::Zero(outputs, inputs)} {}

  /// Adds a batch, a (inputs x samples) and c (outputs x samples). With forgetting eta above 0 the memory is a running
  /// average instead: M <- (1 - eta) M + eta new.
  void add(const Worker<Scalar>& worker, ConstView<Scalar> a, ConstView<Scalar> c, double forgetting) {
    forget(forgetting);
    add_part(worker, a, c, forgetting);
  }

  /// The same for a batch that comes in parts: forget() or forget_from(), then add_part() for each.
  void forget(double forgetting) {
    if (forgetting == 0) return;
    inputs_ *= static_cast<Scalar>(1 - forgetting);
    targets_ *= static_cast<Scalar>(1 - forgetting);
  }
  /// Becomes what another memory of this shape would be after forget().
  void forget_from(const CoactivationMemory& before, double forgetting) {
    inputs_ = static_cast<Scalar>(1 - forgetting) * before.inputs_;
    targets_ = static_cast<Scalar>(1 - forgetting) * before.targets_;
  }
  void add_part(const Worker<Scalar>& worker, ConstView<Scalar> a, ConstView<Scalar> c, double forgetting) {
    const auto fresh = static_cast<Scalar>(forgetting > 0 ? forgetting : 1);
    multiply_symmetric<Scalar>(worker, a, transposed(a), inputs_, fresh, inputs_);
    multiply<Scalar>(worker, c, transposed(a), targets_, fresh, targets_);
  }

  void sum_over_ranks(const Worker<Scalar>& worker) {
    worker.sum(View<Scalar>{inputs_});
    worker.sum(View<Scalar>{targets_});
  }

  /// Block coordinate descent from `weight` (outputs x inputs): column by column
  /// w_j <- shrink(w_j + (B_j - W A_j) / (A_jj + 1e-10), lambda), for j from `shrinking` on without the shrinkage (a
  /// bias). Ends after `sweeps`, or after the first sweep that
  /// moves no weight by `tolerance`. Rows are independent and run in parallel; columns go in blocks, so that most of
  /// the work is matrix products.
  void descend(const Worker<Scalar>& worker, View<Scalar> weight, double lambda, int sweeps, double tolerance,
               Index shrinking = std::numeric_limits<Index>::max()) {
    const Index rows = weight.rows();
    const Index bands = (rows + band_rows - 1) / band_rows;
    gap_.fit(rows, std::min(block_columns, weight.cols()));
    moves_.resize(static_cast<std::size_t>(bands));
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      worker.parallel_for(bands, [&](Index band, const Worker<Scalar>& own) {
        const Index first = band * band_rows;
        moves_[static_cast<std::size_t>(band)] =
            descend_rows(own, weight, first, std::min(band_rows, rows - first), static_cast<Scalar>(lambda), shrinking);
      });
      if (*std::max_element(moves_.begin(), moves_.end()) < static_cast<Scalar>(tolerance)) return;
    }
  }

  void clear() {
    inputs_.setZero();
    targets_.setZero();
  }

  /// Exchanges A and B; working memory stays.
  void swap_memory(CoactivationMemory& other) {
    inputs_.swap(other.inputs_);
    targets_.swap(other.targets_);
  }

  /// A, inputs x inputs, and B, outputs x inputs.
  Matrix<Scalar>& inputs() { return inputs_; }
  Matrix<Scalar>& targets() { return targets_; }
  const Matrix<Scalar>& inputs() const { return inputs_; }
  const Matrix<Scalar>& targets() const { return targets_; }

  Index bytes() const { return (inputs_.size() + targets_.size()) * static_cast<Index>(sizeof(Scalar)) + gap_.bytes(); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("inputs", self.inputs_...);
    visit("targets", self.targets_...);
  }

  /// Throws ShapeError unless this is the memory of such a map.
  void require_fit(Index outputs, Index inputs) const {
    detail::require_shape(inputs_, inputs, inputs, "inputs");
    detail::require_shape(targets_, outputs, inputs, "targets");
  }

 private:
  static constexpr Index band_rows = 64;
  static constexpr Index block_columns = 32;

  /// One sweep over all columns for the rows first .. first + count - 1; returns the largest move of a weight.
  Scalar descend_rows(const Worker<Scalar>& worker, View<Scalar> weight, Index first, Index count, Scalar lambda,
                      Index shrinking) {
    Scalar largest = 0;
    const Index stride = weight.outerStride();
    const ConstView<Scalar> rows{weight.data() + first, count, weight.cols(), stride};
    for (Index start = 0; start < weight.cols(); start += block_columns) {
      const Index width = std::min(block_columns, weight.cols() - start);
      View<Scalar> gap{gap_.view().data() + first, count, width, gap_.rows()};  // B - W A for these columns
      multiply<Scalar>(worker, rows, Factor<Scalar>{inputs_}.column_range(start, width), gap, Scalar(-1),
                       targets_.block(first, start, count, width));
      for (Index j = 0; j < width; ++j) {
        const Scalar threshold = start + j < shrinking ? lambda : Scalar(0);
        const Scalar inverse = Scalar(1) / (inputs_(start + j, start + j) + Scalar(1e-10));
        auto w = Eigen::Map<Vector<Scalar>>{weight.data() + first + (start + j) * stride, count};
        for (Index i = 0; i < count; ++i) {
          const Scalar free = w(i) + gap(i, j) * inverse;
          const Scalar magnitude = std::max(std::abs(free) - threshold, Scalar(0));
          const Scalar next = free > Scalar(0) ? magnitude : -magnitude;
          gap(i, j) = next - w(i);  // from here on: the move
          largest = std::max(largest, std::abs(gap(i, j)));
          w(i) = next;
        }
        for (Index k = j + 1; k < width; ++k) gap.col(k) -= inputs_(start + j, start + k) * gap.col(j);
      }
    }
    return largest;
  }

  Matrix<Scalar> inputs_;
  Matrix<Scalar> targets_;
  Buffer<Scalar> gap_;
  std::vector<Scalar> moves_;
};

}  // namespace altmin
