#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <numeric>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/augmentation.hpp"
#include "altmin/data/dataset.hpp"

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

/// One mini-batch, borrowed from its Batches: valid until the next load(). Of y and targets, the one that the data set
/// lacks is empty. A copy borrows the same samples, and so does what a batch is assigned to.
template <class Scalar>
struct Batch {
  Batch() = default;
  Batch(ConstView<Scalar> x_, LabelView y_, ConstView<Scalar> targets_) : x{x_}, y{y_}, targets{targets_} {}
  Batch(const Batch&) = default;
  Batch& operator=(const Batch& other) {
    x.rebind(other.x);
    y.rebind(other.y);
    targets.rebind(other.targets);
    return *this;
  }
  ~Batch() = default;

  ConstView<Scalar> x;        ///< features x samples
  LabelView y;                ///< one label per sample
  ConstView<Scalar> targets;  ///< outputs x samples

  Index size() const { return x.cols(); }
};

/// Mini-batches of a data set, in its own order until shuffle(). The set is borrowed, not copied (it must outlive
/// this); the samples of one batch at a time are gathered into a buffer, and changed there by an Augmentation, if there
/// is one. Allocates in the constructor only.
///
///     Batches<float> batches{data, 200, Seed{1}};
///     batches.shuffle();
///     for (Index i = 0; i < batches.count(); ++i) {
///       const auto batch = batches.load(i);
///       net.step(batch.x, batch.y);
///     }
///
/// An epoch - the order of its samples, and what augmentation makes of each batch - follows from the random state
/// before its shuffle() alone. So a run that stops between two epochs resumes with set_state(saved state()), and one
/// that stops within an epoch with set_state(saved epoch_state()) and shuffle().
template <class Scalar>
class Batches {
 public:
  /// Throws OptionError where batch_size is below 1, or so large that LastBatch::drop leaves no batch, or where the
  /// augmentation does not suit the data.
  Batches(const Dataset<Scalar>& data, Index batch_size, Seed seed = {}, LastBatch last = LastBatch::keep,
          Augmentation augmentation = {})
      : data_{&data},
        batch_size_{batch_size},
        augmentation_{augmentation},
        shape_{data.shape()},
        random_{seed, stream},
        epoch_state_{random_.state()} {
    augmentation.require_suits(shape_);
    detail::require_option(batch_size >= 1, "Batches: batch_size", "must be above 0", double(batch_size));
    const bool drop = last == LastBatch::drop;
    detail::require_option(!drop || batch_size <= data.size(), "Batches: batch_size",
                           "must not exceed the number of samples where the last batch is dropped", double(batch_size));
    count_ = data.size() / batch_size + (!drop && data.size() % batch_size != 0 ? 1 : 0);
    order_.resize(static_cast<std::size_t>(data.size()));
    reset_order();
    const Index room = std::min(batch_size, data.size());
    x_.resize(data.features(), room);
    if (data.has_labels()) {
      y_.resize(room);
    } else {
      targets_.resize(data.targets().rows(), room);
    }
  }

  Batches(Dataset<Scalar>&&, Index, Seed = {}, LastBatch = LastBatch::keep,
          Augmentation = {}) = delete;  // it would not live on

  /// Begins the next epoch, in a random order.
  void shuffle() {
    epoch_state_ = random_.state();
    reset_order();
    random_.shuffle(Span<Index>{order_.data(), static_cast<Index>(order_.size())});
  }

  /// Begins the next epoch, in the data set's own order.
  void rewind() {
    epoch_state_ = random_.state();
    random_.next();  // augmentation differs from epoch to epoch
    reset_order();
  }

  /// Gathers batch i of this epoch. Throws OptionError unless i is in 0 .. count() - 1, ShapeError where the data set
  /// has been replaced by one of other sizes.
  Batch<Scalar> load(Index i) {
    if (i < 0 || i >= count_) {
      throw OptionError("Batches: load must be in 0 .. " + detail::text(count_ - 1) + ", got " + detail::text(i));
    }
    require_same_sizes();
    const Index first = i * batch_size_;
    const Index size = std::min(batch_size_, data_->size() - first);
    Random random{Seed{epoch_state_ + static_cast<std::uint64_t>(i)}, augmentation_stream};
    for (Index j = 0; j < size; ++j) {
      const Index sample = order_[static_cast<std::size_t>(first + j)];
      if (augmentation_) {
        augmentation_.apply(shape_, data_->x().col(sample).data(), x_.col(j).data(), random);
      } else {
        x_.col(j) = data_->x().col(sample);
      }
      if (data_->has_labels()) {
        y_[j] = data_->y()[sample];
      } else {
        targets_.col(j) = data_->targets().col(sample);
      }
    }
    return {
        view(x_, size), {y_.data(), data_->has_labels() ? size : 0}, view(targets_, data_->has_labels() ? 0 : size)};
  }

  /// Batches in one epoch.
  Index count() const { return count_; }
  Index batch_size() const { return batch_size_; }

  /// The samples of this epoch, in the order in which they are loaded.
  Span<const Index> order() const { return {order_.data(), static_cast<Index>(order_.size())}; }

  /// The random state that the next shuffle() starts from.
  std::uint64_t state() const { return random_.state(); }
  void set_state(std::uint64_t state) { random_.set_state(state); }

  /// The random state that the last shuffle() started from.
  std::uint64_t epoch_state() const { return epoch_state_; }

 private:
  static constexpr std::uint64_t stream = 0xba7c;  // the same seed elsewhere draws other numbers
  static constexpr std::uint64_t augmentation_stream = 0xa063;

  static ConstView<Scalar> view(const Matrix<Scalar>& buffer, Index columns) {
    return {buffer.data(), buffer.rows(), columns, buffer.rows()};
  }

  void reset_order() { std::iota(order_.begin(), order_.end(), Index{0}); }

  void require_same_sizes() const {
    const bool same =
        data_->size() == static_cast<Index>(order_.size()) && data_->features() == x_.rows() &&
        (data_->has_labels() ? y_.size() == x_.cols()
                             : targets_.cols() == x_.cols() && data_->targets().rows() == targets_.rows());
    if (!same) {
      throw ShapeError("Batches: expected a data set of the sizes it was made with, " +
                       detail::shape_text(x_.rows(), order_.size()) + " and the same kind of targets, got " +
                       detail::shape_text(data_->features(), data_->size()));
    }
  }

  const Dataset<Scalar>* data_;
  Index batch_size_;
  Index count_ = 0;
  Augmentation augmentation_;
  Shape shape_;
  Random random_;
  std::uint64_t epoch_state_;
  std::vector<Index> order_;
  Matrix<Scalar> x_;
  Labels y_;
  Matrix<Scalar> targets_;
};

}  // namespace altmin
