// step/...: one step() of every algorithm. predict/...: inference.

#include <memory>
#include <type_traits>

#include "nets.hpp"

namespace {

using bench::Data;
using bench::field;
using bench::Index;
using bench::Model;
using bench::Network;

/// Steps that are timed together, and how many come before the first ones. AmMemFull takes inverse roots every
/// `root_interval` steps, more often in the beginning: from step 129 on there is one in each interval.
struct Period {
  Index warm_up = 2;
  Index steps = 1;
};

Period period(const altmin::AmMemFull& options) { return {129, options.root_interval}; }
template <class Algorithm>
Period period(const Algorithm&) {
  return {};
}

template <class Algorithm>
constexpr bool has_memory = std::is_same_v<Algorithm, altmin::AmMem> || std::is_same_v<Algorithm, altmin::AmMemFull> ||
                            std::is_same_v<Algorithm, altmin::AmRecursive>;

/// A network that has taken its first steps, with its batch.
struct Trained {
  Network net;
  Data data;
};

template <class Algorithm>
std::unique_ptr<Trained> trained(const Model& model, Index batch, const Algorithm& algorithm, int threads) {
  auto result = std::make_unique<Trained>(Trained{model.net(algorithm, threads), Data{model, batch}});
  for (Index i = 0; i < period(algorithm).warm_up; ++i) result->net.step(result->data.x, result->data.y);
  return result;
}

template <class Algorithm>
void add_step(const std::string& name, const Model& model, Index batch, const Algorithm& algorithm, int threads,
              int code_iterations = 0) {
  // Kept from one repetition to the next: the first steps take AmMemFull longer than the measurement.
  const auto kept = std::make_shared<std::unique_ptr<Trained>>();
  bench::add(name + field("threads", threads), [=](benchmark::State& state) {
    if (!*kept) *kept = trained(model, batch, algorithm, threads);
    auto& [net, data] = **kept;
    const Index steps = period(algorithm).steps;
    const bench::Rate rate{state};
    while (state.KeepRunningBatch(steps)) {
      for (Index i = 0; i < steps; ++i) {
        const auto report = net.step(data.x, data.y);
        if (!report) return state.SkipWithError(altmin::to_string(report.status));
      }
    }
    rate.report("items_per_second", static_cast<double>(batch));
    if constexpr (!has_memory<Algorithm>) {  // memories take further products
      rate.report("GFLOP/s", 1e-9 * bench::operations(model, batch, code_iterations));
    }
    state.counters["bytes"] = static_cast<double>(net.bytes());
  });
}

void add_steps(const Model& model, Index batch, int threads) {
  const auto name = [&](const std::string& algorithm) {
    return "step/" + algorithm + "/" + model.name + field("batch", batch);
  };
  const auto alternating = [&](const std::string& algorithm, const auto& options, int iterations) {
    add_step(name(algorithm) + field("iterations", iterations), model, batch,
             bench::with_code_iterations(options, iterations), threads, iterations);
  };
  alternating("am-adam", altmin::AmAdam{}, 1);
  alternating("am-adam", altmin::AmAdam{}, 5);
  alternating("am-mem", altmin::AmMem{}, 1);
  if (model.sizes[1] <= 512) alternating("am-mem-full", altmin::AmMemFull{}, 5);  // wider: minutes of first roots
  alternating("am-sgd", altmin::AmSgd{}, 5);
  add_step(name("adam"), model, batch, altmin::Adam{}, threads);
  add_step(name("sgd"), model, batch, altmin::Sgd{}, threads);
}

template <class Make>
void add_predict(const Model& model, const std::string& kind, Index batch, int threads, const Make& make) {
  bench::add("predict/" + kind + model.name + field("batch", batch) + field("threads", threads),
             [=](benchmark::State& state) {
               const auto net = make(threads);
               const Data data{model, batch};
               benchmark::DoNotOptimize(net.predict(data.x).data());
               const bench::Rate rate{state};
               for (auto _ : state) benchmark::DoNotOptimize(net.predict(data.x).data());
               rate.report("items_per_second", static_cast<double>(batch));
             });
}

void add_predicts(const Model& model, Index batch, int threads) {
  add_predict(model, "", batch, threads, [=](int t) { return model.net(altmin::Sgd{}, t); });
  if (model.name != "784-500-500-10") return;
  add_predict(model, "packed/", batch, threads, [=](int t) {
    return altmin::PackedNetwork<float>{model.sign_layers(), t};
  });
}

[[maybe_unused]] const bool added = [] {
  for (const Model& model : bench::models()) {
    for (const int threads : {1, 2}) {
      add_steps(model, model.batch, threads);
      if (model.name == "784-500-500-10" || model.name == "784-100-100-10") {  // online, a sample at a time
        add_steps(model, 1, threads);
        for (const Index batch : {1, 16}) {
          const std::string net = "/" + model.name + field("batch", batch);
          add_step("step/am-recursive" + net, model, batch, altmin::AmRecursive{}, threads);
          add_step("step/am-recursive-blocks" + net, model, batch, altmin::AmRecursive::blocks(), threads);
        }
      }
      for (const Index batch : {Index{1}, model.batch, Index{10000}}) add_predicts(model, batch, threads);
    }
  }
  return true;
}();

}  // namespace
