#pragma once

/// Component `io`: model files and checkpoints. Links nlohmann_json, and needs a POSIX system.

#include "altmin/core/file.hpp"
#include "altmin/io/checkpoint.hpp"
#include "altmin/io/kinds.hpp"
#include "altmin/io/model.hpp"
#include "altmin/io/notes.hpp"
#include "altmin/io/options.hpp"
#include "altmin/io/safetensors.hpp"

#ifdef ALTMIN_COMPILED_IO
#define ALTMIN_IO(instantiate, Scalar)                                                                               \
  instantiate altmin::Network<Scalar> altmin::parse_model<Scalar>(std::string_view, altmin::Kinds<>);                \
  instantiate altmin::Saved<Scalar> altmin::parse_checkpoint<Scalar>(std::string_view, altmin::Kinds<>);             \
  instantiate std::string altmin::format_model<Scalar>(const altmin::Network<Scalar>&, const altmin::Notes&);        \
  instantiate std::string altmin::format_checkpoint<Scalar>(const altmin::Network<Scalar>&, const altmin::Progress&, \
                                                            const altmin::Notes&)
ALTMIN_IO(extern template, float);
ALTMIN_IO(extern template, double);
#endif
