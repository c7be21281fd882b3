// The Python module altmin._network: a fully connected network, trained on numpy arrays. The estimators that use it are
// in altmin/estimators.py.
//
// A C-contiguous array of samples x features (float32) has the memory of a column-major matrix of features x samples,
// so it is mapped, not copied. The interpreter's lock is released in a step and a prediction; the network's own lock
// makes one step wait for another.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace py = pybind11;

namespace {

using Matrix = altmin::Matrix<float>;
using Net = altmin::Network<float>;
/// Arrays of another type or order are converted, which copies them.
using Values = py::array_t<float, py::array::c_style | py::array::forcecast>;
using ClassLabels = py::array_t<int, py::array::c_style>;

/// An array of samples x values as a matrix of values x samples.
Eigen::Map<const Matrix> mapped(const Values& array, const char* name) {
  if (array.ndim() != 2) {
    throw altmin::ShapeError(std::string(name) + ": expected an array of 2 dimensions, samples x values, got " +
                             std::to_string(array.ndim()));
  }
  return {array.data(), array.shape(1), array.shape(0)};
}

/// The array of samples x values that owns such a matrix.
py::array_t<float> to_array(Matrix matrix) {
  auto owner = std::make_unique<Matrix>(std::move(matrix));
  const Matrix& kept = *owner;
  const py::capsule release{owner.get(), [](void* pointer) { delete static_cast<Matrix*>(pointer); }};
  owner.release();
  return py::array_t<float>{{kept.cols(), kept.rows()}, kept.data(), release};
}

/// Layers, in order: Standardize, for each hidden layer Dense, BatchNorm and the activation, then the last Dense.
struct Sizes {
  altmin::Index features;
  std::vector<altmin::Index> hidden;
  altmin::Index outputs;
  std::string activation;
  bool batch_norm;
  bool standardize;
};

void add_activation(altmin::Layers<float>& layers, const std::string& name) {
  if (name == "relu") {
    layers.add(altmin::Relu{});
  } else if (name == "leaky_relu") {
    layers.add(altmin::LeakyRelu{});
  } else if (name == "tanh") {
    layers.add(altmin::Tanh{});
  } else if (name == "sigmoid") {
    layers.add(altmin::Sigmoid{});
  } else {
    throw altmin::OptionError("activation: expected relu, leaky_relu, tanh or sigmoid, got '" + name + "'");
  }
}

altmin::Layers<float> make_layers(const Sizes& sizes) {
  altmin::Layers<float> layers{sizes.features};
  if (sizes.standardize) layers.add(altmin::Standardize{});
  for (const altmin::Index units : sizes.hidden) {
    layers.add(altmin::Dense{units});
    if (sizes.batch_norm) layers.add(altmin::BatchNorm{});
    add_activation(layers, sizes.activation);
  }
  layers.add(altmin::Dense{sizes.outputs});
  return layers;
}

/// A kind of algorithm by the name that Python uses; `options` is a JSON object, by the names of the options' fields.
struct Algorithm {
  const char* name;
  Net (*make)(altmin::Layers<float> layers, bool labels, const nlohmann::json& options, altmin::Seed seed);
};

template <class Config>
Net make(altmin::Layers<float> layers, bool labels, const nlohmann::json& json, altmin::Seed seed) {
  Config options;
  altmin::read_options(json, options, Config::name);
  if (labels) return {std::move(layers), altmin::SoftmaxCrossEntropy{}, options, seed};
  return {std::move(layers), altmin::MeanSquaredError{}, options, seed};
}

constexpr Algorithm algorithms[] = {{"am_adam", make<altmin::AmAdam>},
                                    {"am_mem", make<altmin::AmMem>},
                                    {"am_mem_full", make<altmin::AmMemFull>},
                                    {"am_mem_descent", make<altmin::AmMemDescent>},
                                    {"am_recursive", make<altmin::AmRecursive>},
                                    {"am_sgd", make<altmin::AmSgd>},
                                    {"adam", make<altmin::Adam>},
                                    {"sgd", make<altmin::Sgd>}};

std::vector<std::string> algorithm_names() {
  std::vector<std::string> names;
  for (const Algorithm& algorithm : algorithms) names.emplace_back(algorithm.name);
  return names;
}

Net make_network(const Sizes& sizes, const std::string& loss, const std::string& algorithm, const std::string& options,
                 std::uint64_t seed) {
  if (loss != "softmax_cross_entropy" && loss != "mean_squared_error") {
    throw altmin::OptionError("loss: expected softmax_cross_entropy or mean_squared_error, got '" + loss + "'");
  }
  std::string known;
  for (const Algorithm& kind : algorithms) {
    if (algorithm == kind.name) {
      return kind.make(make_layers(sizes), loss == "softmax_cross_entropy", nlohmann::json::parse(options),
                       altmin::Seed{seed});
    }
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw altmin::OptionError("algorithm: expected one of " + known + ", got '" + algorithm + "'");
}

/// What a step returns: an altmin::StepReport that owns its penalties.
struct Report {
  explicit Report(const altmin::StepReport& report)
      : updated{bool(report)},
        status{altmin::to_string(report.status)},
        loss{report.loss},
        penalties(report.penalties.begin(), report.penalties.end()) {}

  bool updated;
  std::string status;
  double loss;
  std::vector<double> penalties;
};

/// A network and its lock. Python's threads wait for it without the interpreter's lock.
struct SharedNetwork {
  explicit SharedNetwork(Net network) : net{std::move(network)} {}

  Net net;
  int threads = 0;  // as set: 0 stands for all processors
  std::shared_mutex mutex;
};

/// Calls action(network) while no other thread uses it, without the interpreter's lock: it uses nothing of Python's.
template <class Action>
auto alone(SharedNetwork& self, Action&& action) {
  const py::gil_scoped_release release;
  const std::unique_lock lock{self.mutex};
  return action(self.net);
}

Report step_labels(SharedNetwork& self, const Values& x, const ClassLabels& labels) {
  if (labels.ndim() != 1) {
    throw altmin::ShapeError("labels: expected an array of 1 dimension, got " + std::to_string(labels.ndim()));
  }
  const auto samples = mapped(x, "samples");
  const Eigen::Map<const altmin::Labels> target{labels.data(), labels.size()};
  return alone(self, [&](Net& net) { return Report{net.step(samples, target)}; });
}

Report step_values(SharedNetwork& self, const Values& x, const Values& y) {
  const auto samples = mapped(x, "samples");
  const auto target = mapped(y, "target");
  return alone(self, [&](Net& net) { return Report{net.step(samples, target)}; });
}

py::array_t<float> predict(SharedNetwork& self, const Values& x) {
  const auto samples = mapped(x, "samples");
  Matrix prediction;
  {
    const py::gil_scoped_release release;
    const std::shared_lock lock{self.mutex};
    prediction = self.net.predict(samples);
  }
  return to_array(std::move(prediction));
}

void save(SharedNetwork& self, const std::string& path, const altmin::Notes& notes) {
  alone(self, [&](const Net& net) { altmin::save_checkpoint(net, path, {}, notes); });
}

/// What is pickled: a checkpoint and the number of threads.
py::tuple to_tuple(SharedNetwork& self) {
  const std::string bytes = alone(self, [](const Net& net) { return altmin::format_checkpoint(net); });
  return py::make_tuple(py::bytes{bytes}, self.threads);
}

void set_threads(SharedNetwork& self, int threads) {
  alone(self, [&](Net& net) { net.set_threads(threads); });
  self.threads = threads;
}

std::string summary(SharedNetwork& self) {
  return alone(self, [](const Net& net) {
    std::ostringstream text;
    text << net;
    return text.str();
  });
}

/// The network in a file's bytes, and the file's notes. A checkpoint goes on where it was, a model begins anew.
std::pair<std::unique_ptr<SharedNetwork>, altmin::Notes> parse(std::string_view bytes) {
  const altmin::Safetensors file = altmin::parse_safetensors(bytes);
  const bool is_checkpoint = file.tensors.count("steps") > 0;
  Net net = is_checkpoint ? altmin::parse_checkpoint<float>(bytes).network : altmin::parse_model<float>(bytes);
  return {std::make_unique<SharedNetwork>(std::move(net)), file.notes};
}

auto load(const std::string& path) {
  const py::gil_scoped_release release;
  const std::string bytes = altmin::read_file(path);
  try {
    return parse(bytes);
  } catch (const altmin::FormatError& error) {
    throw altmin::FormatError(path + ": " + error.what());
  }
}

std::unique_ptr<SharedNetwork> from_tuple(const py::tuple& state) {
  auto network = parse(state[0].cast<std::string>()).first;
  set_threads(*network, state[1].cast<int>());
  return network;
}

}  // namespace

PYBIND11_MODULE(_network, module) {
  module.doc() = "Networks of altmin on numpy arrays.";
  py::register_exception<altmin::Error>(module, "Error", PyExc_ValueError);
  module.attr("algorithms") = algorithm_names();

  py::class_<Report>(module, "StepReport", "The outcome of a step; false where the network was left as it was.")
      .def_readonly("updated", &Report::updated)
      .def_readonly("status", &Report::status, "A sentence.")
      .def_readonly("loss", &Report::loss, "The mean loss of the batch, before the step.")
      .def_readonly("penalties", &Report::penalties, "See altmin::StepReport.")
      .def("__bool__", [](const Report& report) { return report.updated; });

  const auto make = [](altmin::Index features, std::vector<altmin::Index> hidden, altmin::Index outputs,
                       const std::string& loss, const std::string& algorithm, const std::string& options,
                       std::string activation, bool batch_norm, bool standardize, std::uint64_t seed) {
    const Sizes sizes{features, std::move(hidden), outputs, std::move(activation), batch_norm, standardize};
    return std::make_unique<SharedNetwork>(make_network(sizes, loss, algorithm, options, seed));
  };
  const auto number = [](auto get) {
    return [get](SharedNetwork& self) { return alone(self, [&](const Net& net) { return get(net); }); };
  };
  py::class_<SharedNetwork>(module, "Network", "Batches are arrays of samples x features.")
      .def(py::init(make), py::arg("features"), py::arg("hidden"), py::arg("outputs"), py::kw_only(),
           py::arg("loss") = "softmax_cross_entropy", py::arg("algorithm") = "am_adam", py::arg("options") = "{}",
           py::arg("activation") = "relu", py::arg("batch_norm") = false, py::arg("standardize") = false,
           py::arg("seed") = 0, "`options` are those of the algorithm, as a JSON object.")
      .def("step", &step_labels, py::arg("x"), py::arg("y").noconvert(), "Trains on a batch with int32 labels ...")
      .def("step", &step_values, py::arg("x"), py::arg("y"), "... or values, samples x outputs.")
      .def("predict", &predict, py::arg("x"), "The network's outputs, samples x outputs.")
      .def("save", &save, py::arg("path"), py::arg("notes") = altmin::Notes{}, "Writes a checkpoint.")
      .def_static("load", &load, py::arg("path"), "The network in a model file or checkpoint, and the file's notes.")
      .def(py::pickle(&to_tuple, &from_tuple))
      .def("set_threads", &set_threads)
      .def_readonly("threads", &SharedNetwork::threads)
      .def("set_rate_scale",
           [](SharedNetwork& self, double x) { alone(self, [&](Net& net) { net.set_rate_scale(x); }); })
      .def_property_readonly("features", number([](const Net& net) { return net.layers().input().size(); }))
      .def_property_readonly("outputs", number([](const Net& net) { return net.layers().output().size(); }))
      .def_property_readonly("steps", number([](const Net& net) { return net.steps(); }))
      .def_property_readonly("loss", number([](const Net& net) { return std::string{net.loss()->name()}; }))
      .def("__str__", &summary);
}
