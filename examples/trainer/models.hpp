#pragma once

// Networks by what --model calls them. A new one is a function here, and a line in models().

#include <altmin/altmin.hpp>
#include <functional>
#include <map>
#include <string>

#include "options.hpp"

namespace trainer {

using Layers = altmin::Layers<float>;

/// Makes the layers that map samples of this shape to so many outputs. Throws UsageError where they do not suit.
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

/// All signs: of the inputs, the weights and the hidden units. Packs into bits (see altmin::pack).
inline Layers binary(const Options& options, altmin::Shape input, altmin::Index outputs) {
  Layers layers{input};
  const auto add = [&](altmin::Index units) {
    layers.add(altmin::Sign{}).add(altmin::BinaryDense{units});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
  };
  for (const altmin::Index units : options.hidden) add(units);
  add(outputs);
  return layers;
}

inline void require_images(const char* model, altmin::Shape input, altmin::Index least) {
  if (input.height >= least && input.width >= least) return;
  const std::string size = std::to_string(least) + " x " + std::to_string(least);
  throw UsageError("--model " + std::string{model} + ": expected images of at least " + size + ", got samples of " +
                   to_string(input));
}

/// LeNet-5 (LeCun et al. 1998) as the paper has it, without batch normalization.
inline Layers lenet5(const Options&, altmin::Shape input, altmin::Index outputs) {
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
inline Layers convnet(const Options& options, altmin::Shape input, altmin::Index outputs) {
  require_images("convnet", input, 8);
  Layers layers{input};
  for (const altmin::Index channels : {32, 64, 128}) {
    layers.add(altmin::Conv2d{channels, 3, 1, 1}).add(altmin::MaxPool2d{});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(altmin::Relu{});
  }
  return layers.add(altmin::Dense{outputs});
}

/// A sequence of the image's rows to one class, by a layer of the first number of --hidden with an activation between
/// the steps.
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
inline Layers linear(const Options&, altmin::Shape input, altmin::Index outputs) {
  return Layers{input}.add(altmin::Dense{outputs});
}

inline const std::map<std::string, Model>& models() {
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

}  // namespace trainer
