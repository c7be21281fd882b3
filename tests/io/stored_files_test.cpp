// Files of earlier versions, and of other programs, that are kept beside the tests.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <cstring>
#include <fstream>
#include <string>
#include <type_traits>

#include "catch.hpp"
#include "small_model.hpp"

using namespace altmin;
using support::changed;
using support::message;
using support::small;

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
