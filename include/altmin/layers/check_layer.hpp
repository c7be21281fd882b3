#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/core/denormals.hpp"
#include "altmin/layers/layer_stack.hpp"

namespace altmin {

/// What check_layer() finds: 0 is perfect. A layer that is right stays below about 1e-6 in the first two, and below
/// 1e-4 in the third.
struct LayerCheck {
  double backward = 0;    ///< of backward(): the largest |derivative - difference quotient| / max(1, either)
  double gradient = 0;    ///< of gradient(), likewise
  double difference = 0;  ///< relative error of difference() in float, for moves of 1e-6 of the input
  std::string where;      ///< the parameter or input that is worst in the first two: "weight(3, 1)", "input(7, 0)"
};

namespace detail {

/// A layer with the arrays of one evaluation.
template <class Scalar>
class EvaluatedLayer {
 public:
  EvaluatedLayer(LayerInterface<Scalar>& layer, const Matrix<Scalar>& x, Random random)
      : layer_{layer}, x_{x}, y_{Matrix<Scalar>::Zero(layer.output().size(), x.cols())} {
    const TraceShape shape = layer.trace_shape();
    samples_.setZero(shape.samples, x.cols());
    batch_.setZero(shape.batch_rows, shape.batch_columns);
    layer.draw(random, point().trace);
    layer.forward(workers_.worker(), point());
  }

  Point<Scalar> point() { return {x_, y_, {samples_, batch_}}; }
  Worker<Scalar> worker() { return workers_.worker(); }
  const Matrix<Scalar>& y() const { return y_; }

  /// The outputs at another input, in the same training step.
  const Matrix<Scalar>& forward(const Matrix<Scalar>& x) {
    x_ = x;
    if (layer_.time_steps() != nullptr) {  // whose derivatives are those for given states
      layer_.time_steps()->forward_from_states(workers_.worker(), point());
    } else {
      layer_.forward(workers_.worker(), point());
    }
    return y_;
  }

 private:
  LayerInterface<Scalar>& layer_;
  Workers<Scalar> workers_{1};
  Matrix<Scalar> x_, y_, samples_, batch_;
};

template <class Scalar>
Matrix<Scalar> normal_matrix(Index rows, Index columns, Random& random) {
  Matrix<Scalar> matrix(rows, columns);
  for (Index j = 0; j < columns; ++j) {
    for (Index i = 0; i < rows; ++i) matrix(i, j) = static_cast<Scalar>(random.normal());
  }
  return matrix;
}

inline double disagreement(double a, double b) { return std::abs(a - b) / std::max({1.0, std::abs(a), std::abs(b)}); }

inline std::string element(const char* array, Index i, Index j) {
  return std::string(array) + "(" + text(i) + ", " + text(j) + ")";
}

/// A template, so that only its users compile it; `Number` is double.
template <class Number>
void check_derivatives(LayerInterface<Number>& layer, const Matrix<Number>& x, Random random, LayerCheck& check) {
  EvaluatedLayer<Number> at{layer, x, random};
  Random numbers{Seed{2}};
  const Matrix<Number> dy = normal_matrix<Number>(at.y().rows(), at.y().cols(), numbers);
  Matrix<Number> dx(x.rows(), x.cols());
  layer.backward(at.worker(), at.point(), dy, dx);
  std::vector<Matrix<Number>> gradients;
  std::vector<View<Number>> views;
  for (const auto& parameter : layer.parameters()) gradients.push_back(parameter.value());
  for (auto& gradient : gradients) views.push_back(gradient);
  layer.gradient(at.worker(), at.point(), dy, {views.data(), static_cast<Index>(views.size())});

  constexpr Number step = 1e-6;
  EvaluatedLayer<Number> moved{layer, x, random};
  // The difference quotient of <f, dy> by a number that is part of `input` or of the layer.
  const auto quotient = [&](const Matrix<Number>& input, Number& number) {
    const Number kept = number;
    number = kept + step;
    const double above = moved.forward(input).cwiseProduct(dy).sum();
    number = kept - step;
    const double below = moved.forward(input).cwiseProduct(dy).sum();
    number = kept;
    return (above - below) / (2 * step);
  };
  double worst = -1;
  const auto compare = [&](double derivative, double difference, const std::string& where, double& error) {
    const double found = disagreement(derivative, difference);
    if (found <= error) return;  // a NaN is not skipped
    error = found;
    if (!(found <= worst)) {
      worst = found;
      check.where = where;
    }
  };
  Matrix<Number> input = x;
  for (Index j = 0; j < x.cols(); ++j) {
    for (Index i = 0; i < x.rows(); ++i) {
      const double difference = quotient(input, input(i, j));
      compare(dx(i, j), difference, element("input", i, j), check.backward);
    }
  }
  for (Index k = 0; k < layer.parameters().size(); ++k) {
    auto& parameter = layer.parameters()[k];
    View<Number> values = parameter.values();
    for (Index j = 0; j < values.cols(); ++j) {
      for (Index i = 0; i < values.rows(); ++i) {
        const double difference = quotient(x, values(i, j));
        compare(gradients[std::size_t(k)](i, j), difference, element(parameter.name(), i, j), check.gradient);
      }
    }
  }
}

/// The relative error of difference() in float, by the outputs in double.
template <class Number>
double difference_error(LayerInterface<float>& layer, LayerInterface<Number>& reference, const Matrix<Number>& x,
                        Random random) {
  Random numbers{Seed{3}};
  const Matrix<float> from = x.template cast<float>();
  const Matrix<float> dx = 1e-6F * normal_matrix<float>(x.rows(), x.cols(), numbers);
  EvaluatedLayer<float> at{layer, from, random};
  EvaluatedLayer<float> to{layer, from + dx, random};
  Matrix<float> dy(at.y().rows(), at.y().cols());
  layer.difference(at.worker(), at.point(), dx, to.point(), dy);

  EvaluatedLayer<Number> exact{reference, from.template cast<Number>(), random};
  const Matrix<Number> before = exact.y();
  const Matrix<Number> expected = exact.forward(from.template cast<Number>() + dx.template cast<Number>()) - before;
  const double size = expected.norm();
  const double error = (dy.template cast<Number>() - expected).norm();
  return size > 0 ? error / size : error;
}

}  // namespace detail

/// Checks a layer of your own on random inputs of some shape: its derivatives against central differences in double,
/// and the precision of difference() in float, which the method depends on. Layers with pseudo-gradients (Sign)
/// disagree by design, and kinks (Relu) where an input is within 1e-6 of them.
///
///     const auto check = altmin::check_layer(Swish{}, 20);  // check.backward < 1e-6, check.difference < 1e-4
///
/// Throws as Layers::add() does.
template <class Config>
LayerCheck check_layer(const Config& config, Shape input, Index samples = 4, Seed seed = {1}) {
  Random random{seed};
  const Matrix<double> x = detail::normal_matrix<double>(input.size(), samples, random);
  Layers<double> layers{input};
  Layers<float> in_float{input};
  layers.add(config);
  in_float.add(config);
  layers.initialize(random);
  for (Index k = 0; k < layers[0].parameters().size(); ++k) {
    in_float[0].parameters()[k].set(layers[0].parameters()[k].value().template cast<float>());
    // Both have the same numbers.
    layers[0].parameters()[k].set(in_float[0].parameters()[k].value().template cast<double>());
  }
  LayerCheck check;
  check.difference = detail::difference_error<double>(in_float[0], layers[0], x, random);
  detail::check_derivatives<double>(layers[0], x, random, check);
  return check;
}

}  // namespace altmin
