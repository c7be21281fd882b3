// Files that are damaged, or not what they claim to be.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "small_model.hpp"

using namespace altmin;
using Catch::Matchers::ContainsSubstring;
using support::changed;
using support::checkpoint_refusal;
using support::message;
using support::model_refusal;
using support::Problem;
using support::small;

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
