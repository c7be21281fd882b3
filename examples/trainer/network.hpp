#pragma once

#include <altmin/altmin.hpp>

#include "algorithms.hpp"
#include "models.hpp"
#include "options.hpp"

namespace trainer {

/// The network that the options name, for samples of this shape.
inline altmin::Network<float> make_network(const Options& options, const Algorithm& algorithm, altmin::Shape input,
                                           altmin::Index outputs) {
  auto net = algorithm(make_layers(options, input, outputs), altmin::Seed{options.seed});
  net.set_threads(options.threads);
  return net;
}

}  // namespace trainer
