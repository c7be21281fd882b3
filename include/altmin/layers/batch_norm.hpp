#pragma once

#include <cmath>
#include <vector>

#include "altmin/layers/layer_base.hpp"

namespace altmin {

/// Batch normalization (Ioffe and Szegedy 2015) of each channel, with a learned gain and shift: of each feature, or of
/// the planes of an image. Training uses the statistics of the batch, which needs at least two samples; inference uses
/// their running averages.
struct BatchNorm {
  template <class Scalar>
  class Layer;

  double epsilon = 1e-5;  ///< added to the variance; above 0
  double momentum = 0.1;  ///< weight of the newest batch in the running averages, 0 to 1

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("epsilon", self.epsilon...);
    visit("momentum", self.momentum...);
  }
};

/// `weight` (the gain) and `bias` (the shift), `running_mean` and `running_var`: all channels x 1.
template <class Scalar>
class BatchNorm::Layer : public LayerBase<Layer<Scalar>, Scalar> {
 public:
  using Config = BatchNorm;
  static constexpr const char* name = "BatchNorm";
  static constexpr Role role = Role::normalization;
  static constexpr bool couples_samples = true;

  Layer(const BatchNorm& config, Shape input) : config_{config}, shape_{input} {
    detail::require_option(config.epsilon > 0, "epsilon", "must be above 0", config.epsilon);
    detail::require_option(config.momentum >= 0 && config.momentum <= 1, "momentum", "must be 0 to 1", config.momentum);
    for (const auto& shape : parameter_shapes(config, input)) this->parameters_.emplace_back(shape);
    this->statistics_.emplace_back("running_mean", shape_.channels, 1);
    this->statistics_.emplace_back(ParameterShape{"running_var", shape_.channels, 1, false, {}, 0});
    reset();
  }

  static std::vector<ParameterShape> parameter_shapes(const BatchNorm&, Shape input) {
    return {{"weight", input.channels, 1}, {"bias", input.channels, 1}};
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    LayerBase<Layer, Scalar>::fields(visit, self...);
    visit("num_batches_tracked", self.batches_...);
  }

  const BatchNorm& config() const { return config_; }
  Shape output() const { return shape_; }

  void initialize(Random&) { reset(); }

