#pragma once

// What the trainers (mnist, cifar10, higgs) share: their options, the run, and the line of JSON at its end.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <altmin/io.hpp>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

extern char** environ;

namespace trainer {

namespace fs = std::filesystem;

using Data = altmin::TrainTest<float>;
using Layers = altmin::Layers<float>;
using Network = altmin::Network<float>;
using Algorithm = std::variant<altmin::AmAdam, altmin::AmMem, altmin::AmSgd, altmin::Adam, altmin::Sgd>;

/// The schedule that leaves the rates alone.
struct Constant {
  template <class Training>
  void begin(Training&) const {}
};
using Schedule = std::variant<altmin::CosineDecay, altmin::HalveEvery, Constant>;

struct Options {
  std::string data;
  std::string algorithm = "am-adam";
  std::string model = "mlp";
  std::vector<altmin::Index> hidden{500, 500};
  bool batch_norm = true;
  int epochs = 10;
  altmin::Index batch = 200;
  std::uint64_t seed = 1;
  int threads = 0;
  std::string schedule = "cosine";
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
  std::string save;
  altmin::Index save_every = 0;
  std::string resume;
  bool quiet = false;

  /// What decides the result, by its flags: a checkpoint holds it.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("algorithm", self.algorithm...);
    visit("model", self.model...);
    visit("hidden", self.hidden...);
    visit("batch-norm", self.batch_norm...);
    visit("epochs", self.epochs...);
    visit("batch", self.batch...);
    visit("seed", self.seed...);
    visit("schedule", self.schedule...);
    visit("learning-rate", self.learning_rate...);
    visit("weight-decay", self.weight_decay...);
    visit("mu", self.mu...);
    visit("code-iterations", self.code_iterations...);
    visit("code-learning-rate", self.code_learning_rate...);
    visit("limit", self.limit...);
  }
};

using Model = std::function<Layers(const Options&, const Data&)>;

/// What makes one trainer different from another.
struct Task {
  std::string name;
  std::string purpose;                                ///< a sentence for --help
  std::function<Data(const std::string& path)> load;  ///< from --data, or, if empty, from the usual place
  std::map<std::string, Model> models;                ///< by what --model calls them
};

/// An error of the user's, told in one line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Where download.sh puts data sets.
inline fs::path data_home() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string{value == nullptr ? "" : value};
  };
  const std::string data = variable("XDG_DATA_HOME");
  return (data.empty() ? fs::path{variable("HOME")} / ".local/share" : fs::path{data}) / "altmin";
}

/// Fully connected: Dense - BatchNorm - Relu for each hidden layer, then one output a class.
inline Layers mlp(const Options& options, const Data& data) {
  Layers layers{data.train.features()};
  for (const altmin::Index units : options.hidden) {
    layers.add(altmin::Dense{units});
    if (options.batch_norm) layers.add(altmin::BatchNorm{});
    layers.add(altmin::Relu{});
  }
  return layers.add(altmin::Dense{data.train.classes()});
}

inline const std::map<std::string, Algorithm>& algorithms() {
  static const std::map<std::string, Algorithm> all{{"am-adam", altmin::AmAdam{}},
                                                    {"am-mem", altmin::AmMem{}},
                                                    {"am-mem-descent", altmin::AmMem::coordinate_descent()},
                                                    {"am-sgd", altmin::AmSgd{}},
                                                    {"adam", altmin::Adam{}},
                                                    {"sgd", altmin::Sgd{}}};
  return all;
}

inline const std::map<std::string, Schedule>& schedules() {
  static const std::map<std::string, Schedule> all{
      {"cosine", altmin::CosineDecay{}}, {"halve", altmin::HalveEvery{}}, {"constant", Constant{}}};
  return all;
}

template <class Config, class = void>
struct HasCodes : std::false_type {};
template <class Config>
struct HasCodes<Config, std::void_t<decltype(Config::code_iterations)>> : std::true_type {};

