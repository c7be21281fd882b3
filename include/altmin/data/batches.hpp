#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/augmentation.hpp"
#include "altmin/data/batch.hpp"
#include "altmin/data/batch_source.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/data/fingerprint.hpp"

namespace altmin {

/// How a data set is divided into mini-batches.
struct BatchOptions {
  Index batch_size = 200;                  ///< samples a batch; 1 or more, 2 or more with batch normalization
  Seed seed{};                             ///< of the order of the samples
  bool shuffle = true;                     ///< a new order each pass; false: always the data set's own
  LastBatch last_batch = LastBatch::keep;  ///< whether a pass's last batch may be smaller
  Augmentation augmentation{};             ///< of the images in each batch

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("batch_size", self.batch_size...);
    visit("seed", self.seed...);
    visit("shuffle", self.shuffle...);
    visit("last_batch", self.last_batch...);
    visit("augmentation", self.augmentation...);
  }
};

/// Mini-batches of a data set. The set is borrowed, not copied (it must outlive this); the samples of one batch at a
/// time are gathered into a buffer, and changed there by an Augmentation, if there is one. Allocates in the constructor
/// only.
///
///     Batches<float> batches{data, {200, Seed{1}}};
///     while (const auto* batch = batches.next()) net.step(batch->x, batch->y);  // one pass; the next call begins
///     another
///
/// A pass - the order of its samples, and what augmentation makes of each batch - follows from the seed and its number
/// alone.
template <class Scalar>
class Batches : public BatchSource<Scalar> {
 public:
  /// Throws OptionError where batch_size is below 1, or so large that LastBatch::drop leaves no batch, or where the
  /// augmentation does not suit the data.
  Batches(const Dataset<Scalar>& data, const BatchOptions& options)
      : data_{&data}, options_{options}, shape_{data.shape()}, random_{options.seed, stream} {
    const Index batch_size = options.batch_size;
    options.augmentation.require_suits(shape_);
    detail::require_option(batch_size >= 1, "BatchOptions: batch_size", "must be 1 or more", double(batch_size));
    const bool drop = options.last_batch == LastBatch::drop;
    detail::require_option(!drop || batch_size <= data.size(), "BatchOptions: batch_size",
                           "must not exceed the number of samples where the last batch is dropped", double(batch_size));
    count_ = data.size() / batch_size + (!drop && data.size() % batch_size != 0 ? 1 : 0);
    order_.resize(static_cast<std::size_t>(data.size()));
    const Index room = std::min(batch_size, data.size());
    x_.resize(data.features(), room);
    if (data.has_labels()) {
      y_.resize(room);
    } else {
      targets_.resize(data.targets().rows(), room);
    }
    weights_.resize(data.weights().size() > 0 ? 1 : 0, room);
    begin_pass();
  }

  Batches(Dataset<Scalar>&&, const BatchOptions&) = delete;  // it would not live on

  /// Throws ShapeError where the data set has been replaced by one of other sizes.
  const Batch<Scalar>* next() override {
    require_same_sizes();
    if (next_ == count_) {
      next_ = between_passes;
      return nullptr;
    }
    if (next_ == between_passes) begin_pass();
    load(next_++);
    return &batch_;
  }

  /// Throws DataError where a pass has fewer batches.
  void seek(Index pass, Index batch) override {
    if (batch > count_) {
      throw DataError("Batches: expected at most " + detail::text(count_) + " batches in a pass, got " +
                      detail::text(batch));
    }
    random_ = Random{options_.seed, stream};
    for (Index i = 0; i <= pass; ++i) begin_pass();
    next_ = batch;
  }

  SourceInfo info() const override {
    SourceInfo info;
    info.name = "the data set";
    info.shape = shape_;
    info.classes = data_->classes();
    info.batches = count_;
    info.smallest_batch = std::min(options_.batch_size, data_->size());
    const Index rest = data_->size() % options_.batch_size;
    if (options_.last_batch == LastBatch::keep && rest > 0) info.smallest_batch = rest;
    info.repeatable = true;
    return info;
  }

