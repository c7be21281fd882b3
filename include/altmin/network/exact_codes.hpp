#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "altmin/network/exact_solve.hpp"
#include "altmin/network/lowered_map.hpp"
#include "altmin/network/signal.hpp"
#include "altmin/optimizers/inverse_memory.hpp"

namespace altmin {

/// All codes solved together, for the weight updates that follow: with J_l the derivative of the prediction by code l
/// (the activations' slopes being those of the forward pass), M_l the response of block l's weight rule, and G_l the
/// inverse of a running second moment of backprop's residuals at the code, scaled to a mean diagonal of 1, the
/// residuals are G_l J_l' r, where r solves
///
///   r = -loss'(z + S r),    S = sum_l M_l o (J_l G_l J_l'),
///
/// z + S r being the prediction, to first order, after the weights have moved. That is the minimum of the loss plus all
/// penalties |c_l - f_l|^2 / (2 m_l) with m_l the diagonal of M_l, in the metric of G_l, and of batches with the
/// samples acting on each other. One sweep of as many columns as there are outputs, and one small solve, replace all
/// iterations on codes. Not in the paper. No layer may couple samples.
struct ExactCodes {
  static constexpr const char* name = "ExactCodes";

  int newton_steps = 6;        ///< at most, of the solve; 1 or more
  double trust = 0.5;          ///< largest move of a code, as a share of the norm of the next map's inputs; above 0
  double least_weight = 0.02;  ///< of a sample in the memories of inputs: max(this, 2 tr loss''); 1: all alike. 0 to 1
  bool output_memory = true;   ///< whether there are memories G; else the identity
  double output_forgetting = 0.001;  ///< of these, see RecursiveRule; above 0, below 1
  double output_damping = 1000;      ///< the same; above 0

  template <class Scalar>
  class Signal;

  /// The most rows of the solve, outputs times samples: it takes the cube of these.
  static constexpr Index most_rows = 512;

  /// Throws OptionError, in the name of the algorithm whose options these are.
  void validate(const std::string& algorithm) const {
    detail::require_option(newton_steps >= 1, {algorithm, "newton_steps"}, "must be 1 or more", newton_steps);
    detail::require_option(trust > 0, {algorithm, "trust"}, "must be above 0", trust);
    detail::require_option(least_weight >= 0 && least_weight <= 1, {algorithm, "least_weight"}, "must be 0 to 1",
                           least_weight);
    detail::require_option(output_forgetting > 0 && output_forgetting < 1, {algorithm, "output_forgetting"},
                           "must be above 0 and below 1", output_forgetting);
    detail::require_option(output_damping > 0, {algorithm, "output_damping"}, "must be above 0", output_damping);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("newton_steps", self.newton_steps...);
    visit("trust", self.trust...);
    visit("least_weight", self.least_weight...);
    visit("output_memory", self.output_memory...);
    visit("output_forgetting", self.output_forgetting...);
    visit("output_damping", self.output_damping...);
  }
};

template <class Scalar>
class ExactCodes::Signal : public SignalBase<Signal<Scalar>, Scalar> {
 public:
  /// Throws OptionError, naming the layer, for one that couples samples, or steps in time.
  Signal(const ExactCodes& options, const LayerStack<Scalar>& layers) : options_{options} {
    for (Index i = 0; i < layers.size(); ++i) {
      if (!layers[i].traits().couples_samples && layers[i].time_steps() == nullptr) continue;
      throw OptionError("ExactCodes: layer " + detail::text(i) + " (" + layers[i].name() +
                        "): expected layers that do not couple samples and have no steps in time");
    }
    const auto blocks = divide_into_blocks(layers);
    for (std::size_t l = 0; l + 1 < blocks.size(); ++l) {
      const Index size = layers[blocks[l].first + blocks[l].count - 1].output().size();
      memories_.emplace_back(options_.output_memory ? size : 0);
    }
    squares_.resize(memories_.size());
    codes_.resize(blocks.size());
  }

