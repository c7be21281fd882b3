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
    altmin::multiply<float>(workers.lane(), left, right, out);
    const bench::Rate rate{state};
    for (auto _ : state) {
      altmin::multiply<float>(workers.lane(), left, right, out);
      benchmark::ClobberMemory();
    }
    rate.report("GFLOP/s", 2e-9 * static_cast<double>(p.m * p.n * p.k));
  });
}

[[maybe_unused]] const bool added = [] {
  const Product products[] = {
      {500, 200, 784},               // forward, 784-500-500-10
      {500, 200, 500},               //
      {10, 200, 500},                //
      {500, 1, 784},                 // the same for one sample
      {500, 50, 500},                // code iterations, which take a slice of the batch each: forward
      {500, 50, 500, true},          // and back
      {500, 50, 10, true},           //
      {500, 784, 200, false, true},  // gradients of weights
      {500, 500, 200, false, true},  //
      {2048, 512, 2048},             // forward, 784-2048-2048-10
      {2048, 51, 2048, true},        // a slice back
      {2048, 2048, 512, false, true},
  };
  for (const auto& product : products) {
    for (const int threads : {1, 2}) add_product(product, threads);
  }
  return true;
}();

}  // namespace
