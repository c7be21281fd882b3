#pragma once

#include <altmin/altmin.hpp>
#include <variant>

#include "algorithms.hpp"
#include "models.hpp"
#include "options.hpp"

namespace trainer {

/// The network that the options name, for samples of this shape.
inline altmin::Network<float> make_network(const Options& options, const Algorithm& algorithm, altmin::Shape input,
                                           altmin::Index outputs) {
  const auto make = [&](const auto& config) {
    return altmin::Network<float>{models().at(options.model)(options, input, outputs), altmin::SoftmaxCrossEntropy{},
                                  config, altmin::Seed{options.seed}};
  };
  altmin::Network<float> net = std::visit(make, algorithm);
  net.set_threads(options.threads);
  return net;
}

}  // namespace trainer
