#pragma once

/// Trained networks for programs without the library: as C99 source or as ONNX. Needs only Eigen and the standard
/// library; a header of its own, so that programs that only train do not compile it.

#include "altmin/deploy/c_source.hpp"  // IWYU pragma: export
#include "altmin/deploy/onnx.hpp"      // IWYU pragma: export
