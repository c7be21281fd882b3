#pragma once

#include <algorithm>
#include <iosfwd>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "altmin/core/denormals.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/layers/layer_stack.hpp"
#include "altmin/losses/loss.hpp"
#include "altmin/network/algorithm.hpp"
#include "altmin/network/description.hpp"
#include "altmin/network/gradient_check.hpp"
#include "altmin/network/samples.hpp"
#include "altmin/parallel/batch_share.hpp"
#include "altmin/parallel/field_broadcast.hpp"

namespace altmin {

/// In place of a Seed: the layers have been initialised.
struct Initialized {};

/// A network that learns online: layers, a loss and an algorithm, chosen at run time. A value: it copies, moves and
/// compares. Layers, losses and algorithms of your own are used like those of the library. A network that has been
/// moved from can be assigned to; all else throws an Error.
///
/// Batches are matrices with one sample per COLUMN. Targets are a vector of integer labels, or a matrix of values
/// (outputs x samples). Bad input throws ShapeError or DataError and changes nothing.
template <class Scalar_>
class Network {
 public:
  using Scalar = Scalar_;
  using Layers = LayerStack<Scalar>;

  /// Initialises all layers from `seed`. Throws OptionError if an option is out of range, ShapeError without layers.
  template <class Loss, class Config>
  Network(altmin::Layers<Scalar> layers, Loss loss, const Config& algorithm, Seed seed = {})
      : Network{AnyLoss<Scalar>{std::move(loss)}, AnyAlgorithm<Scalar>{algorithm}, std::move(layers), seed} {}

  /// The same from layers that have been initialised, or read from a file: they stay as they are.
  template <class Loss, class Config>
  Network(altmin::Layers<Scalar> layers, Loss loss, const Config& algorithm, Initialized)
      : Network{AnyLoss<Scalar>{std::move(loss)}, AnyAlgorithm<Scalar>{algorithm}, std::move(layers)} {}

  Network(const Network&);
  Network(Network&&) noexcept;
  Network& operator=(const Network&);
  Network& operator=(Network&&) noexcept;
  ~Network();

  /// Trains on one batch: x is features x samples, y the labels (a column vector of int) or values (outputs x samples).
  /// After the first call with a batch size it does not allocate.
  template <class X, class Y>
  StepReport step(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y) {
    StepReport report;
    with_batch(
        x, y, [&](ConstView<Scalar> samples, const Target<Scalar>& target) { report = checked_step(samples, target); });
    return report;
  }

  /// The same, of samples that have weights, a row or a column: each sample's loss and gradient is multiplied by its
  /// weight, and sums over the batch are divided by the sum of the weights. So a sample of weight 2 is the sample
  /// twice, also in the memories of an algorithm, and one of weight 0 is not there. Layers count each sample once: the
  /// statistics of batch normalization have no weights. On several ranks all have weights, or none has. Throws
  /// ShapeError unless there is one weight a sample, DataError for one that is negative or not finite and where all
  /// are 0, OptionError where the algorithm takes none (ExactCodes, and rules that do not say that they do).
  template <class X, class Y, class Weights>
  StepReport step(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y,
                  const Eigen::MatrixBase<Weights>& weights) {
    static_assert(std::is_same_v<typename Weights::Scalar, Scalar> && Weights::IsVectorAtCompileTime,
                  "altmin: weights are a vector of the network's scalar type");
    const Eigen::Ref<const Eigen::Matrix<Scalar, Weights::RowsAtCompileTime == 1 ? 1 : Eigen::Dynamic,
                                         Weights::RowsAtCompileTime == 1 ? Eigen::Dynamic : 1>>
        vector{weights};
    StepReport report;
    with_batch(x, y, [&](ConstView<Scalar> samples, const Target<Scalar>& target) {
      report = checked_step(samples, target.weighted({vector.data(), 1, vector.size(), 1}));
    });
    return report;
  }

  /// Trains on one labelled sample.
  template <class X>
  StepReport step(const Eigen::MatrixBase<X>& x, int label) {
    return step(x, Eigen::Matrix<int, 1, 1>{label});
  }

  /// The same for a label of another integer type; no real number is rounded to one. Throws DataError for an integer
  /// that does not fit into an int.
  template <class X, class Label, std::enable_if_t<std::is_arithmetic_v<Label>, int> = 0>
  StepReport step(const Eigen::MatrixBase<X>& x, Label label) {
    static_assert(std::is_integral_v<Label>,
                  "altmin: a label must be an integer; real targets are a matrix, outputs x samples");
    if (static_cast<Label>(static_cast<int>(label)) != label || (label > 0) != (static_cast<int>(label) > 0)) {
      throw DataError("label: expected an int, got " + detail::text(label));
    }
    return step(x, static_cast<int>(label));
  }

