// Models and checkpoints of whole networks: what is saved comes back.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "small_model.hpp"

using namespace altmin;
using support::changed;
using support::Folder;
using support::message;
using support::Problem;
using support::small;

namespace {

/// Calls check(name, algorithm) for every algorithm, with options that are not the defaults.
template <class Check>
void for_each_algorithm(Check&& check) {
  const auto am = [](auto options) {
    options.mu = 0.9;
    options.mu_increment = 0.01;
    options.code_iterations = 3;
    options.lambda_code = 1e-4;
    options.weight_inputs = WeightInputs::forward;
    options.limit_code_rate = false;
    return options;
  };
  AmAdam am_adam = am(AmAdam{});
  am_adam.reduction = Reduction::mean;
  am_adam.weight_decay = 0.01;
  AmMem am_mem = am(AmMem{});
  am_mem.rank = 2;
  AmMemFull am_mem_full = am(AmMemFull{});
  am_mem_full.root_interval = 3;
  AmSgd am_sgd = am(AmSgd{});
  am_sgd.nesterov = true;
  Adam adam;
  adam.beta1 = 0.8;
  Sgd sgd;
  sgd.momentum = 0.5;
  check("AmAdam", am_adam);
  check("AmAdam, as it is", AmAdam{});
  check("AmMem", am_mem);
  check("AmMemFull", am_mem_full);
  check("AmMemDescent", am(AmMemDescent{}));
  check("AmSgd", am_sgd);
  check("Adam", adam);
  check("Sgd", sgd);
  MovedCodes<> codes;
  codes.mu = 0.8;
  codes.rule.iterations = 2;
  SgdRule sgd_rule;
  sgd_rule.nesterov = true;
  MemoryRule memory;
  memory.memory_interval = 3;
  check("Pair of codes and gradient steps", Pair{codes, sgd_rule});
  check("Pair of the chain rule and a memory", Pair{Backprop{}, memory});
}

/// Every layer, with options that are not the defaults.
template <class Scalar>
Layers<Scalar> everything() {
  Layers<Scalar> layers{12};
  layers.add(Standardize{}).add(Dropout{0.1});
  layers.add(Dense{10, false, Initialization::orthogonal}).add(BatchNorm{1e-4, 0.2}).add(Relu{});
  layers.add(Dense{9}).add(Tanh{}).add(Dropout{0.2}).add(Dense{8}).add(LeakyRelu{0.3}).add(Dense{7}).add(Sigmoid{});
  return layers.add(Dense{6}).add(Sign{PseudoGradient::tanh}).add(Identity{}).add(BinaryDense{5, false}).add(Dense{3});
}

template <class Scalar, class Algorithm>
Network<Scalar> network(const Algorithm& algorithm) {
  Network<Scalar> net{everything<Scalar>(), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
  net.set_threads(1);
  return net;
}

}  // namespace

TEMPLATE_TEST_CASE("a checkpoint brings back all of a network, and training goes on to the same bits", "[model]", float,
                   double) {
  const Problem<TestType> problem{12, 3, 40};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = network<TestType>(algorithm);
    for (const int steps : {0, 7}) {  // with and without moments
      for (int s = 0; s < steps; ++s) REQUIRE(net.step(problem.x, problem.y));
      net.set_rate_scale(0.7);
      net.layers()[2].parameters()[0].freeze(steps > 0);
      const Progress progress{3, 4, 5, 1, 6, 0.1};
      const std::string file = format_checkpoint(net, progress, {{"mine", "text"}});
      auto saved = parse_checkpoint<TestType>(file);
      CHECK(saved.network == net);
      CHECK(saved.progress == progress);
      CHECK(saved.notes.at("mine") == "text");
      CHECK(format_checkpoint(saved.network, saved.progress, saved.notes) == file);
      for (int s = 0; s < 5; ++s) {
        net.step(problem.x, problem.y);
        saved.network.step(problem.x, problem.y);
      }
      CHECK(saved.network == net);
      CHECK(saved.network.predict(problem.x) == net.predict(problem.x));
    }
  });
}

TEMPLATE_TEST_CASE("a model brings back layers, loss and options; training starts anew", "[model]", float, double) {
  const Problem<TestType> problem{12, 3, 40};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = network<TestType>(algorithm);
    for (int s = 0; s < 3; ++s) net.step(problem.x, problem.y);
    for (const std::string& file : {format_model(net), format_checkpoint(net)}) {
      const auto read = parse_model<TestType>(file);
      CHECK(read.layers() == net.layers());
      CHECK(read.predict(problem.x) == net.predict(problem.x));
      const auto* own = read.algorithm().template options<std::decay_t<decltype(algorithm)>>();
      REQUIRE(own != nullptr);
      CHECK(*own == algorithm);
      CHECK(read.steps() == 0);
      CHECK(format_model(read) == format_model(net));
    }
  });
}

