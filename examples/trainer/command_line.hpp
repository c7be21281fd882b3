#pragma once

#include <CLI/CLI.hpp>
#include <altmin/io.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "options.hpp"

namespace trainer {

/// Checks that a text is a whole number within these limits.
CLI::Validator between(long least, long most);
CLI::Validator at_least(long least);

/// Adds the flags of all trainers. A trainer with options of its own has an overload for them, which calls this one.
void add_flags(CLI::App& app, Options& options);

/// Takes over the options of the run that --resume continues. Those that the command line gives must be the same,
/// except
/// --epochs.
template <class TaskOptions>
void take_over(const CLI::App& app, TaskOptions& options) {
  const std::string trainer = app.get_name();
  const auto notes = altmin::load_notes(options.resume);
  const auto found = notes.find(trainer);
  if (found == notes.end()) throw UsageError("--resume: " + options.resume + " is not a checkpoint of " + trainer);
  TaskOptions saved;
  const std::string where = options.resume + ": " + trainer;
  altmin::read_options(altmin::detail::parse_json(found->second, where), saved, where);
  const auto take = [&](const std::string& name, auto& value, const auto& saved_value) {
    const bool given = app.count("--" + name) > 0 || (name == "algorithm" && app.count("--signal") > 0);
    if (given && name != "epochs" && value != saved_value) {
      throw UsageError("--" + name + ": expected " + altmin::options_to_json(saved_value).dump() + ", as in " +
                       options.resume + ", got " + altmin::options_to_json(value).dump());
    }
    if (!given) value = saved_value;
  };
  TaskOptions::fields(take, options, saved);
}

/// Reads a command line; false if it is a request for help, which is then printed. Throws UsageError.
inline bool parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(std::string{error.what()} + " (see --help)");
  }
  return true;
}

/// Reads the command line of a trainer; false if it is a request for help, which is then printed. Throws UsageError.
template <class TaskOptions>
bool parse(int argc, char** argv, const std::string& name, const std::string& purpose, TaskOptions& options) {
  CLI::App app{purpose, name};
  add_flags(app, options);
  app.footer(
      "Exit status: 0; 1 where something is wrong; 130 after an interruption (Ctrl-C), 143 after SIGTERM, 129 after "
      "SIGHUP, each of which ends with the batch. A device or pipe as FILE gets its content once, at the end.");
  if (!parse(app, argc, argv)) return false;
  if (!options.resume.empty()) take_over(app, options);
  return true;
}

}  // namespace trainer
