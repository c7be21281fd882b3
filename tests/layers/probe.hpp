#pragma once

#include <utility>
#include <vector>

#include "altmin/layers/layer_interface.hpp"
#include "support.hpp"

namespace support {

/// A layer evaluated at x, with all that a block does with it. Initialised, and its mask drawn, from `seed`.
template <class Layer, class Scalar>
class Probe {
  /// The layer itself, also where it is held as an AnyLayer.
  auto& it() { return of(layer); }
  const auto& it() const { return of(layer); }
  template <class Interface>
  static auto& of(altmin::Erased<Interface>& held) {
    return *held;
  }
  template <class Interface>
  static const auto& of(const altmin::Erased<Interface>& held) {
    return *held;
  }
  template <class Own>
  static auto& of(Own& own) {
    return own;
  }

 public:
  using M = Matrix<Scalar>;

  Layer layer;
  M x, y;

  Probe(Layer given, const M& input, Seed seed = Seed{1}) : layer{std::move(given)} {
    Random random{seed};
    it().initialize(random);
    fit(trace_, input);
    it().draw(random, {trace_.samples, trace_.batch});
    forward(input);
  }

  /// Evaluates the layer at another input of the same size, in the same step.
  const M& forward(const M& input) {
    x = input;
    y.setConstant(it().output().size(), x.cols(), dirt);
    it().forward(workers_.worker(), here());
    return y;
  }

  M predict(const M& input) {
    M result = M::Constant(it().output().size(), input.cols(), dirt);
    it().predict(workers_.worker(), input, result);
    return result;
  }

  M backward(const M& dy) {
    M dx = M::Constant(x.rows(), x.cols(), dirt);
    it().backward(workers_.worker(), here(), dy, dx);
    return dx;
  }

  /// The derivative by each parameter of <f(x), dy>.
  std::vector<M> gradients(const M& dy) {
    std::vector<M> result;
    for (const auto& parameter : it().parameters()) {
      result.push_back(M::Constant(parameter.value().rows(), parameter.value().cols(), dirt));
    }
    std::vector<altmin::View<Scalar>> views(result.begin(), result.end());
    it().gradient(workers_.worker(), here(), dy, {views.data(), static_cast<Index>(views.size())});
    return result;
  }

  /// The same side by side, by the matrices that a map lowers itself to.
  M lowered_gradient(const M& dy) {
    const altmin::LoweredShape shape = it().lowered_shape();
    const bool bias = it().parameters().size() > 0 && it().parameters().end()[-1].value().cols() == 1;
    M a = M::Ones(shape.rows + (bias ? 1 : 0), x.cols() * shape.columns);
    M r = M::Constant(it().parameters()[0].value().rows(), a.cols(), dirt);
    it().lower(workers_.worker(), here(), {a.data(), shape.rows, a.cols(), a.rows()});
    it().lower_output(workers_.worker(), dy, r);
    return r * a.transpose();
  }

  /// f(x + dx) - f(x) as the layer computes it. Goes on from x + dx, with what the layer wrote for that point.
  M move(const M& dx) {
    M dy = M::Constant(y.rows(), y.cols(), dirt);
    const M to_x = x + dx;
    M to_y = dy;
    Trace to = trace_;
    if (it().trace_shape().of_input) fit(to, x);
    it().difference(workers_.worker(), here(), dx, {to_x, to_y, {to.samples, to.batch}}, dy);
    x = to_x;
    y += dy;
    trace_ = to;
    return dy;
  }

  /// Ends the step.
  void update_statistics() { it().update_statistics(workers_.worker(), here()); }
  bool statistics_stay_finite() { return it().statistics_stay_finite(here()); }

  /// J dx, from backward alone.
  M jacobian_times(const M& dx) {
    M result(y.rows(), y.cols());
    for (Index i = 0; i < y.size(); ++i) {
      M unit = M::Zero(y.rows(), y.cols());
      unit.reshaped()(i) = Scalar(1);
      result.reshaped()(i) = backward(unit).cwiseProduct(dx).sum();
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
    const altmin::TraceShape shape = it().trace_shape();
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
