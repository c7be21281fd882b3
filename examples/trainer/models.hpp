#pragma once

// Networks by what --model calls them.

#include <altmin/altmin.hpp>
#include <functional>
#include <map>
#include <string>

#include "options.hpp"

namespace trainer {

using Layers = altmin::Layers<float>;

/// Makes the layers that map samples of this shape to so many outputs. Throws UsageError where they do not suit.
using Model = std::function<Layers(const Options&, altmin::Shape input, altmin::Index outputs)>;

/// Fully connected: Dense - BatchNorm - Relu for each hidden layer, then one output a class.
inline Layers mlp(const Options& options, altmin::Shape input, altmin::Index outputs) {
  Layers layers{input};
  for (const altmin::Index units : options.hidden) {
    layers.add(altmin::Dense{units});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(altmin::Relu{});
  }
  return layers.add(altmin::Dense{outputs});
}

inline const std::map<std::string, Model>& models() {
  static const std::map<std::string, Model> all{{"mlp", mlp}};
  return all;
}

}  // namespace trainer
