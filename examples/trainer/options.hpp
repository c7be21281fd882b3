#pragma once

#include <altmin/core/types.hpp>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace trainer {

/// An error in what the user has given, reported in one line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The name of an algorithm that is given as a pair.
inline std::string pair_name(const std::string& signal, const std::string& rule) { return signal + "+" + rule; }

/// The options that every trainer has. One with more derives its own from it, with an overload of `add_flags` (see
/// command_line.hpp) and, for what decides the result, with its own `fields`.
struct Options {
  std::string data;
  std::string algorithm = "am-adam";  ///< a name, or the pair of --signal and --rule
  std::string model = "mlp";
  std::vector<altmin::Index> hidden{500, 500};
  std::optional<int> depth;
  std::optional<double> leaky_slope;
  bool batch_norm = true;
  int epochs = 10;
  altmin::Index batch = 200;
  std::uint64_t seed = 1;
  int threads = 0;
  std::string schedule = "cosine";
  double warm_up = 0;
  double label_smoothing = 0;
  std::optional<double> learning_rate;
  std::optional<double> weight_decay;
  std::optional<double> mu;
  std::optional<int> code_iterations;
  std::optional<double> code_learning_rate;
  std::optional<altmin::Index> limit;
  std::optional<int> patience;
  std::optional<double> time_limit;
  std::string history;
  std::string plot;
  std::string codes;
  std::string plot_codes;
  altmin::Index codes_every = 100;
  std::string save;
  altmin::Index save_every = 0;
  altmin::Index evaluate_every = 0;
  std::string resume;
  bool quiet = false;
  bool distributed = false;
  std::optional<double> stall_limit;
  bool standardize = false;  ///< whether the network begins by standardizing; no flag, set by the trainer
  bool regression = false;   ///< whether the targets are real numbers; likewise

  /// The options that decide the result, by their flags: a checkpoint stores them.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("algorithm", self.algorithm...);
    visit("model", self.model...);
    visit("hidden", self.hidden...);
    visit("depth", self.depth...);
    visit("leaky-slope", self.leaky_slope...);
    visit("batch-norm", self.batch_norm...);
    visit("epochs", self.epochs...);
    visit("batch", self.batch...);
    visit("seed", self.seed...);
    visit("schedule", self.schedule...);
    visit("warm-up", self.warm_up...);
    visit("label-smoothing", self.label_smoothing...);
    visit("learning-rate", self.learning_rate...);
    visit("weight-decay", self.weight_decay...);
    visit("mu", self.mu...);
    visit("code-iterations", self.code_iterations...);
    visit("code-learning-rate", self.code_learning_rate...);
    visit("limit", self.limit...);
  }
};

}  // namespace trainer