  TraceShape trace_shape() const { return {shape_.size(), shape_.channels, trace_columns, true}; }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    by_channel(lane, at.x.cols(), [&](const auto& band) {
      auto mean = band.column(at, mean_column);
      auto variance = band.column(at, variance_column);
      auto inverse = band.column(at, inverse_column);
      const Scalar values = count(at.x.cols());
      mean.setZero();
      for (Index t = 0; t < at.x.cols(); ++t) mean += band.collect(band.rows(at.x, t));
      mean /= values;
      variance.setZero();
      for (Index t = 0; t < at.x.cols(); ++t) {
        auto normalized = band.rows(at.trace.samples, t);
        normalized = band.rows(at.x, t) - band.spread(mean);
        variance += band.collect(normalized.square());
      }
      variance /= values;
      inverse = (variance + static_cast<Scalar>(config_.epsilon)).sqrt().inverse();
      for (Index t = 0; t < at.x.cols(); ++t) {
        auto normalized = band.rows(at.trace.samples, t);
        normalized *= band.spread(inverse);
        band.rows(at.y, t) = band.spread(gain(band)) * normalized + band.spread(shift(band));
      }
    });
  }

  /// With z the centred input, s = 1 / sqrt(variance + epsilon) and primes for the moved input:
  /// z' s' - z s = z (s' - s) + dz s', and s' - s = -(variance' - variance) s^2 s'^2 / (s + s').
  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    by_channel(lane, dx.cols(), [&](const auto& band) {
      const auto inverse = band.column(from, inverse_column);
      const auto variance = band.column(from, variance_column);
      auto mean_move = band.column(to, mean_column);
      auto variance_to = band.column(to, variance_column);
      auto inverse_to = band.column(to, inverse_column);
      auto ratio = band.column(to, slope_column);
      const Scalar values = count(dx.cols());
      mean_move.setZero();
      for (Index t = 0; t < dx.cols(); ++t) mean_move += band.collect(band.rows(dx, t));
      mean_move /= values;
      variance_to.setZero();
      for (Index t = 0; t < dx.cols(); ++t) {  // moved: dz; variance_to: the change of the variance
        auto moved = band.rows(to.trace.samples, t);
        moved = band.rows(dx, t) - band.spread(mean_move);
        variance_to +=
            band.collect(moved * (moved + Scalar(2) * band.rows(from.trace.samples, t) / band.spread(inverse)));
      }
      variance_to /= values;
      variance_to = variance_to.max(-variance);  // rounding must not take the new variance below 0
      inverse_to = (variance + variance_to + static_cast<Scalar>(config_.epsilon)).sqrt().inverse();
      ratio = -variance_to * inverse * inverse_to.square() / (inverse + inverse_to);  // (s' - s) / s
      variance_to += variance;
      for (Index t = 0; t < dx.cols(); ++t) {
        const auto normalized = band.rows(from.trace.samples, t);
        auto moved = band.rows(to.trace.samples, t);
        auto change = band.rows(dy, t);
        change = normalized * band.spread(ratio) + moved * band.spread(inverse_to);
        moved = normalized + change;
        change *= band.spread(gain(band));
      }
    });
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    by_channel(lane, dy.cols(), [&](const auto& band) {
      auto mean = band.column(at, slope_column);   // of dy
      auto along = band.column(at, along_column);  // of dy * normalized
      const auto inverse = band.column(at, inverse_column);
      const Scalar values = count(dy.cols());
      mean.setZero();
      along.setZero();
      for (Index t = 0; t < dy.cols(); ++t) {
        mean += band.collect(band.rows(dy, t));
        along += band.collect(band.rows(dy, t) * band.rows(at.trace.samples, t));
      }
      mean /= values;
      along /= values;
      for (Index t = 0; t < dy.cols(); ++t) {
        band.rows(dx, t) = band.spread(gain(band) * inverse) *
                           (band.rows(dy, t) - band.spread(mean) - band.rows(at.trace.samples, t) * band.spread(along));
      }
    });
  }

  void gradient(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    by_channel(lane, dy.cols(), [&](const auto& band) {
      auto by_gain = band.of(gradients[0]);
      auto by_shift = band.of(gradients[1]);
      by_gain.setZero();
      by_shift.setZero();
      for (Index t = 0; t < dy.cols(); ++t) {
        by_gain += band.collect(band.rows(dy, t) * band.rows(at.trace.samples, t));
        by_shift += band.collect(band.rows(dy, t));
      }
    });
  }

  /// The change dx of the input that changes the output by dy, the batch's statistics held fixed; 0 where the gain is
  /// 0.
  void undo(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    by_channel(lane, dy.cols(), [&](const auto& band) {
      auto inverse = band.column(at, slope_column);
      inverse = gain(band) * band.column(at, inverse_column);
      inverse = (inverse == Scalar(0)).select(Scalar(0), inverse.inverse());
      for (Index t = 0; t < dy.cols(); ++t) band.rows(dx, t) = band.rows(dy, t) * band.spread(inverse);
    });
  }

  /// Running averages; the variance with Bessel's correction, as in PyTorch.
  void absorb(const Trace<Scalar>& trace) {
    const auto newest = static_cast<Scalar>(config_.momentum);
    const Scalar values = count(trace.samples.cols());
    ++batches_;
    auto mean = this->statistics_[0].values();
    auto variance = this->statistics_[1].values();
    mean += newest * (trace.batch.col(mean_column) - mean);
    variance += newest * (values / (values - 1) * trace.batch.col(variance_column) - variance);
  }

  void predict(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y) const {
    // Whole, once: by bands or samples, rounding would depend on where they begin.
    const Matrix<Scalar> scale = this->parameters_[0].value().array() /
                                 (this->statistics_[1].value().array() + static_cast<Scalar>(config_.epsilon)).sqrt();
    by_channel(lane, x.cols(), [&](const auto& band) {
      const auto mean = band.of(this->statistics_[0].value());
      for (Index t = 0; t < x.cols(); ++t) {
        band.rows(y, t) =
            (band.rows(x, t) - band.spread(mean)) * band.spread(band.of(scale)) + band.spread(shift(band));
      }
    });
  }

 private:
  enum TraceColumn : Index { mean_column, variance_column, inverse_column, slope_column, along_column, trace_columns };

  using Array = Eigen::Array<Scalar, Eigen::Dynamic, 1>;
  using Number = Eigen::Array<Scalar, 1, 1>;

  /// Channels first .. first + count - 1 of one value each, as they are in a column of a matrix.
  struct Features {
    template <class M>
    auto rows(const M& matrix, Index t) const {
      return Eigen::Map<Array>{const_cast<Scalar*>(matrix.data()) + first + t * matrix.outerStride(), count};
    }
    template <class M>
    auto of(const M& list) const {
      return rows(list, 0);
    }
    auto column(const Point<Scalar>& at, TraceColumn which) const { return rows(at.trace.batch, which); }
    template <class Values>
    const Values& collect(const Values& values) const {
      return values;
    }
    template <class Values>
    const Values& spread(const Values& values) const {
      return values;
    }

    Index first;
    Index count;
  };

  /// One channel that has a plane.
  struct Plane {
    template <class M>
    auto rows(const M& matrix, Index t) const {
      return Eigen::Map<Array>{const_cast<Scalar*>(matrix.data()) + channel * size + t * matrix.outerStride(), size};
    }
    template <class M>
    auto of(const M& list) const {
      return Eigen::Map<Number>{const_cast<Scalar*>(list.data()) + channel};
    }
    auto column(const Point<Scalar>& at, TraceColumn which) const {
      return Eigen::Map<Number>{const_cast<Scalar*>(at.trace.batch.data()) + channel +
                                which * at.trace.batch.outerStride()};
    }
    template <class Values>
    Number collect(const Values& values) const {
      return Number{values.sum()};
    }
    template <class Values>
    auto spread(const Values& value) const {
      return Array::Constant(size, value.value());
    }

    Index channel;
    Index size;
  };

  void reset() {
    this->parameters_[0].values().setOnes();
    this->parameters_[1].values().setZero();
    this->statistics_[0].values().setZero();
    this->statistics_[1].values().setOnes();
    batches_ = 0;
  }

  /// Calls body(band) for bands that make up all channels, in parallel: channels are independent.
  template <class Body>
  void by_channel(const Lane<Scalar>& lane, Index samples, Body&& body) const {
    const Index plane = shape_.height * shape_.width;
    lane.parallel_ranges(shape_.channels, samples * plane, [&](Index first, Index count) {
      if (plane == 1) return body(Features{first, count});
      for (Index c = first; c < first + count; ++c) body(Plane{c, plane});
    });
  }

  /// Values of each channel in a batch.
  Scalar count(Index samples) const { return static_cast<Scalar>(samples * shape_.height * shape_.width); }

  template <class Band>
  auto gain(const Band& band) const {
    return band.of(this->parameters_[0].value());
  }
  template <class Band>
  auto shift(const Band& band) const {
    return band.of(this->parameters_[1].value());
  }

  BatchNorm config_;
  Shape shape_;
  Index batches_ = 0;  // absorbed; PyTorch counts them, too
};

}  // namespace altmin
