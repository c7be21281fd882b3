#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "altmin/core/buffer.hpp"
#include "altmin/kernels/running_moments.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// Standardizes the network's input, x -> (x - mean) / deviation, by the mean and the (population) deviation of all
/// training samples so far, the present batch included; inference uses those of the steps that have been taken. So the
/// network trains on raw features, predicts from raw features, and its file carries the statistics.
///
/// They are exact for any number of batches, computed in double whatever the scalar is. What has not changed yet has
/// deviation 1; a value far from all others counts as 1000 deviations from the mean; what would overflow becomes the
/// largest number of its sign. It stands before the first map: no gradient passes it. Several ranks have the statistics
/// of all their samples; what a value is far from are then those before the step and of its own rank.
struct Standardize {
  static constexpr const char* name = "Standardize";

  template <class Scalar>
  class Layer;

  /// Whether an image has one mean and deviation a channel, in place of one a feature.
  bool by_channel = false;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("by_channel", self.by_channel...);
  }
};

/// `mean` and `squares` (the sum of squared differences to it), a list of one number a feature or channel.
template <class Scalar>
class Standardize::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = Standardize;
  static constexpr LayerTraits layer_traits{Role::preprocessing};

  Layer(const Standardize& config, Shape input)
      : config_{config},
        shape_{input},
        mean_{state_shapes(config, input)[0]},
        squares_{state_shapes(config, input)[1]} {}

  static std::vector<ParameterShape> state_shapes(const Standardize& config, Shape input) {
    const Index groups = config.by_channel ? input.channels : input.size();
    return {{"mean", groups, 1}, {"squares", groups, 1, false, {}, 0}};
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("count", self.count_...);
    visit("mean", self.mean_...);
    visit("squares", self.squares_...);
  }

  const Standardize& config() const { return config_; }
  Shape output() const override { return shape_; }

  /// Samples that the statistics are of.
  std::uint64_t count() const { return count_; }
  /// One number a feature, or a channel.
  Vector<double> mean() const { return mean_.value(); }
  Vector<double> deviation() const {
    Vector<double> result(groups());
    for (Index g = 0; g < groups(); ++g) {
      result(g) = detail::RunningMoments<1>{&mean_.value()(g), &squares_.value()(g), 1}.deviation(seen())[0];
    }
    return result;
  }

  void initialize(Random&) override {
    count_ = 0;
    mean_.matrix().setZero();
    squares_.matrix().setZero();
  }

  /// The reciprocal deviations.
  TraceShape trace_shape() const override { return {0, groups(), 1, true}; }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    const double values = seen(worker.all_samples(at.x.cols()));
    sum_over_ranks(worker, at.x);
    by_piece(worker, at.x.cols(), [&](const auto& piece) {
      const auto moments = worker.share() == nullptr ? piece.with(at.x) : piece.of_ranks();
      const auto standardization = piece.standardize(moments, values, at.x, at.y);
      for (Index g = 0; g < piece.groups; ++g) {
        *at.trace.batch.address(piece.first + g, 0) = static_cast<Scalar>(standardization.scale()[g]);
      }
    });
  }

  /// With the statistics held fixed.
  void backward(const Worker<Scalar>&, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const override {
    rescale(at, dy, dx);
  }

  void difference(const Worker<Scalar>&, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    rescale(from, dx, dy);
  }

  void predict(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const override {
    by_piece(worker, x.cols(), [&](const auto& piece) { piece.standardize(piece.moments(), seen(), x, y); });
  }

  void update_statistics(const Worker<Scalar>& worker, const Point<Scalar>& at) override {
    by_piece(worker, at.x.cols(), [&](const auto& piece) {
      const auto moments = worker.share() == nullptr ? piece.with(at.x) : piece.of_ranks();  // of this step's forward()
      moments.store(&mean_.matrix()(piece.first), &squares_.matrix()(piece.first));
    });
    count_ += static_cast<std::uint64_t>(worker.all_samples(at.x.cols()));
  }

 private:
  /// Some features, or one channel of images: what has statistics of its own is a group.
  template <int n>
  struct Piece {
    using Moments = detail::RunningMoments<n>;

    Moments moments() const { return {&layer.mean_.value()(first), &layer.squares_.value()(first), groups}; }

    Moments of_ranks() const {
      const auto all = layer.of_ranks_.view();
      return {all.address(first, 0), all.address(first, 1), groups};
    }

    /// The moments of all samples before a batch, and of it.
    Moments with(ConstView<Scalar> x) const {
      Moments result = moments();
      double seen = layer.seen();
      for (Index t = 0; t < x.cols(); ++t) {
        const Scalar* const own = x.address(first * plane, t);
        for (Index i = 0; i < plane; ++i, ++seen) result.add(own + i, seen);
      }
      return result;
    }

    detail::Standardization<Scalar, n> standardize(const Moments& by, double seen, ConstView<Scalar> x,
                                                   View<Scalar> y) const {
      const detail::Standardization<Scalar, n> result{by.mean(), by.deviation(seen), groups};
      for (Index t = 0; t < x.cols(); ++t) {
        const Scalar* const in = x.address(first * plane, t);
        Scalar* const out = y.address(first * plane, t);
        for (Index i = 0; i < plane; ++i) result.apply(in + i, out + i);
      }
      return result;
    }

    const Layer& layer;
    Index first;   // group
    Index groups;  // n at most
    Index plane;   // values of a group in a sample; 1 if there are several groups
  };

  static constexpr int features_of_piece = 32;

  Index groups() const { return mean_.value().rows(); }
  Index plane() const { return shape_.size() / groups(); }
  Index piece_size() const { return plane() == 1 ? features_of_piece : 1; }
  /// Values of each group that the statistics are of, with those of some samples more.
  double seen(Index samples = 0) const {
    return (static_cast<double>(count_) + static_cast<double>(samples)) * static_cast<double>(plane());
  }

  /// Calls body with the piece whose first group this is.
  template <class Body>
  void with_piece(Index first, Body&& body) const {
    if (plane() == 1) {
      body(Piece<features_of_piece>{*this, first, std::min<Index>(features_of_piece, groups() - first), 1});
    } else {
      body(Piece<1>{*this, first, 1, plane()});
    }
  }

  template <class Body>
  void by_piece(const Worker<Scalar>& worker, Index samples, Body&& body) const {
    const Index size = piece_size();
    worker.parallel_ranges((groups() + size - 1) / size, samples * plane() * size, [&](Index from, Index count) {
      for (Index i = from; i < from + count; ++i) with_piece(i * size, body);
    });
  }

  /// The moments of all samples before a batch, and of the batch of all ranks, into of_ranks_ (Chan et al. 1979). A
  /// feature that never changes keeps squares of exactly 0.
  void sum_over_ranks(const Worker<Scalar>& worker, ConstView<Scalar> x) const {
    if (worker.share() == nullptr) return;
    of_ranks_.fit(groups(), 2);
    const auto columns = [this](View<double> all) {
      return std::pair{Eigen::Map<Eigen::ArrayXd>{all.data(), groups()},
                       Eigen::Map<Eigen::ArrayXd>{all.address(0, 1), groups()}};
    };
    auto [mean, squares] = columns(of_ranks_.view());
    by_piece(worker, x.cols(), [&, m = mean.data(), q = squares.data()](const auto& piece) {
      piece.with(x).store(m + piece.first, q + piece.first);
    });

    const double own = seen(x.cols());  // samples that this rank knows of
    const double all = seen(worker.all_samples(x.cols()));
    own_mean_ = mean;
    shift_ = mean_.value().array();
    if (count_ == 0) {  // that of the first rank that has samples
      shift_ = mean * (worker.share()->first() == 0 && x.cols() > 0 ? 1.0 : 0.0);
      worker.sum(shift_.data(), groups());
    }
    mean = own * (own_mean_ - shift_);
    worker.sum(mean.data(), groups());
    mean = shift_ + mean / all;

    const auto& before = squares_.value().array();
    shift_ = seen() * (mean - mean_.value().array()).square();  // what the samples before are off from the new mean
    squares += own * (own_mean_ - mean).square() - before - shift_;
    worker.sum(squares.data(), groups());
    squares = (squares + before + shift_).max(0.0);
  }

  void rescale(const Point<Scalar>& at, ConstView<Scalar> in, View<Scalar> out) const {
    for (Index t = 0; t < in.cols(); ++t) {
      for (Index i = 0; i < in.rows(); ++i) out(i, t) = in(i, t) * at.trace.batch(i / plane(), 0);
    }
  }

  Standardize config_;
  Shape shape_;
  std::uint64_t count_ = 0;
  Parameter<double> mean_;
  Parameter<double> squares_;

  // Working memory of a step on several ranks.
  mutable Buffer<double> of_ranks_;  // groups x (mean, squares)
  mutable Eigen::ArrayXd own_mean_;
  mutable Eigen::ArrayXd shift_;
};

}  // namespace altmin
