#pragma once

#include <altmin/data/augmentation.hpp>
#include <altmin/data/dataset.hpp>
#include <altmin/io/options.hpp>
#include <functional>
#include <memory>
#include <string>

#include "memory_task.hpp"
#include "options.hpp"
#include "task.hpp"

namespace trainer {

/// Trains on the task that open() returns, and reports; returns the exit status. `trainer` is the program's name; a
/// checkpoint stores `saved_options` under it. Compiled once for all trainers, in train.cpp.
int train(const std::string& trainer, const Options& options, const std::string& saved_options,
          const std::function<std::unique_ptr<Task>()>& open);

/// The same, with options of the trainer's own, on the data sets that load() returns.
template <class TaskOptions>
int train(const std::string& trainer, const TaskOptions& options, const std::function<Data()>& load,
          const altmin::Augmentation& augmentation = {}) {
  return train(trainer, options, altmin::options_to_json(options).dump(),
               [&] { return std::make_unique<MemoryTask>(options, load(), augmentation); });
}

}  // namespace trainer
