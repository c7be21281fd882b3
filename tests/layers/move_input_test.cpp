// A layer's input moves by a rule that is handed in, however the layer passes through memory.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "altmin/layers/layers.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using support::random_matrix;
using support::relative_error;

namespace {

/// Gradient steps without momentum towards start + residual: what a piece moves by depends on all that it holds.
template <class Scalar>
class Follow : public InputRule<Scalar> {
 public:
  explicit Follow(bool first) : first_{first} {}
  void move(const InputPiece<Scalar>& piece) const override {
    for (Index i = 0; i < piece.size; ++i) {
      Scalar& delta = piece.displacement[i];
      if (first_) delta = 0;
      delta += Scalar(0.2) * (piece.residual[i] - Scalar(0.3) * delta + Scalar(0.1) * piece.start[i]);
    }
  }

 private:
  bool first_;
};

/// Counts how often each element is moved.
template <class Scalar>
class Count : public InputRule<Scalar> {
 public:
  explicit Count(Matrix<Scalar>& counts) : counts_{&counts} {}
  void move(const InputPiece<Scalar>& piece) const override {
    for (Index i = 0; i < piece.size; ++i) {
      counts_->data()[piece.first + i] += 1;
      piece.displacement[i] = 0;
    }
  }

 private:
  Matrix<Scalar>* counts_;
};

/// An input below a layer, moved by the layer's own pass or by that which every layer has unless it says otherwise.
template <class Scalar>
class MovedInput {
 public:
  using M = Matrix<Scalar>;

  MovedInput(const M& start, Index outputs)
      : x0{start}, y0(outputs, start.cols()), x{start}, displacement{start}, residual_{start} {
    for (M* matrix : {&x, &displacement, &residual_}) matrix->setConstant(Scalar(1e10));
    change.setConstant(outputs, start.cols(), Scalar(1e10));
  }

  template <class Layer, class Move>
  void move(const Layer& layer, int steps, Move&& take) {
    Workers<Scalar> workers{2};
    Random random{Seed{5}};
    layer.forward(workers.worker(), {x0, y0, {}});
    M y = y0;
    for (int i = 0; i < steps; ++i) {
      const M residual = random_matrix<Scalar>(y0.rows(), y0.cols(), random);
      const Follow<Scalar> rule{i == 0};
      const InputMove<Scalar> move{rule, i == 0, residual, {displacement, change}, {x, residual_}};
      take(workers.worker(), Point<Scalar>{x0, y0, {}}, Point<Scalar>{x, y, {}}, move);
      y = y0 + change;
    }
  }

  M x0, y0, x, displacement, change;

 private:
  M residual_;
};

template <class Scalar, class Config>
void check_own_pass(const Config& config, Shape input) {
  using Layer = typename Config::template Layer<Scalar>;
  const Layer layer{config, input};
  CAPTURE(std::string(layer.name()), input.channels, input.height, input.width);
  Random random{Seed{3}};
  const Matrix<Scalar> x0 = random_matrix<Scalar>(input.size(), 7, random, -1, 1);
  for (const int steps : {1, 2, 5}) {
    MovedInput<Scalar> own{x0, layer.output().size()};
    own.move(layer, steps, [&](auto&&... all) { layer.move_input(all...); });
    MovedInput<Scalar> common{x0, layer.output().size()};
    common.move(layer, steps, [&](auto&&... all) { layer.LayerInterface<Scalar>::move_input(all...); });
    const double tolerance = 20 * std::numeric_limits<Scalar>::epsilon();
    CHECK(relative_error(own.displacement, common.displacement) < tolerance);
    CHECK(relative_error(own.change, common.change) < tolerance);
    CHECK(common.x == common.x0 + common.displacement);
  }

  Matrix<Scalar> counts = Matrix<Scalar>::Zero(input.size(), 7);
  const Count<Scalar> rule{counts};
  MovedInput<Scalar> counted{x0, layer.output().size()};
  counted.move(layer, 1, [&](const auto& worker, const auto& from, const auto& to, const InputMove<Scalar>& move) {
    layer.move_input(worker, from, to, {rule, true, move.residual, move.state, move.scratch});
  });
  CHECK((counts.array() == Scalar(1)).all());
  CHECK(counted.change.isZero(0));
}

}  // namespace

TEMPLATE_TEST_CASE("layers that move their input in one pass move it as all others do", "[layers]", float, double) {
  for (const auto& image : {Shape{2, 8, 6}, Shape{3, 24, 24}, Shape{1, 2, 34}, Shape{1, 5, 6}, Shape{1, 4, 700}}) {
    check_own_pass<TestType>(MaxPool2d{}, image);
    check_own_pass<TestType>(AvgPool2d{}, image);
  }
  check_own_pass<TestType>(MaxPool2d{3, Extent{2}}, {2, 7, 7});
  for (const Index features : {1, 37, 511, 512, 1000}) {
    check_own_pass<TestType>(Relu{}, features);
    check_own_pass<TestType>(Tanh{}, features);
    check_own_pass<TestType>(LeakyRelu{}, features);
  }
}
