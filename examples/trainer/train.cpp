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

#ifdef ALTMIN_TRAINER_MPI
/// Those of a rank that leaves all files and streams to rank 0.
Options silent(Options options) {
  for (std::string* file :
       {&options.save, &options.resume, &options.history, &options.plot, &options.codes, &options.plot_codes}) {
    file->clear();
  }
  options.quiet = true;
  return options;
}
#endif

/// A schedule over the epochs of a task; the rate stays as it is where a cosine's length cannot be known.
Schedule make_schedule(const Options& options, Task& task) {
  Schedule schedule = make_schedule(options);
  if (!schedule.cosine || task.source().info().batches > 0) return schedule;
  const altmin::Index batches = task.count_batches();
  schedule.cosine->steps = static_cast<double>(batches) * options.epochs;
  if (batches == 0) schedule.cosine.reset();
  return schedule;
}

/// train() on one of the ranks of a communicator.
int train_on(altmin::Communicator& communicator, const std::string& trainer, const Options& options,
             const std::string& saved_options, const std::function<std::unique_ptr<Task>()>& open) {
  using Net = altmin::Network<float>;
  const Algorithm algorithm = make_algorithm(options);
  altmin::History history = earlier_history(options.resume);
  Saver saver{trainer, options, saved_options, history};
  const Outputs outputs{options};

  const std::unique_ptr<Task> task = open();
  saver.add(task->notes());
  const altmin::SourceInfo info = task->source().info();
  std::optional<altmin::Validation<float>> validation;
  std::optional<altmin::EarlyStopping> early_stopping;
  if (task->held_out() != nullptr) {
    validation.emplace(*task->held_out());
    early_stopping.emplace().patience = *options.patience;
  }
  Net net = make_network(options, algorithm, info.shape, task->outputs());
  net.set_communicator(communicator);

  altmin::FitOptions fit_options;
  fit_options.epochs = options.epochs;
  std::ostream nowhere{nullptr};
  std::ostream& progress = options.quiet ? nowhere : std::cerr;
  using altmin::ProgressBar;
  const auto style = isatty(STDERR_FILENO) != 0 ? ProgressBar::Style::bar : ProgressBar::Style::lines;
  std::optional<altmin::TimeLimit> time_limit;
  if (options.time_limit) time_limit = altmin::TimeLimit{*options.time_limit};
  const altmin::Validation<float> test{[&](const Net& trained) { return task->test(trained); }, options.evaluate_every};
  std::optional<altmin::CodeHistory<float>> codes;
  if (!options.codes.empty() || !options.plot_codes.empty()) codes.emplace(options.codes_every);
  const Results results{history, codes, trainer + ", " + options.model, options.algorithm};
  const auto save_results = [&](const auto&) { outputs.update(results); };
  const Schedule schedule = make_schedule(options, *task);
  const altmin::FitReport report = [&] {
    const Interruption kept_back;
    return altmin::fit(net, task->source(), fit_options, altmin::Resume{options.resume}, schedule.cosine,
                       schedule.halve, time_limit, Summary{progress}, codes, test, history, save_results, saver,
                       validation, early_stopping, ProgressBar{progress, style});
  }();
  if (communicator.rank() > 0) return report ? 0 : 1;
  const altmin::Metrics tested = task->test(net);
  if (!options.quiet && tested.samples > 0) std::cout << tested << '\n';
  const altmin::Index steps = report.steps - saver.first_step();
  auto line = report_line(options, net, report, tested, steps, task->samples());
  task->report(line, report, steps, tested);
  return finish(trainer, options, report, line, [&](bool in_place) { outputs.write(in_place, results, tested); });
}

}  // namespace

int train(const std::string& trainer, const Options& options, const std::string& saved_options,
          const std::function<std::unique_ptr<Task>()>& open) {
#ifdef ALTMIN_TRAINER_MPI
  if (options.distributed) {
    altmin::StallLimits limits;
    if (options.stall_limit) limits.end_after = *options.stall_limit;
    const auto body = [&](altmin::Communicator& communicator) {
      const Options own = communicator.rank() == 0 ? options : silent(options);
      return train_on(communicator, trainer, own, saved_options, open);
    };
    return altmin::run_on_mpi(trainer, std::cerr, body, limits);
  }
#endif
  altmin::Alone alone;
  return train_on(alone, trainer, options, saved_options, open);
}

}  // namespace trainer
