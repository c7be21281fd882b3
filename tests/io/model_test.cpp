// Models and checkpoints of whole networks: what is saved comes back, and what is not a model does no harm.

#include <sys/stat.h>

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "../network/problem.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace altmin;
using Catch::Matchers::ContainsSubstring;
using support::Folder;
using support::message;
using support::Problem;

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

/// A small one, for files that are tried many times.
Network<float> small(int steps = 3) {
  Network<float> net{Layers<float>{4}.add(Dense{3}).add(BatchNorm{}).add(Relu{}).add(Dense{2}), SoftmaxCrossEntropy{},
                     Adam{}, Seed{1}};
  net.set_threads(1);
  const Problem<float> problem{4, 2, 10};
  for (int s = 0; s < steps; ++s) net.step(problem.x, problem.y);
  return net;
}

/// The same file with another header or metadata; `change` gets both as JSON.
template <class Change>
std::string changed(const std::string& file, Change&& change) {
  std::size_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(file[i]);
  auto header = nlohmann::json::parse(file.substr(8, length));
  auto network = nlohmann::json::parse(header["__metadata__"]["network"].get<std::string>());
  change(header, network);
  if (header["__metadata__"].contains("network")) header["__metadata__"]["network"] = network.dump();
  return support::with_header(header.dump(), file.substr(8 + length));
}

template <class Change>
std::string model_refusal(Change&& change) {
  const std::string file = changed(format_model(small()), change);
  return message<FormatError>([&] { parse_model<float>(file); });
}