  bool requires_response() const override { return true; }

  void check(const LossInterface<Scalar>& loss, Index outputs, Index samples) const override {
    if (!loss.has_curvature()) {
      throw OptionError(std::string("ExactCodes: expected a loss with curvature(), got ") + loss.name());
    }
    if (outputs * samples <= ExactCodes::most_rows) return;
    throw ShapeError("ExactCodes: expected at most " + detail::text(ExactCodes::most_rows) +
                     " outputs times samples, got " + detail::text(outputs) + " x " + detail::text(samples));
  }

  ConstView<Scalar> sample_weights(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) override;
  Status propagate(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) override;

  BlockSignal<Scalar> block_signal(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l,
                                   int) const override {
    return {workspace.forward_point(context, l), workspace[l].residual.view()};
  }

  void finish_step(const Worker<Scalar>& worker) override {
    if (!options_.output_memory) return;
    for (std::size_t l = 0; l < memories_.size(); ++l) {
      memories_[l].commit(worker, codes_[l].rates);
      squares_[l].commit();
    }
  }

  void require_fit() const override {
    for (const auto& memory : memories_) memory.require_fit(memory.size());
  }

  /// The memory of block l's residuals, of all blocks but the last.
  const InverseMemory<Scalar>& memory(Index l) const { return memories_[std::size_t(l)]; }

  Index bytes() const override {
    Index sum = weights_.bytes() + products_.bytes() + moves_.bytes();
    for (const auto& memory : memories_) sum += memory.bytes();
    for (const auto& code : codes_) sum += code.bytes();
    return sum + system_.bytes();
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("memories", self.memories_...);
    visit("squares", self.squares_...);
  }

 private:
  /// Of one block.
  struct Code {
    Index bytes() const {
      return wide.bytes() + input.bytes() + jacobian.bytes() + weighted.bytes() + down.bytes() + moved.bytes() +
             between.bytes();
    }

    Evaluation<Scalar> wide;  // the block with each sample repeated, once for each output
    Buffer<Scalar> input;     // the same, its input
    Buffer<Scalar> jacobian;  // J', code x (outputs of all samples)
    Buffer<Scalar> weighted;  // G J'
    Buffer<Scalar> down;      // J' times minus the derivative of the loss: the residual of backprop
    Buffer<Scalar> moved;     // working memory of the memory G
    InverseMemoryRates rates{};
    Scratch<Scalar> between;
  };

  void find_jacobians(const StepContext<Scalar>& context, Workspace<Scalar>& workspace);
  void weigh(const Worker<Scalar>& worker, Index l);
  void add_to_system(const StepContext<Scalar>& context, Workspace<Scalar>& workspace, Index l);
  /// Shortens the residuals of samples that would move a code too far.
  void limit(const StepContext<Scalar>& context, Workspace<Scalar>& workspace);
  /// results_t = matrix_t vector_t for each sample, the matrices side by side.
  static void multiply_samples(const Worker<Scalar>& worker, ConstView<Scalar> matrices, ConstView<Scalar> vectors,
                               View<Scalar> results);

  ExactCodes options_;
  std::vector<InverseMemory<Scalar>> memories_;  // G of each block but the last
  std::vector<RunningSquare> squares_;           // of what comes down to each

