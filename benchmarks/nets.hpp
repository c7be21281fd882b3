#pragma once

// Networks to measure, their data, and how rates are counted.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "altmin/altmin.hpp"

namespace bench {

using altmin::Index;
using Network = altmin::Network<float>;

/// A net by its name in the names of the benchmarks.
struct Model {
  std::string name;
  std::vector<Index> sizes;  // features, hidden layers, classes
  Index batch = 200;
  bool batch_norm = false;
  bool lenet = false;  // LeNet-5 between the features and the classes

  altmin::Layers<float> layers() const {
    using namespace altmin;
    if (lenet) {
      Layers<float> result{Shape{1, 28, 28}};
      result.add(Conv2d{6, 5}).add(MaxPool2d{}).add(Relu{}).add(Conv2d{16, 5}).add(MaxPool2d{}).add(Relu{});
      return result.add(Dense{120}).add(Relu{}).add(Dense{84}).add(Relu{}).add(Dense{sizes.back()});
    }
    altmin::Layers<float> result{sizes.front()};
    for (std::size_t i = 1; i + 1 < sizes.size(); ++i) {
      result.add(altmin::Dense{sizes[i]});
      if (batch_norm) result.add(altmin::BatchNorm{});
      result.add(altmin::Relu{});
    }
    return result.add(altmin::Dense{sizes.back()});
  }

  /// The same sizes in signs.
  altmin::Layers<float> sign_layers() const {
    altmin::Layers<float> result{sizes.front()};
    for (std::size_t i = 1; i < sizes.size(); ++i) result.add(altmin::Sign{}).add(altmin::BinaryDense{sizes[i]});
    altmin::Random random{altmin::Seed{1}};
    result.initialize(random);
    return result;
  }

  template <class Algorithm>
  Network net(const Algorithm& algorithm, int threads) const {
    Network result{layers(), altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
    result.set_threads(threads);
    return result;
  }
};

/// The algorithm with so many steps on each code; with one, it is the first-order limit.
template <class Options>
Options with_code_iterations(Options options, int iterations) {
  options.code_iterations = iterations;
  options.weight_inputs = iterations == 1 ? altmin::WeightInputs::forward : altmin::WeightInputs::updated;
  return options;
}

/// Operations of the products in one step of backprop (code_iterations = 0), or of alternating minimization by the
/// cheaper way down to each code (see CodeDescent).
inline double operations(const Model& model, Index batch, int code_iterations) {
  double multiplications = 0;
  bool lowest = true;
  for (const auto& layer : model.layers()) {
    if (layer.traits().role != altmin::Role::map) continue;
    const auto& weight = layer.parameters()[0].value();
    const auto inputs = static_cast<double>(weight.cols());
    const auto outputs = static_cast<double>(weight.rows());
    const auto columns = static_cast<double>(batch * layer.lowered_shape().columns);
    const double product = columns * inputs * outputs;
    multiplications += 2 * product;  // forward, gradient
    if (std::exchange(lowest, false)) continue;
    const double both_ways = 2 * code_iterations * product;
    const double normal = inputs * inputs * (outputs / 2 + columns * (code_iterations - 1));
    const bool squared = layer.matrix().size() > 0 && weight.rows() > model.sizes.back() && !model.batch_norm;
    multiplications += code_iterations == 0 ? product : squared ? std::min(both_ways, 2 * product + normal) : both_ways;
  }
  return 2 * multiplications;
}

/// `count` hidden layers of one width.
inline Model tower(std::string name, Index width, Index count) {
  Model model{std::move(name), {784}};
  model.sizes.insert(model.sizes.end(), static_cast<std::size_t>(count), width);
  model.sizes.push_back(10);
  return model;
}

inline std::vector<Model> models() {
  return {{"784-100-100-10", {784, 100, 100, 10}},
          {"784-500-500-10", {784, 500, 500, 10}},
          {"784-500-500-10-bn", {784, 500, 500, 10}, 200, true},
          {"784-2048-2048-10", {784, 2048, 2048, 10}, 512},
          {"lenet5", {784, 10}, 200, false, true},
          tower("512x10", 512, 10)};
}

inline altmin::Matrix<float> uniform(Index rows, Index columns, altmin::Seed seed) {
  altmin::Random random{seed};
  altmin::Matrix<float> result(rows, columns);
  for (auto& value : result.reshaped()) value = static_cast<float>(random.uniform(-1, 1));
  return result;
}

/// Noise with random labels: the time of a step does not depend on the data.
struct Data {
  Data(const Model& model, Index samples) : x{uniform(model.sizes.front(), samples, {2})}, y(samples) {
    altmin::Random random{altmin::Seed{3}};
    for (auto& label : y) label = static_cast<int>(random.below(static_cast<std::uint32_t>(model.sizes.back())));
  }

  altmin::Matrix<float> x;
  altmin::Labels y;
};

/// Counts per second of real time. Google Benchmark's own rates are per second of the calling thread's time unless
/// UseRealTime is set, which would change the names.
class Rate {
 public:
  explicit Rate(benchmark::State& state) : state_{state} {}

  /// After the timed loop; `amount` is that of one iteration.
  void report(const std::string& counter, double amount) const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    state_.counters[counter] = amount * static_cast<double>(state_.iterations()) / elapsed.count();
  }

 private:
  benchmark::State& state_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

template <class Run>
benchmark::internal::Benchmark* add(const std::string& name, Run&& run) {
  return benchmark::RegisterBenchmark(name.c_str(), std::forward<Run>(run))->Unit(benchmark::kMillisecond);
}

inline std::string field(const std::string& name, Index value) { return "/" + name + ":" + std::to_string(value); }

}  // namespace bench
