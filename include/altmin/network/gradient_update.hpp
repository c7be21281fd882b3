#pragma once

#include <utility>
#include <vector>

#include "altmin/network/block.hpp"

namespace altmin {

/// What the weight update of one block brings down.
template <class Scalar>
struct WeightObjective {
  ConstView<Scalar> slope;  // outputs x samples: its derivative by the block's output is factor * slope,
  double factor = 1;
  double distance = 0;  // and -distance * (code - prediction), where the objective is a penalty
  double l1 = 0;        // weight of the sum of all |w|
};

/// Moves one block's parameters by their gradients, each with its own moments (AdamMoments, SgdMoments).
template <class Layers, class Moments>
class GradientUpdate {
 public:
  using Scalar = typename Layers::Scalar;
  using Rates = typename Moments::Rates;

  explicit GradientUpdate(const Block<Layers>& block) {
    block.for_each_parameter([&](const auto&, Index, Index) { moments_.emplace_back(); });
    gradients_.reserve(moments_.size());
  }

  /// One step down the objective of `block`, evaluated at `at`.
  void update(const Lane<Scalar>& lane, const Block<Layers>& block, const BlockPoint<Scalar>& at,
              const WeightObjective<Scalar>& objective, const Rates& rates) {
    update_around(lane, block, at, objective, rates, -1, [](ConstView<Scalar>) {});
  }

  /// The same for all layers but one, whose part is somebody else's: calls others(slope) for it, the derivative of the
  /// objective by the output of layer `around` being objective.factor times that slope.
  template <class Others>
  void update_around(const Lane<Scalar>& lane, const Block<Layers>& block, const BlockPoint<Scalar>& at,
                     const WeightObjective<Scalar>& objective, const Rates& rates, Index around, Others&& others) {
    take_memory(block, around);
    auto end = static_cast<Index>(gradients_.size());
    block.walk_down(lane, at, objective.slope, scratch_,
                    [&](Index k, const Point<Scalar>& here, ConstView<Scalar> slope) {
                      const Index count = block[k].parameters().size();
                      end -= count;
                      if (k == around) {
                        others(slope);
                      } else if (count > 0) {
                        block[k].gradient(lane, here, slope, {gradients_.data() + end, count});
                      }
                    });
    block.for_each_parameter([&](auto& parameter, Index k, Index i) {
      if (k == around || parameter.frozen()) return;
      View<Scalar>& gradient = gradients_[static_cast<std::size_t>(i)];
      if (parameter.is_weight() && objective.l1 != 0) {
        gradient += static_cast<Scalar>(objective.l1 / objective.factor) * parameter.value().cwiseSign();
      }
      moments_[static_cast<std::size_t>(i)].update(lane, rates, parameter.values(), gradient, parameter.is_weight(),
                                                   objective.factor);
    });
  }

  /// The memory that gradients take during an update: anybody's between two of them.
  Buffer<Scalar>& workspace() { return workspace_; }

  std::vector<Moments>& moments() { return moments_; }
  const std::vector<Moments>& moments() const { return moments_; }

  Index bytes() const {
    Index sum = workspace_.bytes() + scratch_.bytes();
    for (const auto& moments : moments_) sum += moments.bytes();
    return sum;
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("moments", self.moments_...);
  }

  /// Throws ShapeError unless this can be the state of `block`: matrices are of the shape of the parameter that they
  /// belong to, or not yet made.
  void require_fit(const Block<Layers>& block) const {
    block.for_each_parameter([&](const auto& parameter, Index, Index i) {
      const Matrix<Scalar>& value = parameter.value();
      detail::require_shapes(moments_[static_cast<std::size_t>(i)], value.rows(), value.cols());
    });
  }

 private:
  /// Lays out the gradients of all layers but `around`.
  void take_memory(const Block<Layers>& block, Index around) {
    const auto size = [&](const auto& parameter, Index k) { return k == around ? 0 : parameter.value().size(); };
    Index total = 0;
    block.for_each_parameter([&](const auto& parameter, Index k, Index) { total += size(parameter, k); });
    workspace_.fit(total, 1);
    gradients_.clear();
    Scalar* next = workspace_.view().data();
    block.for_each_parameter([&](const auto& parameter, Index k, Index) {
      const auto& value = parameter.value();
      gradients_.push_back({next, value.rows(), value.cols(), value.rows()});
      next += size(parameter, k);
    });
  }

  std::vector<Moments> moments_;
  std::vector<View<Scalar>> gradients_;  // into the workspace
  Buffer<Scalar> workspace_;
  Scratch<Scalar> scratch_;
};

}  // namespace altmin
