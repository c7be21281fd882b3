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

/// One map alone: logistic regression.
inline Layers linear(const Options&, altmin::Shape input, altmin::Index outputs) {
  return Layers{input}.add(altmin::Dense{outputs});
}

inline const std::map<std::string, Model>& models() {
  static const std::map<std::string, Model> all{
      {"linear", linear}, {"mlp", fully_connected<altmin::Relu>}, {"sign", fully_connected<altmin::Sign>}};
  return all;
}

}  // namespace trainer
