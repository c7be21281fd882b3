// phase/...: the three phases of an AM-Adam step, apart.

#include "nets.hpp"

namespace {

using altmin::AmAdam;
using bench::Data;
using bench::field;
using bench::Index;
using bench::Model;
using bench::Net;

/// What a network holds, to drive its algorithm's phases one by one.
class Phases {
 public:
  Phases(const Model& model, int threads)
      : layers_{initialized(model)}, data_{model, model.batch}, workers_{threads}, algorithm_{AmAdam{}, layers_} {}

  // What they compute stays the same from call to call, as long as each follows the one before it.
  void encode() { algorithm_.encode(context_); }
  void codes() { algorithm_.update_codes(context_); }
  void weights() {
    context_.lane.parallel_for(algorithm_.code_count() + 1, [&](Index l, const altmin::Lane<float>& lane) {
      algorithm_.update_weights(context_, l, lane);
    });
  }

 private:
  using Context = altmin::StepContext<Net::Stack, Net::Loss>;

  static altmin::Layers<float> initialized(const Model& model) {
    auto layers = model.layers();
    altmin::Random random{altmin::Seed{1}};
    layers.initialize(random);
    return layers;
  }

  altmin::Layers<float> layers_;
  Data data_;
  Net::Loss loss_{altmin::SoftmaxCrossEntropy{}};
  altmin::Random random_;
  altmin::Workers<float> workers_;
  AmAdam::Algorithm<Net::Stack> algorithm_;
  altmin::FlushDenormals flush_;
  Context context_{layers_, loss_, data_.x,        altmin::Target<float>{data_.y.data(), data_.y.size()},
                   random_, 1,     workers_.lane()};
};

using Phase = void (Phases::*)();

/// Times `phase` alone, each time after the phases before it.
void add_phase(const std::string& name, const Model& model, int threads, std::vector<Phase> before, Phase phase) {
  bench::add("phase/" + name + "/" + model.name + field("batch", model.batch) + field("iterations", 5) +
                 field("threads", threads),
             [=](benchmark::State& state) {
               Phases phases{model, threads};
               for (int warm_up = 0; warm_up < 2; ++warm_up) {
                 phases.encode();
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
      add_phase("encode", model, threads, {}, &Phases::encode);
      add_phase("codes", model, threads, {&Phases::encode}, &Phases::codes);
      add_phase("weights", model, threads, {&Phases::encode, &Phases::codes}, &Phases::weights);
    }
  }
  return true;
}();

}  // namespace