  void visit(FieldVisitor& visitor) override {
    Index features = data_->features();
    Index samples = data_->size();
    visit_part(visitor, "features", features);
    visit_part(visitor, "samples", samples);
    visit_fields(visitor, options_);
  }

  /// Of the data set as it is at the first call.
  std::uint64_t fingerprint() const override {
    if (fingerprint_ == 0) fingerprint_ = detail::fingerprint(*data_);
    return fingerprint_;
  }

  const Dataset<Scalar>* dataset() const override { return data_; }

  /// Batches in one pass.
  Index count() const { return count_; }

  /// The samples of this pass, in the order of the batches.
  Span<const Index> order() const { return {order_.data(), static_cast<Index>(order_.size())}; }

 private:
  static constexpr std::uint64_t stream = 0xba7c;  // the same seed elsewhere draws other numbers
  static constexpr std::uint64_t augmentation_stream = 0xa063;
  static constexpr Index between_passes = -1;

  void begin_pass() {
    pass_state_ = random_.state();
    std::iota(order_.begin(), order_.end(), Index{0});
    if (options_.shuffle) {
      random_.shuffle(Span<Index>{order_.data(), static_cast<Index>(order_.size())});
    } else {
      random_.next();  // augmentation differs from pass to pass
    }
    next_ = 0;
  }

  /// Gathers batch i of this pass.
  void load(Index i) {
    const Index first = i * options_.batch_size;
    const Index size = std::min(options_.batch_size, data_->size() - first);
    Random random{Seed{pass_state_ + static_cast<std::uint64_t>(i)}, augmentation_stream};
    for (Index j = 0; j < size; ++j) {
      const Index sample = order_[static_cast<std::size_t>(first + j)];
      if (options_.augmentation) {
        options_.augmentation.apply(shape_, data_->x().col(sample).data(), x_.col(j).data(), random);
      } else {
        x_.col(j) = data_->x().col(sample);
      }
      if (weights_.rows() > 0) weights_(0, j) = data_->weights()[sample];
      if (data_->has_labels()) {
        y_[j] = data_->y()[sample];
      } else {
        targets_.col(j) = data_->targets().col(sample);
      }
    }
    const bool has_labels = data_->has_labels();
    batch_ = {view(x_, size),
              {y_.data(), has_labels ? size : 0},
              view(targets_, has_labels ? 0 : size),
              view(weights_, size)};
  }

  static ConstView<Scalar> view(const Matrix<Scalar>& buffer, Index columns) {
    return {buffer.data(), buffer.rows(), columns, buffer.rows()};
  }

  void require_same_sizes() const {
    const bool same =
        data_->size() == static_cast<Index>(order_.size()) && data_->features() == x_.rows() &&
        (data_->weights().size() > 0) == (weights_.rows() > 0) &&
        (data_->has_labels() ? y_.size() == x_.cols()
                             : targets_.cols() == x_.cols() && data_->targets().rows() == targets_.rows());
    if (!same) {
      throw ShapeError("Batches: expected a data set of the sizes it was made with, " +
                       detail::shape_text(x_.rows(), order_.size()) + " and the same kind of targets, got " +
                       detail::shape_text(data_->features(), data_->size()));
    }
  }

  const Dataset<Scalar>* data_;
  BatchOptions options_;
  Index count_ = 0;
  Shape shape_;
  Random random_;                 // that the next pass is drawn from
  std::uint64_t pass_state_ = 0;  // of random_ before this pass was
  std::vector<Index> order_;
  Index next_ = 0;  // batch, or between_passes
  Matrix<Scalar> x_;
  Labels y_;
  Matrix<Scalar> targets_;
  Matrix<Scalar> weights_;
  Batch<Scalar> batch_;
  mutable std::uint64_t fingerprint_ = 0;
};

}  // namespace altmin
