// solver/...: what steps on the codes achieve. `objective` is what is left of the objective of the lowest code of
// 784-500-500-10, |f(c) - c_above|^2 + |c - c0|^2, relative to its value at c = c0; the time is that of all codes.

#include "nets.hpp"

namespace {

using altmin::AmAdam;
using altmin::Matrix;
using bench::Network;

void solve(benchmark::State& state, const AmAdam& options) {
  const bench::Model model{"", {784, 500, 500, 10}};
  const bench::Data data{model, model.batch};
  Network net = model.net(AmAdam{}, 2);
  for (int i = 0; i < 30; ++i) net.step(data.x, data.y);

  altmin::Layers<float> layers{net.layers()};
  altmin::Algorithm<float> algorithm{options, layers};
  altmin::Workers<float> workers{2};
  altmin::Random random;
  const altmin::StepContext<float> context{
      layers, *net.loss(), data.x, altmin::Target<float>{data.y.data(), data.y.size()}, random, {}, workers.worker()};
  altmin::run_forward(context, algorithm.workspace());
  for (auto _ : state) {
    const altmin::Status status = algorithm.signal().propagate(context, algorithm.workspace());
    if (status != altmin::Status::updated) return state.SkipWithError(altmin::to_string(status));
  }
  const Matrix<float> moved = algorithm.code(0).cwiseMax(0) - algorithm.forward_code(0).cwiseMax(0);
  const Matrix<float> target = algorithm.target_displacement(1);
  const Matrix<float> missing = target - layers[2].parameters()[0].value() * moved;
  state.counters["objective"] =
      (missing.squaredNorm() + algorithm.displacement(0).squaredNorm()) / target.squaredNorm();
}

[[maybe_unused]] const bool added = [] {
  for (const double momentum : {0.0, 0.9}) {
    for (const int iterations : {1, 2, 5, 10, 20}) {
      AmAdam options = bench::with_code_iterations(AmAdam{}, iterations);
      options.code_momentum = momentum;
      bench::add("solver/momentum:" + altmin::detail::text(momentum) + bench::field("iterations", iterations),
                 [=](benchmark::State& state) { solve(state, options); });
    }
  }
  return true;
}();

}  // namespace
