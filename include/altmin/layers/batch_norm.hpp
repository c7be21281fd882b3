#pragma once

#include <cmath>
#include <vector>

#include "altmin/layers/layer_base.hpp"

namespace altmin {

/// Batch normalization (Ioffe and Szegedy 2015) of each feature, with a learned gain and shift. Training uses the
/// statistics of the batch, which needs at least two samples; inference uses their running averages.
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

/// `weight` (the gain) and `bias` (the shift), `running_mean` and `running_var`: all features x 1.
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
    this->statistics_.emplace_back("running_mean", shape_.size(), 1);
    this->statistics_.emplace_back("running_var", shape_.size(), 1);
    reset();
  }

  static std::vector<ParameterShape> parameter_shapes(const BatchNorm&, Shape input) {
    return {{"weight", input.size(), 1}, {"bias", input.size(), 1}};
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    LayerBase<Layer, Scalar>::fields(visit, self...);
    visit("num_batches_tracked", self.batches_...);
  }

  const BatchNorm& config() const { return config_; }
  Shape output() const { return shape_; }

  void initialize(Random&) { reset(); }

  TraceShape trace_shape() const { return {shape_.size(), shape_.size(), trace_columns, true}; }

  void forward(const Lane<Scalar>& lane, const Point<Scalar>& at) const {
    by_feature(lane, at.x.cols(), [&](Index first, Index count) {
      const auto x = at.x.middleRows(first, count);
      auto normalized = View<Scalar>{at.trace.samples}.middleRows(first, count);
      auto y = View<Scalar>{at.y}.middleRows(first, count);
      auto mean = column(at, mean_column, first, count);
      auto variance = column(at, variance_column, first, count);
      auto inverse = column(at, inverse_column, first, count);
      const auto samples = static_cast<Scalar>(x.cols());
      mean.setZero();
      for (Index t = 0; t < x.cols(); ++t) mean += x.col(t).array();
      mean /= samples;
      variance.setZero();
      for (Index t = 0; t < x.cols(); ++t) {
        normalized.col(t) = x.col(t) - mean.matrix();
        variance += normalized.col(t).array().square();
      }
      variance /= samples;
      inverse = (variance + static_cast<Scalar>(config_.epsilon)).sqrt().inverse();
      for (Index t = 0; t < x.cols(); ++t) {
        normalized.col(t).array() *= inverse;
        y.col(t).array() = gain(first, count) * normalized.col(t).array() + shift(first, count);
      }
    });
  }

  /// With z the centred input, s = 1 / sqrt(variance + epsilon) and primes for the moved input:
  /// z' s' - z s = z (s' - s) + dz s', and s' - s = -(variance' - variance) s^2 s'^2 / (s + s').
  void difference(const Lane<Scalar>& lane, const Point<Scalar>& from, ConstView<Scalar> dx, const Point<Scalar>& to,
                  View<Scalar> dy) const {
    by_feature(lane, dx.cols(), [&](Index first, Index count) {
      const auto normalized = from.trace.samples.middleRows(first, count);
      auto moved = View<Scalar>{to.trace.samples}.middleRows(first, count);
      auto dyb = dy.middleRows(first, count);
      const auto inverse = column(from, inverse_column, first, count);
      const auto variance = column(from, variance_column, first, count);
      auto mean_move = column(to, mean_column, first, count);
      auto variance_to = column(to, variance_column, first, count);
      auto inverse_to = column(to, inverse_column, first, count);
      auto ratio = column(to, slope_column, first, count);
      const auto samples = static_cast<Scalar>(dx.cols());
      mean_move.setZero();
      for (Index t = 0; t < dx.cols(); ++t) mean_move += dx.col(t).middleRows(first, count).array();
      mean_move /= samples;
      variance_to.setZero();
      for (Index t = 0; t < dx.cols(); ++t) {  // moved: dz; variance_to: the change of the variance
        moved.col(t).array() = dx.col(t).middleRows(first, count).array() - mean_move;
        variance_to += moved.col(t).array() * (moved.col(t).array() + Scalar(2) * normalized.col(t).array() / inverse);
      }
      variance_to /= samples;
      variance_to = variance_to.max(-variance);  // rounding must not take the new variance below 0
      inverse_to = (variance + variance_to + static_cast<Scalar>(config_.epsilon)).sqrt().inverse();
      ratio = -variance_to * inverse * inverse_to.square() / (inverse + inverse_to);  // (s' - s) / s
      variance_to += variance;
      for (Index t = 0; t < dx.cols(); ++t) {
        dyb.col(t).array() = normalized.col(t).array() * ratio + moved.col(t).array() * inverse_to;
        moved.col(t) = normalized.col(t) + dyb.col(t);
        dyb.col(t).array() *= gain(first, count);
        View<Scalar>{to.y}.col(t).middleRows(first, count) = from.y.col(t).middleRows(first, count) + dyb.col(t);
      }
    });
  }

  void pull_back(const Lane<Scalar>& lane, const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    by_feature(lane, dy.cols(), [&](Index first, Index count) {
      const auto normalized = at.trace.samples.middleRows(first, count);
      auto mean = column(at, slope_column, first, count);   // of dy
      auto along = column(at, along_column, first, count);  // of dy * normalized
      const auto inverse = column(at, inverse_column, first, count);
      const auto samples = static_cast<Scalar>(dy.cols());
      mean.setZero();
      along.setZero();
      for (Index t = 0; t < dy.cols(); ++t) {
        const auto slope = dy.col(t).middleRows(first, count).array();
        mean += slope;
        along += slope * normalized.col(t).array();
      }
      mean /= samples;
      along /= samples;
      for (Index t = 0; t < dy.cols(); ++t) {
        dx.col(t).middleRows(first, count).array() =
            gain(first, count) * inverse *
            (dy.col(t).middleRows(first, count).array() - mean - normalized.col(t).array() * along);
      }
    });
  }

  void gradient(const Lane<Scalar>&, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const {
    gradients[0].setZero();
    gradients[1].setZero();
    for (Index t = 0; t < dy.cols(); ++t) {
      gradients[0].array() += dy.col(t).array() * at.trace.samples.col(t).array();
      gradients[1] += dy.col(t);
    }
  }

  /// The change dx of the input that changes the output by dy, the batch's statistics held fixed; 0 where the gain is
  /// 0.
  void undo(const Point<Scalar>& at, ConstView<Scalar> dy, View<Scalar> dx) const {
    const auto scale = gain(0, dy.rows()) * at.trace.batch.col(inverse_column).array();
    for (Index t = 0; t < dy.cols(); ++t) {
      dx.col(t).array() = (scale == Scalar(0)).select(Scalar(0), dy.col(t).array() / scale);
    }
  }

  /// Running averages; the variance with Bessel's correction, as in PyTorch.
  void absorb(const Trace<Scalar>& trace) {
    const auto newest = static_cast<Scalar>(config_.momentum);
    const auto samples = static_cast<Scalar>(trace.samples.cols());
    ++batches_;
    auto mean = this->statistics_[0].values();
    auto variance = this->statistics_[1].values();
    mean += newest * (trace.batch.col(mean_column) - mean);
    variance += newest * (samples / (samples - 1) * trace.batch.col(variance_column) - variance);
  }

  void predict(const Lane<Scalar>&, ConstView<Scalar> x, View<Scalar> y) const {
    const auto mean = this->statistics_[0].value().col(0).array();
    const auto variance = this->statistics_[1].value().col(0).array();
    const Vector<Scalar> scale = gain(0, x.rows()) / (variance + static_cast<Scalar>(config_.epsilon)).sqrt();
    for (Index t = 0; t < x.cols(); ++t) {
      y.col(t).array() = (x.col(t).array() - mean) * scale.array() + shift(0, x.rows());
    }
  }

 private:
  enum TraceColumn : Index { mean_column, variance_column, inverse_column, slope_column, along_column, trace_columns };

  void reset() {
    this->parameters_[0].values().setOnes();
    this->parameters_[1].values().setZero();
    this->statistics_[0].values().setZero();
    this->statistics_[1].values().setOnes();
    batches_ = 0;
  }

  /// Features are independent: bands of rows run in parallel.
  template <class Body>
  void by_feature(const Lane<Scalar>& lane, Index samples, Body&& body) const {
    lane.parallel_ranges(shape_.size(), samples, body);
  }

  static auto column(const Point<Scalar>& at, Index which, Index first, Index count) {
    return Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>{
        const_cast<Scalar*>(at.trace.batch.data()) + which * at.trace.batch.outerStride() + first, count};
  }

  auto gain(Index first, Index count) const {
    return this->parameters_[0].value().col(0).segment(first, count).array();
  }
  auto shift(Index first, Index count) const {
    return this->parameters_[1].value().col(0).segment(first, count).array();
  }

  BatchNorm config_;
  Shape shape_;
  Index batches_ = 0;  // absorbed; PyTorch counts them, too
};

}  // namespace altmin