  /// Trains on one sample of a stream: x is a column of features, y a label or a column of values.
  template <class X, class Y>
  StepReport learn_one(const Eigen::MatrixBase<X>& x, const Y& y) {
    return step(x, y);
  }

  /// The network's output for one sample, a column of features, by inference; without allocating after the first call.
  /// Borrowed until the next call. Throws as predict(), and ShapeError for more than one sample.
  ConstView<Scalar> predict_one(const ConstRef<Scalar>& x);

  /// The network's output, outputs x samples, by inference (running statistics, no dropout). May be called from several
  /// threads at once, but not during a step.
  Matrix<Scalar> predict(const ConstRef<Scalar>& x) const;

  /// The most likely class of each sample, see likely_class().
  Labels classify(const ConstRef<Scalar>& x) const {
    const Matrix<Scalar> scores = predict(x);
    Labels labels(scores.cols());
    for (Index t = 0; t < scores.cols(); ++t) labels(t) = likely_class(scores.col(t));
    return labels;
  }

  /// The mean loss of a batch by inference; changes nothing.
  template <class X, class Y>
  double loss(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y) const {
    double mean = 0;
    with_batch(x, y, [&](ConstView<Scalar> samples, const Target<Scalar>& target) {
      check_batch(samples, target);
      const Matrix<Scalar> prediction = predict(samples);
      Matrix<Scalar> unused(prediction.rows(), prediction.cols());
      mean = loss_->evaluate(prediction, target, unused) / static_cast<double>(samples.cols());
    });
    return mean;
  }

  Layers& layers() { return layers_; }
  const Layers& layers() const { return layers_; }

  const AnyLoss<Scalar>& loss() const {
    require_layers();
    return loss_;
  }

  /// Compares the derivatives of the mean loss by all parameters, as backprop finds them, with central differences:
  /// what a layer or loss of your own should pass (in double). Changes nothing. See GradientCheck.
  template <class X, class Y>
  GradientCheck check_gradients(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y,
                                double step = 1e-6) const {
    GradientCheck check;
    with_batch(x, y, [&](ConstView<Scalar> samples, const Target<Scalar>& target) {
      check_batch(samples, target);
      check = altmin::check_gradients<Scalar>(layers_, *loss_, samples, target, random_, step);
    });
    return check;
  }

  /// Goes on with another algorithm, or other options, from the present weights; its state starts anew. With several
  /// ranks, all call it alike, and it ends as set_communicator() does.
  template <class Config>
  void set_algorithm(const Config& algorithm) {
    require_layers();
    Algorithm<Scalar> next{AnyAlgorithm<Scalar>{algorithm}, layers_};
    if (scales_.gradient_limit) next.require_clipping();
    if (!share_.alone()) share_with_ranks(*share_.communicator(), next);
    algorithm_ = std::move(next);
  }

  /// The algorithm and its state.
  const Algorithm<Scalar>& algorithm() const { return algorithm_; }
  Algorithm<Scalar>& algorithm() { return algorithm_; }

  /// Threads to use, the calling one included: exactly so many, up to 1024, or, with 0 (the default), as many as the
  /// process has processors to run on, see available_threads().
  /// Results do not depend on it. They are this network's own from now on (see share_threads), start with the first
  /// step or prediction that uses them, and end with the network. Throws OptionError outside 0 .. 1024.
  void set_threads(int threads) {
    if (threads < 0 || threads > most_threads) {
      throw OptionError("threads must be 0 (all that are available) to " + detail::text(most_threads) + ", got " +
                        detail::text(threads));
    }
    workers_ = Workers<Scalar>{threads};
  }
  /// Uses the threads of another network, and their working memory, from now on: of many networks that share, only one
  /// pool of threads runs. Networks that share may be stepped from several threads of the program; one steps at a time,
  /// the others wait. Predictions do not wait: while another network has the pool, they use the calling thread alone.
  ///
  /// Copies of networks that share are among those that share, copies of others have threads of their own. The pool
  /// lives as long as one of its networks. Not to be called while either network steps or predicts.
  ///
  ///     std::vector<Network<float>> nets = ...;
  ///     for (auto& net : nets) net.share_threads(nets.front());
  void share_threads(Network& other) { workers_.share(other.workers_); }
  bool shares_threads() const { return workers_.shared(); }
  int threads() const { return workers_.threads(); }

