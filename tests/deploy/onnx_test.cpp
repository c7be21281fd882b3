#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "altmin/deploy.hpp"
#include "catch.hpp"
#include "deploy/support.hpp"

namespace {

using namespace altmin;
using support::exported_nets;
using support::Folder;
using support::random_matrix;
using support::random_net;
using support::relative_error;
using support::roundings;
using support::runs;
using support::Square;

/// The fields of a message in wire format: numbers, and bytes that may be messages. Fails where it is malformed.
class ProtoFields {
 public:
  explicit ProtoFields(std::string_view bytes) : rest_{bytes} {
    while (!rest_.empty()) {
      const std::uint64_t key = varint();
      const auto field = static_cast<int>(key >> 3);
      switch (key & 7) {
        case 0: numbers[field].push_back(static_cast<std::int64_t>(varint())); break;
        case 2: texts[field].emplace_back(take(varint())); break;
        default: REQUIRE((key & 7) == 5); take(4);
      }
    }
  }

  std::map<int, std::vector<std::int64_t>> numbers;
  std::map<int, std::vector<std::string>> texts;

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      REQUIRE(shift < 64);
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
  }
  std::string_view take(std::uint64_t size) {
    REQUIRE(size <= rest_.size());
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
};

template <class Scalar>
std::vector<Scalar> numbers_of(const std::string& bytes) {
  std::vector<Scalar> result(bytes.size() / sizeof(Scalar));
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

std::string bytes_of(const std::string& path) {
  std::stringstream bytes;
  bytes << std::ifstream{path, std::ios::binary}.rdbuf();
  return bytes.str();
}

}  // namespace

TEMPLATE_TEST_CASE("an ONNX model holds the network's nodes, shapes and numbers", "", float, double) {
  const auto net =
      random_net(Layers<TestType>{Shape{2, 5, 4}}.add(Conv2d{3, {2, 3}, {1, 2}, {0, 1}}).add(Relu{}).add(Dense{6}));
  const ProtoFields model{onnx_model(net)};
  CHECK(model.numbers.at(1).at(0) == 8);
  const ProtoFields opset{model.texts.at(8).at(0)};
  CHECK(opset.numbers.at(2).at(0) == 17);
  const ProtoFields graph{model.texts.at(7).at(0)};

  std::vector<std::string> kinds;
  std::string value = "x";
  for (const auto& bytes : graph.texts.at(1)) {  // a chain
    const ProtoFields node{bytes};
    kinds.push_back(node.texts.at(4).at(0));
    CHECK(node.texts.at(1).at(0) == value);
    value = node.texts.at(2).at(0);
  }
  CHECK(value == "y");
  CHECK(kinds == std::vector<std::string>{"Conv", "Relu", "Flatten", "Gemm", "Identity"});

  std::map<std::string, std::int64_t> strides;
  const ProtoFields conv{graph.texts.at(1).at(0)};
  for (const auto& bytes : conv.texts.at(5)) {
    const ProtoFields attribute{bytes};
    std::int64_t digits = 0;
    for (const auto number : attribute.numbers.at(8)) digits = 10 * digits + number;
    strides[attribute.texts.at(1).at(0)] = digits;
  }
  CHECK(strides == std::map<std::string, std::int64_t>{{"kernel_shape", 23}, {"strides", 12}, {"pads", 101}});

  const auto& constants = graph.texts.at(5);
  REQUIRE(constants.size() == 4);
  const std::vector<std::vector<std::int64_t>> shapes{{3, 2, 2, 3}, {3}, {6, 24}, {6}};
  for (std::size_t k = 0; k < 4; ++k) {
    const ProtoFields tensor{constants[k]};
    CHECK(tensor.numbers.at(1) == shapes[k]);
    CHECK(tensor.numbers.at(2).at(0) == (sizeof(TestType) == 4 ? 1 : 11));
    const Matrix<TestType> rows = net.layers()[k < 2 ? 0 : 2].parameters()[Index(k % 2)].value().transpose();
    CHECK(numbers_of<TestType>(tensor.texts.at(9).at(0)) ==
          std::vector<TestType>(rows.data(), rows.data() + rows.size()));
  }
}

TEMPLATE_TEST_CASE("onnx accepts the models", "", float, double) {
  if (!runs("/usr/bin/python3 -c 'import onnx'")) {
    WARN("skipped: there is no python3-onnx");
    SUCCEED();
    return;
  }
  const Folder folder;
  for (const auto& layers : exported_nets<TestType>()) {
    CAPTURE(layers.summary());
    const std::string path = folder.file("net.onnx");
    export_onnx(random_net(layers), path);
    const std::string check = "import onnx; onnx.checker.check_model(onnx.load('" + path + "'), full_check=True)";
    CHECK(std::system(("/usr/bin/python3 -c \"" + check + "\"").c_str()) == 0);
  }
}

TEMPLATE_TEST_CASE("ONNX Runtime predicts what the library does", "", float, double) {
  const std::string node =
      "NODE_PATH=${NODE_PATH:-$(npm root -g 2>/dev/null)} node " ALTMIN_TESTS_DIR "/deploy/run_onnx.js ";
  if (!runs(node)) {
    WARN("skipped: there is no node with onnxruntime-node or onnxruntime-web");
    SUCCEED();
    return;
  }
  Random random{Seed{3}};
  const Folder folder;
  const auto file = [&](const char* name) { return folder.file(name); };
  for (const auto& layers : exported_nets<TestType>()) {
    CAPTURE(layers.summary());
    const Shape input = layers.input();
    // It has no Conv and no RNN of doubles.
    if (sizeof(TestType) == 8 && input.size() != input.channels) continue;
    const auto net = random_net(layers);
    const auto x = random_matrix<TestType>(input.size(), 6, random, -2, 2);
    export_onnx(net, file("net.onnx"));
    std::ofstream{file("x"), std::ios::binary}.write(reinterpret_cast<const char*>(x.data()),
                                                     static_cast<std::streamsize>(sizeof(TestType)) * x.size());
    std::string sizes = "6," + std::to_string(input.channels);
    if (input.size() != input.channels) sizes += "," + std::to_string(input.height) + "," + std::to_string(input.width);
    const std::string type = sizeof(TestType) == 4 ? " float32 " : " float64 ";
    REQUIRE(std::system((node + file("net.onnx") + type + sizes + " " + file("x") + " " + file("y")).c_str()) == 0);
    const auto y = numbers_of<TestType>(bytes_of(file("y")));
    const Matrix<TestType> expected = net.predict(x);
    REQUIRE(static_cast<Index>(y.size()) == expected.size());
    const Eigen::Map<const Matrix<TestType>> got{y.data(), expected.rows(), expected.cols()};
    CHECK(relative_error(got, expected) < roundings<TestType>(30));
  }
}

TEST_CASE("a layer of one's own in ONNX is an error, or added by a function of one's own") {
  const auto net = random_net(Layers<float>{4}.add(Dense{3}).add(Square{}));
  CHECK_THROWS_WITH(onnx_model(net),
                    "export_onnx: layer 1 (Square): expected a layer of the library, or one that "
                    "OnnxOptions::own writes");
  OnnxOptions<float> options;
  options.own = [](const LayerInterface<float>& layer, OnnxGraph<float>& graph) {
    if (layer.as<Square>() == nullptr) return false;
    graph.apply("Mul", {graph.value()});
    return true;
  };
  std::stringstream out;
  export_onnx(net, out, options);
  CHECK(out.str() == onnx_model(net, options));
  const ProtoFields model{out.str()};
  const ProtoFields graph{model.texts.at(7).at(0)};
  const ProtoFields node{graph.texts.at(1).at(1)};
  CHECK(node.texts.at(4).at(0) == "Mul");
  CHECK(node.texts.at(1) == std::vector<std::string>(2, "Gemm_2"));

  const Folder folder;
  CHECK_THROWS_AS(export_onnx(net, folder.file("no/net.onnx"), options), Error);
  out.setstate(std::ios::badbit);
  CHECK_THROWS_WITH(export_onnx(net, out, options), "export_onnx: expected a stream that can be written");
}
