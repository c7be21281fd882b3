#pragma once

#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <charconv>
#include <cmath>
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

/// How good answers are, over any number of rows.
class Scores {
 public:
  Scores(const Network& net, const altmin::TableSchema& schema)
      : net_{net}, schema_{schema}, sums_{altmin::Matrix<double>::Zero(schema.targets(), 4)} {}

  void add(const altmin::Dataset<float>& rows) {
    const altmin::Metrics part = altmin::evaluate(net_, rows);
    const auto before = static_cast<double>(metrics_.samples);
    const auto more = static_cast<double>(part.samples);
    metrics_.loss = (metrics_.loss * before + part.loss * more) / (before + more);
    metrics_.samples += part.samples;
    metrics_.classes = part.classes;
    if (rows.has_labels()) {
      const double earlier = before > 0 ? metrics_.accuracy : 0;
      metrics_.accuracy = (earlier * before + part.accuracy * more) / (before + more);
      if (metrics_.confusion.size() == 0) metrics_.confusion.setZero(part.confusion.rows(), part.confusion.cols());
      metrics_.confusion += part.confusion;
      return;
    }
    const altmin::Matrix<float> answers = net_.predict(rows.x());
    for (altmin::Index k = 0; k < sums_.rows(); ++k) {
      const auto y = rows.targets().row(k).cast<double>().array();
      sums_(k, 0) += (answers.row(k).cast<double>().array() - y).square().sum();
      sums_(k, 1) += y.sum();
      sums_(k, 2) += y.square().sum();
    }
  }

  const altmin::Metrics& metrics() const { return metrics_; }

  /// Of each target, in its own units.
  std::vector<double> root_mean_squared_errors() const {
    std::vector<double> result;
    for (altmin::Index k = 0; k < sums_.rows(); ++k) {
      const double unit = schema_.target_number(k, 1) - schema_.target_number(k, 0);
      result.push_back(std::sqrt(sums_(k, 0) / static_cast<double>(metrics_.samples)) * unit);
    }
    return result;
  }

  /// The fraction of the targets' variance that is explained, on the average of the targets.
  double r2() const {
    double sum = 0;
    for (altmin::Index k = 0; k < sums_.rows(); ++k) {
      sum += 1 - sums_(k, 0) / (sums_(k, 2) - sums_(k, 1) * sums_(k, 1) / static_cast<double>(metrics_.samples));
    }
    return sum / static_cast<double>(sums_.rows());
  }

 private:
  const Network& net_;
  const altmin::TableSchema& schema_;
  altmin::Metrics metrics_;
  altmin::Matrix<double> sums_;  // of each target: squared errors, targets, their squares
};

/// Prints how good the answers for a table are.
inline int evaluate(const Options& options) {
  const auto model = load(options.resume, options.threads);
  altmin::TableReader<float> reader{altmin::table_files(options.evaluate), model.schema, reader_options(options)};
  Scores scores{model.network, model.schema};
  const altmin::Index targets = reader.targets();
  for (altmin::Index count = rows_at_a_time; count == rows_at_a_time;) {
    altmin::Matrix<float> x(reader.features(), rows_at_a_time);
    altmin::Labels y(rows_at_a_time);
    altmin::Matrix<float> t(targets, rows_at_a_time);
    count = reader.read(x, altmin::Span<int>{y.data(), rows_at_a_time}, altmin::View<float>{t});
    if (count == 0) break;
    x.conservativeResize(Eigen::NoChange, count);
    if (targets > 0) {
      scores.add({std::move(x), altmin::Matrix<float>(t.leftCols(count))});
    } else {
      scores.add({std::move(x), y.head(count), reader.classes()});
    }
  }
  if (scores.metrics().samples == 0)
    throw altmin::DataError(options.evaluate + ": expected at least one row, got none");
  if (!options.quiet) std::cout << scores.metrics() << '\n';
  nlohmann::ordered_json line{{"rows", scores.metrics().samples},
                              {"skipped_rows", reader.skipped()},
                              {"unknown_values", reader.unknown()},
                              {"loss", scores.metrics().loss}};
  if (targets > 0) {
    line["r2"] = scores.r2();
    line["rmse"] = scores.root_mean_squared_errors();
  } else {
    line["accuracy"] = scores.metrics().accuracy;
  }
  std::cout << line.dump() << '\n';
  return 0;
}

}  // namespace table
