#pragma once

// Streams of samples: images that drift, and tables.

#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace online {

using altmin::Index;
using altmin::Labels;
using Data = altmin::Dataset<float>;
using Images = altmin::Matrix<float>;

/// Samples of a stream.
struct Batch {
  Images x;      // features x samples
  Labels y;      // the labels to learn from
  Labels truth;  // the labels to be tested on: these without noise
};

/// A stream, from its first sample on.
class SampleStream {
 public:
  SampleStream() = default;
  SampleStream(const SampleStream&) = delete;
  SampleStream& operator=(const SampleStream&) = delete;
  virtual ~SampleStream() = default;

  virtual Index features() const = 0;
  virtual Index classes() const = 0;
  /// The next samples; false at the end.
  virtual bool next(Batch& batch) = 0;
  /// What is to be tested on in the end, as the stream is by then.
  virtual Data test() = 0;
};

/// What changes in a stream of images, every so many samples.
struct Drift {
  std::string kind = "permuted";
  Index every = 5000;
  double noise = 0;  // the share of labels that are drawn anew

  /// What there is: nothing; the order of the pixels; the angle, by 36 degrees; the labels, by one; all labels, in a
  /// random order; the labels of five random classes, on top of what was changed before (Song et al.).
  static std::vector<std::string> kinds() { return {"none", "permuted", "rotated", "swapped", "shuffled", "deranged"}; }
};

/// The image, rotated about its centre.
inline void rotate(const float* from, Index side, double degrees, float* to) {
  const double angle = degrees * 3.14159265358979323846 / 180;
  const double centre = static_cast<double>(side - 1) / 2;
  for (Index row = 0; row < side; ++row) {
    for (Index column = 0; column < side; ++column) {
      const double down = static_cast<double>(row) - centre;
      const double right = static_cast<double>(column) - centre;
      const auto from_row = static_cast<Index>(std::lround(centre + std::cos(angle) * down - std::sin(angle) * right));
      const auto at = static_cast<Index>(std::lround(centre + std::sin(angle) * down + std::cos(angle) * right));
      const bool inside = from_row >= 0 && from_row < side && at >= 0 && at < side;
      to[row * side + column] = inside ? from[from_row * side + at] : 0;
    }
  }
}

/// Images in a random order, again and again, with a drift.
class ImageStream : public SampleStream {
 public:
  ImageStream(const altmin::TrainTest<float>& data, Drift drift, Index samples, Index batch, std::uint64_t seed)
      : data_{&data},
        drift_{std::move(drift)},
        samples_{samples},
        batch_{batch},
        random_{altmin::Seed{seed}},
        order_(static_cast<std::size_t>(data.train.size())),
        pixels_(static_cast<std::size_t>(data.train.features())),
        labels_(static_cast<std::size_t>(data.train.classes())) {
    std::iota(order_.begin(), order_.end(), Index{0});
    std::iota(pixels_.begin(), pixels_.end(), Index{0});
    std::iota(labels_.begin(), labels_.end(), 0);
  }

  Index features() const override { return data_->train.features(); }
  Index classes() const override { return data_->train.classes(); }

  bool next(Batch& batch) override {
    if (seen_ + batch_ > samples_) return false;
    batch.x.resize(features(), batch_);
    batch.y.resize(batch_);
    batch.truth.resize(batch_);
    for (Index i = 0; i < batch_; ++i, ++seen_) {
      if (seen_ > 0 && seen_ % drift_.every == 0) change();
      const Index at = seen_ % data_->train.size();
      if (at == 0) random_.shuffle(altmin::Span<Index>{order_.data(), static_cast<Index>(order_.size())});
      const Index sample = order_[static_cast<std::size_t>(at)];
      change_image(data_->train.x().col(sample).data(), batch.x.col(i).data());
      batch.truth(i) = labels_[static_cast<std::size_t>(data_->train.y()(sample))];
      const bool wrong = drift_.noise > 0 && random_.uniform(0, 1) < drift_.noise;
      batch.y(i) = wrong ? static_cast<int>(random_.below(static_cast<std::uint32_t>(classes()))) : batch.truth(i);
    }
    return true;
  }

  Data test() override {
    Images x(features(), data_->test.size());
    Labels y(data_->test.size());
    for (Index t = 0; t < y.size(); ++t) {
      change_image(data_->test.x().col(t).data(), x.col(t).data());
      y(t) = labels_[static_cast<std::size_t>(data_->test.y()(t))];
    }
    return {std::move(x), std::move(y), classes()};
  }

 private:
  void change() {
    ++task_;
    if (drift_.kind == "permuted") random_.shuffle(altmin::Span<Index>{pixels_.data(), features()});
    if (drift_.kind == "shuffled") random_.shuffle(altmin::Span<int>{labels_.data(), classes()});
    if (drift_.kind == "swapped") std::rotate(labels_.begin(), labels_.begin() + 1, labels_.end());
    if (drift_.kind == "deranged") {
      std::vector<int> chosen(labels_.size());
      std::iota(chosen.begin(), chosen.end(), 0);
      random_.shuffle(altmin::Span<int>{chosen.data(), classes()});
      chosen.resize(std::max<std::size_t>(2, chosen.size() / 2));
      // A cycle of the chosen ones in their random order: none keeps its label.
      const int first = labels_[static_cast<std::size_t>(chosen.front())];
      for (std::size_t k = 0; k + 1 < chosen.size(); ++k) {
        labels_[static_cast<std::size_t>(chosen[k])] = labels_[static_cast<std::size_t>(chosen[k + 1])];
      }
      labels_[static_cast<std::size_t>(chosen.back())] = first;
    }
  }

  void change_image(const float* from, float* to) const {
    if (drift_.kind == "rotated") {
      const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(features()))));
      return rotate(from, side, 36.0 * static_cast<double>(task_), to);
    }
    if (drift_.kind != "permuted") {
      std::copy_n(from, features(), to);
      return;
    }
    for (Index j = 0; j < features(); ++j) to[j] = from[pixels_[static_cast<std::size_t>(j)]];
  }

  const altmin::TrainTest<float>* data_;
  Drift drift_;
  Index samples_;
  Index batch_;
  altmin::Random random_;
  std::vector<Index> order_;
  std::vector<Index> pixels_;
  std::vector<int> labels_;
  Index seen_ = 0;
  Index task_ = 0;
};

/// The rows of a table of two classes in its order, standardized as they come, in constant memory. The seed is of no
/// effect: a table has one order.
class TableStream : public SampleStream {
 public:
  TableStream(const std::string& path, Index samples, Index batch)
      : samples_{samples}, stream_{altmin::Source{path}, options(batch)} {}

  Index features() const override { return stream_.features(); }
  Index classes() const override { return stream_.classes(); }

  bool next(Batch& batch) override {
    if (seen_ >= samples_) return false;
    const auto* rows = stream_.next();
    if (rows == nullptr) return false;
    batch.x = rows->x;
    batch.y = rows->y;
    batch.truth = rows->y;
    seen_ += batch.y.size();
    return true;
  }

  Data test() override { return {}; }

 private:
  static altmin::StreamOptions options(Index batch) {
    altmin::StreamOptions options;
    options.batch_size = batch;
    options.reservoir = 1;
    options.test_rows = 0;
    options.last_batch = altmin::LastBatch::drop;
    return options;
  }

  Index samples_;
  altmin::Stream<float> stream_;
  Index seen_ = 0;
};

}  // namespace online
