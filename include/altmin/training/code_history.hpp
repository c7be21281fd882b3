#pragma once

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/data/batch.hpp"
#include "altmin/network/inspection.hpp"
#include "altmin/training/text.hpp"

namespace altmin {

/// A callback that shows what the method does: before every so many steps it keeps what Network::inspect() reports of
/// the first batch of the run (its first 256 samples). It changes nothing.
template <class Scalar>
class CodeHistory {
 public:
  /// A block at a step of the run.
  struct Row : BlockReport {
    Index step;   ///< steps taken before
    Index block;  ///< 0 is the lowest
  };

  /// Throws OptionError for `every` below 1.
  explicit CodeHistory(Index every = 100) : every_{every} {
    detail::require_option(every >= 1, "CodeHistory: every", "must be 1 or more", double(every));
  }

  const std::vector<Row>& rows() const { return rows_; }

  template <class Training>
  void before_step(const Training& t) {
    if (x_.cols() == 0) keep(*t.current);
    if (t.step % every_ != 0) return;
    const auto reports = targets_.cols() > 0 ? t.net.inspect(x_, targets_) : t.net.inspect(x_, y_);
    for (std::size_t block = 0; block < reports.size(); ++block) {
      rows_.push_back({reports[block], t.step, static_cast<Index>(block)});
    }
  }

  /// Comma-separated values, a line each block and step below a line of names; what is not known is left empty.
  void write_csv(std::ostream& out) const {
    const auto cell = [](double value) { return "," + (std::isnan(value) ? std::string{} : detail::number(value)); };
    out << "step,block,cosine,displacement,flipped,penalty\n";
    for (const Row& row : rows_) {
      out << detail::text(row.step) + "," + detail::text(row.block) + cell(row.cosine) + cell(row.displacement) +
                 cell(row.flipped) + cell(row.penalty) + "\n";
    }
  }

 private:
  void keep(const Batch<Scalar>& batch) {
    const Index count = std::min<Index>(batch.size(), 256);
    x_ = batch.x.leftCols(count);
    if (batch.y.size() > 0) {
      y_ = Eigen::Map<const Labels>{batch.y.data(), count};
    } else {
      targets_ = batch.targets.leftCols(count);
    }
  }

  Index every_;
  Matrix<Scalar> x_;
  Labels y_;
  Matrix<Scalar> targets_;
  std::vector<Row> rows_;
};

}  // namespace altmin
