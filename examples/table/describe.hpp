#pragma once

#include <altmin/data.hpp>
#include <altmin/io.hpp>
#include <iostream>
#include <string>

#include "model.hpp"

namespace table {

/// A line on a column: its name, and what its text stands for.
inline std::string describe(const altmin::TableColumn& column) {
  using altmin::ColumnKind;
  using altmin::ColumnRole;
  const auto name = [](auto choice) { return std::string{names(choice)[static_cast<std::size_t>(choice)]}; };
  std::string text = "  " + altmin::detail::in_quotes(column.name) + ": ";
  if (column.role == ColumnRole::ignored) return text + "ignored";
  if (column.role == ColumnRole::target) text += "target, ";
  text += name(column.kind);
  if (column.kind == ColumnKind::category) text += " " + altmin::detail::list_of(column.values);
  if (column.kind == ColumnKind::hashed) text += " into " + std::to_string(column.buckets) + " features";
  if (column.kind == ColumnKind::number) text += ", mean " + altmin::detail::text(column.mean);
  if (column.role == ColumnRole::feature) text += "; where missing: " + name(column.missing);
  return text;
}

/// Prints the layers, the schema, the options and the progress in a model's file.
inline int describe(const std::string& path) {
  const auto model = load(path, 1);
  const auto notes = altmin::load_notes(path);
  std::cout << model.network << "\n\nschema: " << model.schema.columns.size() << " columns, " << model.schema.features()
            << " features\n";
  for (const altmin::TableColumn& column : model.schema.columns) std::cout << describe(column) << '\n';
  const auto options = notes.find("table");
  if (options == notes.end()) return 0;  // a model of another program, without training state
  std::cout << "\noptions: " << options->second << '\n';
  const auto saved = altmin::load_checkpoint<float>(path);
  std::cout << "progress: " << saved.progress.epoch << " epochs, " << saved.progress.step << " steps\n";
  return 0;
}

}  // namespace table
