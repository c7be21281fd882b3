#include "train.hpp"

#include <unistd.h>

#include <altmin/parallel/communicator.hpp>
#ifdef ALTMIN_TRAINER_MPI
#include <altmin/mpi.hpp>
#endif

#include <iostream>
#include <optional>
#include <utility>

#include "algorithms.hpp"
#include "interruption.hpp"
#include "network.hpp"
#include "outputs.hpp"
#include "report.hpp"
#include "saver.hpp"

namespace trainer {

namespace {

/// Shows the network before the first step.
struct Summary {
  std::ostream& out;

  template <class Training>
  void begin(const Training& training) const {
    out << training.net << '\n';
  }
};

/// Those of a rank that leaves all files and streams to rank 0.
Options silent(Options options) {
  for (std::string* file : {&options.save, &options.resume, &options.history, &options.plot}) file->clear();
  options.quiet = true;
  return options;
}

/// train() on one of the ranks of a communicator.
int train_on(altmin::Communicator& communicator, const std::string& trainer, const Options& options,
             const std::string& saved_options, const std::function<Data()>& load,
             const altmin::Augmentation& augmentation) {
  const Algorithm algorithm = make_algorithm(options);
  altmin::History history = earlier_history(options.resume);
  Saver saver{trainer, options, saved_options, history};
  const Outputs outputs{options};

  Data data = load();
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
  altmin::Network<float> net = make_network(options, algorithm, data.train.shape(), data.train.classes());

  net.set_communicator(communicator);

  altmin::FitOptions fit_options;
  fit_options.epochs = options.epochs;
  fit_options.batch_size = options.batch;
  fit_options.seed = altmin::Seed{options.seed};
  fit_options.augmentation = augmentation;
  std::ostream nowhere{nullptr};
  std::ostream& progress = options.quiet ? nowhere : std::cerr;
  using altmin::ProgressBar;
  const auto style = isatty(STDERR_FILENO) != 0 ? ProgressBar::Style::bar : ProgressBar::Style::lines;
  std::optional<altmin::TimeLimit> time_limit;
  if (options.time_limit) time_limit = altmin::TimeLimit{*options.time_limit};
  const auto save_history = [&](const auto&) { outputs.update_history(history); };
  const Schedule schedule = make_schedule(options);
  const altmin::FitReport report = [&] {
    const Interruption kept_back;
    return altmin::fit(net, data.train, fit_options, altmin::Resume{options.resume}, schedule.cosine, schedule.halve,
                       time_limit, Summary{progress}, altmin::Validation{data.test}, history, save_history, saver,
                       validation, early_stopping, ProgressBar{progress, style});
  }();
  if (communicator.rank() > 0) return report ? 0 : 1;
  const altmin::Metrics test = altmin::evaluate(net, data.test);
  if (!options.quiet) std::cout << test << '\n';
  const altmin::Index steps = report.steps - saver.first_step();
  return finish(trainer, options, report, report_line(options, net, report, test, steps, data.train.size()),
                [&](bool in_place) {
                  outputs.write(in_place, history, test, trainer + ", " + options.model, options.algorithm);
                });
}

}  // namespace

int train(const std::string& trainer, const Options& options, const std::string& saved_options,
          const std::function<Data()>& load, const altmin::Augmentation& augmentation) {
#ifdef ALTMIN_TRAINER_MPI
  if (options.distributed) {
    return altmin::run_on_mpi(trainer, std::cerr, [&](altmin::Communicator& communicator) {
      const Options own = communicator.rank() == 0 ? options : silent(options);
      return train_on(communicator, trainer, own, saved_options, load, augmentation);
    });
  }
#endif
  altmin::Alone alone;
  return train_on(alone, trainer, options, saved_options, load, augmentation);
}

}  // namespace trainer
