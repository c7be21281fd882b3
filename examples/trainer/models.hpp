#pragma once

#include <altmin/layers/layer_stack.hpp>
#include <string>
#include <vector>

#include "options.hpp"

namespace trainer {

/// What --model may be.
std::vector<std::string> model_names();

/// The layers that --model names, which map samples of this shape to so many outputs. Throws UsageError if the model
/// does not suit the shape.
altmin::Layers<float> make_layers(const Options& options, altmin::Shape input, altmin::Index outputs);

}  // namespace trainer
