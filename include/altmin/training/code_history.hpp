#pragma once

#include <cmath>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/network/inspection.hpp"
#include "altmin/training/text.hpp"

namespace altmin {

/// A callback that shows what the method does: every so many steps it keeps what Network::inspect() reports of a batch,
/// the same each time. It changes nothing.
template <class Scalar>
class CodeHistory {
 public:
  /// A block at a step of the run.
  struct Row : BlockReport {
    Index step;   ///< steps taken before
    Index block;  ///< 0 is the lowest
  };

  /// `batch` holds a few hundred samples, which the network has to fit. Throws OptionError for `every` below 1.
  CodeHistory(Dataset<Scalar> batch, Index every) : batch_{std::move(batch)}, every_{every} {
    detail::require_option(every >= 1, "CodeHistory: every", "must be 1 or more", double(every));
  }

  const std::vector<Row>& rows() const { return rows_; }

  template <class Training>
  void begin(const Training& t) {
    inspect(t);
  }
  template <class Training>
  void after_step(const Training& t) {
    if (t.step % every_ == 0) inspect(t);
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
  template <class Training>
  void inspect(const Training& t) {
    const auto reports =
        batch_.has_labels() ? t.net.inspect(batch_.x(), batch_.y()) : t.net.inspect(batch_.x(), batch_.targets());
    for (std::size_t block = 0; block < reports.size(); ++block) {
      rows_.push_back({reports[block], t.step, static_cast<Index>(block)});
    }
  }

  Dataset<Scalar> batch_;
  Index every_;
  std::vector<Row> rows_;
};

}  // namespace altmin
