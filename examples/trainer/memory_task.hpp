#pragma once

#include <altmin/altmin.hpp>
#include <optional>
#include <string>
#include <utility>

#include "options.hpp"
#include "task.hpp"

namespace trainer {

using Data = altmin::TrainTest<float>;

/// Data sets in memory, of which --limit and --patience leave a part for training.
class MemoryTask : public Task {
 public:
  MemoryTask(const Options& options, Data data, const altmin::Augmentation& augmentation) : data_{std::move(data)} {
    if (options.limit) {
      if (*options.limit > data_.train.size()) {
        throw UsageError("--limit: expected 1 to " + std::to_string(data_.train.size()) + ", got " +
                         std::to_string(*options.limit));
      }
      data_.train = data_.train.take(*options.limit);
    }
    if (options.patience) {
      if (!options.save.empty() || !options.resume.empty()) {
        throw UsageError(
            "--patience: the best weights so far are in no checkpoint: expected no --save and no --resume");
      }
      Data parts = data_.train.split(0.9, altmin::Seed{options.seed});
      data_.train = std::move(parts.train);
      held_out_ = std::move(parts.test);
    }
    altmin::BatchOptions batches;
    batches.batch_size = options.batch;
    batches.seed = altmin::Seed{options.seed};
    batches.augmentation = augmentation;
    batches_.emplace(data_.train, batches);
  }

  altmin::BatchSource<float>& source() override { return *batches_; }
  altmin::Metrics test(const altmin::Network<float>& net) override { return altmin::evaluate(net, data_.test); }
  const altmin::Dataset<float>* held_out() const override { return held_out_ ? &*held_out_ : nullptr; }
  altmin::Index samples() const override { return data_.train.size(); }

 private:
  Data data_;
  std::optional<altmin::Dataset<float>> held_out_;
  std::optional<altmin::Batches<float>> batches_;
};

}  // namespace trainer
