#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "altmin/core/file.hpp"
#include "altmin/deploy/onnx_graph.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/network/block.hpp"
#include "altmin/network/network.hpp"

namespace altmin {

/// How export_onnx() writes a network.
template <class Scalar>
struct OnnxOptions {
  /// Adds the nodes of a layer of your own to the graph and returns true; false for a layer that it does not know.
  std::function<bool(const LayerInterface<Scalar>&, OnnxGraph<Scalar>&)> own = {};
};

namespace detail {

/// The kinds of layers that the library has, each as nodes of ONNX.
template <class Scalar>
class OnnxKinds {
 public:
  explicit OnnxKinds(OnnxGraph<Scalar>& graph) : graph_{graph} {}

  /// False for a layer of another kind.
  bool write(const LayerInterface<Scalar>& layer) {
    if (const auto* dense = layer.template as<Dense>()) {
      write_dense(*dense, dense->parameters()[0].value());
    } else if (const auto* binary = layer.template as<BinaryDense>()) {
      Workers<Scalar> workers{1};
      Matrix<Scalar> v(layer.output().size(), graph_.shape().size());
      binary->write_matrix(workers.worker(), v);
      write_dense(*binary, v);
    } else if (const auto* conv = layer.template as<Conv2d>()) {
      write_conv(*conv);
    } else if (const auto* recurrent = layer.template as<Recurrent>()) {
      write_recurrent(*recurrent);
    } else if (layer.template as<LastStep>() != nullptr) {
      const Index steps = graph_.shape().height;
      graph_.make_image();
      graph_.apply("Gather", {graph_.list({steps - 1})}, {{"axis", Index{2}}});
      graph_.apply("Flatten", {}, {{"axis", Index{1}}});
      graph_.set_shape(layer.output(), false);
    } else if (const auto* norm = layer.template as<BatchNorm>()) {
      write_norm(*norm);
    } else if (const auto* standardize = layer.template as<Standardize>()) {
      write_standardize(*standardize);
    } else if (const auto* largest = layer.template as<MaxPool2d>()) {
      write_pool("MaxPool", largest->config(), layer.output());
    } else if (const auto* mean = layer.template as<AvgPool2d>()) {
      write_pool("AveragePool", mean->config(), layer.output());
    } else if (layer.template as<Relu>() != nullptr) {
      graph_.apply("Relu");
    } else if (const auto* leaky = layer.template as<LeakyRelu>()) {
      graph_.apply("PRelu", {graph_.constant(static_cast<Scalar>(leaky->config().slope))});  // LeakyRelu's is a float
    } else if (layer.template as<Tanh>() != nullptr) {
      graph_.apply("Tanh");
    } else if (layer.template as<Sigmoid>() != nullptr) {
      graph_.apply("Sigmoid");
    } else if (layer.template as<Sign>() != nullptr) {
      const std::string positive = graph_.node("Greater", {graph_.value(), graph_.constant(Scalar(0))});
      graph_.set_value(graph_.node("Where", {positive, graph_.constant(Scalar(1)), graph_.constant(Scalar(-1))}));
    } else {
      return layer.template as<Dropout>() != nullptr || layer.template as<Identity>() != nullptr;
    }
    return true;
  }

 private:
  template <class Layer>
  void write_dense(const Layer& layer, const Matrix<Scalar>& weight) {
    graph_.flatten();
    std::vector<std::string> inputs{graph_.constant(weight, {weight.rows(), weight.cols()})};
    if (layer.config().bias) inputs.push_back(graph_.constant(layer.parameters()[1].value(), {weight.rows()}));
    graph_.apply("Gemm", inputs, {{"transB", Index{1}}});
    graph_.set_shape(weight.rows(), false);
  }

  void write_conv(const Conv2d::Layer<Scalar>& layer) {
    const Conv2d& config = layer.config();
    const Extent kernel = config.kernel;
    const Extent padding = config.padding;
    graph_.make_image();
    std::vector<std::string> inputs{graph_.constant(
        layer.parameters()[0].value(), {config.outputs, graph_.shape().channels, kernel.height, kernel.width})};
    if (config.bias) inputs.push_back(graph_.constant(layer.parameters()[1].value(), {config.outputs}));
    graph_.apply("Conv", inputs,
                 {{"kernel_shape", {kernel.height, kernel.width}},
                  {"strides", {config.stride.height, config.stride.width}},
                  {"pads", {padding.height, padding.width, padding.height, padding.width}}});
    graph_.set_shape(layer.output(), true);
  }

  template <class Config>
  void write_pool(const char* type, const Config& config, Shape output) {
    const Extent stride = config.stride.value_or(config.kernel);
    graph_.make_image();
    graph_.apply(
        type, {},
        {{"kernel_shape", {config.kernel.height, config.kernel.width}}, {"strides", {stride.height, stride.width}}});
    graph_.set_shape(output, true);
  }

  void write_norm(const BatchNorm::Layer<Scalar>& layer) {
    const auto channels = [&](const Matrix<Scalar>& values) { return graph_.constant(values, {values.rows()}); };
    // ONNX keeps epsilon as a float; what it lacks is part of the variance.
    const double epsilon = layer.config().epsilon;
    const auto stored = static_cast<double>(static_cast<float>(epsilon));
    const Matrix<Scalar> variance = layer.statistics()[1].value().array() + static_cast<Scalar>(epsilon - stored);
    graph_.apply("BatchNormalization",
                 {channels(layer.parameters()[0].value()), channels(layer.parameters()[1].value()),
                  channels(layer.statistics()[0].value()), channels(variance)},
                 {{"epsilon", epsilon}});
  }

