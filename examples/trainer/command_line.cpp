#include "command_line.hpp"

#include <charconv>
#include <string>
#include <vector>

#include "algorithms.hpp"
#include "models.hpp"

namespace trainer {

CLI::Validator at_least(long minimum) {
  const auto check = [minimum](const std::string& text) {
    long value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool holds = end.ec == std::errc{} && end.ptr == text.data() + text.size() && value >= minimum;
    return holds ? "" : "expected a whole number of at least " + std::to_string(minimum) + ", got " + text;
  };
  return {check, ""};
}

void add_flags(CLI::App& app, Options& options) {
  const auto names = [](const auto& map) {
    std::vector<std::string> list;
    for (const auto& entry : map) list.push_back(entry.first);
    return list;
  };
  app.add_option("--data", options.data, "where the data set is (default: where download.sh puts it)")
      ->type_name("PATH");
  app.add_option("--algorithm", options.algorithm, "how to train")
      ->check(CLI::IsMember(names(algorithms())))
      ->capture_default_str();
  app.add_option("--model", options.model, "the network")->check(CLI::IsMember(names(models())))->capture_default_str();
  app.add_option("--hidden", options.hidden, "units of the hidden layers")
      ->delimiter(',')
      ->check(at_least(1))
      ->capture_default_str();
  app.add_flag("--batch-norm,!--no-batch-norm", options.batch_norm,
               "batch normalization of hidden layers (default: with)");
  app.add_option("--epochs", options.epochs, "passes over the training set")->check(at_least(0))->capture_default_str();
  app.add_option("--batch", options.batch, "samples a step")->check(at_least(1))->capture_default_str();
  app.add_option("--seed", options.seed, "of weights and of the samples' order")->capture_default_str();
  app.add_option("--threads", options.threads, "0: all of the hardware; results do not depend on it")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate, "of the weights (default: the algorithm's)");
  app.add_option("--weight-decay", options.weight_decay, "of the weights (default: the algorithm's)");
  app.add_option("--schedule", options.schedule,
                 "of the learning rates: down a cosine, halved every 8 epochs, constant")
      ->check(CLI::IsMember(names(schedules())))
      ->capture_default_str();
  app.add_option("--mu", options.mu, "am-*: weight of the penalties (default: the algorithm's)");
  app.add_option("--code-iterations", options.code_iterations, "am-*: steps on the codes (default: the algorithm's)");
  app.add_option("--code-learning-rate", options.code_learning_rate, "am-*: their rate (default: the algorithm's)");
  app.add_option("--limit", options.limit, "use the first N training samples alone")
      ->check(at_least(1))
      ->type_name("N");
  app.add_option("--patience", options.patience,
                 "hold out a tenth of the training set; stop after so many epochs without a lower loss on it, and keep "
                 "the best weights")
      ->check(at_least(1))
      ->type_name("EPOCHS");
  app.add_option("--time-limit", options.time_limit, "stop after so much training")->type_name("SECONDS");
  app.add_option("--history", options.history, "write a table of all epochs")->type_name("FILE.csv");
  app.add_option("--plot", options.plot, "draw learning curves and confusion matrix (needs gnuplot)")
      ->type_name("FILE.png");
  app.add_option("--save", options.save, "write a checkpoint after each epoch, at the end, and when interrupted")
      ->type_name("FILE");
  app.add_option("--save-every", options.save_every, "and after every so many steps")
      ->check(at_least(0))
      ->type_name("STEPS");
  app.add_option("--resume", options.resume,
                 "go on from a checkpoint, to the same bits as if the run had not stopped; its options hold, and need "
                 "not be given; --epochs may be raised")
      ->type_name("FILE");
  app.add_flag("--quiet", options.quiet, "no progress and no tables: the line of JSON alone");
}

}  // namespace trainer