  // Of this step.
  std::vector<Code> codes_;  // of each block
  Buffer<Scalar> weights_;
  Buffer<Scalar> products_;     // J G J' of one block
  Buffer<Scalar> moves_;        // of one code
  std::vector<double> shares_;  // of each sample: its largest move
  ExactSolve<Scalar> system_;
};

namespace detail {

/// Each column of `from` so many times in a row.
template <class Scalar>
void repeat_columns(ConstView<Scalar> from, Index times, View<Scalar> to) {
  for (Index t = 0; t < from.cols(); ++t) {
    for (Index k = 0; k < times; ++k) to.col(t * times + k) = from.col(t);
  }
}

}  // namespace detail

template <class Scalar>
ConstView<Scalar> ExactCodes::Signal<Scalar>::sample_weights(const StepContext<Scalar>& context,
                                                             Workspace<Scalar>& workspace) {
  const ConstView<Scalar> prediction{workspace[workspace.last()].output.view()};
  const Index outputs = prediction.rows();
  const Index samples = prediction.cols();
  weights_.fit(1, samples);
  View<Scalar> weights = weights_.view();
  system_.begin(outputs, samples);
  for (Index t = 0; t < samples; ++t) {
    context.loss.curvature(prediction.slice(t, 1), system_.curvature());
    weights(0, t) = static_cast<Scalar>(std::max(options_.least_weight, 2 * system_.curvature().trace()));
  }
  return weights;
}

template <class Scalar>
Status ExactCodes::Signal<Scalar>::propagate(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) {
  const Index last = workspace.last();
  const Index outputs = workspace[last].output.rows();
  const Index samples = context.x.cols();
  system_.begin(outputs, samples);
  find_jacobians(context, workspace);
  for (Index l = 0; l <= last; ++l) {
    if (l < last) weigh(context.worker, l);
    add_to_system(context, workspace, l);
  }
  const View<Scalar> top = workspace[last].residual.view();
  for (Index l = 0; l < last && options_.output_memory; ++l) {
    Code& code = codes_[std::size_t(l)];
    const ConstView<Scalar> jacobian{code.jacobian.view()};
    code.down.fit(jacobian.rows(), samples);
    code.moved.fit(jacobian.rows(), samples);
    multiply_samples(context.worker, jacobian, top, code.down.view());
    const double square =
        squares_[std::size_t(l)].push(ConstView<Scalar>{code.down.view()}, options_.output_forgetting);
    code.rates = {options_.output_forgetting, options_.output_damping * square};
    if (!memories_[std::size_t(l)].push(code.rates, code.down.view(), {}, code.moved.view())) {
      return Status::codes_not_finite;
    }
  }
  if (!system_.solve(context.loss, context.target, workspace[last].output.view(), options_.newton_steps)) {
    return Status::codes_not_finite;
  }
  View<Scalar> r = workspace[last].residual.view();
  r = system_.solution().template cast<Scalar>();
  for (Index l = 0; l < last; ++l) {
    multiply_samples(context.worker, codes_[std::size_t(l)].weighted.view(), r, workspace[l].residual.view());
  }
  limit(context, workspace);
  return Status::updated;
}

template <class Scalar>
void ExactCodes::Signal<Scalar>::multiply_samples(const Worker<Scalar>& worker, ConstView<Scalar> matrices,
                                                  ConstView<Scalar> vectors, View<Scalar> results) {
  const Index columns = vectors.rows();
  for (Index t = 0; t < vectors.cols(); ++t) {
    multiply<Scalar>(worker, matrices.slice(t * columns, columns), vectors.slice(t, 1), results.slice(t, 1));
  }
}

template <class Scalar>
void ExactCodes::Signal<Scalar>::limit(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) {
  const Index last = workspace.last();
  const Index samples = context.x.cols();
  shares_.assign(std::size_t(samples), 0);
  for (Index l = 0; l < last; ++l) {
    moves_.fit(workspace[l].residual.rows(), samples);
    multiply<Scalar>(context.worker, workspace[l].residual.view(), workspace[l].response.view(), moves_.view(),
                     static_cast<Scalar>(context.scales.rate));
    const auto above = workspace.block(context.layers, l + 1);
    const auto point = above.point(workspace.forward_point(context, l + 1), above.top());
    for (Index t = 0; t < samples; ++t) {
      const double size = 1e-3 + static_cast<double>(point.x.col(t).norm());
      double& share = shares_[std::size_t(t)];
      share = std::max(share, static_cast<double>(moves_.view().col(t).norm()) / size);
    }
  }
  for (Index t = 0; t < samples; ++t) {
    const double share = shares_[std::size_t(t)];
    if (!(share > options_.trust)) continue;
    for (Index l = 0; l <= last; ++l) {
      workspace[l].residual.view().col(t) *= static_cast<Scalar>(options_.trust / share);
    }
  }
}

template <class Scalar>
void ExactCodes::Signal<Scalar>::find_jacobians(const StepContext<Scalar>& context, Workspace<Scalar>& workspace) {
  const Index last = workspace.last();
  const Index samples = context.x.cols();
  const Index outputs = workspace[last].output.rows();
  const Index columns = outputs * samples;
  Code& top = codes_[std::size_t(last)];
  top.jacobian.fit(outputs, columns);
  View<Scalar> identity = top.jacobian.view();
  identity.setZero();
  for (Index t = 0; t < columns; ++t) identity(t % outputs, t) = Scalar(1);
  for (Index l = last; l > 0; --l) {
    const auto block = workspace.block(context.layers, l);
    const auto forward = workspace.forward_point(context, l);
    Code& code = codes_[std::size_t(l)];
    Code& below = codes_[std::size_t(l - 1)];
    code.input.fit(forward.x.rows(), columns);
    detail::repeat_columns<Scalar>(forward.x, outputs, code.input.view());
    block.fit(code.wide, columns);
    for (Index k = 0; k < block.size(); ++k) {
      const auto i = static_cast<std::size_t>(k);
      if (k + 1 < block.size()) {
        detail::repeat_columns<Scalar>(forward.inner.outputs[i].view(), outputs, code.wide.outputs[i].view());
      }
      const auto trace = block.point(forward, k).trace;
      if (trace.samples.rows() > 0) {
        detail::repeat_columns<Scalar>(trace.samples, outputs, code.wide.sample_traces[i].view());
      }
    }
    below.jacobian.fit(block.inputs(), columns);
    const BlockPoint<Scalar> wide{code.input.view(), {}, code.wide, code.wide};
    block.backward(context.worker, wide, code.jacobian.view(), below.jacobian.view(), code.between);
    workspace[l - 1].residual.fit(block.inputs(), samples);
  }
}

template <class Scalar>
void ExactCodes::Signal<Scalar>::weigh(const Worker<Scalar>& worker, Index l) {
  Code& code = codes_[std::size_t(l)];
  const ConstView<Scalar> jacobian{code.jacobian.view()};
  code.weighted.fit(jacobian.rows(), jacobian.cols());
  View<Scalar> weighted = code.weighted.view();
  auto& memory = memories_[std::size_t(l)];
  if (!options_.output_memory) {
    weighted = jacobian;
    return;
  }
  memory.multiply_inverse(worker, jacobian, weighted);
  weighted *= static_cast<Scalar>(static_cast<double>(memory.size()) / memory.trace());
}

template <class Scalar>
void ExactCodes::Signal<Scalar>::add_to_system(const StepContext<Scalar>& context, Workspace<Scalar>& workspace,
                                               Index l) {
  const double rate = context.scales.rate;
  const Index outputs = workspace[workspace.last()].output.rows();
  const ConstView<Scalar> response{workspace[l].response.view()};
  const Index columns = outputs * response.cols();
  if (l == workspace.last()) {
    for (Index t = 0; t < response.cols(); ++t) {
      for (Index s = 0; s < response.rows(); ++s) {
        for (Index k = 0; k < outputs; ++k) {
          system_.matrix()(s * outputs + k, t * outputs + k) += rate * static_cast<double>(response(s, t));
        }
      }
    }
    return;
  }
  Code& code = codes_[std::size_t(l)];
  products_.fit(columns, columns);
  View<Scalar> products = products_.view();
  multiply<Scalar>(context.worker, transposed(code.jacobian.view()), code.weighted.view(), products);
  for (Index j = 0; j < columns; ++j) {
    for (Index i = 0; i < columns; ++i) {
      const double together = rate * static_cast<double>(response(i / outputs, j / outputs));
      system_.matrix()(i, j) += together * static_cast<double>(products(i, j));
    }
  }
}

}  // namespace altmin
