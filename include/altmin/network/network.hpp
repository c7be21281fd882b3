#pragma once

#include <algorithm>
#include <iosfwd>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "altmin/core/denormals.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/core/type_list.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/losses/loss.hpp"
#include "altmin/network/am_adam.hpp"
#include "altmin/network/am_mem.hpp"
#include "altmin/network/am_sgd.hpp"
#include "altmin/network/backprop.hpp"
#include "altmin/network/gradient_check.hpp"
#include "altmin/network/samples.hpp"

namespace altmin {

namespace detail {

/// What a type of the user's is, by what it declares: a layer has a Layer<Scalar>, an algorithm an Algorithm<Layers>,
/// and a loss neither.
template <class T, class = void>
struct is_layer : std::false_type {};
template <class T>
struct is_layer<T, std::void_t<typename T::template Layer<double>>> : std::true_type {};

template <class T, class = void>
struct is_algorithm : std::false_type {};
template <class T>
struct is_algorithm<T, std::void_t<typename T::template Algorithm<LayerStack<double>>>> : std::true_type {};

template <class T>
struct is_loss : std::bool_constant<!is_layer<T>::value && !is_algorithm<T>::value> {};

template <template <class...> class Kind, class... T>
using Those = decltype((Types<>{} + ... + std::conditional_t<Kind<T>::value, Types<T>, Types<>>{}));

template <class Scalar, class List>
struct LayersWith;
template <class Scalar, class... T>
struct LayersWith<Scalar, Types<T...>> {
  using Type = Layers<Scalar, T...>;
};

template <class List>
struct LossWith;
template <class... T>
struct LossWith<Types<T...>> {
  using Type = AnyLoss<T...>;
};

template <class Stack, class List>
struct AlgorithmWith;
template <class Stack, class... T>
struct AlgorithmWith<Stack, Types<T...>> {
  using Type = std::variant<typename T::template Algorithm<Stack>...>;
};

}  // namespace detail

/// In place of a Seed: the layers have been initialised.
struct Initialized {};

/// A network that learns online: layers, a loss and an algorithm, chosen at run time. A value: it copies, moves and
/// compares. Layers, losses and algorithms of your own are named as `Extra`, in any order: Network<float, Swish,
/// Huber>.
///
/// Batches are matrices with one sample per COLUMN. Targets are a vector of integer labels, or a matrix of values
/// (outputs x samples). Bad input throws ShapeError or DataError and changes nothing.
template <class Scalar_, class... Extra>
class Network {
 public:
  using Scalar = Scalar_;
  using Layers = typename detail::LayersWith<Scalar, detail::Those<detail::is_layer, Extra...>>::Type;
  using Stack = typename Layers::Stack;
  using Loss = typename detail::LossWith<detail::Those<detail::is_loss, Extra...>>::Type;
  /// The options of all algorithms that it can be trained by.
  using Algorithms = decltype(Types<AmAdam, AmMem, AmSgd, Adam, Sgd>{} +
                              detail::Those<detail::is_algorithm, Extra...>{});

  /// Initialises all layers from `seed`. Throws OptionError if an option is out of range, ShapeError without layers.
  template <class LossType, class AlgorithmType>
  Network(Layers layers, LossType loss, const AlgorithmType& algorithm, Seed seed = {})
      : random_{seed},
        layers_{initialized(std::move(layers), random_)},
        loss_{std::move(loss)},
        algorithm_{make(algorithm, layers_)} {}

  /// The same from layers that have been initialised, or read from a file: they stay as they are.
  template <class LossType, class AlgorithmType>
  Network(Layers layers, LossType loss, const AlgorithmType& algorithm, Initialized)
      : layers_{std::move(layers)}, loss_{std::move(loss)}, algorithm_{make(algorithm, layers_)} {}

  /// Trains on one batch: x is features x samples, y the labels (a column vector of int) or values (outputs x samples).
  /// After the first call with a batch size it does not allocate.
  template <class X, class Y>
  StepReport step(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y) {
    return with_batch(x, y, [&](ConstView<Scalar> samples, const Target<Scalar>& target) {
      for (Index i = 0; i < layers_.size(); ++i) {
        if (samples.cols() < 2 && layers_[i].couples_samples()) {
          throw ShapeError("layer " + detail::text(i) + " (" + layers_[i].name() +
                           "): expected at least 2 samples in a training batch, got 1");
        }
      }
      const std::lock_guard<std::mutex> lock{workers_.busy()};
      const FlushDenormals flush;
      StepContext<Stack, Loss> context{layers_, loss_,       samples,         target,
                                       random_, rate_scale_, workers_.lane(), mu_scale_};
      const StepReport report = std::visit([&](auto& algorithm) { return algorithm.step(context); }, algorithm_);
      ++steps_;
      return report;
    });
  }

