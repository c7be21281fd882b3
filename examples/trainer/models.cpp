#include "models.hpp"

#include <altmin/altmin.hpp>
#include <functional>
#include <map>

namespace trainer {

namespace {

using Layers = altmin::Layers<float>;
using Model = std::function<Layers(const Options&, altmin::Shape input, altmin::Index outputs)>;

/// Fully connected: Dense - BatchNorm (by --batch-norm) - activation for each of --hidden, then one output a class.
template <class Activation>
Layers fully_connected(const Options& options, altmin::Shape input, altmin::Index outputs) {
  Layers layers{input};
  for (const altmin::Index units : options.hidden) {
    layers.add(altmin::Dense{units});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(Activation{});
  }
  return layers.add(altmin::Dense{outputs});
}

/// Signs alone: of the inputs, the weights and the hidden units. Packs into bits (see altmin::pack).
Layers binary(const Options& options, altmin::Shape input, altmin::Index outputs) {
  Layers layers{input};
  const auto add = [&](altmin::Index units) {
    layers.add(altmin::Sign{}).add(altmin::BinaryDense{units});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
  };
  for (const altmin::Index units : options.hidden) add(units);
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
Layers linear(const Options&, altmin::Shape input, altmin::Index outputs) {
  return Layers{input}.add(altmin::Dense{outputs});
}

/// To add a model, write a function above, and a line here.
const std::map<std::string, Model>& models() {
  static const std::map<std::string, Model> all{{"linear", linear},
                                                {"mlp", fully_connected<altmin::Relu>},
                                                {"sign", fully_connected<altmin::Sign>},
                                                {"binary", binary},
                                                {"lenet5", lenet5},
                                                {"convnet", convnet},
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
  return models().at(options.model)(options, input, outputs);
}

}  // namespace trainer