/// The algorithm that the options name, with the rates that they give.
inline Algorithm make_algorithm(const Options& options) {
  Algorithm algorithm = algorithms().at(options.algorithm);
  std::visit(
      [&](auto& config) {
        config.learning_rate = options.learning_rate.value_or(config.learning_rate);
        config.weight_decay = options.weight_decay.value_or(config.weight_decay);
        if constexpr (HasCodes<std::decay_t<decltype(config)>>::value) {
          config.output_learning_rate = options.learning_rate.value_or(config.output_learning_rate);
          config.mu = options.mu.value_or(config.mu);
          config.code_iterations = options.code_iterations.value_or(config.code_iterations);
          config.code_learning_rate = options.code_learning_rate.value_or(config.code_learning_rate);
        } else if (options.mu || options.code_iterations || options.code_learning_rate) {
          throw UsageError("--mu, --code-iterations and --code-learning-rate are for --algorithm am-..., got " +
                           options.algorithm);
        }
        config.validate();
      },
      algorithm);
  return algorithm;
}

/// The file that an option names; throws at once where it could not be written.
inline altmin::OutputFile output_file(const std::string& option, const std::string& path) {
  try {
    altmin::OutputFile file{path};
    file.require_writable();
    return file;
  } catch (const altmin::Error& error) {
    throw UsageError(option + ": " + error.what());
  }
}

inline std::string to_csv(const altmin::History& history) {
  std::ostringstream text;
  history.write_csv(text);
  return text.str();
}

/// Runs a program to its end; false if there is no such program, or it failed.
inline bool run_program(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  return posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ) == 0 &&
         waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Draws learning curves and confusion matrix as a PNG file.
inline void plot(const altmin::History& history, const altmin::Metrics& test, const std::string& title,
                 const std::string& name, const fs::path& path) {
  const fs::path curves = fs::path{path}.concat(".csv");
  const fs::path confusion = fs::path{path}.concat(".confusion.csv");
  std::ostringstream counts;
  counts << test.confusion.format({0, Eigen::DontAlignCols, ",", "\n"}) << '\n';
  altmin::OutputFile{curves.string()}.write(to_csv(history));
  altmin::OutputFile{confusion.string()}.write(counts.str());
  const bool drawn = run_program({"gnuplot", "-c", ALTMIN_EXAMPLES_DIR "/plot.gnuplot", path.string(), title, name,
                                  curves.string(), confusion.string()});
  fs::remove(curves);
  fs::remove(confusion);
  if (!drawn) throw UsageError("--plot: gnuplot failed");
}

/// Checks that a whole number is at least this large.
inline CLI::Validator at_least(long minimum) {
  const auto check = [minimum](const std::string& text) {
    long value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool holds = end.ec == std::errc{} && end.ptr == text.data() + text.size() && value >= minimum;
    return holds ? "" : "expected a whole number of at least " + std::to_string(minimum) + ", got " + text;
  };
  return {check, ""};
}

/// Takes over the options of the run that --resume goes on from. Those that the command line gives must be the same,
/// but for --epochs.
inline void take_over(const CLI::App& app, const Task& task, Options& options) {
  const auto notes = altmin::load_notes(options.resume);
  const auto found = notes.find(task.name);
  if (found == notes.end()) throw UsageError("--resume: " + options.resume + " is not a checkpoint of " + task.name);
  Options saved;
  altmin::read_options(nlohmann::json::parse(found->second), saved, options.resume + ": " + task.name);
  const auto take = [&](const std::string& name, auto& value, const auto& saved_value) {
    const bool given = app.count("--" + name) > 0;
    if (given && name != "epochs" && value != saved_value) {
      throw UsageError("--" + name + ": expected " + altmin::options_to_json(saved_value).dump() + ", as in " +
                       options.resume + ", got " + altmin::options_to_json(value).dump());
    }
    if (!given) value = saved_value;
  };
  Options::fields(take, options, saved);
}

