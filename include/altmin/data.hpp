#pragma once

/// Component `data`: data sets and their files. Links zlib.

#include "altmin/data/augmentation.hpp"
#include "altmin/data/batches.hpp"
#include "altmin/data/cifar10.hpp"
#include "altmin/data/csv.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/data/idx.hpp"
#include "altmin/data/standardize.hpp"
#include "altmin/data/stream.hpp"
