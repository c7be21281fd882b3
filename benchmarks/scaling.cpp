// scaling/...: how an AM-Adam step grows with width, depth, batch and code iterations, on one thread.

#include "nets.hpp"

namespace {

using bench::Index;
using bench::Model;

void measure(benchmark::State& state, const Model& model, int iterations = 5) {
  auto net = model.net(bench::with_code_iterations(altmin::AmAdam{}, iterations), 1);
  const bench::Data data{model, model.batch};
  for (int warm_up = 0; warm_up < 2; ++warm_up) net.step(data.x, data.y);
  const bench::Rate rate{state};
  for (auto _ : state) {
    const auto report = net.step(data.x, data.y);
    if (!report) return state.SkipWithError(altmin::to_string(report.status));
  }
  rate.report("items_per_second", static_cast<double>(model.batch));
  state.counters["bytes"] = static_cast<double>(net.bytes());
  state.SetComplexityN(state.range());
}

[[maybe_unused]] const bool added = [] {
  bench::add("scaling/width", [](benchmark::State& state) { measure(state, bench::tower("", state.range(), 4)); })
      ->RangeMultiplier(2)
      ->Range(64, 1024)
      ->Complexity(benchmark::oNSquared);
  bench::add("scaling/depth", [](benchmark::State& state) { measure(state, bench::tower("", 256, state.range())); })
      ->RangeMultiplier(2)
      ->Range(1, 16)
      ->Complexity(benchmark::oN);
  bench::add("scaling/batch",
             [](benchmark::State& state) {
               auto model = bench::tower("", 500, 2);
               model.batch = state.range();
               measure(state, model);
             })
      ->RangeMultiplier(4)
      ->Range(4, 1024)
      ->Complexity(benchmark::oN);
  bench::add("scaling/code-iterations",
             [](benchmark::State& state) { measure(state, bench::tower("", 500, 2), static_cast<int>(state.range())); })
      ->RangeMultiplier(2)
      ->Range(1, 16);
  return true;
}();

}  // namespace