  /// Trains on one labelled sample.
  template <class X>
  StepReport step(const Eigen::MatrixBase<X>& x, int label) {
    return step(x, Eigen::Matrix<int, 1, 1>{label});
  }

  /// The network's output, outputs x samples, by inference (running statistics, no dropout). May be called from several
  /// threads at once, but not during a step.
  Matrix<Scalar> predict(const ConstRef<Scalar>& x) const {
    detail::require_samples<Scalar>(x, layers_.input().size());
    Matrix<Scalar> result(layers_.output().size(), x.cols());
    const FlushDenormals flush;
    workers_.lend([&](const Lane<Scalar>& lane) { predict_into(lane, x, result); });
    return result;
  }

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
    return with_batch(x, y, [&](ConstView<Scalar> samples, const Target<Scalar>& target) {
      const Matrix<Scalar> prediction = predict(samples);
      Matrix<Scalar> unused(prediction.rows(), prediction.cols());
      return loss_.template evaluate<Scalar>(prediction, target, unused) / static_cast<double>(samples.cols());
    });
  }

  Stack& layers() { return layers_; }
  const Stack& layers() const { return layers_; }

  const Loss& loss() const { return loss_; }

  /// Compares the derivatives of the mean loss by all parameters, as backprop finds them, with central differences:
  /// what a layer or loss of your own should pass (in double). Changes nothing. See GradientCheck.
  template <class X, class Y>
  GradientCheck check_gradients(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y,
                                double step = 1e-6) const {
    return with_batch(x, y, [&](ConstView<Scalar> samples, const Target<Scalar>& target) {
      return altmin::check_gradients(Stack{layers_}, loss_, samples, target, random_, step);
    });
  }

  /// Goes on with another algorithm, or other options, from the present weights; its state starts anew.
  template <class AlgorithmType>
  void set_algorithm(const AlgorithmType& algorithm) {
    algorithm_ = make(algorithm, layers_);
  }

  /// The algorithm and its state, where its kind is known: `net.algorithm<AmAdam>()`; null if it is another.
  template <class AlgorithmType>
  const typename AlgorithmType::template Algorithm<Stack>* algorithm() const {
    return std::get_if<typename AlgorithmType::template Algorithm<Stack>>(&algorithm_);
  }

  /// Calls visitor(algorithm) with the algorithm and its state, of whatever kind.
  template <class Visitor>
  decltype(auto) visit_algorithm(Visitor&& visitor) const {
    return std::visit(std::forward<Visitor>(visitor), algorithm_);
  }

  /// Threads to use, the calling one included; 0: all of the hardware (the default). Results do not depend on it.
  void set_threads(int threads) {
    if (threads < 0) throw OptionError("threads must be 0 or more, got " + detail::text(threads));
    workers_ = Workers<Scalar>{threads};
  }
  int threads() const { return workers_.threads(); }

  /// Multiplies the learning rates of all weights, from the next step on: what a schedule turns. 1 unless set; 0 or
  /// more.
  void set_rate_scale(double scale) {
    detail::require_option(scale >= 0, "rate_scale", "must be 0 or more", scale);
    rate_scale_ = scale;
  }
  double rate_scale() const { return rate_scale_; }

  /// Multiplies the penalty weight mu of the algorithms that have one, from the next step on. 1 unless set; above 0.
  void set_mu_scale(double scale) {
    detail::require_option(scale > 0, "mu_scale", "must be above 0", scale);
    mu_scale_ = scale;
  }
  double mu_scale() const { return mu_scale_; }

  /// Steps taken.
  Index steps() const { return steps_; }

  /// Bytes held for training and inference, packing memory of the products excepted.
  Index bytes() const {
    const Index parameters = layers_.parameter_count() * static_cast<Index>(sizeof(Scalar));
    return parameters + visit_algorithm([](const auto& algorithm) { return algorithm.bytes(); });
  }

