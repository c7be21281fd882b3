#include "models.hpp"

#include <altmin/altmin.hpp>
#include <cmath>
#include <functional>
#include <map>

namespace trainer {

namespace {

using Layers = altmin::Layers<float>;
using Model = std::function<Layers(const Options&, altmin::Shape input, altmin::Index outputs)>;

/// Units of the hidden layers, by --hidden and --depth.
std::vector<altmin::Index> hidden_units(const Options& options) {
  if (!options.depth) return options.hidden;
  return std::vector<altmin::Index>(static_cast<std::size_t>(*options.depth), options.hidden.front());
}

/// A map into hidden units. Below a leaky ReLU: orthogonal weights that preserve the size of a signal, without which a
/// plain network of a hundred layers learns slowly.
altmin::Dense hidden_map(const Options& options, altmin::Index units) {
  if (!options.leaky_slope) return {units};
  const double gain = 1 / std::sqrt(1 + *options.leaky_slope * *options.leaky_slope);
  return {units, true, altmin::Initialization::orthogonal, gain};
}

/// ReLU, or by --leaky-slope a leaky one.
void add_relu(const Options& options, Layers& layers) {
  if (options.leaky_slope) {
    layers.add(altmin::LeakyRelu{*options.leaky_slope});
  } else {
    layers.add(altmin::Relu{});
  }
}

/// The layers in front of the first map.
Layers input_layers(const Options& options, altmin::Shape input) {
  Layers layers{input};
  if (options.standardize) layers.add(altmin::Standardize{});
  return layers;
}

/// Fully connected: Dense - BatchNorm (by --batch-norm) - activation for each hidden layer, then one output a class.
Layers fully_connected(const Options& options, altmin::Shape input, altmin::Index outputs,
                       const std::function<void(const Options&, Layers&)>& add_activation) {
  Layers layers = input_layers(options, input);
  for (const altmin::Index units : hidden_units(options)) {
    layers.add(hidden_map(options, units));
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
    add_activation(options, layers);
  }
  return layers.add(altmin::Dense{outputs});
}

Layers mlp(const Options& options, altmin::Shape input, altmin::Index outputs) {
  return fully_connected(options, input, outputs, add_relu);
}

Layers sign(const Options& options, altmin::Shape input, altmin::Index outputs) {
  return fully_connected(options, input, outputs, [](const Options&, Layers& layers) { layers.add(altmin::Sign{}); });
}

/// A map into as many units as --hidden says first, --depth residual layers of these, each of a branch that adds
/// 1 / depth to the square of a signal at first, and one output a class.
Layers resmlp(const Options& options, altmin::Shape input, altmin::Index outputs) {
  const std::vector<altmin::Index> hidden = hidden_units(options);
  const altmin::Dense map = hidden_map(options, hidden.front());
  const altmin::Skip skip{1 / std::sqrt(static_cast<double>(hidden.size()))};
  Layers layers = input_layers(options, input);
  layers.add(map);
  for (std::size_t l = 0; l < hidden.size(); ++l) {
    add_relu(options, layers);
    layers.add(map);
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(skip);
  }
  add_relu(options, layers);
  return layers.add(altmin::Dense{outputs});
}

/// Signs alone: of the inputs, the weights and the hidden units. Packs into bits (see altmin::pack).
Layers binary(const Options& options, altmin::Shape input, altmin::Index outputs) {
  Layers layers = input_layers(options, input);
  const auto add = [&](altmin::Index units) {
    layers.add(altmin::Sign{}).add(altmin::BinaryDense{units});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
  };
  for (const altmin::Index units : hidden_units(options)) add(units);
  add(outputs);
  return layers;
}

void require_images(const char* model, altmin::Shape input, altmin::Index least) {
  if (input.height >= least && input.width >= least) return;
  const std::string size = std::to_string(least) + " x " + std::to_string(least);
  throw UsageError("--model " + std::string{model} + ": expected images of at least " + size + ", got samples of " +
                   to_string(input));
}

/// LeNet-5 (LeCun et al. 1998) as in the paper of AM-Adam, without batch normalization.
Layers lenet5(const Options&, altmin::Shape input, altmin::Index outputs) {
  require_images("lenet5", input, 16);
  return Layers{input}
      .add(altmin::Conv2d{6, 5})
      .add(altmin::MaxPool2d{})
      .add(altmin::Relu{})
      .add(altmin::Conv2d{16, 5})
      .add(altmin::MaxPool2d{})
      .add(altmin::Relu{})
      .add(altmin::Dense{120})
      .add(altmin::Relu{})
      .add(altmin::Dense{84})
      .add(altmin::Relu{})
      .add(altmin::Dense{outputs});
}

/// Three stages of convolutions 3 x 3, each pooled, and a dense map.
Layers convnet(const Options& options, altmin::Shape input, altmin::Index outputs) {
  require_images("convnet", input, 8);
  Layers layers{input};
  for (const altmin::Index channels : {32, 64, 128}) {
    layers.add(altmin::Conv2d{channels, 3, 1, 1}).add(altmin::MaxPool2d{});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(altmin::Relu{});
  }
  return layers.add(altmin::Dense{outputs});
}

/// Three stages of two convolutions 3 x 3, each normalized and each stage pooled, as in the networks of Simonyan and
/// Zisserman (2015); dropout, and a dense map. 39 million multiplications a sample of 3 x 32 x 32.
Layers vgg(const Options& options, altmin::Shape input, altmin::Index outputs) {
  require_images("vgg", input, 8);
  Layers layers{input};
  for (const altmin::Index channels : {32, 64, 128}) {
    for (const bool last : {false, true}) {
      layers.add(altmin::Conv2d{channels, 3, 1, 1});
      if (options.batch_norm) layers.add(altmin::BatchNorm{});
      if (last) layers.add(altmin::MaxPool2d{});
      layers.add(altmin::Relu{});
    }
  }
  return layers.add(altmin::Dropout{}).add(altmin::Dense{outputs});
}

/// Maps the sequence of an image's rows to one class, by a recurrent layer of as many units as --hidden says first.
template <class Activation, altmin::Nonlinearity nonlinearity>
Layers rnn(const Options& options, altmin::Shape input, altmin::Index outputs) {
  require_images("rnn or irnn", input, 2);
  if (input.channels != 1) {
    throw UsageError("--model rnn or irnn: expected images of one channel, a row a step, got samples of " +
                     to_string(input));
  }
  return Layers{input}
      .add(altmin::Recurrent{options.hidden.front(), nonlinearity})
      .add(altmin::LastStep{})
      .add(Activation{})
      .add(altmin::Dense{outputs});
}

/// One map alone: logistic regression.
Layers linear(const Options& options, altmin::Shape input, altmin::Index outputs) {
  return input_layers(options, input).add(altmin::Dense{outputs});
}

/// To add a model, write a function above, and a line here.
const std::map<std::string, Model>& models() {
  static const std::map<std::string, Model> all{{"linear", linear},
                                                {"mlp", mlp},
                                                {"resmlp", resmlp},
                                                {"sign", sign},
                                                {"binary", binary},
                                                {"lenet5", lenet5},
                                                {"convnet", convnet},
                                                {"vgg", vgg},
                                                {"rnn", rnn<altmin::Tanh, altmin::Nonlinearity::tanh>},
                                                {"irnn", rnn<altmin::Relu, altmin::Nonlinearity::relu>}};
  return all;
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> list;
  for (const auto& model : models()) list.push_back(model.first);
  return list;
}

altmin::Layers<float> make_layers(const Options& options, altmin::Shape input, altmin::Index outputs) {
  if (options.leaky_slope && options.model != "mlp" && options.model != "resmlp") {
    throw UsageError("--leaky-slope: expected --model mlp or resmlp, got " + options.model);
  }
  return models().at(options.model)(options, input, outputs);
}

}  // namespace trainer
