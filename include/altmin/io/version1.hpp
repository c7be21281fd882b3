#pragma once

#include <map>
#include <string>
#include <utility>

#include "altmin/io/architecture.hpp"
#include "altmin/io/safetensors.hpp"

/// Files of version 1 of the format, read as files of the present one.

namespace altmin::detail {

/// The present name of a tensor.
inline std::string renamed_from_version1(const std::string& name) {
  const auto rest = [&](const std::string& prefix) {
    return name.compare(0, prefix.size(), prefix) == 0 ? name.substr(prefix.size()) : std::string{};
  };
  if (name == "algorithm.mu") return "algorithm.signal.mu";
  const std::string code = rest("algorithm.curvatures.");
  if (!code.empty()) return "algorithm.signal.codes." + code + ".curvature";
  const std::string block = rest("algorithm.updates.");
  if (!block.empty()) return "algorithm.rules." + block;
  return name;
}

inline void upgrade_from_version1(Safetensors& file) {
  std::map<std::string, Tensor> tensors;
  for (auto& entry : file.tensors) {
    const std::string name = renamed_from_version1(entry.first);
    if (!tensors.emplace(name, std::move(entry.second)).second) {
      throw FormatError("tensor '" + shown(name) + "': it is there under its names of version 1 and of version 2");
    }
  }
  file.tensors = std::move(tensors);
}

/// Of the two forms that AmMem had, the preconditioned one has become AmMemFull, coordinate descent AmMemDescent.
/// Options of the other form had no effect. Those that a file lacks had the defaults below.
inline void upgrade_from_version1(Architecture& architecture) {
  Kind& algorithm = architecture.algorithm;
  nlohmann::json& options = algorithm.options;
  if (algorithm.type != "AmMem" || !options.is_object()) return;
  const nlohmann::json form = options.value("form", nlohmann::json("preconditioned"));
  options.erase("form");
  if (form == "preconditioned") {
    algorithm.type = AmMemFull::name;
    for (const char* name : {"sweeps", "sweep_tolerance"}) options.erase(name);
  } else if (form == "coordinate_descent") {
    algorithm.type = AmMemDescent::name;
    for (const char* name : {"momentum", "damping", "memory_interval", "root_interval", "weight_decay"}) {
      options.erase(name);
    }
    const nlohmann::json defaults{
        {"code_learning_rate", 0.001}, {"learning_rate", 0.01}, {"output_learning_rate", 0.01}};
    for (const auto& entry : defaults.items()) options.emplace(entry.key(), entry.value());
  } else {
    throw FormatError("network.algorithm.options.form: expected one of preconditioned, coordinate_descent, got " +
                      shown_json(form));
  }
}

}  // namespace altmin::detail