template <class Change>
std::string checkpoint_refusal(const std::string& file, Change&& change) {
  const std::string bad = changed(file, change);
  return message<FormatError>([&] { parse_checkpoint<float>(bad); });
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

namespace {

Matrix<double> stored_samples(Index features, Index count = 4) {
  Matrix<double> x(features, count);
  for (Index t = 0; t < count; ++t) {
    for (Index i = 0; i < features; ++i) x(i, t) = 0.25 * static_cast<double>((7 * i + 3 * t) % 11) - 1.25;
  }
  return x;
}

const std::string stored = ALTMIN_TESTS_DIR "/io/data/";

/// The outputs of four samples that are stored in a text; the `number`-th of them.
Matrix<double> stored_outputs(const std::string& name, int number = 0) {
  Matrix<double> y(3, 4);
  std::ifstream file{stored + name};
  for (int i = 0; i <= number; ++i) {
    for (auto& value : y.reshaped()) file >> value;
  }
  REQUIRE(file);
  return y;
}

Matrix<double> stored_predictions(const Network<float>& net) {
  return net.predict(stored_samples(net.layers().input().size()).cast<float>()).cast<double>();
}

}  // namespace

TEST_CASE("weights of other programs are read", "[model]") {
  // Written by numpy, as PyTorch would: see write_like_pytorch.py.
  const auto check = [&](auto net) {
    using Scalar = typename decltype(net)::Scalar;
    load_weights(net, stored + "from_numpy.safetensors");
    CHECK(net.predict(stored_samples(5).cast<Scalar>())
              .template cast<double>()
              .isApprox(stored_outputs("from_numpy.txt"), 1e-5));
  };
  const auto layers = [](auto scalar) {
    return Layers<decltype(scalar)>{5}.add(Dense{4}).add(BatchNorm{}).add(Relu{}).add(Dense{3});
  };
  check(Network<float>{layers(1.0F), SoftmaxCrossEntropy{}, Adam{}});
  check(Network<double>{layers(1.0), SoftmaxCrossEntropy{}, Adam{}});
}

TEST_CASE("a file of the first release of version 1 stays readable", "[model]") {
  const auto saved = load_checkpoint<float>(stored + "version1.safetensors");
  CHECK(stored_predictions(saved.network).isApprox(stored_outputs("version1.txt"), 1e-5));
  CHECK(saved.network.steps() == 20);
  CHECK(saved.progress.epoch == 5);
  CHECK(saved.notes.at("comment") == "kept as it was written");
  REQUIRE(saved.network.algorithm().options<AmMemFull>() != nullptr);
  AmMemFull options;
  options.root_interval = 100;  // the default of that time, as is the next
  options.code_learning_rate = 0.01;
  options.code_iterations = 5;
  options.weight_inputs = WeightInputs::updated;
  CHECK(*saved.network.algorithm().options<AmMemFull>() == options);
}

TEST_CASE("a stored residual network predicts as it did", "[model]") {
  const auto net = load_model<float>(stored + "residual.safetensors");
  CHECK(stored_predictions(net).isApprox(stored_outputs("residual.txt"), 1e-5));
}

TEST_CASE("models and checkpoints of version 1 keep their options and predictions, and go on", "[model]") {
  const auto check = [](const std::string& name, const auto& options, const auto& see) {
    INFO(name);
    const std::string path = stored + "version1_" + name;
    const Matrix<double> expected = stored_outputs("version1_" + name + ".txt");
    const auto model = load_model<float>(path + "_model.safetensors");
    CHECK(stored_predictions(model).isApprox(expected, 1e-5));
    const auto* own = model.algorithm().options<std::decay_t<decltype(options)>>();
    REQUIRE(own != nullptr);
    CHECK(*own == options);

    const std::string bytes = read_file(path + ".safetensors");
    auto saved = parse_checkpoint<float>(bytes);
    Network<float>& net = saved.network;
    net.set_threads(1);
    CHECK(stored_predictions(net).isApprox(expected, 1e-5));
    CHECK(net.layers() == model.layers());
    CHECK(net.steps() == 7);
    CHECK(saved.progress == Progress{7, 0, 7, 0, 12, 1.5});
    see(net);

    // All state is that of the file.
    const std::string written = format_checkpoint(net, saved.progress, saved.notes);
    auto old_tensors = parse_safetensors(bytes).tensors;
    CHECK(old_tensors.erase("progress.order") == 1);  // follows from the seed
    const auto new_tensors = parse_safetensors(written).tensors;
    CHECK(new_tensors.size() == old_tensors.size());
    for (const auto& [old_name, tensor] : old_tensors) {
      INFO(old_name);
      const auto found = new_tensors.find(detail::renamed_from_version1(old_name));
      REQUIRE(found != new_tensors.end());
      CHECK(found->second.type == tensor.type);
      CHECK(found->second.shape == tensor.shape);
      CHECK(found->second.bytes == tensor.bytes);
    }
    CHECK(parse_checkpoint<float>(written).network == net);

    // What the program that wrote it came to in three more steps. No layer in front of batch normalization has a bias
    // that Adam moves: its gradient is rounding alone, and Adam's steps do not depend on a gradient's size.
    Labels y(12);
    for (Index t = 0; t < 12; ++t) y(t) = static_cast<int>(t % 3);
    const Matrix<float> x = stored_samples(net.layers().input().size(), 12).cast<float>();
    for (int s = 0; s < 3; ++s) REQUIRE(net.step(x, y));
    CHECK_FALSE(stored_predictions(net).isApprox(expected, 4e-3));
    CHECK(stored_predictions(net).isApprox(stored_outputs("version1_" + name + ".txt", 1), 1e-5));
  };

  AmAdam am_adam;
  am_adam.mu = 0.9;
  am_adam.mu_increment = 0.01;
  am_adam.code_iterations = 3;
  am_adam.weight_inputs = WeightInputs::updated;
  am_adam.code_learning_rate = 0.01;
  am_adam.lambda_code = 1e-4;
  am_adam.weight_decay = 0.01;
  am_adam.learning_rate = 0.01;
  check("am_adam", am_adam, [](const Network<float>& net) {
    CHECK(net.layers()[4].parameters()[1].frozen());
    CHECK_FALSE(net.layers()[4].parameters()[0].frozen());
    CHECK(net.algorithm().signal<CodesSignal<float>>()->mu() == Approx(0.9 + 7 * 0.01));
    CHECK(net.algorithm().rule<AdamRule::Rule<float>>(0)->moments()[0].steps() == 7);
    CHECK(net.algorithm().rule<AdamRule::Rule<float>>(1)->moments()[1].steps() == 0);  // frozen
  });

  AmMemFull am_mem;
  am_mem.root_interval = 3;
  am_mem.momentum = 0.8;
  am_mem.code_iterations = 5;
  am_mem.weight_inputs = WeightInputs::forward;
  check("am_mem", am_mem, [](const Network<float>& net) { CHECK(net.layers()[1].parameters()[1].frozen()); });

  AmMemDescent descent;
  descent.learning_rate = 0.01;
  descent.forgetting = 0.1;
  descent.sweeps = 2;
  descent.lambda_weight = 1e-3;
  descent.sweep_tolerance = 1e-4;
  check("descent", descent, [](const Network<float>&) {});

  Adam adam;
  adam.beta1 = 0.8;
  adam.learning_rate = 0.02;
  check("adam", adam, [](const Network<float>& net) {
    const auto file = read_file(stored + "version1_adam.safetensors");
    const auto moments = parse_safetensors(file).tensors.at("algorithm.updates.0.moments.0.first");
    float second;  // row by row
    std::memcpy(&second, moments.bytes.data() + 4, 4);
    CHECK(net.algorithm().rule<AdamRule::Rule<float>>(0)->moments()[0].first()(0, 1) == second);
  });
}

TEST_CASE("a file without label smoothing has none, one without a gain has 1", "[model]") {
  const std::string file = changed(format_model(small()), [](nlohmann::json&, nlohmann::json& network) {
    network["loss"]["options"].erase("label_smoothing");
    network["layers"][0]["options"].erase("gain");
  });
  const auto net = parse_model<float>(file);
  CHECK(net.loss().as<SoftmaxCrossEntropy>()->label_smoothing == 0);
  CHECK(net.layers()[0].as<Dense>()->config().gain == 1);
}

TEST_CASE("options that a file of version 1 lacks are those of its time", "[model]") {
  using Json = nlohmann::json;
  const auto read = [](const std::string& name, const Json& options) {
    const std::string file = changed(read_file(stored + "version1_" + name + ".safetensors"),
                                     [&](Json&, Json& network) { network["algorithm"]["options"] = options; });
    return parse_checkpoint<float>(file).network;
  };
  CHECK(*read("am_mem", Json::object()).algorithm().options<AmMemFull>() == AmMemFull{});
  AmMemDescent descent;
  descent.code_learning_rate = 0.001;
  descent.learning_rate = 0.01;
  descent.output_learning_rate = 0.01;
  CHECK(*read("descent", {{"form", "coordinate_descent"}}).algorithm().options<AmMemDescent>() == descent);
  CHECK(message<FormatError>([&] {
          read("am_mem", {{"form", "round"}});
        }) == "network.algorithm.options.form: expected one of preconditioned, coordinate_descent, got \"round\"");

  const std::string twice = changed(read_file(stored + "version1_adam.safetensors"), [](Json& header, Json&) {
    header["algorithm.rules.0.more"] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
    header["algorithm.updates.0.more"] = header["algorithm.rules.0.more"];
  });
  CHECK(message<FormatError>([&] { parse_checkpoint<float>(twice); }) ==
        "tensor 'algorithm.rules.0.more': it is there under its names of version 1 and of version 2");
}

TEST_CASE("a file that is no model of this kind is refused, in one sentence", "[model]") {
  using Json = nlohmann::json;
  CHECK(model_refusal([](Json&, Json&) {}).empty());
  CHECK_THAT(model_refusal([](Json& header, Json&) { header["__metadata__"].erase("format"); }),
             ContainsSubstring("expected the format 'altmin', got ''"));
  CHECK(model_refusal([](Json& header, Json&) { header["__metadata__"]["version"] = "3"; }) ==
        "__metadata__: expected version 1 or 2 of the format, got '3'");
  CHECK_THAT(model_refusal([](Json&, Json& network) { network = nullptr; }), ContainsSubstring("network: expected"));
  CHECK_THAT(model_refusal([](Json&, Json& network) { network["more"] = 1; }), ContainsSubstring("no option 'more'"));
  CHECK_THAT(model_refusal([](Json&, Json& network) { network["layers"] = Json::array(); }),
             ContainsSubstring("at least 1 layer"));
  CHECK_THAT(model_refusal([](Json&, Json& network) { network.erase("input"); }), ContainsSubstring("network.input"));
  for (const Json& input : {Json{4}, Json{4, 0, 1}, Json{-4, 1, -1}, Json{4294967296, 4294967296, 4294967296}}) {
    CHECK_THAT(model_refusal([&](Json&, Json& network) { network["input"] = input; }),
               ContainsSubstring("network.input: expected channels, height and width"));
  }
  CHECK_THAT(model_refusal([](Json&, Json& network) { network["layers"][0]["type"] = "Conv9d"; }),
             ContainsSubstring("network.layers[0].type: expected one of Dense, ") &&
                 ContainsSubstring(", Sign, Skip, got 'Conv9d'"));
  CHECK_THAT(model_refusal([](Json&, Json& network) { network["loss"]["type"] = 7; }),
             ContainsSubstring("network.loss"));
  CHECK_THAT(model_refusal([](Json&, Json& network) { network["algorithm"]["type"] = "Magic"; }),
             ContainsSubstring("network.algorithm.type: expected one of AmAdam, AmMem, AmMemFull, AmMemDescent, "
                               "AmRecursive, AmSgd, Adam, Sgd, "
                               "Pair, "
                               "got 'Magic'"));
  CHECK(model_refusal([](Json&, Json& network) { network["algorithm"]["options"]["beta1"] = "nan"; }) ==
        "network.algorithm: Adam: beta1 must be 0 to below 1 and finite, got nan");
  CHECK_THAT(model_refusal([](Json&, Json& network) { network["layers"][1]["options"]["epsilon"] = -1; }),
             ContainsSubstring("layer 1 (BatchNorm): epsilon must be above 0"));
  CHECK(model_refusal([](Json&, Json& network) { network["layers"][0]["frozen"] = {"weigth"}; }) ==
        "network.layers[0].frozen: there is no parameter 'weigth'");
  CHECK(model_refusal([](Json& header, Json&) { header["0.weigth"] = header["0.weight"], header.erase("0.weight"); }) ==
        "tensor '0.weight' is missing");
  CHECK(message<FormatError>([] { parse_model<double>(format_model(small())); }) ==
        "tensor '0.weight': expected F64 [3, 4], got F32 [3, 4]");
  CHECK(message<FormatError>([] { parse_checkpoint<float>(format_model(small())); }) ==
        "expected a checkpoint, got a model without training state");
}

TEST_CASE("layers are compared with the file before they are made", "[model]") {
  using Json = nlohmann::json;
  CHECK(model_refusal([](Json&, Json& network) { network["layers"][0]["options"]["outputs"] = 1'000'000'000'000; }) ==
        "tensor '0.weight': expected F32 [1000000000000, 4], got F32 [3, 4]");
  CHECK_THAT(model_refusal([](Json&, Json& network) {
               network["input"] = {4'000'000'000'000'000'000, 1, 1};
             }),
             ContainsSubstring("tensor '0.weight'"));
  CHECK(model_refusal([](Json&, Json& network) {
          network["input"] = {9'000'000'000'000'000'000, 1, 1};
        }) == "network.layers[0]: shape 9000000000000000000: expected at most 2^62 features, got more");
  CHECK_THAT(model_refusal([](Json&, Json& network) {
               network["layers"].insert(network["layers"].begin(), network["layers"][1]);
               network["input"] = {1'000'000'000'000, 1, 1};
             }),
             ContainsSubstring("tensor '0.weight'"));
  const std::string raw = format_model(
      Network<float>{Layers<float>{4}.add(Standardize{}).add(Dense{2}), SoftmaxCrossEntropy{}, Sgd{}, Seed{1}});
  const std::string large = changed(raw, [](Json&, Json& network) { network["input"] = {1'000'000'000'000, 1, 1}; });
  CHECK(message<FormatError>([&] { parse_model<float>(large); }) ==
        "tensor '0.mean': expected F64 [1000000000000], got F64 [4]");
}

TEST_CASE("training state that does not fit the network is refused", "[model]") {
  using Json = nlohmann::json;
  const std::string adam = format_checkpoint(small());
  CHECK(checkpoint_refusal(adam, [](Json&, Json&) {}).empty());
  const auto rename = [](Json& header, const std::string& from, const std::string& to) {
    header[to] = header[from];
    header.erase(from);
  };
  const std::string first = "algorithm.rules.0.moments.0.first";
  CHECK(checkpoint_refusal(adam, [&](Json& header, Json&) {
          header[first]["shape"] = {4, 3};
        }) == "network: first: expected 3 x 4, got 4 x 3");
  CHECK_THAT(checkpoint_refusal(adam, [&](Json& header, Json&) { header[first]["shape"] = {12}; }),
             ContainsSubstring("expected a matrix, got F32 [12]"));
  CHECK_THAT(checkpoint_refusal(adam, [&](Json& header, Json&) { rename(header, first, "other"); }),
             ContainsSubstring("'" + first + "' is missing"));
  CHECK(checkpoint_refusal(adam, [&](Json& header, Json&) { rename(header, "progress.batch", "progress.bunch"); }) ==
        "tensor 'progress.batch' is missing");
  CHECK(message<FormatError>([&] {
          parse_checkpoint<float>(changed(adam, [](Json& header, Json&) {
            header["more"] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
          }));
        }) == "tensor 'more': the network has no place for it");

  auto net = small();
  Network<float> moved = net;
  CHECK(checkpoint_refusal(format_checkpoint(net, Progress{-1, 0, 0, 0, 0, 0}), [](Json&, Json&) {}) ==
        "tensor 'progress.epoch': expected 0 to 2147483647, got -1");
  CHECK_THAT(checkpoint_refusal(format_checkpoint(net, Progress{0, 0, 9'223'372'036'854'775'807, 0, 0, 0}),
                                [](Json&, Json&) {}),
             ContainsSubstring("tensor 'progress.step': expected 0 to 9000000000000000"));

  const std::string with_nan = [&] {
    const auto place = parse_safetensors(adam).tensors.at(first).bytes;
    std::string bytes = adam;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(&bytes[static_cast<std::size_t>(place.data() - adam.data()) + 4], &nan, sizeof nan);
    return bytes;
  }();
  CHECK(message<FormatError>([&] { parse_checkpoint<float>(with_nan); }) ==
        "tensor '" + first + "', row 0, column 1: expected a number, got nan");

  // One moment without the other.
  CHECK_THAT(checkpoint_refusal(format_checkpoint(small(0)),
                                [&](Json& header, Json&) {
                                  header[first]["shape"] = {0, 3};
                                }),
             ContainsSubstring("network: first: expected 0 x 0, got 0 x 3"));

  const Problem<float> problem{4, 2, 10};
  const auto check = [&](const auto& options, const std::string& targets) {
    moved.set_algorithm(options);
    moved.step(problem.x, problem.y);
    const std::string file = format_checkpoint(moved);
    CHECK_THAT(checkpoint_refusal(file,
                                  [&](Json& header, Json&) {
                                    Json& tensor = header.at("algorithm.rules.0." + targets);
                                    tensor["shape"] = std::vector<int>{5, 3};
                                  }),
               ContainsSubstring("expected 3 x 5, got 5 x 3"));
  };
  check(AmMem{}, "velocity");
  check(AmMemFull{}, "step.velocity");
  check(AmMemDescent{}, "memory.targets");
}

TEST_CASE("a model that is cut anywhere is refused, and changed bytes do no harm", "[model]") {
  const std::string file = format_checkpoint(small());
  for (std::size_t size = 0; size < file.size(); ++size) {
    CHECK_THROWS_AS(parse_checkpoint<float>(std::string_view{file}.substr(0, size)), FormatError);
  }
  const Problem<float> problem{4, 2, 10};
  auto by_memory = small();
  by_memory.set_algorithm(AmMem{});
  by_memory.step(problem.x, problem.y);
  Random random{Seed{1}};
  int read = 0;
  for (const std::string& sound : {file, format_checkpoint(by_memory)}) {
    for (int round = 0; round < 2000; ++round) {
      std::string bytes = sound;
      const auto size = static_cast<std::uint32_t>(round % 2 == 0 ? bytes.size() : bytes.size() / 2);  // the header
      for (auto count = 1 + random.below(3); count > 0; --count) {
        const char digits[] = "0123456789\"{}[],:-e. ";
        bytes[random.below(size)] =
            random.below(2) == 0 ? static_cast<char>(random.below(256)) : digits[random.below(20)];
      }
      try {
        auto saved = parse_checkpoint<float>(bytes);
        saved.network.set_threads(1);
        saved.network.step(problem.x, problem.y);
        ++read;
      } catch (const FormatError&) {
      }
    }
  }
  CHECK(read > 50);  // a value that has changed is still a value
}

TEMPLATE_TEST_CASE("data are known again by all their numbers", "[model]", float, double) {
  const Problem<TestType> problem{3, 2, 500};
  const Dataset<TestType> data{problem.x, problem.y};
  const auto known = detail::fingerprint(data);
  CHECK(known != 0);
  CHECK(known == detail::fingerprint(Dataset<TestType>{data}));
  for (Index t = 0; t < 500; ++t) {
    auto x = problem.x;
    x(t % 3, t) = -x(t % 3, t);
    REQUIRE(detail::fingerprint(Dataset<TestType>{x, problem.y}) != known);
    Labels y = problem.y;
    y(t) = 1 - y(t);
    REQUIRE(detail::fingerprint(Dataset<TestType>{problem.x, y}) != known);
  }
  Matrix<TestType> targets = Matrix<TestType>::Ones(3, 500);
  const auto with_targets = detail::fingerprint(Dataset<TestType>{problem.x, targets});
  CHECK(with_targets == detail::fingerprint(Dataset<TestType>{problem.x, targets}));
  CHECK(with_targets != known);
  targets(2, 499) = 2;
  CHECK(with_targets != detail::fingerprint(Dataset<TestType>{problem.x, targets}));

  // Of large sets, of samples spread evenly, the first among them.
  Matrix<TestType> large = Matrix<TestType>::Zero(5000, 4000);
  const Labels none = Labels::Zero(4000);
  const auto at_rest = detail::fingerprint(Dataset<TestType>{large, none});
  large(4999, 0) = 1;
  CHECK(detail::fingerprint(Dataset<TestType>{large, none}) != at_rest);
  large(4999, 0) = 0;
  large.block(7, 3000, 1, 2).setOnes();
  CHECK(detail::fingerprint(Dataset<TestType>{large, none}) != at_rest);
}

TEST_CASE("fit saves checkpoints, and goes on from them", "[model]") {
  const Folder folder;
  const std::string path = folder.file("run");
  const Problem<float> problem{4, 2, 50};
  const Dataset<float> data{problem.x, problem.y};
  FitOptions options;
  options.epochs = 6;
  options.batch_size = 12;
  const auto net = [] {
    Network<float> made{Layers<float>{4}.add(Dense{6}).add(BatchNorm{}).add(Relu{}).add(Dropout{0.1}).add(Dense{2}),
                        SoftmaxCrossEntropy{}, AmAdam{}, Seed{1}};
    made.set_threads(1);
    return made;
  };
  struct StopAfter {
    Index step;
    bool after_step(const Training<float>& t) const { return t.step == step; }
  };

  auto whole = net();
  const auto report = fit(whole, data, options, Resume{path}, CosineDecay{}, Checkpoint{path});
  CHECK(load_checkpoint<float>(path).network == whole);
  CHECK(load_checkpoint<float>(path).network.rate_scale() == 1);
  const std::string bytes = read_file(path);
  CHECK(folder.files() == 1);

  for (const Index step : {1, 5, 10, 13}) {  // within epochs, and at the end of one
    INFO(step);
    std::filesystem::remove(path);
    auto stopped = net();
    fit(stopped, data, options, Resume{path}, CosineDecay{}, StopAfter{step}, Checkpoint{path, 2});
    auto resumed = net();
    const auto again = fit(resumed, data, options, Resume{path}, CosineDecay{}, Checkpoint{path});
    CHECK(resumed == whole);
    CHECK(again.steps == report.steps);
    CHECK(again.loss == report.loss);
    CHECK(read_file(path) == bytes);
  }

  const auto refused = [&](auto made, const FitOptions& other, const Dataset<float>& set) {
    const auto before = made;
    const std::string told = message<OptionError>([&] { fit(made, set, other, Resume{path}); });
    CHECK(made == before);
    return told.substr(told.find(": ") + 2);
  };
  FitOptions other = options;
  other.batch_size = 13;
  CHECK(refused(net(), other, data) == "fit.batch_size: expected 13, as in the run that goes on, got 12");
  other = options;
  other.seed = Seed{4};
  CHECK_THAT(refused(net(), other, data), ContainsSubstring("fit.seed.value: expected 4"));
  other = options;
  other.epochs = 5;
  CHECK(refused(net(), other, data) == "expected at most 5 epochs, as in the run that goes on, got 6");
  CHECK_THAT(refused(net(), options, data.take(48)), ContainsSubstring("fit.samples: expected 48"));
  // Data of the same size, but for one number, one label, or their order.
  const std::string told =
      "fit.data: expected the training data of the run that goes on, got other data of the same size";
  Dataset<float> moved = data;
  moved.mutable_x()(2, 30) = std::nextafter(moved.x()(2, 30), 1.0F);
  CHECK(refused(net(), options, moved) == told);
  Labels labels = problem.y;
  labels(49) = 1 - labels(49);
  CHECK(refused(net(), options, {problem.x, labels}) == told);
  moved = data;
  moved.mutable_x().col(0).swap(moved.mutable_x().col(1));
  CHECK(refused(net(), options, moved) == told);
  const std::string earlier = folder.file("earlier");  // a checkpoint that tells nothing of its data
  OutputFile{earlier}.write(changed(bytes, [](nlohmann::json& header, const nlohmann::json&) {
    auto place = nlohmann::json::parse(header["__metadata__"]["fit"].get<std::string>());
    REQUIRE(place.erase("data") == 1);
    header["__metadata__"]["fit"] = place.dump();
  }));
  auto goes_on = net();
  CHECK(fit(goes_on, data, options, Resume{earlier}).steps == report.steps);
  CHECK(goes_on == whole);
  auto with_options = net();
  AmAdam am;
  am.mu = 2;
  with_options.set_algorithm(am);
  CHECK_THAT(refused(with_options, options, data), ContainsSubstring("network.algorithm.options.mu: expected 2.0"));
  CHECK_THAT(refused(small(), options, data), ContainsSubstring("network.algorithm"));

  other = options;
  other.epochs = 8;
  // A pipe gets one checkpoint, at the end.
  const std::string fifo = folder.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  std::string through;
  std::thread reader{[&] {
    std::ifstream in{fifo};
    through.assign(std::istreambuf_iterator<char>{in}, {});
  }};
  auto piped = net();
  fit(piped, data, options, CosineDecay{}, Checkpoint{fifo, 1});
  reader.join();
  CHECK(through == bytes);
  auto longer = net();
  CHECK(fit(longer, data, other, Resume{path}).epochs == 8);
  CHECK_THROWS_AS(fit(longer, data, options, Checkpoint{folder.file("nowhere/run")}), Error);
  CHECK_THROWS_AS(fit(longer, data, options, Checkpoint{path, -1}), OptionError);
}
