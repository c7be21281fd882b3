// phase/...: the three phases of an AM-Adam step, apart.

#include "nets.hpp"

namespace {

using altmin::AmAdam;
using bench::Data;
using bench::field;
using bench::Index;
using bench::Model;

/// The parts of a network, so that the phases of a step can be run one by one.
class Phases {
 public:
  Phases(const Model& model, int threads)
      : layers_{initialized(model)},
        data_{model, model.batch},
        workers_{threads},
        algorithm_{bench::with_code_iterations(AmAdam{}, 5), layers_} {}

  // Each takes the same time in every step, if the phases before it have been run.
  void forward() { benchmark::DoNotOptimize(altmin::run_forward(context_, algorithm_.workspace())); }
  void codes() { require(algorithm_.signal().propagate(context_, algorithm_.workspace())); }
  void weights() { require(algorithm_.update_weights(context_)); }

 private:
  static void require(altmin::Status status) {
    if (status != altmin::Status::updated) throw altmin::Error(altmin::to_string(status));
  }

  static altmin::Layers<float> initialized(const Model& model) {
    auto layers = model.layers();
    altmin::Random random{altmin::Seed{1}};
    layers.initialize(random);
    return layers;
  }

  altmin::Layers<float> layers_;
  Data data_;
  altmin::AnyLoss<float> loss_{altmin::SoftmaxCrossEntropy{}};
  altmin::Random random_;
  altmin::Workers<float> workers_;
  altmin::Algorithm<float> algorithm_;
  altmin::FlushDenormals flush_;
  altmin::StepContext<float> context_{
      layers_, *loss_, data_.x, altmin::Target<float>{data_.y.data(), data_.y.size()}, random_, {}, workers_.worker()};
};

using Phase = void (Phases::*)();

/// Times `phase` alone, each time after the phases before it.
void add_phase(const std::string& name, const Model& model, int threads, std::vector<Phase> before, Phase phase) {
  bench::add("phase/" + name + "/" + model.name + field("batch", model.batch) + field("iterations", 5) +
                 field("threads", threads),
             [=](benchmark::State& state) {
               Phases phases{model, threads};
               for (int warm_up = 0; warm_up < 2; ++warm_up) {
                 phases.forward();
                 phases.codes();
                 phases.weights();
               }
               for (auto _ : state) {
                 state.PauseTiming();
                 for (const Phase earlier : before) (phases.*earlier)();
                 state.ResumeTiming();
                 (phases.*phase)();
               }
             });
}

[[maybe_unused]] const bool added = [] {
  for (const Model& model : bench::models()) {
    for (const int threads : {1, 2}) {
      add_phase("forward", model, threads, {}, &Phases::forward);
      add_phase("codes", model, threads, {&Phases::forward}, &Phases::codes);
      add_phase("weights", model, threads, {&Phases::forward, &Phases::codes}, &Phases::weights);
    }
  }
  return true;
}();

}  // namespace