  /// Trains together with the other ranks of the communicator, each of which has a network like this one, calls this
  /// function, and from now on calls step() as often, each with samples of its own: together they are one batch, those
  /// of rank 0 first, and the step is that of one rank on this batch, but for rounding. So the report is that of the
  /// batch. A rank may have any number of samples, 0 included. Bad input on one rank is the same error on all, which
  /// begins with the number of that rank. Predictions are of one rank alone. What else changes a network
  /// (set_algorithm, schedules, frozen parameters) is done on all ranks alike.
  ///
  /// Begins with the values of rank 0. Throws OptionError on all ranks, and changes nothing, where the networks differ
  /// in kind, options or sizes, or where a layer, signal or weight rule is not made for several ranks (AmRecursive's).
  ///
  /// The communicator is borrowed: it must outlive this network and its copies, which are among the same ranks, as is
  /// what this network is assigned to. `Alone` makes the network train for itself again.
  void set_communicator(Communicator& communicator) {
    require_layers();
    if (communicator.size() > 1) share_with_ranks(communicator, algorithm_);
    share_ = BatchShare{communicator};
  }
  /// Null where the network trains for itself.
  Communicator* communicator() const { return share_.communicator(); }

  /// Multiplies the learning rates of all weights, from the next step on: what a schedule turns. 1 unless set; 0 or
  /// more.
  void set_rate_scale(double scale) {
    detail::require_option(scale >= 0, "rate_scale", "must be 0 or more", scale);
    scales_.rate = scale;
  }
  double rate_scale() const { return scales_.rate; }

  /// Multiplies the penalty weight mu of the algorithms that have one, from the next step on. 1 unless set; above 0.
  void set_mu_scale(double scale) {
    detail::require_option(scale > 0, "mu_scale", "must be above 0", scale);
    scales_.mu = scale;
  }
  double mu_scale() const { return scales_.mu; }

  /// Shortens the gradient of each block to this norm at most, from the next step on: that of all its parameters
  /// together, as the weight rule is given it (of AM-mem, the preconditioned one). Above 0; infinite, as it is unless
  /// set: no limit. Throws OptionError also where the algorithm's weight rule does not clip.
  void set_gradient_limit(double limit) {
    if (!(limit > 0)) throw OptionError("gradient_limit must be above 0, got " + detail::text(limit));
    scales_.gradient_limit.reset();
    if (limit > std::numeric_limits<double>::max()) return;
    algorithm_.require_clipping();
    scales_.gradient_limit = limit;
  }
  double gradient_limit() const { return scales_.gradient_limit.value_or(std::numeric_limits<double>::infinity()); }

  /// Steps taken.
  Index steps() const { return steps_; }

  /// Bytes held for training and inference, packing memory of the products excepted.
  Index bytes() const {
    const Index parameters = layers_.parameter_count() * static_cast<Index>(sizeof(Scalar));
    return parameters + algorithm_.bytes();
  }

  friend std::ostream& operator<<(std::ostream& out, const Network& net) {
    out << net.layers_.summary();
    return net.loss_ ? out << ", loss " << net.loss_->name() : out;
  }

  /// All that decides how training continues; two networks that are equal continue alike.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("random", self.random_...);
    visit("layers", self.layers_...);
    visit("loss", self.loss_...);
    visit("algorithm", self.algorithm_...);
    visit("steps", self.steps_...);
    visit("rate_scale", self.scales_.rate...);
    visit("mu_scale", self.scales_.mu...);
    visit("gradient_limit", self.scales_.gradient_limit...);
  }

 private:
  Network(AnyLoss<Scalar> loss, AnyAlgorithm<Scalar> algorithm, altmin::Layers<Scalar> layers, Seed seed);
  Network(AnyLoss<Scalar> loss, AnyAlgorithm<Scalar> algorithm, altmin::Layers<Scalar> layers);

  static altmin::Layers<Scalar> require_layers(altmin::Layers<Scalar> layers);
  static altmin::Layers<Scalar> initialized(altmin::Layers<Scalar> layers, Random& random);

