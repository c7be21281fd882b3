#pragma once

#include <array>
#include <new>

#include "altmin/core/types.hpp"

namespace altmin {

/// What becomes of the samples that do not fill the last batch of an epoch.
enum class LastBatch { keep, drop };
constexpr std::array<const char*, 2> names(LastBatch) { return {"keep", "drop"}; }

/// Class labels, borrowed for reading, one per sample. It cannot be assigned to; rebind() makes it borrow others.
class LabelView : public Eigen::Map<const Labels> {
  using Base = Eigen::Map<const Labels>;

 public:
  LabelView() : LabelView{nullptr, 0} {}
  LabelView(const int* labels, Index size) : Base{labels, size} {}
  LabelView(const LabelView&) = default;
  LabelView& operator=(const LabelView&) = delete;

  void rebind(const LabelView& other) { new (this) LabelView{other}; }  // Eigen's way of pointing a Map elsewhere
};

/// One mini-batch, borrowed from its source. Of y and targets, the one that its samples lack is empty. A copy borrows
/// the same samples, and so does what a batch is assigned to.
template <class Scalar>
struct Batch {
  Batch() = default;
  Batch(ConstView<Scalar> x_, LabelView y_, ConstView<Scalar> targets_, ConstView<Scalar> weights_ = {})
      : x{x_}, y{y_}, targets{targets_}, weights{weights_} {}
  Batch(const Batch&) = default;
  Batch& operator=(const Batch& other) {
    x.rebind(other.x);
    y.rebind(other.y);
    targets.rebind(other.targets);
    weights.rebind(other.weights);
    return *this;
  }
  ~Batch() = default;

  ConstView<Scalar> x;        ///< features x samples
  LabelView y;                ///< one label per sample
  ConstView<Scalar> targets;  ///< outputs x samples
  ConstView<Scalar> weights;  ///< 1 x samples; without rows where they have none

  Index size() const { return x.cols(); }
};

}  // namespace altmin
