#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "altmin/deploy.hpp"
#include "catch.hpp"
#include "deploy/support.hpp"

using namespace altmin;
using support::exported_nets;
using support::Folder;
using support::random_matrix;
using support::random_net;
using support::relative_error;
using support::roundings;
using support::runs;
using support::Square;

namespace {

/// A machine that compiles and runs C.
struct Target {
  std::string compile;  // then: -o program sources
  std::string run;      // then: program
};

const Target host{"cc -std=c99 -Wall -Wextra -pedantic -Werror -O1 -ffp-contract=off", ""};
const Target arm{"arm-none-eabi-gcc -std=c99 -Wall -Wextra -pedantic -Werror -O1 -mcpu=arm926ej-s --specs=rdimon.specs",
                 "QEMU_AUDIO_DRV=none qemu-system-arm -M versatilepb -semihosting -display none -serial null -monitor "
                 "none -kernel "};

/// What the source predicts on a target: its program prints the bytes of all outputs.
template <class Scalar>
Matrix<Scalar> predict_in_c(const Target& target, const std::string& source, const Matrix<Scalar>& x, Index outputs) {
  const Folder folder;
  const auto file = [&](const char* name) { return folder.file(name); };
  std::ofstream{file("net.c")} << source;
  CLayer<Scalar> samples{"samples", x.size(), x.size()};
  samples.array("x", x.transpose());
  std::ofstream{file("main.c")} << "#include <stdio.h>\nvoid net_predict(const " << samples.scalar() << " *x, "
                                << samples.scalar() << " *y);\n"
                                << samples.arrays() << "static " << samples.scalar() << " y[" << outputs << "];\n"
                                << "int main(void) {\n  for (int t = 0; t < " << x.cols() << "; ++t) {\n"
                                << "    net_predict(samples_x + t * " << x.rows() << ", y);\n"
                                << "    for (unsigned b = 0; b < sizeof y; ++b) printf(\"%u\\n\", "
                                << "(unsigned)((const unsigned char *)y)[b]);\n  }\n  return 0;\n}\n";
  const std::string program = file("program");
  REQUIRE(std::system(
              (target.compile + " -o " + program + " " + file("net.c") + " " + file("main.c") + " -lm").c_str()) == 0);
  REQUIRE(std::system((target.run + program + " >" + file("out") + " 2>" + file("err")).c_str()) == 0);

  Matrix<Scalar> result(outputs, x.cols());
  std::vector<unsigned char> bytes;
  std::ifstream in{file("out")};
  for (unsigned byte = 0; in >> byte;) bytes.push_back(static_cast<unsigned char>(byte));
  REQUIRE(bytes.size() == sizeof(Scalar) * static_cast<std::size_t>(result.size()));
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

template <class Scalar>
std::vector<Layers<Scalar>> exported_signs() {
  using Stack = Layers<Scalar>;
  return {Stack{70}
              .add(Sign{})
              .add(BinaryDense{33})
              .add(BatchNorm{})
              .add(Sign{})
              .add(BinaryDense{65})
              .add(Sign{})
              .add(BinaryDense{4}),
          Stack{3}.add(Sign{}).add(BinaryDense{1, false})};
}

}  // namespace

TEMPLATE_TEST_CASE("a network in C predicts what the library does", "", float, double) {
  Random random{Seed{3}};
  for (const auto& layers : exported_nets<TestType>()) {
    CAPTURE(layers.summary());
    const auto net = random_net(layers);
    const auto x = random_matrix<TestType>(layers.input().size(), 6, random, -2, 2);
    const auto y = predict_in_c(host, c_source(net), x, layers.output().size());
    CHECK(relative_error(y, net.predict(x)) < roundings<TestType>(30));
  }
}

TEMPLATE_TEST_CASE("a packed network in C predicts the same bits", "", float, double) {
  Random random{Seed{3}};
  for (const auto& layers : exported_signs<TestType>()) {
    CAPTURE(layers.summary());
    const auto packed = pack(random_net(layers));
    auto x = random_matrix<TestType>(layers.input().size(), 50, random);
    x.topRows(1).setZero();
    CHECK(predict_in_c(host, c_source(packed), x, layers.output().size()) == packed.predict(x));
  }
  const auto layers = exported_signs<TestType>()[0];
  const auto net = random_net(Layers<TestType>{layers}.add(BatchNorm{}));
  const auto x = random_matrix<TestType>(70, 5, random);
  CHECK(relative_error(predict_in_c(host, c_source(pack(net)), x, 4), net.predict(x)) < roundings<TestType>(30));
}

TEST_CASE("a network in C predicts the same on an ARM processor") {
  if (!runs("arm-none-eabi-gcc --version") || !runs("qemu-system-arm --version")) {
    WARN("skipped: there is no arm-none-eabi-gcc, or no qemu-system-arm");
    SUCCEED();
    return;
  }
  Random random{Seed{3}};
  for (const auto& layers : exported_nets<float>()) {
    CAPTURE(layers.summary());
    const auto net = random_net(layers);
    const auto x = random_matrix<float>(layers.input().size(), 3, random, -2, 2);
    const auto y = predict_in_c(arm, c_source(net), x, layers.output().size());
    CHECK(relative_error(y, net.predict(x)) < roundings<float>(30));
  }
  const auto packed = pack(random_net(exported_signs<float>()[0]));
  const auto x = random_matrix<float>(70, 10, random);
  CHECK(predict_in_c(arm, c_source(packed), x, 4) == packed.predict(x));
}

TEST_CASE("a layer of one's own in C is an error, or written by a function of one's own") {
  const auto net = random_net(Layers<float>{4}.add(Dense{3}).add(Square{}));
  CHECK_THROWS_WITH(c_source(net),
                    "export_c: layer 1 (Square): expected a layer of the library, or one that "
                    "COptions::own writes");
  COptions<float> options;
  options.own = [](const LayerInterface<float>& layer, CLayer<float>& c) {
    if (layer.as<Square>() == nullptr) return false;
    c.line("for (long i = 0; i < ", c.output.size(), "; ++i) y[i] = x[i] * x[i];");
    return true;
  };
  Random random{Seed{1}};
  const auto x = random_matrix<float>(4, 5, random);
  CHECK(relative_error(predict_in_c(host, c_source(net, options), x, 3), net.predict(x)) < roundings<float>());
}

TEST_CASE("bad names, numbers and files are refused, and nothing is half-written") {
  auto net = random_net(Layers<float>{4}.add(Dense{3}).add(BatchNorm{}));
  for (const char* prefix : {"", "1a", "a-b", "a b", "\xc3\xa9"}) {
    CHECK_THROWS_WITH(c_source(net, {prefix}),
                      "export_c: prefix must be a C identifier, got '" + std::string(prefix) + "'");
  }
  const Folder folder;
  const std::string path = folder.file("net.c");
  export_c(net, path, {"a_1"});
  std::stringstream text;
  export_c(net, text, {"a_1"});
  std::stringstream file;
  file << std::ifstream{path}.rdbuf();
  CHECK(file.str() == text.str());
  CHECK(text.str().find("void a_1_predict(const float *x, float *y);") != std::string::npos);
  CHECK(text.str().find("net_") == std::string::npos);

  net.layers()[0].parameters()[0].values().setConstant(1e38F);
  net.layers()[1].parameters()[0].values().setConstant(1e3F);
  CHECK_THROWS_WITH(export_c(net, path), "export_c: layer 0 (Dense): expected finite numbers, got inf");
  file.seekg(0);
  std::stringstream again;
  again << std::ifstream{path}.rdbuf();
  CHECK(again.str() == text.str());
  CHECK_THROWS_AS(export_c(random_net(Layers<float>{2}.add(Dense{1})), folder.file("no/net.c")), Error);
  text.setstate(std::ios::badbit);
  CHECK_THROWS_WITH(export_c(random_net(Layers<float>{2}.add(Dense{1})), text),
                    "export_c: expected a stream that can be written");
}