  void write_standardize(const Standardize::Layer<Scalar>& layer) {
    const Shape shape = layer.output();
    std::vector<Index> each{shape.size()};
    if (shape.height * shape.width > 1) {
      graph_.make_image();
      each = {shape.channels, shape.height, shape.width};
      if (layer.config().by_channel) each = {shape.channels, 1, 1};
    }
    const auto apply = [&](const char* type, const Vector<double>& values) {
      graph_.apply(type, {graph_.constant(Vector<Scalar>{values.template cast<Scalar>()}, each)});
    };
    apply("Sub", layer.mean());
    apply("Div", layer.deviation());
  }

  /// ONNX's RNN returns states s(c), the layer's output is c: c_t = W_ih x_t + W_hh s(c_{t-1}) + b.
  void write_recurrent(const Recurrent::Layer<Scalar>& layer) {
    const Recurrent& config = layer.config();
    const Index steps = graph_.shape().height;
    const Index features = graph_.shape().width;
    const Matrix<Scalar>& w = layer.parameters()[0].value();
    const Matrix<Scalar>& v = layer.parameters()[1].value();
    graph_.make_image();
    graph_.apply("Reshape", {graph_.list({-1, steps, features})});
    graph_.apply("Transpose", {}, {{"perm", {Index{1}, Index{0}, Index{2}}}});
    const std::string x = graph_.value();
    Matrix<Scalar> bias = Matrix<Scalar>::Zero(2, config.units);  // ONNX has two
    if (config.bias) bias.row(0) = layer.parameters()[2].value().transpose();

    graph_.apply("MatMul", {graph_.constant(w.transpose(), {features, config.units})});
    graph_.apply("Add", {graph_.constant(bias.row(0), {config.units})});
    if (steps > 1) {
      const char* const s = config.nonlinearity == Nonlinearity::tanh ? "Tanh" : "Relu";
      const std::string states = graph_.node(
          "RNN",
          {x, graph_.constant(w, {1, config.units, features}), graph_.constant(v, {1, config.units, config.units}),
           graph_.constant(bias, {1, 2 * config.units})},
          {{"hidden_size", config.units}, {"activations", {s}}});
      const std::string one_way = graph_.node("Squeeze", {states, graph_.list({1})});
      const std::string but_last =
          graph_.node("Slice", {one_way, graph_.list({0}), graph_.list({steps - 1}), graph_.list({0})});
      const std::string before = graph_.node("Pad", {but_last, graph_.list({1, 0, 0, 0, 0, 0})});
      graph_.apply("Add",
                   {graph_.node("MatMul", {before, graph_.constant(v.transpose(), {config.units, config.units})})});
    }
    graph_.apply("Transpose", {}, {{"perm", {Index{1}, Index{0}, Index{2}}}});
    graph_.apply("Reshape", {graph_.list({-1, 1, steps, config.units})});
    graph_.set_shape(layer.output(), true);
  }

  OnnxGraph<Scalar>& graph_;
};

template <class Scalar>
void write_onnx(const LayerStack<Scalar>& layers, Index i, OnnxGraph<Scalar>& graph,
                const OnnxOptions<Scalar>& options) {
  if (OnnxKinds<Scalar>{graph}.write(layers[i]) || (options.own && options.own(layers[i], graph))) return;
  throw OptionError("export_onnx: layer " + text(i) + " (" + layers[i].name() +
                    "): expected a layer of the library, or one that OnnxOptions::own writes");
}

}  // namespace detail

/// A network as an ONNX model (opset 17), for inference. Its input `x` is samples x features, or samples x channels x
/// height x width for images and sequences (1 x steps x features), its output `y` what net.predict() gives, in the same
/// form; both float, or double for a Network<double>. A matrix of one sample per column, as the library has it, is that
/// array in memory as it stands: rows one after another (NumPy's C order). Signs are numbers there, not bits.
///
/// Throws OptionError for a layer of your own that options.own does not write.
template <class Scalar>
std::string onnx_model(const Network<Scalar>& net, const OnnxOptions<Scalar>& options = {}) {
  const auto& layers = net.layers();
  OnnxGraph<Scalar> graph{layers.input()};
  for (const BlockRange& block : divide_into_blocks(layers)) {
    if (block.skips) graph.take_shape();
    const std::string block_input = graph.value();
    for (Index i = block.first; i < block.first + block.count; ++i) detail::write_onnx(layers, i, graph, options);
    if (!block.skips) continue;
    graph.take_shape();
    graph.apply("Mul", {graph.constant(static_cast<Scalar>(block.branch))});
    graph.apply("Add", {block_input});
  }
  return graph.finish();
}

/// Writes onnx_model(). Throws Error where the stream or the file fails; a file is written whole, or stays as it was.
template <class Scalar>
void export_onnx(const Network<Scalar>& net, std::ostream& out, const OnnxOptions<Scalar>& options = {}) {
  if (!(out << onnx_model(net, options))) throw Error("export_onnx: expected a stream that can be written");
}
template <class Scalar>
void export_onnx(const Network<Scalar>& net, const std::string& path, const OnnxOptions<Scalar>& options = {}) {
  OutputFile{path}.write(onnx_model(net, options));
}

}  // namespace altmin
