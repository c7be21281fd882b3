// Eigen::MatrixXd computed with the authors' published code, in float64: see reference/README.md for the format.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "altmin/altmin.hpp"
#include "catch.hpp"

namespace {

using altmin::Index;
using altmin::Labels;

struct Array {
  std::vector<Index> shape;
  std::vector<double> values;  // row-major

  Index size() const { return static_cast<Index>(values.size()); }
  /// Rows are what comes first in the file: samples, or outputs.
  Eigen::MatrixXd matrix() const {
    const Index rows = shape.size() < 2 ? 1 : shape[0];
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    return Eigen::Map<const RowMajor>{values.data(), rows, size() / rows};
  }
  /// One sample per column.
  Eigen::MatrixXd batch() const { return matrix().transpose(); }
};

struct Case {
  std::string layers;
  std::map<std::string, double> options;
  std::map<std::string, Array> arrays;

  double option(const std::string& name) const {
    const auto found = options.find(name);
    REQUIRE(found != options.end());
    return found->second;
  }
  const Array& array(const std::string& name) const {
    INFO(name);
    const auto found = arrays.find(name);
    REQUIRE(found != arrays.end());
    return found->second;
  }
  bool has(const std::string& name) const { return arrays.count(name) > 0; }
};

Case read_case(const std::filesystem::path& file) {
  Case result;
  std::ifstream in{file};
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words{line};
    std::string name;
    words >> name;
    if (name == "layers") {
      result.layers = line.substr(7);
    } else if (name == "options") {
      for (std::string pair; words >> pair;) {
        result.options[pair.substr(0, pair.find('='))] = std::stod(pair.substr(pair.find('=') + 1));
      }
    } else {
      Array array;
      Index rank = 0;
      words >> rank;
      for (Index size = 0; words >> size;) array.shape.push_back(size);
      REQUIRE(static_cast<Index>(array.shape.size()) == rank);
      REQUIRE(std::getline(in, line));
      std::istringstream numbers{line};
      for (std::string number; numbers >> number;) array.values.push_back(std::stod(number));
      result.arrays[name] = array;
    }
  }
  return result;
}

std::vector<std::filesystem::path> reference_files() {
  const char* elsewhere = std::getenv("ALTMIN_REFERENCE_DIR");
  const std::filesystem::path directory =
      elsewhere != nullptr ? elsewhere : std::filesystem::path{__FILE__}.parent_path() / "reference";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{directory}) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void check_close(const std::string& what, const Eigen::MatrixXd& got, const Eigen::MatrixXd& expected) {
  INFO(what);
  REQUIRE(got.rows() == expected.rows());
  REQUIRE(got.cols() == expected.cols());
  const double scale = std::max(1e-12, expected.cwiseAbs().maxCoeff());
  CHECK((got - expected).cwiseAbs().maxCoeff() / scale < 1e-9);
}

std::vector<Index> arguments(const std::string& word) {
  std::vector<Index> numbers;
  std::istringstream inside{word.substr(word.find('(') + 1)};
  for (std::string part; std::getline(inside, part, ',');) {
    if (part.find("nobias") == std::string::npos) numbers.push_back(std::stol(part));
  }
  return numbers;
}

altmin::Layers<double> build(const Case& reference) {
  std::istringstream words{reference.layers};
  const auto& input = reference.array("step0/x").shape;  // samples x features, or x channels x height x width
  altmin::Layers<double> layers{input.size() == 4 ? altmin::Shape{input[1], input[2], input[3]} : input.at(1)};
  for (std::string word; words >> word;) {
    const std::string kind = word.substr(0, word.find('('));
    const bool bias = word.find("nobias") == std::string::npos;
    if (kind == "dense") {
      layers.add(altmin::Dense{arguments(word)[1], bias});
    } else if (kind == "conv") {
      const auto sizes = arguments(word);
      layers.add(altmin::Conv2d{sizes[1], sizes[2], 1, 0, bias});
    } else if (kind == "max_pool") {
      layers.add(altmin::MaxPool2d{arguments(word)[0]});
    } else if (kind == "flatten") {
      continue;  // an image is a column already
    } else if (kind == "batch_norm") {
      layers.add(altmin::BatchNorm{});
    } else if (kind == "relu") {
      layers.add(altmin::Relu{});
    } else if (kind == "tanh") {
      layers.add(altmin::Tanh{});
    } else if (kind == "sigmoid") {
      layers.add(altmin::Sigmoid{});
    } else if (kind == "sign") {
      layers.add(altmin::Sign{altmin::PseudoGradient::straight_through});
    } else {
      FAIL("unknown layer in a reference case: " << word);
    }
  }
  return layers;
}

