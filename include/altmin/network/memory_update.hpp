#pragma once

#include <algorithm>
#include <optional>

#include "altmin/network/am_mem.hpp"
#include "altmin/optimizers/coactivation_memory.hpp"

namespace altmin {

/// Moves one block's map by its memories, if it is one that lowers (see LayerBase), and its other parameters by Adam.
/// The map is one matrix here: its parameters side by side, a bias as the last column, which meets an input of 1.
template <class Layers>
class MemoryUpdate {
 public:
  using Scalar = typename Layers::Scalar;
  using Rates = AmMem::Rates;

  explicit MemoryUpdate(const Block<Layers>& block) : gradient_update_{block} {
    for (Index k = 0; k < block.size(); ++k) {
      if (block[k].lowered_shape().rows > 0) map_ = k;
    }
  }

  /// One step for the objective of `block`, evaluated at `at`.
  void update(const Lane<Scalar>& lane, const Block<Layers>& block, const BlockPoint<Scalar>& at,
              const WeightObjective<Scalar>& objective, const Rates& rates) {
    const bool descent = rates.options.form == MemoryForm::coordinate_descent;
    if (map_ < 0 || (descent && rates.output)) {
      const double rate = map_ < 0 ? rates.adam_learning_rate() : rates.learning_rate();
      gradient_update_.update(lane, block, at, objective, rates.adam(rate));
      return;
    }
    auto& layer = block[map_];
    const Map map{lane, layer, block.point(at, map_)};
    const auto samples = static_cast<double>(map.here.x.cols());
    output_.fit(layer.output().size(), map.here.x.cols());
    if (descent) pull_code_back(lane, block, at, objective);
    gradient_update_.update_around(lane, block, at, objective, rates.adam(rates.adam_learning_rate()), map_,
                                   [&](ConstView<Scalar> slope) {
                                     if (!descent)
                                       output_.view() = static_cast<Scalar>(-objective.factor * samples) * slope;
                                   });
    const auto parameters = layer.parameters();
    if (std::all_of(parameters.begin(), parameters.end(), [](const auto& p) { return p.frozen(); })) return;
    residual_.fit(parameters[0].value().rows(), map.here.x.cols() * map.shape.columns);
    layer.lower_output(lane, output_.view(), residual_.view());
    if (descent) {
      descend(map, rates.options);
    } else {
      precondition(map, rates);
    }
  }

  /// Memory that is anybody's between two updates.
  Buffer<Scalar>& workspace() { return gradient_update_.workspace(); }

  Index bytes() const {
    return gradient_update_.bytes() + output_.bytes() + residual_.bytes() + inputs_.bytes() + weight_.bytes() +
           codes_.bytes() + (memory_ ? memory_->bytes() : 0) + (step_ ? step_->bytes() : 0);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.gradient_update_...);
    visit("memory", self.memory_...);
    visit("step", self.step_...);
  }

  /// Throws ShapeError unless this can be the state of `block`.
  void require_fit(const Block<Layers>& block) const {
    gradient_update_.require_fit(block);
    if (map_ < 0) return;
    const Index outputs = block[map_].parameters()[0].value().rows();
    if (memory_) memory_->require_fit(outputs, inputs_of(block[map_]));
    if (step_) step_->require_fit(outputs, inputs_of(block[map_]));
  }

 private:
  using Layer = typename Layers::Layer;

  /// A map where a step evaluated it.
  struct Map {
    Map(const Lane<Scalar>& lane_, Layer& layer_, const Point<Scalar>& here_)
        : lane{lane_}, layer{layer_}, here{here_}, shape{layer.lowered_shape()}, inputs{inputs_of(layer)} {}

    const Lane<Scalar>& lane;
    Layer& layer;
    Point<Scalar> here;
    LoweredShape shape;
    Index inputs;  // the bias's among them
  };

  /// Columns of the map as one matrix.
  static Index inputs_of(Layer& layer) {
    Index sum = 0;
    for (const auto& parameter : layer.parameters()) sum += parameter.value().cols();
    return sum;
  }

  /// Calls visit(parameter, first, columns) for the columns that each parameter makes up.
  template <class Visit>
  static void for_each_parameter(Layer& layer, Visit&& visit) {
    Index first = 0;
    for (auto& parameter : layer.parameters()) {
      const Index columns = parameter.value().cols();
      visit(parameter, first, columns);
      first += columns;
    }
  }

