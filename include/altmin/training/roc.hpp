#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// The chance that a sample of label 1 scores higher than one of label 0, a tie counting half: the area under the ROC
/// curve, exactly. Not a number unless both labels occur and no score is NaN. Labels other than 1 count as 0. Throws
/// ShapeError unless there is one score a label.
template <class Scores>
double roc_auc(const Eigen::MatrixBase<Scores>& scores, const ConstLabels& labels) {
  if (scores.size() != labels.size()) {
    throw ShapeError("roc_auc: expected " + detail::text(labels.size()) + " scores, one a label, got " +
                     detail::text(scores.size()));
  }
  std::vector<std::pair<double, bool>> order;
  order.reserve(static_cast<std::size_t>(scores.size()));
  for (Index i = 0; i < scores.size(); ++i) {
    order.emplace_back(static_cast<double>(scores(i)), labels(i) == 1);
    if (std::isnan(order.back().first)) return std::numeric_limits<double>::quiet_NaN();
  }
  std::sort(order.begin(), order.end());
  double positives = 0;
  double negatives = 0;
  double wins = 0;
  for (auto group = order.begin(); group != order.end();) {
    double ties[2] = {0, 0};
    const double score = group->first;
    for (; group != order.end() && group->first == score; ++group) ++ties[group->second ? 1 : 0];
    wins += ties[1] * (negatives + ties[0] / 2);
    negatives += ties[0];
    positives += ties[1];
  }
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return wins / (positives * negatives);
}

/// The area under the ROC curve of any number of samples, in constant memory: scores are rounded to 12 significant
/// bits, and those that are the same then count as ties. So the area is off by half the share of pairs that the
/// rounding ties.
class RocCounts {
 public:
  void observe(double score, bool positive) {
    undefined_ = undefined_ || std::isnan(score);
    if (counts_.empty()) counts_.resize(std::size_t{2} << bits);
    ++counts_[2 * place(static_cast<float>(score)) + (positive ? 1 : 0)];
  }

  /// Not a number unless both labels have occurred and no score is NaN.
  double area() const {
    double wins = 0;
    double negatives = 0;
    double positives = 0;
    for (std::size_t i = 0; i < counts_.size(); i += 2) {
      const auto ties = static_cast<double>(counts_[i]);
      wins += static_cast<double>(counts_[i + 1]) * (negatives + ties / 2);
      negatives += ties;
      positives += static_cast<double>(counts_[i + 1]);
    }
    const bool defined = !undefined_ && positives > 0 && negatives > 0;
    return defined ? wins / (positives * negatives) : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  static constexpr unsigned bits = 20;  // sign, exponent of 8 bits, and 11 of the fraction

  /// The first bits of a score, in its order.
  static std::size_t place(float score) {
    std::uint32_t word = 0;
    score += 0.0F;  // one zero
    std::memcpy(&word, &score, sizeof word);
    word = (word & 0x80000000U) != 0 ? ~word : word | 0x80000000U;
    return word >> (32U - bits);
  }

  std::vector<std::int64_t> counts_;  // negatives and positives by place
  bool undefined_ = false;
};

}  // namespace altmin
