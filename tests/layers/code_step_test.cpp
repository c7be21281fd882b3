// A step of a code through the layer above it, however the layer takes it.

#include "altmin/layers/code_step.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "altmin/layers/layers.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;

namespace {

template <class Scalar>
constexpr CodeRates<Scalar> some_rates{Scalar(-0.9), Scalar(0.3), Scalar(0.02), Scalar(0.2), Scalar(0.8)};

/// A code below a layer, moved by steps of the layer's own or of those that every layer has unless it says otherwise.
template <class Scalar>
class MovedCode {
 public:
  using M = Matrix<Scalar>;

  MovedCode(const M& start, Index outputs) : c0{start}, y0(outputs, start.cols()), c{start}, delta{start}, change{y0} {
    for (M* matrix : {&c, &delta, &velocity_, &pulled_}) matrix->setConstant(c0.rows(), c0.cols(), Scalar(1e10));
    change.setConstant(Scalar(1e10));
  }

  /// The layer takes some steps, from slopes that change.
  template <class Layer, class Take>
  void move(const Layer& layer, int steps, Take&& take) {
    Workers<Scalar> workers{2};
    const auto lane = workers.lane();
    Random random{Seed{5}};
    layer.forward(lane, {c0, y0, {}});
    M y = y0;
    for (int i = 0; i < steps; ++i) {
      const M slope = random_matrix<Scalar>(y0.rows(), y0.cols(), random);
      const CodeStep<Scalar> step{
          some_rates<Scalar>, i == 0, i + 1 == steps, slope, pulled_, velocity_, delta, c, change};
      take(lane, Point<Scalar>{c0, y0, {}}, Point<Scalar>{c, y, {}}, step);
      y = y0 + change;
    }
  }

  M c0, y0, c, delta, change;

 private:
  M velocity_, pulled_;
};

template <class Scalar, class Config>
void check_own_steps(const Config& config, Shape input) {
  using Layer = typename Config::template Layer<Scalar>;
  const Layer layer{config, input};
  CAPTURE(std::string(layer.name), input.channels, input.height, input.width);
  Random random{Seed{3}};
  const Matrix<Scalar> c0 = random_matrix<Scalar>(input.size(), 7, random, -1, 1);
  for (const int steps : {1, 2, 5}) {
    MovedCode<Scalar> own{c0, layer.output().size()};
    own.move(layer, steps, [&](auto&&... all) { layer.step_through(all...); });
    MovedCode<Scalar> common{c0, layer.output().size()};
    common.move(layer, steps, [&](auto&&... all) { layer.LayerBase<Layer, Scalar>::step_through(all...); });
    const double tolerance = 20 * std::numeric_limits<Scalar>::epsilon();
    CHECK(relative_error(own.delta, common.delta) < tolerance);
    CHECK(relative_error(own.change, common.change) < tolerance);
    CHECK(common.c == common.c0 + common.delta);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("layers that step in one pass go where all others go", "[layers]", float, double) {
  for (const auto& image : {Shape{2, 8, 6}, Shape{3, 24, 24}, Shape{1, 2, 34}, Shape{1, 5, 6}}) {
    check_own_steps<TestType>(MaxPool2d{}, image);
    check_own_steps<TestType>(AvgPool2d{}, image);
  }
  check_own_steps<TestType>(MaxPool2d{3, Extent{2}}, {2, 7, 7});
  for (const Index features : {1, 37, 1000}) {
    check_own_steps<TestType>(Relu{}, features);
    check_own_steps<TestType>(Tanh{}, features);
    check_own_steps<TestType>(LeakyRelu{}, features);
  }
}

TEST_CASE("steps are Nesterov's", "[layers]") {
  const CodeRates<double> rates = some_rates<double>;
  const Matrix<double> c0 = Matrix<double>::Constant(1, 1, -0.5);
  MovedCode<double> code{c0, 1};
  const Identity::Layer<double> layer{{}, 1};
  double v = 0;
  double delta = 0;
  code.move(layer, 3, [&](const auto& lane, const auto& from, const auto& to, const CodeStep<double>& step) {
    const double g =
        rates.pull * step.slope(0, 0) + rates.proximity * delta + (c0(0, 0) + delta > 0 ? 1 : -1) * rates.sparsity;
    v = rates.momentum * v + g;
    delta -= rates.rate * (g + rates.momentum * v);
    layer.step_through(lane, from, to, step);
  });
  CHECK(code.delta(0, 0) == Approx(delta).epsilon(1e-14));
}
