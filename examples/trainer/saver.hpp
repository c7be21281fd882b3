#pragma once

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "files.hpp"
#include "interruption.hpp"

namespace trainer {

/// A callback of fit(): writes the checkpoints of --save, and ends training after the batch in which it was
/// interrupted.
class Saver {
 public:
  /// The checkpoint stores `saved_options` under the trainer's name.
  Saver(const std::string& trainer, const Options& options, const std::string& saved_options,
        const altmin::History& history)
      : history_{&history} {
    if (options.save.empty()) return;
    output_file("--save", options.save);
    checkpoint_ = altmin::Checkpoint{options.save, options.save_every};
    checkpoint_->notes[trainer] = saved_options;
  }

  /// The checkpoint stores these as well.
  void add(const altmin::Notes& notes) {
    if (checkpoint_) checkpoint_->notes.insert(notes.begin(), notes.end());
  }

  template <class Training>
  void begin(Training& training) {
    first_step_ = training.step;
    if (checkpoint_) checkpoint_->begin(training);
  }
  template <class Training>
  altmin::Stop after_step(Training& training) {
    if (checkpoint_) with_history().after_step(training);
    if (!Interruption::happened()) return {};
    Interruption::hold();  // until the end of training, which saves
    return {"interrupted"};
  }
  template <class Training>
  void after_epoch(Training& training) {
    if (checkpoint_) with_history().after_epoch(training);
  }
  template <class Training>
  void end(Training& training, const altmin::FitReport& report) {
    if (Interruption::happened()) Interruption::hold();  // also while training waited for data
    if (checkpoint_) with_history().end(training, report);
  }

  /// Steps taken before this run.
  altmin::Index first_step() const { return first_step_; }

 private:
  const altmin::Checkpoint& with_history() {
    // Without validations within epochs: how often a run is looked at does not change its files.
    std::vector<altmin::History::Epoch> epochs;
    for (const auto& epoch : history_->epochs()) {
      if (epoch.epoch > (epochs.empty() ? 0 : epochs.back().epoch)) epochs.push_back(epoch);
    }
    checkpoint_->notes["history"] = altmin::options_to_json(epochs).dump();
    return *checkpoint_;
  }

  const altmin::History* history_;
  std::optional<altmin::Checkpoint> checkpoint_;
  altmin::Index first_step_ = 0;
};

/// The epochs of the run that is continued; none where `checkpoint` is empty.
inline altmin::History earlier_history(const std::string& checkpoint) {
  std::vector<altmin::History::Epoch> epochs;
  if (!checkpoint.empty()) {
    const auto notes = altmin::load_notes(checkpoint);
    const auto found = notes.find("history");
    const std::string where = checkpoint + ": history";
    if (found != notes.end()) altmin::read_options(altmin::detail::parse_json(found->second, where), epochs, where);
  }
  return altmin::History{epochs};
}

}  // namespace trainer