  /// Calls use(samples, target), which are to be checked.
  template <class X, class Y>
  void with_batch(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y,
                  FunctionRef<void(ConstView<Scalar>, const Target<Scalar>&)> use) const {
    static_assert(std::is_same_v<typename X::Scalar, Scalar>,
                  "altmin: the samples must have the network's scalar type");
    const ConstRef<Scalar> samples{x};
    if constexpr (std::is_integral_v<typename Y::Scalar>) {
      static_assert(std::is_same_v<typename Y::Scalar, int> && Y::ColsAtCompileTime == 1,
                    "altmin: labels must be a column vector of int, such as altmin::Labels");
      const ConstLabels labels{y};
      use(samples, Target<Scalar>{labels.data(), labels.size()});
    } else {
      static_assert(std::is_same_v<typename Y::Scalar, Scalar>,
                    "altmin: the target must be labels (int) or have the network's scalar type");
      const ConstRef<Scalar> values{y};
      use(samples, Target<Scalar>{values});
    }
  }

  /// Throws ShapeError or DataError unless this is a batch for this network. That of one of several ranks may be empty.
  void check_batch(ConstView<Scalar> x, const Target<Scalar>& target, bool may_be_empty = false) const;
  void require_layers() const {
    if (layers_.size() == 0) throw Error("Network: expected a network, got one that has been moved from");
  }

