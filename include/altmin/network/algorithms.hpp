#pragma once

/// All algorithms of the library.

#include "altmin/network/am_adam.hpp"       // IWYU pragma: export
#include "altmin/network/am_mem.hpp"        // IWYU pragma: export
#include "altmin/network/am_recursive.hpp"  // IWYU pragma: export
#include "altmin/network/am_sgd.hpp"        // IWYU pragma: export
#include "altmin/network/baselines.hpp"     // IWYU pragma: export
#include "altmin/network/centred_rule.hpp"  // IWYU pragma: export
