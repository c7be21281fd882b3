// product/<m>x<n>x<k>/...: (m x k) times (k x n), by the routine that every product of the library goes through.

#include "nets.hpp"

namespace {

using bench::field;
using bench::Index;

struct Product {
  Index m, n, k;
  bool left_transposed = false;
  bool right_transposed = false;
};

void add_product(const Product& p, int threads) {
  const std::string size = std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k);
  const std::string kind = p.left_transposed ? "/left-transposed" : p.right_transposed ? "/right-transposed" : "";
  bench::add("product/" + size + kind + field("threads", threads), [=](benchmark::State& state) {
    const altmin::Matrix<float> a = bench::uniform(p.left_transposed ? p.k : p.m, p.left_transposed ? p.m : p.k, {1});
    const altmin::Matrix<float> b = bench::uniform(p.right_transposed ? p.n : p.k, p.right_transposed ? p.k : p.n, {2});
    const auto left = p.left_transposed ? altmin::transposed(a) : altmin::Factor<float>{a};
    const auto right = p.right_transposed ? altmin::transposed(b) : altmin::Factor<float>{b};
    altmin::Matrix<float> out(p.m, p.n);
    altmin::Workers<float> workers{threads};
    altmin::multiply<float>(workers.worker(), left, right, out);
    const bench::Rate rate{state};
    for (auto _ : state) {
      altmin::multiply<float>(workers.worker(), left, right, out);
      benchmark::ClobberMemory();
    }
    rate.report("GFLOP/s", 2e-9 * static_cast<double>(p.m * p.n * p.k));
  });
}

/// What the processor can do at best: multiply-adds between registers.
void measure_peak(benchmark::State& state) {
  using namespace Eigen::internal;
  using Packet = packet_traits<float>::type;
  constexpr Index chains = 12;  // independent of each other: more than the processor has under way at once
  constexpr Index length = 100000;
  Packet sums[chains];
  for (auto& sum : sums) sum = pset1<Packet>(1.0F);
  const bench::Rate rate{state};
  for (auto _ : state) {
    for (Index i = 0; i < length; ++i) {
      for (auto& sum : sums) sum = pmadd(sum, pset1<Packet>(0.5F), pset1<Packet>(0.5F));
    }
    benchmark::DoNotOptimize(sums);
  }
  rate.report("GFLOP/s", 2e-9 * static_cast<double>(chains * length * packet_traits<float>::size));
}

[[maybe_unused]] const bool added = [] {
  bench::add("peak/threads:1", measure_peak);
  const Product products[] = {
      {500, 200, 784},               // forward, 784-500-500-10
      {500, 200, 500},               //
      {10, 200, 500},                //
      {500, 1, 784},                 // the same for one sample
      {500, 24, 500},                // code iterations, which take a slice of the batch each
      {500, 200, 500, true},         // backprop
      {500, 784, 200, false, true},  // gradients of weights
      {500, 500, 200, false, true},  //
      {2048, 512, 2048},             // forward, 784-2048-2048-10
      {2048, 128, 2048},             // a slice
      {2048, 2048, 512, false, true},
  };
  for (const auto& product : products) {
    for (const int threads : {1, 2}) add_product(product, threads);
  }
  return true;
}();

}  // namespace