  /// output_ = what the map's output lacks for the block to produce its code: through the normalization above it, the
  /// batch's statistics held fixed.
  void pull_code_back(const Lane<Scalar>& lane, const Block<Layers>& block, const BlockPoint<Scalar>& at,
                      const WeightObjective<Scalar>& objective) {
    View<Scalar> output = output_.view();
    output = static_cast<Scalar>(-objective.factor / objective.distance) * objective.slope;
    for (Index k = block.size() - 1; k > map_; --k) block[k].undo(lane, block.point(at, k), output, output);
  }

  /// Calls use(first, a) for the lowered inputs from column `first` on, part by part: where a sample has many columns,
  /// those of some samples at a time.
  template <class Use>
  void for_each_part(const Map& map, Use&& use) {
    constexpr Index most = Index{1} << 22;
    const Index samples = map.here.x.cols();
    const Index room = std::max<Index>(1, most / (map.inputs * map.shape.columns));
    const Index step = map.shape.columns == 1 ? samples : std::min(samples, room);
    for (Index t = 0; t < samples; t += step) {
      const Index count = std::min(step, samples - t);
      inputs_.fit(map.inputs, count * map.shape.columns);
      View<Scalar> a = inputs_.view();
      map.layer.lower(map.lane, map.here.slice(t, count), {a.data(), map.shape.rows, a.cols(), map.inputs});
      if (map.shape.rows < map.inputs) a.bottomRows(1).setOnes();
      use(t * map.shape.columns, ConstView<Scalar>{a});
    }
  }

  void precondition(const Map& map, const Rates& rates) {
    if (!step_) step_.emplace(residual_.rows(), map.inputs);
    const double correction = step_->advance(map.lane, rates.preconditioned(), residual_.view(),
                                             [&](auto&& use) { for_each_part(map, use); });
    const double rate = rates.learning_rate();
    const auto step = static_cast<Scalar>(rate / correction);
    const auto decayed = static_cast<Scalar>(1 - rate * rates.options.weight_decay);
    for_each_parameter(map.layer, [&](auto& parameter, Index first, Index columns) {
      if (parameter.frozen()) return;
      const Scalar kept = parameter.is_weight() ? decayed : Scalar(1);
      const auto velocity = step_->velocity().middleCols(first, columns);
      View<Scalar> values = parameter.values();
      map.lane.parallel_ranges(columns, values.rows(), [&](Index j, Index count) {
        View<Scalar>{values}.middleCols(j, count) =
            kept * values.middleCols(j, count) + step * velocity.middleCols(j, count);
      });
    });
  }

  /// The matrix to its minimum.
  void descend(const Map& map, const AmMem& options) {
    weight_.fit(residual_.rows(), map.inputs);
    View<Scalar> weight = weight_.view();
    for_each_parameter(map.layer, [&](const auto& parameter, Index first, Index columns) {
      weight.middleCols(first, columns) = parameter.value();
    });
    if (!memory_) memory_.emplace(weight.rows(), weight.cols());
    memory_->forget(options.forgetting);
    for_each_part(map, [&](Index first, ConstView<Scalar> a) {
      codes_.fit(weight.rows(), a.cols());
      multiply<Scalar>(map.lane, weight, a, codes_.view());
      codes_.view() += residual_.view().slice(first, a.cols());
      memory_->add_part(map.lane, a, codes_.view(), options.forgetting);
    });
    memory_->descend(map.lane, weight, options.lambda_weight, options.sweeps, options.sweep_tolerance, map.shape.rows);
    for_each_parameter(map.layer, [&](auto& parameter, Index first, Index columns) {
      if (!parameter.frozen()) parameter.values() = weight.middleCols(first, columns);
    });
  }

  GradientUpdate<Layers, AdamMoments<Scalar>> gradient_update_;
  std::optional<CoactivationMemory<Scalar>> memory_;
  std::optional<PreconditionedStep<Scalar>> step_;
  Index map_ = -1;

  // Working memory.
  Buffer<Scalar> output_;    // what the map's output lacks
  Buffer<Scalar> residual_;  // the same, lowered
  Buffer<Scalar> inputs_;
  Buffer<Scalar> weight_;
  Buffer<Scalar> codes_;
};

}  // namespace altmin
