#pragma once

#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../trainer/run.hpp"
#include "model.hpp"
#include "options.hpp"

namespace table {

/// Rows that are read and answered at a time.
constexpr altmin::Index rows_at_a_time = 1024;

/// A field of a table of answers: in quotes where it needs them.
inline std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos &&
      (text.empty() || (text.front() != ' ' && text.back() != ' '))) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

/// The shortest text that reads back as the same number.
inline std::string field(float number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

/// Probabilities of classes by the network's outputs.
inline altmin::Vector<float> probabilities(const altmin::ConstView<float>& outputs, altmin::Index sample) {
  const altmin::Vector<double> z = outputs.col(sample).cast<double>();
  const altmin::Vector<double> powers = (z.array() - z.maxCoeff()).exp();
  return (powers / powers.sum()).cast<float>();
}

/// Prints a table of answers: the class and the probability of each, or the numbers. Rows keep their order.
inline int predict(const Options& options) {
  const auto [net, schema] = load(options.resume, options.threads);
  altmin::TableReader<float> reader{altmin::table_files(options.predict), schema, reader_options(options, false)};
  const bool has_classes = schema.target == altmin::TargetKind::classes;
  const std::vector<std::string> classes = schema.class_names();
  std::vector<std::string> header = schema.target_names();
  header.insert(header.end(), classes.begin(), classes.end());
  std::string text;
  for (std::size_t i = 0; i < header.size(); ++i) text += (i > 0 ? "," : "") + field(header[i]);
  altmin::Matrix<float> x(reader.features(), rows_at_a_time);
  for (altmin::Index count = rows_at_a_time; count == rows_at_a_time;) {
    count = reader.read(x);
    const altmin::Matrix<float> answers = net.predict(altmin::ConstView<float>{x}.slice(0, count));
    for (altmin::Index i = 0; i < count; ++i) {
      text += '\n';
      if (has_classes) {
        const altmin::Vector<float> p = probabilities(answers, i);
        altmin::Index likely = 0;
        p.maxCoeff(&likely);
        text += field(classes[static_cast<std::size_t>(likely)]);
        for (const float probability : p) text += "," + field(probability);
      } else {
        for (altmin::Index k = 0; k < answers.rows(); ++k) {
          text += (k > 0 ? "," : "") + field(static_cast<float>(schema.target_number(k, answers(k, i))));
        }
      }
    }
    std::cout << text << (count < rows_at_a_time ? "\n" : "");
    trainer::require_printed();
    text.clear();
  }
  if (options.quiet) return 0;
  if (reader.skipped() > 0) std::cerr << reader.skipped() << " bad rows skipped\n";
  if (reader.unknown() > 0) std::cerr << reader.unknown() << " values are not in the schema: zeros stand for them\n";
  return 0;
}

/// Adds what suits a regression to a line of JSON: R2 and, of a single target, the error in its own unit.
inline void add_regression(nlohmann::ordered_json& line, const std::string& prefix, const altmin::TableSchema& schema,
                           const altmin::Metrics& metrics) {
  if (schema.target == altmin::TargetKind::classes) return;
  line[prefix + "r2"] = metrics.r2;
  const double unit = schema.target_number(0, 1) - schema.target_number(0, 0);
  if (schema.targets() == 1) line[prefix + "rmse"] = metrics.rmse() * unit;
}

/// Prints how good the answers for a table are.
inline int evaluate(const Options& options) {
  const auto [net, schema] = load(options.resume, options.threads);
  altmin::StreamOptions in_order;
  in_order.batch_size = rows_at_a_time;
  in_order.reservoir = 1;
  in_order.standardize = false;
  const auto files = altmin::table_files(options.evaluate);
  altmin::Stream<float> rows{altmin::table_rows<float>(files, schema, reader_options(options)), in_order};
  const altmin::Metrics metrics = altmin::evaluate(net, rows);
  if (!options.quiet) std::cout << metrics << '\n';
  nlohmann::ordered_json line{{"rows", metrics.samples},
                              {"skipped_rows", rows.skipped()},
                              {"loss", metrics.loss},
                              {"accuracy", metrics.accuracy}};
  add_regression(line, "", schema, metrics);
  std::cout << line.dump() << '\n';
  return 0;
}

}  // namespace table
