#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <vector>

#include "altmin/core/function_ref.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

/// Batch normalization (Ioffe and Szegedy 2015) of each channel, with a learned gain and shift: of each feature, or of
/// the planes of an image. Training uses the statistics of the batch, which needs at least two samples; inference uses
/// their running averages.
struct BatchNorm {
  static constexpr const char* name = "BatchNorm";

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
 private:
  enum TraceColumn : Index {
    count_column,  // values of the channel in the batch
    inverse_column,
    mean_column,
    variance_column,
    ratio_column,  // this and the next two: working memory
    offset_column,
    scale_column,
    trace_columns
  };

 public:
  using Config = BatchNorm;
  static constexpr LayerTraits layer_traits{Role::normalization, true, false, true};

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
  Shape output() const override { return shape_; }

  void initialize(Random&) override { reset(); }

  TraceShape trace_shape() const override { return {shape_.size(), shape_.channels, trace_columns, true}; }

  void forward(const Worker<Scalar>& worker, const Point<Scalar>& at) const override {
    const View<Scalar>& normalized = at.trace.samples;
    const Scalar values = count(worker.all_samples(at.x.cols()));
    const auto sum = [&](const Band& band) { band.sum(at.x, Columns{at, band}.mean); };
    const auto centre = [&](const Band& band) {
      const Columns own{at, band};
      for (Index c = 0; c < band.channels; ++c) {
        own.mean[c] /= values;
        own.scale[c] = 1;
        own.offset[c] = -own.mean[c];
      }
      band.transform(at.x, own.scale, own.offset, normalized);
      band.dot(normalized, normalized, own.variance);
    };
    const auto normalize = [&](const Band& band) {
      const Columns own{at, band};
      for (Index c = 0; c < band.channels; ++c) {
        own.count[c] = values;
        own.variance[c] /= values;
        own.inverse[c] = inverse_deviation(own.variance[c]);
        own.offset[c] = 0;
      }
      band.transform(normalized, own.inverse, own.offset, normalized);
      band.transform(normalized, band.of(gain()), band.of(shift()), at.y);
    };
    by_channel(worker, at.x.cols(),
               {{sum, at.trace.batch.slice(mean_column, 1)},
                {centre, at.trace.batch.slice(variance_column, 1)},
                {normalize, {}}});
  }

  /// With z the centred input, s = 1 / sqrt(variance + epsilon) and primes for the moved input:
  /// z' s' - z s = z (s' - s) + dz s', and s' - s = -(variance' - variance) s^2 s'^2 / (s + s').
  void difference(const Worker<Scalar>& worker, const Point<Scalar>& from, ConstView<Scalar> dx,
                  const Point<Scalar>& to, View<Scalar> dy) const override {
    const View<Scalar>& normalized = from.trace.samples;
    const View<Scalar>& moved = to.trace.samples;  // first dz, then the moved input, normalized
    const Scalar values = count(worker.all_samples(dx.cols()));
    const auto sum = [&](const Band& band) { band.sum(dx, Columns{to, band}.mean); };  // of dx
    const auto centre = [&](const Band& band) {
      const Columns after{to, band};
      for (Index c = 0; c < band.channels; ++c) {
        after.mean[c] /= values;
        after.scale[c] = 1;
        after.offset[c] = -after.mean[c];
      }
      band.transform(dx, after.scale, after.offset, moved);
      band.dot(moved, moved, after.variance);
      band.dot(moved, normalized, after.ratio);
    };
    const auto subtract = [&](const Band& band) {
      const Columns before{from, band};
      const Columns after{to, band};
      for (Index c = 0; c < band.channels; ++c) {
        const Scalar s = before.inverse[c];
        const Scalar variance = before.variance[c];
        // Rounding must not take the new variance below 0.
        const Scalar change = std::max(-variance, (after.variance[c] + 2 * after.ratio[c] / s) / values);
        const Scalar s_to = inverse_deviation(variance + change);
        after.variance[c] = variance + change;
        after.inverse[c] = s_to;
        after.ratio[c] = -change * s * s_to * s_to / (s + s_to);  // (s' - s) / s
        after.offset[c] = 0;
      }
      band.combine(normalized, after.ratio, moved, after.inverse, after.offset, dy);
      band.combine(normalized, after.scale, dy, after.scale, after.offset, moved);
      band.transform(dy, band.of(gain()), after.offset, dy);
    };
    by_channel(worker, dx.cols(),
               {{sum, to.trace.batch.slice(mean_column, 1)},
                {centre, to.trace.batch.slice(variance_column, 2)},  // and the ratio's
                {subtract, {}}});
  }

