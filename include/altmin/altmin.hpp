#pragma once

/// All of altmin that needs only Eigen and the standard library. Readers of data files are in altmin/data.hpp, model
/// files in altmin/io.hpp.

#include "altmin/data/augmentation.hpp"          // IWYU pragma: export
#include "altmin/data/batches.hpp"               // IWYU pragma: export
#include "altmin/data/dataset.hpp"               // IWYU pragma: export
#include "altmin/data/source_of_ranks.hpp"       // IWYU pragma: export
#include "altmin/data/standardize.hpp"           // IWYU pragma: export
#include "altmin/data/weights.hpp"               // IWYU pragma: export
#include "altmin/layers/layers.hpp"              // IWYU pragma: export
#include "altmin/losses/losses.hpp"              // IWYU pragma: export
#include "altmin/network/algorithms.hpp"         // IWYU pragma: export
#include "altmin/network/network.hpp"            // IWYU pragma: export
#include "altmin/network/packed.hpp"             // IWYU pragma: export
#include "altmin/training/callbacks.hpp"         // IWYU pragma: export
#include "altmin/training/code_history.hpp"      // IWYU pragma: export
#include "altmin/training/confusion.hpp"         // IWYU pragma: export
#include "altmin/training/cross_validation.hpp"  // IWYU pragma: export
#include "altmin/training/fit.hpp"               // IWYU pragma: export
#include "altmin/training/metrics.hpp"           // IWYU pragma: export
#include "altmin/training/multi_label.hpp"       // IWYU pragma: export
#include "altmin/training/prequential.hpp"       // IWYU pragma: export
#include "altmin/training/schedules.hpp"         // IWYU pragma: export
#include "altmin/training/stopping.hpp"          // IWYU pragma: export
#include "altmin/version.hpp"                    // IWYU pragma: export

#ifdef ALTMIN_COMPILED
#include "altmin/compiled.hpp"
#endif