/// Reads the command line; false if all it wants is help, which is then given.
inline bool parse(int argc, char** argv, const Task& task, Options& options) {
  const auto names = [](const auto& map) {
    std::vector<std::string> list;
    for (const auto& entry : map) list.push_back(entry.first);
    return list;
  };
  CLI::App app{task.purpose, task.name};
  app.add_option("--data", options.data, "where the data set is (default: where download.sh puts it)")
      ->type_name("PATH");
  app.add_option("--algorithm", options.algorithm, "how to train")
      ->check(CLI::IsMember(names(algorithms())))
      ->capture_default_str();
  app.add_option("--model", options.model, "the network")
      ->check(CLI::IsMember(names(task.models)))
      ->capture_default_str();
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
  app.footer(
      "Exit status: 0; 1 where something is wrong; 130 after an interruption (Ctrl-C), which ends with the batch.");
  app.add_flag("--quiet", options.quiet, "no progress and no tables: the line of JSON alone");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(std::string{error.what()} + " (see --help)");
  }
  if (!options.resume.empty()) take_over(app, task, options);
  return true;
}

/// Shows the network before the first step.
struct Summary {
  std::ostream& out;

  template <class Training>
  void begin(const Training& training) const {
    out << training.net << '\n';
  }
};

/// Keeps an interruption (Ctrl-C) back, as long as it lives; a second one ends the program.
class Interruption {
 public:
  Interruption() {
    struct sigaction action {};
    action.sa_handler = [](int) { happened_ = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, &before_);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption() { sigaction(SIGINT, &before_, nullptr); }

  static bool happened() { return happened_ != 0; }

 private:
  inline static volatile std::sig_atomic_t happened_ = 0;
  struct sigaction before_ {};
};

/// Saves, where --save asks for it, and ends training after the batch in which it was interrupted.
class Saver {
 public:
  Saver(const Task& task, const Options& options, const altmin::History& history) : history_{&history} {
    if (options.save.empty()) return;
    output_file("--save", options.save);
    checkpoint_ = altmin::Checkpoint{options.save, options.save_every};
    checkpoint_->notes[task.name] = altmin::options_to_json(options).dump();
  }

  template <class Training>
  void begin(Training& training) {
    first_step_ = training.step;
    if (checkpoint_) checkpoint_->begin(training);
  }
  template <class Training>
  altmin::Stop after_step(Training& training) {
    if (checkpoint_) with_history().after_step(training);
    return {Interruption::happened() ? "interrupted" : ""};
  }
  template <class Training>
  void after_epoch(Training& training) {
    if (checkpoint_) with_history().after_epoch(training);
  }
  template <class Training>
  void end(Training& training, const altmin::FitReport& report) {
    if (checkpoint_) with_history().end(training, report);
  }

  /// Steps taken before this run.
  altmin::Index first_step() const { return first_step_; }

 private:
  const altmin::Checkpoint& with_history() {
    checkpoint_->notes["history"] = altmin::options_to_json(history_->epochs()).dump();
    return *checkpoint_;
  }