  void backward(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                View<Scalar> dx) const override {
    const Scalar values = count(worker.all_samples(dy.cols()));
    const auto sum = [&](const Band& band) {
      const Columns own{at, band};
      band.sum(dy, own.offset);
      band.dot(dy, at.trace.samples, own.ratio);
    };
    const auto project = [&](const Band& band) {
      const Columns own{at, band};
      for (Index c = 0; c < band.channels; ++c) {
        own.scale[c] = band.of(gain())[c] * own.inverse[c];
        own.offset[c] *= -own.scale[c] / values;
        own.ratio[c] *= -own.scale[c] / values;
      }
      band.combine(dy, own.scale, at.trace.samples, own.ratio, own.offset, dx);
    };
    by_channel(worker, dy.cols(), {{sum, at.trace.batch.slice(ratio_column, 2)}, {project, {}}});  // and the offset's
  }

  void gradient(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
                Span<View<Scalar>> gradients) const override {
    by_channel(worker, dy.cols(), [&](const Band& band) {
      band.dot(dy, at.trace.samples, gradients[0].data() + band.first);
      band.sum(dy, gradients[1].data() + band.first);
    });
  }

  /// The change dx of the input that changes the output by dy, the batch's statistics held fixed; 0 where the gain is
  /// 0.
  void invert(const Worker<Scalar>& worker, const Point<Scalar>& at, ConstView<Scalar> dy,
              View<Scalar> dx) const override {
    by_channel(worker, dy.cols(), [&](const Band& band) {
      const Columns own{at, band};
      for (Index c = 0; c < band.channels; ++c) {
        const Scalar slope = band.of(gain())[c] * own.inverse[c];
        own.scale[c] = slope == Scalar(0) ? Scalar(0) : 1 / slope;
        own.offset[c] = 0;
      }
      band.transform(dy, own.scale, own.offset, dx);
    });
  }

  /// Running averages; the variance with Bessel's correction, as in PyTorch. A frozen one stays, and where both are
  /// frozen no batch is counted.
  void update_statistics(const Worker<Scalar>&, const Point<Scalar>& at) override {
    auto& mean = this->statistics_[0];
    auto& variance = this->statistics_[1];
    if (!mean.frozen() || !variance.frozen()) ++batches_;
    for (Index c = 0; c < shape_.channels; ++c) {
      if (!mean.frozen()) mean.matrix()(c) = next_mean(at.trace, c);
      if (!variance.frozen()) variance.matrix()(c) = next_variance(at.trace, c);
    }
  }

  /// False where the batch has values so large that its own mean or variance, or a running one, overflows.
  bool statistics_stay_finite(const Point<Scalar>& at) const override {
    const Trace<Scalar>& trace = at.trace;
    bool finite = true;
    for (Index c = 0; c < shape_.channels; ++c) {
      finite = finite && std::isfinite(trace.batch(c, mean_column)) && std::isfinite(trace.batch(c, variance_column)) &&
               std::isfinite(next_mean(trace, c)) && std::isfinite(next_variance(trace, c));
    }
    return finite;
  }

