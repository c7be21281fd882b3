// soak/...: recursive AM-mem over a million samples of a stream that drifts: what is left of its memory's symmetry.

#include <cmath>

#include "nets.hpp"

namespace {

using altmin::Index;
using altmin::Matrix;

/// One pass of so many samples; each iteration of the benchmark is the whole of it.
void soak(benchmark::State& state, Index samples) {
  for (auto _ : state) {
    altmin::Layers<float> layers{40};
    layers.add(altmin::Dense{30}).add(altmin::Relu{}).add(altmin::Dense{20}).add(altmin::Relu{}).add(altmin::Dense{4});
    altmin::AmRecursive options;
    altmin::Network<float> net{layers, altmin::SoftmaxCrossEntropy{}, options, altmin::Seed{1}};
    net.set_threads(1);
    altmin::Random random{altmin::Seed{2}};
    Matrix<float> x(40, 1);
    Index refused = 0;
    for (Index t = 0; t < samples; ++t) {
      const auto label = static_cast<int>(random.below(4));
      const Index shift = t / 10000 % 40;  // the inputs that tell the classes apart move
      for (Index j = 0; j < 40; ++j) {
        const bool dead = (j + t / 50000) % 10 == 0;
        x(j, 0) = dead ? 0 : static_cast<float>(random.normal() + ((j + shift) % 4 == label ? 1 : 0));
      }
      refused += net.learn_one(x.col(0), label) ? 0 : 1;
    }
    double asymmetry = 0;
    for (Index l = 0; l < 3; ++l) {
      const auto* rule = net.algorithm().rule<altmin::RecursiveRule::Rule<float>>(l);
      for (const auto& memory : rule->memories()) {
        const Matrix<float> inverse = memory.inverse();
        if (!inverse.allFinite() || inverse.diagonal().minCoeff() <= 0)
          return state.SkipWithError("a memory has broken");
        asymmetry = std::max(asymmetry, double((inverse - inverse.transpose()).norm() / inverse.norm()));
      }
    }
    state.counters["asymmetry"] = asymmetry;
    state.counters["refused"] = static_cast<double>(refused);
  }
}

[[maybe_unused]] const bool added = [] {
  bench::add("soak/am-recursive/samples:1000000", [](benchmark::State& state) { soak(state, 1000000); })->Iterations(1);
  return true;
}();

}  // namespace