  const altmin::History* history_;
  std::optional<altmin::Checkpoint> checkpoint_;
  altmin::Index first_step_ = 0;
};

/// The epochs before those of a run that goes on.
inline altmin::History earlier_history(const std::string& checkpoint) {
  std::vector<altmin::History::Epoch> epochs;
  if (!checkpoint.empty()) {
    const auto notes = altmin::load_notes(checkpoint);
    const auto found = notes.find("history");
    if (found != notes.end()) altmin::read_options(nlohmann::json::parse(found->second), epochs, "history");
  }
  return altmin::History{epochs};
}

/// Trains and reports; returns the exit status.
inline int train(const Task& task, const Options& options) {
  const Algorithm algorithm = make_algorithm(options);
  altmin::History history = earlier_history(options.resume);
  Saver saver{task, options, history};
  std::optional<altmin::OutputFile> history_file;
  std::optional<altmin::OutputFile> plot_file;
  if (!options.history.empty()) history_file = output_file("--history", options.history);
  if (!options.plot.empty()) {
    plot_file = output_file("--plot", options.plot);
    if (options.epochs == 0) throw UsageError("--plot: expected at least 1 epoch, got --epochs 0");
    if (!run_program({"gnuplot", "-e", ""})) throw UsageError("--plot: needs gnuplot (Debian's package gnuplot-nox)");
  }

  Data data = task.load(options.data);
  if (options.limit) {
    if (*options.limit > data.train.size()) {
      throw UsageError("--limit: expected 1 to " + std::to_string(data.train.size()) + ", got " +
                       std::to_string(*options.limit));
    }
    data.train = data.train.take(*options.limit);
  }
  altmin::Dataset<float> held_out;
  std::optional<altmin::Validation<float>> validation;
  std::optional<altmin::EarlyStopping> early_stopping;
  if (options.patience) {
    if (!options.save.empty() || !options.resume.empty()) {
      throw UsageError("--patience: the best weights so far are in no checkpoint: expected no --save and no --resume");
    }
    Data parts = data.train.split(0.9, altmin::Seed{options.seed});
    data.train = std::move(parts.train);
    held_out = std::move(parts.test);
    validation.emplace(held_out);
    early_stopping.emplace().patience = *options.patience;
  }
  const auto make = [&](const auto& config) {
    return Network{task.models.at(options.model)(options, data), altmin::SoftmaxCrossEntropy{}, config,
                   altmin::Seed{options.seed}};
  };
  Network net = std::visit(make, algorithm);
  net.set_threads(options.threads);

  altmin::FitOptions fit_options;
  fit_options.epochs = options.epochs;
  fit_options.batch_size = options.batch;
  fit_options.seed = altmin::Seed{options.seed};
  std::ostream nowhere{nullptr};
  std::ostream& progress = options.quiet ? nowhere : std::cerr;
  using altmin::ProgressBar;
  const auto save_history = [&](const auto&) {
    if (history_file) history_file->write(to_csv(history));
  };
  const auto style = isatty(STDERR_FILENO) != 0 ? ProgressBar::Style::bar : ProgressBar::Style::lines;
  std::optional<altmin::TimeLimit> time_limit;
  if (options.time_limit) time_limit = altmin::TimeLimit{*options.time_limit};
  const altmin::FitReport report = std::visit(
      [&](const auto& schedule) {
        const Interruption kept_back;
        return altmin::fit(net, data.train, fit_options, altmin::Resume{options.resume}, schedule, time_limit,
                           Summary{progress}, altmin::Validation{data.test}, history, save_history, saver, validation,
                           early_stopping, ProgressBar{progress, style});
      },
      schedules().at(options.schedule));
  const altmin::Metrics test = altmin::evaluate(net, data.test);
  save_history(report);  // also where there was no epoch to run
  if (plot_file && !history.epochs().empty()) {
    plot_file->replace([&](const std::string& path) {
      plot(history, test, task.name + ", " + options.model, options.algorithm, path);
    });
  }

  if (!options.quiet) std::cout << test << '\n';
  const altmin::Index steps = report.steps - saver.first_step();
  const nlohmann::ordered_json line{{"algorithm", options.algorithm},
                                    {"model", options.model},
                                    {"parameters", net.layers().parameter_count()},
                                    {"epochs", report.epochs},
                                    {"steps", report.steps},
                                    {"train_loss", report.loss},
                                    {"test_loss", test.loss},
                                    {"test_accuracy", test.accuracy},
                                    {"train_seconds", report.seconds},
                                    {"seconds_per_step", report.seconds / static_cast<double>(steps)},
                                    {"samples", data.train.size()},
                                    {"batch", options.batch},
                                    {"seed", options.seed},
                                    {"threads", net.threads()}};
  std::cout << line.dump() << std::endl;
  if (!report) throw std::runtime_error("training failed: " + report.reason);
  if (!Interruption::happened()) return 0;
  std::cerr << task.name << ": interrupted after step " << report.steps << "; "
            << (options.save.empty() ? "nothing is saved (see --save)" : "saved in " + options.save) << '\n';
  return 128 + SIGINT;
}

/// main() of a trainer.
inline int run(int argc, char** argv, const Task& task) {
  try {
    Options options;
    return parse(argc, argv, task, options) ? train(task, options) : 0;
  } catch (const std::exception& error) {
    std::string line = error.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::cerr << task.name << ": " << line << '\n';
    return 1;
  }
}

}  // namespace trainer
