#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/random.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/training/fit.hpp"
#include "altmin/training/metrics.hpp"

namespace altmin {

/// Divides the samples of a data set at random into k parts, whose sizes and, with labels, whose samples of each class
/// differ by 1 at most from one another's. Throws OptionError unless k is 2 to the number of samples.
template <class Scalar>
std::vector<std::vector<Index>> divide_into_folds(const Dataset<Scalar>& data, Index k, Seed seed = {}) {
  detail::require_option(k >= 2 && k <= data.size(), "divide_into_folds: k", "must be 2 to the number of samples",
                         double(k));
  constexpr std::uint64_t stream = 0xf01d;  // the same seed elsewhere draws other numbers
  std::vector<Index> order(static_cast<std::size_t>(data.size()));
  std::iota(order.begin(), order.end(), Index{0});
  Random{seed, stream}.shuffle(Span<Index>{order.data(), data.size()});
  if (data.has_labels()) {
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return data.y()[a] < data.y()[b]; });
  }
  std::vector<std::vector<Index>> folds(static_cast<std::size_t>(k));
  for (std::size_t i = 0; i < order.size(); ++i) folds[i % folds.size()].push_back(order[i]);
  return folds;
}

/// k-fold cross-validation: of each part the metrics of a copy of `net` that was trained on all others. Standardize
/// inside the network, so that nothing of a part is known to the network that it tests. Throws as divide_into_folds()
/// and fit(), and Error where training fails.
template <class Scalar>
std::vector<Metrics> cross_validate(const Network<Scalar>& net, const Dataset<Scalar>& data, Index k,
                                    const FitOptions& options) {
  const auto folds = divide_into_folds(data, k, options.seed);
  std::vector<Metrics> results;
  for (const auto& fold : folds) {
    std::vector<Index> others;
    for (const auto& other : folds) {
      if (&other != &fold) others.insert(others.end(), other.begin(), other.end());
    }
    std::sort(others.begin(), others.end());
    Network<Scalar> trained = net;
    const Dataset<Scalar> train = data.select({others.data(), static_cast<Index>(others.size())});
    const FitReport report = fit(trained, train, options);
    if (!report) throw Error("cross_validate: " + report.reason);
    results.push_back(evaluate(trained, data.select({fold.data(), static_cast<Index>(fold.size())})));
  }
  return results;
}

}  // namespace altmin
