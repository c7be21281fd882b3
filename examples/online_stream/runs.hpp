#pragma once

// Runs of a learner on a stream, and what they come to.

#include <algorithm>
#include <altmin/altmin.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "learners.hpp"

namespace online {

/// One run: test, then train, on each batch.
struct Run {
  std::string method;
  std::uint64_t seed = 0;
  std::vector<double> windows;          // the accuracy in each part of the stream, all of one length
  std::map<std::string, double> means;  // the accuracy until then, and in the end; AUC; microseconds to learn a sample

  nlohmann::json to_json() const {
    return {{"method", method}, {"seed", seed}, {"windows", windows}, {"means", means}};
  }
  static Run from_json(const nlohmann::json& json) {
    return {json.at("method"), json.at("seed"), json.at("windows"), json.at("means")};
  }
};

inline Run learn(Learner& learner, SampleStream& stream, Index window) {
  using Clock = std::chrono::steady_clock;
  Run run;
  Batch batch;
  Index seen = 0, right = 0, window_right = 0, window_seen = 0, refused = 0;
  double seconds = 0;
  std::vector<double> scores;
  std::vector<int> labels;
  const bool binary = stream.classes() == 2;
  while (stream.next(batch)) {
    const Images output = learner.predict(batch.x);
    const auto start = Clock::now();
    refused += learner.learn(batch.x, batch.y) ? 0 : 1;
    seconds += std::chrono::duration<double>(Clock::now() - start).count();
    for (Index t = 0; t < batch.truth.size(); ++t) {
      const bool found = altmin::likely_class(output.col(t)) == batch.truth(t);
      right += found ? 1 : 0;
      window_right += found ? 1 : 0;
      ++seen;
      ++window_seen;
      if (binary) {
        scores.push_back(static_cast<double>(output(1, t)) - static_cast<double>(output(0, t)));
        labels.push_back(batch.truth(t));
      }
    }
    const auto mean = static_cast<double>(right) / static_cast<double>(seen);
    for (const Index mark : {1000, 5000}) {
      const std::string name = "first " + std::to_string(mark);
      if (seen >= mark && run.means.count(name) == 0) run.means[name] = mean;
    }
    run.means["all"] = mean;
    if (window_seen < window) continue;
    run.windows.push_back(static_cast<double>(window_right) / static_cast<double>(window_seen));
    window_right = window_seen = 0;
  }
  const Data test = stream.test();
  if (test.size() > 0) {
    Index found = 0;
    constexpr Index piece = 1000;
    for (Index first = 0; first < test.size(); first += piece) {
      const Index count = std::min(piece, test.size() - first);
      const Images output = learner.predict(test.x().middleCols(first, count));
      for (Index t = 0; t < count; ++t) found += altmin::likely_class(output.col(t)) == test.y()(first + t) ? 1 : 0;
    }
    run.means["test"] = static_cast<double>(found) / static_cast<double>(test.size());
  }
  const std::size_t half = run.windows.size() / 2;
  if (half > 0) {
    double sum = 0;
    for (std::size_t k = half; k < run.windows.size(); ++k) sum += run.windows[k];
    run.means["last half"] = sum / static_cast<double>(run.windows.size() - half);
  }
  if (binary) {
    const Eigen::Map<const altmin::Vector<double>> all{scores.data(), static_cast<Index>(scores.size())};
    const Eigen::Map<const Labels> truth{labels.data(), static_cast<Index>(labels.size())};
    run.means["AUC"] = altmin::roc_auc(all, truth);
  }
  run.means["us/sample"] = 1e6 * seconds / static_cast<double>(std::max<Index>(seen, 1));
  if (refused > 0) run.means["refused steps"] = static_cast<double>(refused);
  return run;
}

/// Mean and standard deviation over seeds.
struct Spread {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = 0;
};

inline Spread spread(const std::vector<double>& values) {
  if (values.empty()) return {};
  double sum = 0;
  for (const double value : values) sum += value;
  const auto count = static_cast<double>(values.size());
  const double mean = sum / count;
  double square = 0;
  for (const double value : values) square += (value - mean) * (value - mean);
  return {mean, values.size() > 1 ? std::sqrt(square / (count - 1)) : 0};
}

/// The runs of one method.
struct Result {
  std::string method;
  std::vector<Run> runs;

  Spread of(const std::string& name) const {
    std::vector<double> values;
    for (const Run& run : runs) {
      const auto found = run.means.find(name);
      if (found != run.means.end()) values.push_back(found->second);
    }
    return spread(values);
  }
  Spread window(std::size_t k) const {
    std::vector<double> values;
    for (const Run& run : runs) {
      if (k < run.windows.size()) values.push_back(run.windows[k]);
    }
    return spread(values);
  }
};

}  // namespace online
