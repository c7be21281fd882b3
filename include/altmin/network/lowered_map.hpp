#pragma once

#include <algorithm>

#include "altmin/kernels/elementwise.hpp"
#include "altmin/network/weight_rule.hpp"

namespace altmin {

/// A block's map as one matrix, for rules that remember its inputs: its parameters side by side, a bias as the last
/// column, which multiplies an input of 1.
template <class Scalar>
class LoweredMap {
 public:
  explicit LoweredMap(LayerInterface<Scalar>& layer) : layer_{layer}, shape_{layer.lowered_shape()} {}

  /// The number of the block's layer that is such a map; -1: none.
  static Index find(const Block<Scalar>& block) {
    Index found = -1;
    for (Index k = 0; k < block.size(); ++k) {
      if (block[k].lowered_shape().rows > 0) found = k;
    }
    return found;
  }

  Index outputs() const { return layer_.parameters()[0].value().rows(); }
  /// Columns of the matrix, the bias's among them.
  Index inputs() const {
    Index sum = 0;
    for (const auto& parameter : layer_.parameters()) sum += parameter.value().cols();
    return sum;
  }
  /// Without the bias.
  Index weight_inputs() const { return shape_.rows; }
  /// Columns of inputs that a sample becomes.
  Index columns() const { return shape_.columns; }

  bool frozen() const {
    const auto parameters = layer_.parameters();
    return std::all_of(parameters.begin(), parameters.end(), [](const auto& p) { return p.frozen(); });
  }

  /// Calls use(parameter, first, columns) for the columns that each parameter makes up.
  template <class Use>
  void for_each_parameter(Use&& use) const {
    Index first = 0;
    for (auto& parameter : layer_.parameters()) {
      const Index columns = parameter.value().cols();
      use(parameter, first, columns);
      first += columns;
    }
  }

  /// At least the sum of the squares of all inputs, for_each_part() together.
  double square_sum(ConstView<Scalar> x) const {
    const auto samples = static_cast<double>(x.cols());
    const double each = columns() == 1 ? 1 : static_cast<double>(shape_.rows);  // times that a pixel occurs, at most
    return each * detail::square_sum<Scalar>(x) + samples * static_cast<double>(columns());
  }

  /// Calls use(first, a) for the inputs (inputs() x columns) from column `first` on, part by part: where a sample has
  /// many columns, those of some samples at a time. They are copies in `memory`.
  void for_each_part(const Worker<Scalar>& worker, const Point<Scalar>& at, Buffer<Scalar>& memory,
                     FunctionRef<void(Index, ConstView<Scalar>)> use) const {
    for_each_part_of(worker, at, memory, inputs(), [&](Index first, View<Scalar> a) {
      if (weight_inputs() < inputs()) a.bottomRows(1).setOnes();
      use(first, a);
    });
  }

  /// The same without the input of the bias. Where a sample is multiplied as it is, it is not copied.
  void for_each_weight_part(const Worker<Scalar>& worker, const Point<Scalar>& at, Buffer<Scalar>& memory,
                            FunctionRef<void(Index, ConstView<Scalar>)> use) const {
    if (columns() == 1 && weight_inputs() == at.x.rows()) return use(0, at.x);
    for_each_part_of(worker, at, memory, weight_inputs(), [&](Index first, View<Scalar> a) { use(first, a); });
  }

 private:
  void for_each_part_of(const Worker<Scalar>& worker, const Point<Scalar>& at, Buffer<Scalar>& memory, Index rows,
                        FunctionRef<void(Index, View<Scalar>)> use) const {
    constexpr Index most = Index{1} << 22;
    const Index samples = at.x.cols();
    const Index room = std::max<Index>(1, most / (rows * columns()));
    const Index step = columns() == 1 ? samples : std::min(samples, room);
    Index t = 0;
    do {  // also of a batch without samples, as a rank may have it: those who sum begin with the first part
      const Index count = std::min(step, samples - t);
      memory.fit(rows, count * columns());
      View<Scalar> a = memory.view();
      layer_.lower(worker, at.slice(t, count), {a.data(), weight_inputs(), count * columns(), rows});
      use(t * columns(), a);
      t += count;
    } while (t < samples);
  }

  LayerInterface<Scalar>& layer_;
  LoweredShape shape_;
};

}  // namespace altmin