  friend std::ostream& operator<<(std::ostream& out, const Network& net) {
    return out << net.layers_.summary() << ", loss " << net.loss_.name();
  }

  /// All by which a network goes on as it does; two that are equal go on alike.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("random", self.random_...);
    visit("layers", self.layers_...);
    visit("loss", self.loss_...);
    visit("algorithm", self.algorithm_...);
    visit("steps", self.steps_...);
    visit("rate_scale", self.rate_scale_...);
    visit("mu_scale", self.mu_scale_...);
  }

 private:
  using AnyAlgorithm = typename detail::AlgorithmWith<Stack, Algorithms>::Type;

  static Layers initialized(Layers layers, Random& random) {
    layers.initialize(random);
    return layers;
  }

  template <class AlgorithmType>
  static AnyAlgorithm make(const AlgorithmType& algorithm, Stack& layers) {
    if (layers.size() == 0) throw ShapeError("Network: expected at least 1 layer, got 0");
    static_assert(Algorithms::template contain<AlgorithmType>,
                  "altmin: the algorithm is one of the library, or one named in Network<Scalar, YourAlgorithm>");
    return AnyAlgorithm{std::in_place_type<typename AlgorithmType::template Algorithm<Stack>>, algorithm, layers};
  }

  /// Calls use(samples, target) after every check that a batch has to pass.
  template <class X, class Y, class Use>
  auto with_batch(const Eigen::MatrixBase<X>& x, const Eigen::MatrixBase<Y>& y, Use&& use) const
      -> decltype(use(std::declval<ConstView<Scalar>>(), std::declval<const Target<Scalar>&>())) {
    static_assert(std::is_same_v<typename X::Scalar, Scalar>,
                  "altmin: the samples must have the network's scalar type");
    const ConstRef<Scalar> samples{x.derived()};
    detail::require_samples<Scalar>(samples, layers_.input().size());
    if constexpr (std::is_integral_v<typename Y::Scalar>) {
      static_assert(std::is_same_v<typename Y::Scalar, int> && Y::ColsAtCompileTime == 1,
                    "altmin: labels must be a column vector of int, such as altmin::Labels");
      const Eigen::Ref<const Labels> labels{y.derived()};
      return checked(samples, Target<Scalar>{labels.data(), labels.size()}, use);
    } else {
      static_assert(std::is_same_v<typename Y::Scalar, Scalar>,
                    "altmin: the target must be labels (int) or have the network's scalar type");
      const ConstRef<Scalar> values{y.derived()};
      if (values.cols() == 1 && values.rows() == samples.cols() && values.rows() > 1) {
        throw ShapeError("target: expected " + detail::shape_text(layers_.output().size(), samples.cols()) + ", got " +
                         detail::shape_text(values.rows(), 1) +
                         ": a vector is a column, one sample; pass y.transpose() for one value a sample");
      }
      return checked(samples, Target<Scalar>{values}, use);
    }
  }

  template <class Use>
  auto checked(ConstView<Scalar> x, const Target<Scalar>& target, Use&& use) const {
    if (target.samples() != x.cols()) {
      throw ShapeError("target: expected " + detail::text(x.cols()) + " samples, got " +
                       detail::text(target.samples()));
    }
    loss_.check(layers_.output().size(), target);
    return use(x, target);
  }

  void predict_into(const Lane<Scalar>& lane, ConstView<Scalar> x, View<Scalar> y) const {
    constexpr Index chunk = 128;
    lane.parallel_for((x.cols() + chunk - 1) / chunk, [&](Index i, const Lane<Scalar>& own) {
      const Index first = i * chunk;
      const Index count = std::min(chunk, x.cols() - first);
      Matrix<Scalar> in = x.slice(first, count);
      Matrix<Scalar> out;
      for (const auto& layer : layers_) {
        out.resize(layer.output().size(), count);
        layer.predict(own, in, out);
        in.swap(out);
      }
      y.middleCols(first, count) = in;
    });
  }

  Random random_;
  Layers layers_;
  Loss loss_;
  AnyAlgorithm algorithm_;
  Index steps_ = 0;
  double rate_scale_ = 1;
  double mu_scale_ = 1;
  mutable Workers<Scalar> workers_;
};

}  // namespace altmin
