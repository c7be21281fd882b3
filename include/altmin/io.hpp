#pragma once

/// Component `io`: model files and checkpoints. Links nlohmann_json, and needs a POSIX system.

#include "altmin/io/checkpoint.hpp"
#include "altmin/io/file.hpp"
#include "altmin/io/model.hpp"
#include "altmin/io/options.hpp"
#include "altmin/io/safetensors.hpp"
