#pragma once

#include <utility>
#include <vector>

#include "altmin/layers/layer_base.hpp"
#include "support.hpp"

namespace support {

/// A layer evaluated at x, with all that a block does with it. Initialised, and its mask drawn, from `seed`.
template <class Layer, class Scalar>
class Probe {
 public:
  using M = Matrix<Scalar>;

  Layer layer;
  M x, y;

  Probe(Layer given, const M& input, Seed seed = Seed{1}) : layer{std::move(given)} {
    Random random{seed};
    layer.initialize(random);
    fit(trace_, input);
    layer.draw(random, {trace_.samples, trace_.batch});
    forward(input);
  }

  /// Evaluates the layer at another input of the same size, in the same step.
  const M& forward(const M& input) {
    x = input;
    y.setConstant(layer.output().size(), x.cols(), dirt);
    layer.forward(workers_.lane(), here());
    return y;
  }

  M predict(const M& input) {
    M result = M::Constant(layer.output().size(), input.cols(), dirt);
    layer.predict(workers_.lane(), input, result);
    return result;
  }

  M pull_back(const M& dy) {
    M dx = M::Constant(x.rows(), x.cols(), dirt);
    layer.pull_back(workers_.lane(), here(), dy, dx);
    return dx;
  }

  /// The derivative by each parameter of <f(x), dy>.
  std::vector<M> gradients(const M& dy) {
    std::vector<M> result;
    for (const auto& parameter : layer.parameters()) {
      result.push_back(M::Constant(parameter.value().rows(), parameter.value().cols(), dirt));
    }
    std::vector<altmin::View<Scalar>> views(result.begin(), result.end());
    layer.gradient(workers_.lane(), here(), dy, {views.data(), static_cast<Index>(views.size())});
    return result;
  }

  /// The same side by side, by the matrices that a map lowers itself to.
  M lowered_gradient(const M& dy) {
    const altmin::LoweredShape shape = layer.lowered_shape();
    const bool bias = layer.parameters().size() > 0 && layer.parameters().end()[-1].value().cols() == 1;
    M a = M::Ones(shape.rows + (bias ? 1 : 0), x.cols() * shape.columns);
    M r = M::Constant(layer.parameters()[0].value().rows(), a.cols(), dirt);
    layer.lower(workers_.lane(), here(), {a.data(), shape.rows, a.cols(), a.rows()});
    layer.lower_output(workers_.lane(), dy, r);
    return r * a.transpose();
  }

  /// Of an elementwise layer: pull_back() where the input would be at x + dx.
  M pull_back_moved(const M& dx, const M& change, const M& dy) {
    M result = M::Constant(x.rows(), x.cols(), dirt);
    layer.pull_back_moved(workers_.lane(), here(), dx, change, dy, result);
    return result;
  }

  /// f(x + dx) - f(x) as the layer computes it. Goes on from x + dx, with what the layer wrote for that point.
  M move(const M& dx) {
    M dy = M::Constant(y.rows(), y.cols(), dirt);
    const M to_x = x + dx;
    M to_y = dy;
    Trace to = trace_;
    if (layer.trace_shape().of_input) fit(to, x);
    layer.difference(workers_.lane(), here(), dx, {to_x, to_y, {to.samples, to.batch}}, dy);
    x = to_x;
    y += dy;
    trace_ = to;
    return dy;
  }

  /// Ends the step: takes up its running statistics.
  void absorb() { layer.absorb({trace_.samples, trace_.batch}); }

  /// J dx, from pull_back alone.
  M jacobian_times(const M& dx) {
    M result(y.rows(), y.cols());
    for (Index i = 0; i < y.size(); ++i) {
      M unit = M::Zero(y.rows(), y.cols());
      unit.reshaped()(i) = Scalar(1);
      result.reshaped()(i) = pull_back(unit).cwiseProduct(dx).sum();
    }
    return result;
  }

 private:
  // Stands wherever a layer must write: it shows if it did not.
  static constexpr Scalar dirt = Scalar(1e10);

  struct Trace {
    M samples, batch;
  };

  void fit(Trace& trace, const M& input) const {
    const altmin::TraceShape shape = layer.trace_shape();
    trace.samples.setConstant(shape.samples, input.cols(), dirt);
    trace.batch.setConstant(shape.batch_rows, shape.batch_columns, dirt);
  }

  altmin::Point<Scalar> here() { return {x, y, {trace_.samples, trace_.batch}}; }

  altmin::Workers<Scalar> workers_{1};
  Trace trace_;
};

/// A probe of the layer that add(config) would make.
template <class Config, class Scalar>
auto probe(const Config& config, const Matrix<Scalar>& input, Seed seed = Seed{1}) {
  return Probe{typename Config::template Layer<Scalar>{config, input.rows()}, input, seed};
}

}  // namespace support
