#pragma once

/// All losses of the library.

#include "altmin/losses/hinge.hpp"                  // IWYU pragma: export
#include "altmin/losses/logistic.hpp"               // IWYU pragma: export
#include "altmin/losses/loss.hpp"                   // IWYU pragma: export
#include "altmin/losses/mean_squared_error.hpp"     // IWYU pragma: export
#include "altmin/losses/softmax_cross_entropy.hpp"  // IWYU pragma: export