/// The prefixes of the parameters' names, such as "1" or "4.5", one for each map, from the input up.
std::vector<std::string> map_names(const Case& reference) {
  std::vector<std::string> names;
  for (const auto& [name, array] : reference.arrays) {
    const std::string end = ".weight";
    if (name.rfind("init/", 0) != 0 || name.size() < end.size() || name.substr(name.size() - end.size()) != end)
      continue;
    const std::string prefix = name.substr(5, name.size() - 5 - end.size());
    if (prefix.find("bn") == std::string::npos) names.push_back(prefix);
  }
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return std::stol(a) < std::stol(b); });
  return names;
}

template <class Visitor>
void for_each_parameter(altmin::Network<double>& net, const Case& reference, Visitor&& visit) {
  const auto names = map_names(reference);
  std::size_t map = 0;
  for (auto& layer : net.layers()) {
    if (layer.traits().role == altmin::Role::nonlinearity) continue;
    const bool normalization = layer.traits().role == altmin::Role::normalization;
    if (!normalization) ++map;
    REQUIRE(map <= names.size());
    for (auto& parameter : layer.parameters()) {
      visit(names[map - 1] + (normalization ? ".bn." : ".") + parameter.name(), parameter);
    }
  }
  REQUIRE(map == names.size());
}

Eigen::MatrixXd parameter_value(const Array& array) { return array.shape.size() < 2 ? array.batch() : array.matrix(); }

void check_training(const Case& reference) {
  auto options = altmin::AmAdam::published();
  options.code_iterations = static_cast<int>(reference.option("code_iterations"));
  options.weight_iterations = static_cast<int>(reference.option("weight_iterations"));
  options.learning_rate = reference.option("learning_rate");
  options.output_learning_rate = reference.option("output_learning_rate");
  options.code_learning_rate = reference.option("code_learning_rate");
  options.code_momentum = reference.option("code_momentum");
  options.mu = reference.option("mu");
  options.mu_increment = reference.option("mu_increment");
  options.lambda_code = reference.option("lambda_code");
  options.lambda_weight = reference.option("lambda_weight");

  altmin::Network<double> net{build(reference), altmin::SoftmaxCrossEntropy{}, options};
  for_each_parameter(net, reference, [&](const std::string& name, altmin::Parameter<double>& parameter) {
    parameter.set(parameter_value(reference.array("init/" + name)));
  });

  for (int s = 0; reference.has("step" + std::to_string(s) + "/x"); ++s) {
    const std::string step = "step" + std::to_string(s) + "/";
    const Labels labels = reference.array(step + "y").batch().cast<int>();
    const auto report = net.step(reference.array(step + "x").batch(), labels);
    REQUIRE(report);
    const auto& am = net.algorithm();
    for (Index l = 0; l < am.code_count(); ++l) {
      const std::string number = std::to_string(l);
      check_close(step + "forward_code" + number, am.forward_code(l),
                  reference.array(step + "forward_code" + number).batch());
      check_close(step + "code" + number, am.code(l), reference.array(step + "code" + number).batch());
    }
    for_each_parameter(net, reference, [&](const std::string& name, altmin::Parameter<double>& parameter) {
      check_close(step + name, parameter.value(), parameter_value(reference.array(step + name)));
    });
  }
  if (reference.has("predict/x") && reference.layers.find("batch_norm") == std::string::npos) {
    check_close("predict/output", net.predict(reference.array("predict/x").batch()),
                reference.array("predict/output").batch());
  }
}

void check_memory(const Case& reference) {
  altmin::Workers<double> workers{1};
  const auto worker = workers.worker();
  altmin::CoactivationMemory<double> memory{static_cast<Index>(reference.option("output")),
                                            static_cast<Index>(reference.option("input"))};
  Eigen::MatrixXd weight = reference.array("init/weight").matrix();
  for (int u = 0; u < static_cast<int>(reference.option("updates")); ++u) {
    const std::string update = "update" + std::to_string(u) + "/";
    const Eigen::MatrixXd inputs = reference.array(update + "input_code").batch().cwiseMax(0);
    const Eigen::MatrixXd codes = reference.array(update + "output_code").batch();
    memory.add(worker, inputs, codes, reference.option("eta"));
    memory.descend(worker, weight, reference.option("lambda_weight"), static_cast<int>(reference.option("sweeps")),
                   1e-3);
    check_close(update + "A", memory.inputs(), reference.array(update + "A").matrix());
    check_close(update + "B", memory.targets(), reference.array(update + "B").matrix());
    check_close(update + "weight", weight, reference.array(update + "weight").matrix());
  }
}

}  // namespace

TEST_CASE("every reference case is matched to 1e-9", "[reference]") {
  const auto files = reference_files();
  REQUIRE_FALSE(files.empty());
  for (const auto& file : files) {
    const Case reference = read_case(file);
    DYNAMIC_SECTION(file.filename().string()) {
      reference.layers.empty() ? check_memory(reference) : check_training(reference);
    }
  }
}