  void predict(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const override {
    Matrix<Scalar> coefficients(shape_.channels, 3);  // 1, minus the mean, and the scale
    for (Index c = 0; c < shape_.channels; ++c) {
      coefficients(c, 0) = 1;
      coefficients(c, 1) = -this->statistics_[0].value()(c);
      coefficients(c, 2) = gain()(c) * inverse_deviation(this->statistics_[1].value()(c));
    }
    const Scalar* const list = coefficients.data();
    by_channel(worker, x.cols(), [&](const Band& band) {
      const Scalar* const own = list + band.first;
      band.transform(x, own, own + shape_.channels, y);
      band.transform(y, own + 2 * shape_.channels, band.of(shift()), y);
    });
  }

 private:
  /// Some channels of one value a sample each, or one channel that has a plane: what all operations consist of, sums
  /// over samples and transformations of each value by numbers of its channel.
  struct Band {
    using Array = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
    using ConstArray = Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>;

    const Scalar* of(const Matrix<Scalar>& list) const { return list.data() + first; }
    ConstArray values(ConstView<Scalar> matrix, Index t) const {
      return {matrix.address(first * plane, t), channels * plane};
    }
    Array places(View<Scalar> matrix, Index t) const { return {matrix.address(first * plane, t), channels * plane}; }
    Array list(Scalar* numbers) const { return {numbers, channels}; }
    ConstArray list(const Scalar* numbers) const { return {numbers, channels}; }

    /// result = the sum of each channel's values.
    void sum(ConstView<Scalar> x, Scalar* result) const {
      std::fill_n(result, channels, Scalar(0));
      for (Index t = 0; t < x.cols(); ++t) {
        if (plane == 1) {
          list(result) += values(x, t);
        } else {
          *result += values(x, t).sum();
        }
      }
    }

    /// result = the sum of each channel's products.
    void dot(ConstView<Scalar> x, ConstView<Scalar> z, Scalar* result) const {
      std::fill_n(result, channels, Scalar(0));
      for (Index t = 0; t < x.cols(); ++t) {
        if (plane == 1) {
          list(result) += values(x, t) * values(z, t);
        } else {
          *result += (values(x, t) * values(z, t)).sum();
        }
      }
    }

    /// y = a x + c, with numbers a and c of each channel. y may be x.
    void transform(ConstView<Scalar> x, const Scalar* a, const Scalar* c, View<Scalar> y) const {
      for (Index t = 0; t < x.cols(); ++t) {
        if (plane == 1) {
          places(y, t) = list(a) * values(x, t) + list(c);
        } else {
          places(y, t) = *a * values(x, t) + *c;
        }
      }
    }

    /// y = a x + b z + c, likewise. y may be x or z.
    void combine(ConstView<Scalar> x, const Scalar* a, ConstView<Scalar> z, const Scalar* b, const Scalar* c,
                 View<Scalar> y) const {
      for (Index t = 0; t < x.cols(); ++t) {
        if (plane == 1) {
          places(y, t) = list(a) * values(x, t) + list(b) * values(z, t) + list(c);
        } else {
          places(y, t) = *a * values(x, t) + *b * values(z, t) + *c;
        }
      }
    }

    Index first;
    Index channels;
    Index plane;  // values of a channel in a sample
  };

  /// A band's part of a trace.
  struct Columns {
    Columns(const Point<Scalar>& at, const Band& band)
        : count{at.trace.batch.address(band.first, count_column)},
          mean{at.trace.batch.address(band.first, mean_column)},
          variance{at.trace.batch.address(band.first, variance_column)},
          inverse{at.trace.batch.address(band.first, inverse_column)},
          ratio{at.trace.batch.address(band.first, ratio_column)},
          scale{at.trace.batch.address(band.first, scale_column)},
          offset{at.trace.batch.address(band.first, offset_column)} {}

    Scalar* count;
    Scalar* mean;
    Scalar* variance;
    Scalar* inverse;
    Scalar* ratio;
    Scalar* scale;
    Scalar* offset;
  };

  Scalar inverse_deviation(Scalar variance) const {
    return 1 / std::sqrt(variance + static_cast<Scalar>(config_.epsilon));
  }

  void reset() {
    this->parameters_[0].values().setOnes();
    this->parameters_[1].values().setZero();
    this->statistics_[0].values().setZero();
    this->statistics_[1].values().setOnes();
    batches_ = 0;
  }

  /// Calls body(band) for bands that make up all channels, in parallel: channels are independent.
  void by_channel(const Worker<Scalar>& worker, Index samples, FunctionRef<void(const Band&)> body) const {
    const Index plane = shape_.height * shape_.width;
    worker.parallel_ranges(shape_.channels, samples * plane, [&](Index first, Index count) {
      if (plane == 1) return body(Band{first, count, 1});
      for (Index c = first; c < first + count; ++c) body(Band{c, 1, plane});
    });
  }

  /// Some work on a band, which leaves sums over the samples of this rank.
  struct Phase {
    FunctionRef<void(const Band&)> body;
    View<Scalar> sums;  // channels x some; of the last phase empty
  };

  /// Calls the bodies in turn for each band. On one rank a band goes through all of them, and stays in the cache; of
  /// several ranks the sums of a phase are made those of all ranks before the next one.
  void by_channel(const Worker<Scalar>& worker, Index samples, std::initializer_list<Phase> phases) const {
    if (worker.share() == nullptr) {
      return by_channel(worker, samples, [&](const Band& band) {
        for (const Phase& phase : phases) phase.body(band);
      });
    }
    for (const Phase& phase : phases) {
      by_channel(worker, samples, phase.body);
      if (phase.sums.size() > 0) worker.sum(phase.sums);
    }
  }

  /// The running averages of a channel with one more batch.
  Scalar next_mean(const Trace<Scalar>& trace, Index c) const {
    return next(this->statistics_[0].value()(c), trace.batch(c, mean_column));
  }
  Scalar next_variance(const Trace<Scalar>& trace, Index c) const {
    const Scalar values = trace.batch(c, count_column);
    return next(this->statistics_[1].value()(c), values / (values - 1) * trace.batch(c, variance_column));
  }
  Scalar next(Scalar average, Scalar newest) const {
    return average + static_cast<Scalar>(config_.momentum) * (newest - average);
  }

  /// Values of each channel in a batch.
  Scalar count(Index samples) const { return static_cast<Scalar>(samples * shape_.height * shape_.width); }

  const Matrix<Scalar>& gain() const { return this->parameters_[0].value(); }
  const Matrix<Scalar>& shift() const { return this->parameters_[1].value(); }

  BatchNorm config_;
  Shape shape_;
  Index batches_ = 0;  // in the running statistics; PyTorch counts them, too
};

}  // namespace altmin
