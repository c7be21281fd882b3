#pragma once

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <nlohmann/json.hpp>

namespace trainer {

/// What a trainer trains on, and what it tests the network on.
class Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task() = default;

  /// The training samples, in batches; info() tells their shape and classes.
  virtual altmin::BatchSource<float>& source() = 0;

  /// Batches of an epoch, even if they must be counted; 0 where they cannot be.
  virtual altmin::Index count_batches() { return source().info().batches; }

  /// On the test samples that are known now, during training or after it.
  virtual altmin::Metrics test(const altmin::Network<float>& net) = 0;

  /// Outputs that the network has.
  virtual altmin::Index outputs() { return source().info().classes; }

  /// What a checkpoint holds besides the network and the options.
  virtual altmin::Notes notes() const { return {}; }

  /// What --patience watches; null without.
  virtual const altmin::Dataset<float>* held_out() const { return nullptr; }

  /// Training samples of an epoch.
  virtual altmin::Index samples() const = 0;

  /// Adds what else the line of JSON holds.
  virtual void report(nlohmann::ordered_json&, const altmin::FitReport&, altmin::Index /*steps*/,
                      const altmin::Metrics& /*test*/) const {}
};

}  // namespace trainer
