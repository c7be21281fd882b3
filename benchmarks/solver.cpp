// solver/...: what steps on the codes come to. `objective` is what is left of the objective of the lowest code of
// 784-500-500-10, |f(c) - c_above|^2 + |c - c0|^2, relative to its value at c = c0; the time is that of all codes.

#include "nets.hpp"

namespace {

using altmin::AmAdam;
using altmin::Matrix;
using bench::Net;

void solve(benchmark::State& state, const AmAdam& options) {
  const bench::Model model{"", {784, 500, 500, 10}};
  const bench::Data data{model, model.batch};
  Net net = model.net(AmAdam{}, 2);
  for (int i = 0; i < 30; ++i) net.step(data.x, data.y);
  auto layers = net.layers();

  using Context = altmin::StepContext<Net::Stack, Net::Loss>;
  AmAdam::Algorithm<Net::Stack> algorithm{options, layers};
  altmin::Workers<float> workers{2};
  altmin::Random random;
  const Net::Loss loss{altmin::SoftmaxCrossEntropy{}};
  Context context{layers, loss, data.x, altmin::Target<float>{data.y.data(), data.y.size()}, random, 1, workers.lane()};
  algorithm.encode(context);
  for (auto _ : state) {
    if (!algorithm.update_codes(context)) return state.SkipWithError("the codes are not finite");
    state.PauseTiming();
    algorithm.encode(context);  // which undoes what the last code left in the residuals
    state.ResumeTiming();
  }
  algorithm.update_codes(context);
  const Matrix<float> moved = algorithm.code(0).cwiseMax(0) - algorithm.forward_code(0).cwiseMax(0);
  const Matrix<float> target = algorithm.target_displacement(1);
  const Matrix<float> missing = target - layers[2].parameters()[0].value() * moved;
  state.counters["objective"] =
      (missing.squaredNorm() + algorithm.displacement(0).squaredNorm()) / target.squaredNorm();
}

[[maybe_unused]] const bool added = [] {
  for (const double momentum : {0.0, 0.9}) {
    for (const int iterations : {1, 2, 5, 10, 20}) {
      AmAdam options;
      options.code_momentum = momentum;
      options.code_iterations = iterations;
      bench::add("solver/momentum:" + altmin::detail::text(momentum) + bench::field("iterations", iterations),
                 [=](benchmark::State& state) { solve(state, options); });
    }
  }
  return true;
}();

}  // namespace
