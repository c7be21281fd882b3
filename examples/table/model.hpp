#pragma once

#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <altmin/io.hpp>
#include <string>

#include "../trainer/options.hpp"

namespace table {

using Network = altmin::Network<float>;

/// The note in which a model's file holds its schema.
constexpr const char* schema_note = "schema";

/// Outputs of a network for tables of this schema.
inline altmin::Index outputs(const altmin::TableSchema& schema) {
  return schema.target == altmin::TargetKind::classes ? schema.classes() : schema.targets();
}

/// A trained network, and the schema of the tables that it answers.
struct Model {
  Network network;
  altmin::TableSchema schema;
};

/// Throws FormatError for a file that is not of this trainer.
inline Model load(const std::string& path, int threads) {
  Model model{altmin::load_model<float>(path), altmin::load_note<altmin::TableSchema>(path, schema_note)};
  const auto& layers = model.network.layers();
  if (layers.input().size() != model.schema.features() || layers.output().size() != outputs(model.schema)) {
    throw altmin::FormatError(path + ": expected a network for the " + std::to_string(model.schema.features()) +
                              " features and " + std::to_string(outputs(model.schema)) +
                              " outputs of its schema, got " + std::to_string(layers.input().size()) + " and " +
                              std::to_string(layers.output().size()));
  }
  model.network.set_threads(threads);
  return model;
}

}  // namespace table