TEST_CASE("recurrent layers come back", "[model]") {
  const Problem<float> problem{12, 3, 10};
  Layers<float> layers{Shape{1, 4, 3}};
  layers.add(Recurrent{5, Nonlinearity::relu, false, Initialization::he_normal}).add(Relu{}).add(LastStep{});
  Network<float> net{layers.add(Dense{3}), SoftmaxCrossEntropy{}, AmAdam{}, Seed{2}};
  for (int s = 0; s < 3; ++s) REQUIRE(net.step(problem.x, problem.y));
  CHECK(parse_checkpoint<float>(format_checkpoint(net)).network == net);
}

TEST_CASE("residual blocks come back", "[model]") {
  const Problem<float> problem{12, 3, 10};
  Layers<float> layers{12};
  layers.add(Dense{5, true, Initialization::he_normal, 0.8}).add(Relu{}).add(Dense{5}).add(BatchNorm{}).add(Skip{0.5});
  Network<float> net{layers.add(Relu{}).add(Dense{3}), SoftmaxCrossEntropy{}, AmAdam{}, Seed{2}};
  for (int s = 0; s < 3; ++s) REQUIRE(net.step(problem.x, problem.y));
  auto saved = parse_checkpoint<float>(format_checkpoint(net));
  CHECK(saved.network == net);
  CHECK(saved.network.predict(problem.x) == net.predict(problem.x));
  REQUIRE(net.step(problem.x, problem.y));
  REQUIRE(saved.network.step(problem.x, problem.y));
  CHECK(saved.network == net);

  const std::string elsewhere = changed(format_model(net), [](nlohmann::json&, nlohmann::json& network) {
    network["layers"][1] = {{"type", "Skip"}, {"options", {{"branch", 0.5}}}, {"frozen", nlohmann::json::array()}};
  });
  CHECK(message<FormatError>([&] { parse_model<float>(elsewhere); }) ==
        "network: layer 1 (Skip): expected a block of one shape, got the input 12 and the output 5");
}

TEST_CASE("every loss comes back", "[model]") {
  const auto check = [](const auto& loss, Index outputs) {
    const Network<float> net{support::mlp<float>({4, 3, outputs}), loss, Sgd{}};
    CHECK(parse_model<float>(format_model(net)).loss() == net.loss());
  };
  check(SoftmaxCrossEntropy{}, 2);
  check(SoftmaxCrossEntropy{0.1}, 2);
  check(MeanSquaredError{}, 2);
  check(Logistic{}, 1);
  check(Hinge{}, 2);
}

TEST_CASE("weights are named and shaped as in PyTorch's nn.Sequential", "[model]") {
  const auto net = small();
  const std::string bytes = format_model(net);
  const auto file = parse_safetensors(bytes);
  std::vector<std::string> tensors;
  for (const auto& entry : file.tensors) {
    tensors.push_back(entry.first + " " + detail::type_text(entry.second.type, entry.second.shape));
  }
  CHECK(tensors == std::vector<std::string>{"0.bias F32 [3]", "0.weight F32 [3, 4]", "1.bias F32 [3]",
                                            "1.num_batches_tracked I64 []", "1.running_mean F32 [3]",
                                            "1.running_var F32 [3]", "1.weight F32 [3]", "3.bias F32 [2]",
                                            "3.weight F32 [2, 3]"});
  float second;  // row by row
  std::memcpy(&second, file.tensors.at("0.weight").bytes.data() + 4, 4);
  CHECK(second == net.layers()[0].parameters()[0].value()(0, 1));
  CHECK(file.notes.at("format") == "altmin");
  CHECK(file.notes.at("version") == "2");
}

TEST_CASE("the same state makes the same bytes, with any number of threads", "[model]") {
  const auto train = [](int threads) {
    auto net = small(0);
    net.set_threads(threads);
    const Problem<float> problem{4, 2, 200};
    for (int s = 0; s < 3; ++s) net.step(problem.x, problem.y);
    return format_checkpoint(net);
  };
  CHECK(train(1) == train(3));
}