  StepReport checked_step(ConstView<Scalar> x, const Target<Scalar>& target);
  /// Throws on all ranks unless these networks, with this algorithm, can train together; takes the values of rank 0.
  void share_with_ranks(Communicator& communicator, Algorithm<Scalar>& algorithm);
  void predict_into(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const;

  Random random_;
  altmin::Layers<Scalar> layers_;
  AnyLoss<Scalar> loss_;
  Algorithm<Scalar> algorithm_;
  Index steps_ = 0;
  StepScales scales_;
  BatchShare share_;
  mutable Workers<Scalar> workers_;
  Scratch<Scalar> inference_;  // of predict_one()
  Buffer<Scalar> skipped_;     // the same: the input of a block that skips
};

template <class Scalar>
Network<Scalar>::Network(AnyLoss<Scalar> loss, AnyAlgorithm<Scalar> algorithm, altmin::Layers<Scalar> layers, Seed seed)
    : random_{seed},
      layers_{initialized(std::move(layers), random_)},
      loss_{std::move(loss)},
      algorithm_{std::move(algorithm), layers_} {}

template <class Scalar>
Network<Scalar>::Network(AnyLoss<Scalar> loss, AnyAlgorithm<Scalar> algorithm, altmin::Layers<Scalar> layers)
    : layers_{require_layers(std::move(layers))}, loss_{std::move(loss)}, algorithm_{std::move(algorithm), layers_} {}

// Outside the class, so that a program that links altmin::compiled compiles none of them.
template <class Scalar>
Network<Scalar>::Network(const Network&) = default;
template <class Scalar>
Network<Scalar>::Network(Network&&) noexcept = default;
template <class Scalar>
Network<Scalar>& Network<Scalar>::operator=(const Network&) = default;
template <class Scalar>
Network<Scalar>& Network<Scalar>::operator=(Network&&) noexcept = default;
template <class Scalar>
Network<Scalar>::~Network() = default;

template <class Scalar>
altmin::Layers<Scalar> Network<Scalar>::require_layers(altmin::Layers<Scalar> layers) {
  if (layers.size() == 0) throw ShapeError("Network: expected at least 1 layer, got 0");
  return layers;
}

template <class Scalar>
altmin::Layers<Scalar> Network<Scalar>::initialized(altmin::Layers<Scalar> layers, Random& random) {
  layers = require_layers(std::move(layers));
  layers.initialize(random);
  return layers;
}

template <class Scalar>
void Network<Scalar>::check_batch(ConstView<Scalar> x, const Target<Scalar>& target, bool may_be_empty) const {
  require_layers();
  detail::require_samples<Scalar>(x, layers_.input().size(), may_be_empty);
  const auto& values = target.values();
  if (!target.has_labels() && values.cols() == 1 && values.rows() == x.cols() && values.rows() > 1) {
    throw ShapeError("target: expected " + detail::shape_text(layers_.output().size(), x.cols()) + ", got " +
                     detail::shape_text(values.rows(), 1) +
                     ": a vector is a column, one sample; pass y.transpose() for one value a sample");
  }
  if (target.samples() != x.cols()) {
    throw ShapeError("target: expected " + detail::text(x.cols()) + " samples, got " + detail::text(target.samples()));
  }
  loss_->check(layers_.output().size(), target);
  const auto& weights = target.weights();
  if (weights.rows() == 0) return;
  detail::require_weights(target);
  algorithm_.require_sample_weights();
  if (!may_be_empty && (weights.array() == Scalar(0)).all()) {
    throw DataError("weights: expected at least one above 0 in a batch, got none");
  }
}

template <class Scalar>
StepReport Network<Scalar>::checked_step(ConstView<Scalar> x, const Target<Scalar>& target) {
  if (share_.alone()) {
    check_batch(x, target);
  } else {
    share_.divide(x.cols(), [&] { check_batch(x, target, true); });
    if (share_.total() == 0) throw ShapeError("samples: expected at least 1, got an empty batch on all ranks");
  }
  const Index samples = share_.alone() ? x.cols() : share_.total();
  for (Index i = 0; i < layers_.size(); ++i) {
    if (samples < 2 && layers_[i].traits().couples_samples) {
      throw ShapeError("layer " + detail::text(i) + " (" + layers_[i].name() +
                       "): expected at least 2 samples in a training batch, got 1");
    }
  }
  const auto lock = workers_.lock();
  const FlushDenormals flush;
  const Worker<Scalar> worker = share_.alone() ? workers_.worker() : workers_.worker().on(share_);
  Random random = random_;
  const StepReport report = algorithm_.step({layers_, *loss_, x, target, random, scales_, worker});
  if (report) {
    ++steps_;
    random_ = random;
  }
  return report;
}

template <class Scalar>
void Network<Scalar>::share_with_ranks(Communicator& communicator, Algorithm<Scalar>& algorithm) {
  detail::require_same_text(communicator, "network", [&] {
    algorithm.require_sums_over_ranks(layers_);
    return detail::describe<Scalar>(layers_, *loss_, algorithm);
  });
  detail::broadcast_fields(communicator, [&](FieldVisitor& visitor) {
    visit_part(visitor, "", random_);
    visit_part(visitor, "", layers_);
    visit_part(visitor, "", algorithm);
    visit_part(visitor, "", steps_);
    visit_part(visitor, "", scales_.rate);
    visit_part(visitor, "", scales_.mu);
    visit_part(visitor, "gradient_limit", scales_.gradient_limit);
  });
}

template <class Scalar>
Matrix<Scalar> Network<Scalar>::predict(const ConstRef<Scalar>& x) const {
  require_layers();
  detail::require_samples<Scalar>(x, layers_.input().size());
  Matrix<Scalar> result(layers_.output().size(), x.cols());
  const FlushDenormals flush;
  workers_.lend([&](const Worker<Scalar>& worker) { predict_into(worker, x, result); });
  return result;
}

template <class Scalar>
ConstView<Scalar> Network<Scalar>::predict_one(const ConstRef<Scalar>& x) {
  require_layers();
  if (x.cols() != 1) throw ShapeError("predict_one: expected 1 sample, got " + detail::text(x.cols()));
  detail::require_samples<Scalar>(x, layers_.input().size());
  const FlushDenormals flush;
  ConstView<Scalar> value{x};
  workers_.lend([&](const Worker<Scalar>& worker) {
    for (const BlockRange& block : algorithm_.blocks()) {
      if (block.skips) {
        skipped_.fit(value.rows(), 1);
        detail::copy<Scalar>(value, skipped_.view());
      }
      for (Index i = block.first; i < block.first + block.count; ++i) {
        const View<Scalar> output = inference_.between(i, layers_[i].output().size(), 1);
        layers_[i].predict(worker, value, output);
        value.rebind(output);
      }
      if (!block.skips) continue;
      const View<Scalar> output = inference_.between(block.first + block.count, value.rows(), 1);
      detail::scaled_sum<Scalar>(worker, static_cast<Scalar>(block.branch), value, skipped_.view(), output);
      value.rebind(output);
    }
  });
  return value;
}

template <class Scalar>
void Network<Scalar>::predict_into(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const {
  constexpr Index chunk = 128;
  worker.parallel_for((x.cols() + chunk - 1) / chunk, [&](Index i, const Worker<Scalar>& own) {
    const Index first = i * chunk;
    const Index count = std::min(chunk, x.cols() - first);
    Matrix<Scalar> in = x.slice(first, count);
    Matrix<Scalar> out;
    Matrix<Scalar> skipped;
    for (const BlockRange& block : algorithm_.blocks()) {
      if (block.skips) skipped = in;
      for (Index k = block.first; k < block.first + block.count; ++k) {
        out.resize(layers_[k].output().size(), count);
        layers_[k].predict(own, in, out);
        in.swap(out);
      }
      if (block.skips) detail::scaled_sum<Scalar>(own, static_cast<Scalar>(block.branch), in, skipped, in);
    }
    y.middleCols(first, count) = in;
  });
}

}  // namespace altmin
