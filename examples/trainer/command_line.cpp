#include "command_line.hpp"

#include <charconv>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "algorithms.hpp"
#include "models.hpp"

namespace trainer {

CLI::Validator between(long least, long most) {
  const auto check = [=](const std::string& text) {
    long value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = end.ec == std::errc{} && end.ptr == text.data() + text.size();
    if (whole && value >= least && value <= most) return std::string{};
    const bool limited = most < std::numeric_limits<long>::max();
    return "expected a whole number of " +
           (limited ? std::to_string(least) + " to " + std::to_string(most) : "at least " + std::to_string(least)) +
           ", got " + text;
  };
  return {check, ""};
}

CLI::Validator at_least(long least) { return between(least, std::numeric_limits<long>::max()); }

namespace {

/// --algorithm, or --signal and --rule in its place.
void add_algorithm_flags(CLI::App& app, Options& options) {
  auto* const algorithm = app.add_option("--algorithm", options.algorithm, "the training algorithm")
                              ->check(CLI::IsMember(algorithm_names()))
                              ->capture_default_str();
  const auto pair = std::make_shared<std::pair<std::string, std::string>>();
  auto* const signal = app.add_option("--signal", pair->first,
                                      "what a block should do differently; with --rule, in place of --algorithm")
                           ->check(CLI::IsMember(signal_names()))
                           ->excludes(algorithm);
  auto* const rule =
      app.add_option("--rule", pair->second, "how weights move by that; with --signal, in place of --algorithm")
          ->check(CLI::IsMember(rule_names()))
          ->excludes(algorithm)
          ->needs(signal);
  signal->needs(rule);
  app.parse_complete_callback([pair, &options] {
    if (!pair->first.empty()) options.algorithm = pair_name(pair->first, pair->second);
  });
}

}  // namespace

void add_flags(CLI::App& app, Options& options) {
  app.add_option("--data", options.data, "where the data set is (default: where download.sh puts it)")
      ->type_name("PATH");
  add_algorithm_flags(app, options);
  app.add_option("--model", options.model, "the network")->check(CLI::IsMember(model_names()))->capture_default_str();
  app.add_option("--hidden", options.hidden, "units of the hidden layers")
      ->delimiter(',')
      ->check(at_least(1))
      ->capture_default_str();
  app.add_option("--depth", options.depth,
                 "so many hidden layers, of the first width of --hidden; of resmlp: so many residual layers")
      ->check(at_least(1))
      ->type_name("LAYERS");
  app.add_option("--leaky-slope", options.leaky_slope,
                 "of mlp and resmlp: leaky ReLU of this slope, 0 to 1, and initial weights to match (default: ReLU)")
      ->type_name("SLOPE");
  app.add_flag("--batch-norm,!--no-batch-norm", options.batch_norm,
               "batch normalization of hidden layers (default: with)");
  app.add_option("--epochs", options.epochs, "passes over the training set")->check(at_least(0))->capture_default_str();
  app.add_option("--batch", options.batch, "samples a step")->check(at_least(1))->capture_default_str();
  app.add_option("--seed", options.seed, "of weights and of the samples' order")->capture_default_str();
  app.add_option("--threads", options.threads,
                 "up to 1024; 0: as many as the process may run on; results do not depend on it")
      ->check(between(0, 1024))
      ->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate, "of the weights (default: the algorithm's)");
  app.add_option("--weight-decay", options.weight_decay, "of the weights (default: the algorithm's)");
  app.add_option("--schedule", options.schedule,
                 "of the learning rates: down a cosine, halved every 8 epochs, constant")
      ->check(CLI::IsMember(schedule_names()))
      ->capture_default_str();
  app.add_option("--warm-up", options.warm_up, "with the cosine schedule: epochs in which the rates grow from 0 first")
      ->type_name("EPOCHS")
      ->capture_default_str();
  app.add_option("--label-smoothing", options.label_smoothing,
                 "share of a label that goes to all classes alike; 0 to below 1")
      ->capture_default_str();
  app.add_option("--mu", options.mu, "with codes: weight of the penalties (default: the algorithm's)");
  app.add_option("--code-iterations", options.code_iterations,
                 "with codes: steps on the codes (default: the algorithm's)");
  app.add_option("--code-learning-rate", options.code_learning_rate,
                 "with codes: rate of these steps (default: the algorithm's)");
  app.add_option("--limit", options.limit, "use only the first N training samples")->check(at_least(1))->type_name("N");
  app.add_option("--patience", options.patience,
                 "hold out a tenth of the training set; stop after so many epochs without a lower loss on it, and keep "
                 "the best weights")
      ->check(at_least(1))
      ->type_name("EPOCHS");
  app.add_option("--time-limit", options.time_limit, "stop after so much training")->type_name("SECONDS");
  app.add_option("--evaluate-every", options.evaluate_every, "evaluate after so many steps, too; 0: only after epochs")
      ->check(at_least(0))
      ->capture_default_str()
      ->type_name("STEPS");
  app.add_option("--history", options.history, "write a table of all epochs")->type_name("FILE.csv");
  app.add_option("--plot", options.plot, "draw learning curves and confusion matrix (needs gnuplot)")
      ->type_name("FILE.png");
  app.add_option("--save", options.save, "write a checkpoint after each epoch, at the end, and when interrupted")
      ->type_name("FILE");
  app.add_option("--save-every", options.save_every, "and after every so many steps")
      ->check(at_least(0))
      ->type_name("STEPS");
  app.add_option(
         "--resume", options.resume,
         "continue from a checkpoint, to the same bits as if the run had not stopped; its options apply, and need "
         "not be given; --epochs may be raised")
      ->type_name("FILE");
#ifdef ALTMIN_TRAINER_MPI
  app.add_flag(
      "--distributed", options.distributed,
      "under mpirun: train one network on all ranks, each on its share of every batch; rank 0 prints and saves");
#endif
  app.add_flag("--quiet", options.quiet, "no progress and no tables: only the line of JSON");
}

}  // namespace trainer
