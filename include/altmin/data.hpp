#pragma once

/// Component `data`: data sets, tables and their files. Links zlib.

#include "altmin/data/augmentation.hpp"
#include "altmin/data/batches.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/data/standardize.hpp"
#include "altmin/data/weights.hpp"
#include "altmin/readers/cifar10.hpp"
#include "altmin/readers/csv.hpp"
#include "altmin/readers/files.hpp"
#include "altmin/readers/idx.hpp"
#include "altmin/readers/stream.hpp"
#include "altmin/table/find_schema.hpp"
#include "altmin/table/reader.hpp"
#include "altmin/table/schema.hpp"

#ifdef ALTMIN_COMPILED_DATA
#define ALTMIN_DATA(instantiate, Scalar)                                                        \
  instantiate altmin::TrainTest<Scalar> altmin::load_idx<Scalar>(const std::filesystem::path&); \
  instantiate class altmin::Stream<Scalar>;                                                     \
  instantiate class altmin::TableReader<Scalar>
ALTMIN_DATA(extern template, float);
ALTMIN_DATA(extern template, double);
#endif