TEST_CASE("weights are read into a network of the same layers, or nothing is", "[model]") {
  const Folder folder;
  const std::string path = folder.file("weights");
  auto net = small();
  const Network<double> wide{Layers<double>{4}.add(Dense{3}).add(BatchNorm{}).add(Relu{}).add(Dense{2}), Hinge{}, Sgd{},
                             Seed{5}};
  save_model(wide, path);
  load_weights(net, path);
  for (const Index i : {0, 1, 3}) {
    for (const Index k : {0, 1}) {
      CHECK(net.layers()[i].parameters()[k].value() == wide.layers()[i].parameters()[k].value().template cast<float>());
    }
  }
  CHECK(net.steps() == 3);
  save_checkpoint(small(), path);
  load_weights(net, path);  // of a checkpoint, the layers
  CHECK(net.layers() == small().layers());

  const auto before = net;
  const auto refused = [&](const Layers<float>& layers) {
    save_model(Network<float>{layers, Hinge{}, Sgd{}}, path);
    const std::string told = message<FormatError>([&] { load_weights(net, path); });
    CHECK(net == before);
    return told;
  };
  CHECK(refused(Layers<float>{4}.add(Dense{3}).add(BatchNorm{}).add(Relu{}).add(Dense{5})) ==
        path + ": tensor '3.weight': expected F32 [2, 3], got F32 [5, 3]");
  CHECK(refused(Layers<float>{4}.add(Dense{3}).add(BatchNorm{}).add(Relu{})) ==
        path + ": tensor '3.weight' is missing");
  CHECK(refused(Layers<float>{4}.add(Dense{3}).add(BatchNorm{}).add(Relu{}).add(Dense{2}).add(Dense{2})) ==
        path + ": tensor '4.bias': the network has no place for it");
}

TEMPLATE_TEST_CASE("weights that are no numbers of the network are refused, and nothing is read", "[model]", float,
                   double) {
  const Folder folder;
  const std::string path = folder.file("weights");
  const auto layers = [](auto scalar) {
    return Layers<decltype(scalar)>{4}.add(Dense{3}).add(BatchNorm{}).add(Relu{}).add(Dense{2});
  };
  Network<TestType> net{layers(TestType{}), Hinge{}, Sgd{}, Seed{1}};
  const auto before = net;
  const Network<double> sound{layers(1.0), Hinge{}, Sgd{}, Seed{2}};
  const auto refused = [&](const std::string& where, auto&& change) {
    Network<double> other = sound;
    change(other.layers());
    save_model(other, path);
    const std::string start = path + ": tensor " + where + ": expected ";
    const std::string told = message<FormatError>([&] { load_weights(net, path); });
    CHECK(net == before);
    CHECK_THROWS_AS(load_model<double>(path), FormatError);
    return told.substr(0, start.size()) == start ? told.substr(start.size()) : told;
  };
  const std::string type = std::is_same_v<TestType, float> ? "F32" : "F64";
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(refused("'3.weight', row 1, column 2", [&](auto& to) { to[3].parameters()[0].values()(1, 2) = nan; }) ==
        "a finite " + type + ", got nan");
  CHECK(refused("'3.bias', row 1, column 0", [&](auto& to) { to[3].parameters()[1].values()(1, 0) = -infinity; }) ==
        "a finite " + type + ", got -inf");
  CHECK(refused("'1.running_mean', row 2, column 0", [&](auto& to) { to[1].statistics()[0].values()(2, 0) = nan; }) ==
        "a finite " + type + ", got nan");
  CHECK(refused("'1.running_var', row 0, column 0", [&](auto& to) { to[1].statistics()[1].values()(0, 0) = -0.5; }) ==
        "at least 0, got -0.5");

  Network<double> large = sound;
  large.layers()[0].parameters()[0].values()(0, 1) = 1e300;
  save_model(large, path);
  if constexpr (std::is_same_v<TestType, float>) {
    CHECK(message<FormatError>([&] { load_weights(net, path); }) ==
          path + ": tensor '0.weight', row 0, column 1: expected a finite F32, got 1e+300");
    CHECK(net == before);
    large.layers()[0].parameters()[0].values()(0, 1) = -3.4028235e38;  // rounds to float's least
    save_model(large, path);
    load_weights(net, path);
    CHECK(net.layers()[0].parameters()[0].value()(0, 1) == std::numeric_limits<float>::lowest());
  } else {
    load_weights(net, path);
    CHECK(net.layers()[0].parameters()[0].value()(0, 1) == 1e300);
  }
  large = sound;
  large.layers()[1].statistics()[1].values().setZero();  // a feature that never changes
  save_model(large, path);
  load_weights(net, path);
  CHECK((net.layers()[1].statistics()[1].value().array() == 0).all());
}
