#pragma once

/// All layers of the library, and the stack that a network is made of.

#include "altmin/layers/activations.hpp"   // IWYU pragma: export
#include "altmin/layers/avg_pool2d.hpp"    // IWYU pragma: export
#include "altmin/layers/batch_norm.hpp"    // IWYU pragma: export
#include "altmin/layers/binary_dense.hpp"  // IWYU pragma: export
#include "altmin/layers/check_layer.hpp"   // IWYU pragma: export
#include "altmin/layers/conv2d.hpp"        // IWYU pragma: export
#include "altmin/layers/dense.hpp"         // IWYU pragma: export
#include "altmin/layers/dropout.hpp"       // IWYU pragma: export
#include "altmin/layers/last_step.hpp"     // IWYU pragma: export
#include "altmin/layers/layer_stack.hpp"   // IWYU pragma: export
#include "altmin/layers/max_pool2d.hpp"    // IWYU pragma: export
#include "altmin/layers/recurrent.hpp"     // IWYU pragma: export
#include "altmin/layers/skip.hpp"          // IWYU pragma: export
#include "altmin/layers/standardize.hpp"   // IWYU pragma: export
