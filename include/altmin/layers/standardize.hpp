#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "altmin/kernels/running_moments.hpp"
#include "altmin/kernels/standardized.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// Standardizes the network's input, x -> (x - mean) / deviation, by the mean and the (population) deviation of all
/// training samples so far, the present batch included; inference uses those of the steps that have been taken. So the
/// network trains on raw features, predicts from raw features, and its file carries the statistics.
///
/// They are exact for any number of batches, computed in double whatever the scalar is. What has not changed yet has
/// deviation 1; a value far from all others counts as 1000 deviations from the mean; what would overflow becomes the
/// largest number of its sign. It stands before the first map: no gradient passes it.
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
    return squares_.value().unaryExpr([&](double squares) { return detail::deviation_of(seen(), squares); });
  }

  void initialize(Random&) override {
    count_ = 0;
    mean_.matrix().setZero();
    squares_.matrix().setZero();
  }

  /// The batch, which update_statistics() adds, and the reciprocal deviations.
  TraceShape trace_shape() const override { return {shape_.size(), groups(), 1, true}; }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    const View<Scalar> samples = at.trace.samples;
    const View<Scalar> scale = at.trace.batch;
    by_group(worker, at.x.cols(), [&](Index group) {
      for (Index t = 0; t < at.x.cols(); ++t) {
        std::copy_n(at.x.address(first(group), t), plane(), samples.address(first(group), t));
      }
      const Moments moments = with_batch(group, at.x);
      scale.address(group, 0)[0] = static_cast<Scalar>(1 / moments.deviation);
      apply(group, moments, at.x, at.y);
    });
  }

  /// With the statistics held fixed.
  void backward(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    rescale(worker, at, dy, dx);
  }

  void difference(const Worker<Scalar>& worker, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>&,
                  View<Scalar> dy) const override {
    rescale(worker, from, dx, dy);
  }

  void predict(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const override {
    by_group(worker, x.cols(), [&](Index group) {
      const double squares = squares_.value()(group);
      apply(group, {mean_.value()(group), squares, detail::deviation_of(seen(), squares)}, x, y);
    });
  }

  void update_statistics(const Trace<Scalar>& trace) override {
    for (Index group = 0; group < groups(); ++group) {
      const Moments moments = with_batch(group, ConstView<Scalar>{trace.samples});
      mean_.matrix()(group) = moments.mean;
      squares_.matrix()(group) = moments.squares;
    }
    count_ += static_cast<std::uint64_t>(trace.samples.cols());
  }

 private:
  struct Moments {
    double mean;
    double squares;
    double deviation;
  };

  Index groups() const { return mean_.value().rows(); }
  Index plane() const { return shape_.size() / groups(); }
  Index first(Index group) const { return group * plane(); }
  /// Values that the statistics are of.
  double seen() const { return static_cast<double>(count_) * static_cast<double>(plane()); }

  template <class Body>
  void by_group(const Worker<Scalar>& worker, Index samples, Body&& body) const {
    worker.parallel_ranges(groups(), samples * plane(), [&](Index from, Index count) {
      for (Index group = from; group < from + count; ++group) body(group);
    });
  }

  /// The statistics of all samples before this batch, and of it.
  Moments with_batch(Index group, ConstView<Scalar> x) const {
    Moments moments{mean_.value()(group), squares_.value()(group), 1};
    double seen = this->seen();
    for (Index t = 0; t < x.cols(); ++t) {
      const Scalar* const own = x.address(first(group), t);
      for (Index i = 0; i < plane(); ++i) {
        detail::add_to_moments(static_cast<double>(own[i]), seen, moments.mean, moments.squares);
        ++seen;
      }
    }
    moments.deviation = detail::deviation_of(seen, moments.squares);
    return moments;
  }

  void apply(Index group, const Moments& moments, ConstView<Scalar> x, View<Scalar> y) const {
    const double moderate = detail::moderate_size<Scalar>(moments.mean, moments.deviation);
    for (Index t = 0; t < x.cols(); ++t) {
      const Scalar* const in = x.address(first(group), t);
      Scalar* const out = y.address(first(group), t);
      for (Index i = 0; i < plane(); ++i) {
        out[i] = detail::standardized(in[i], moments.mean, moments.deviation, moderate,
                                      [&](double difference) { return difference / moments.deviation; });
      }
    }
  }

  void rescale(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> in, View<Scalar> out) const {
    by_group(worker, in.cols(), [&](Index group) {
      const Scalar scale = at.trace.batch.address(group, 0)[0];
      for (Index t = 0; t < in.cols(); ++t) {
        for (Index i = 0; i < plane(); ++i) {
          *out.address(first(group) + i, t) = *in.address(first(group) + i, t) * scale;
        }
      }
    });
  }

  Standardize config_;
  Shape shape_;
  std::uint64_t count_ = 0;
  Parameter<double> mean_;
  Parameter<double> squares_;
};

}  // namespace altmin
