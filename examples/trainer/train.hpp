#pragma once

#include <altmin/data/augmentation.hpp>
#include <altmin/data/dataset.hpp>
#include <altmin/io/options.hpp>
#include <functional>
#include <string>

#include "options.hpp"

namespace trainer {

using Data = altmin::TrainTest<float>;

/// Trains on the data that load() returns, and reports; returns the exit status. `trainer` is the program's name; a
/// checkpoint stores `saved_options` under it. Compiled once for all trainers, in train.cpp.
int train(const std::string& trainer, const Options& options, const std::string& saved_options,
          const std::function<Data()>& load, const altmin::Augmentation& augmentation);

/// The same, with options of the trainer's own.
template <class TaskOptions>
int train(const std::string& trainer, const TaskOptions& options, const std::function<Data()>& load,
          const altmin::Augmentation& augmentation = {}) {
  return train(trainer, options, altmin::options_to_json(options).dump(), load, augmentation);
}

}  // namespace trainer
