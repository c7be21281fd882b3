#pragma once

// What learns from a stream: the algorithms of the library, and baselines of the field made of them.

#include <altmin/altmin.hpp>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "streams.hpp"

namespace online {

using Network = altmin::Network<float>;

/// What is the same for all learners.
struct Setting {
  Index features;
  Index classes;
  std::vector<Index> hidden;
  std::uint64_t seed;
  int threads;
};

class Learner {
 public:
  Learner() = default;
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;
  virtual ~Learner() = default;

  /// Scores, classes x samples.
  virtual Images predict(const Images& x) = 0;
  /// False if nothing was learned, as numbers would have overflowed.
  virtual bool learn(const Images& x, const Labels& y) = 0;
};

/// Options of baselines that are tuned.
struct Rates {
  double rate;
  double decay = 0;       // the rate falls as 1/sqrt(1 + decay t), t the samples seen
  double second = 0.999;  // Adam's beta2, or SGD's momentum
  double weight_decay = 0;
};

class NetworkLearner : public Learner {
 public:
  NetworkLearner(Network net, double decay = 0) : net_{std::move(net)}, decay_{decay} {}

  Images predict(const Images& x) override { return net_.predict(x); }
  bool learn(const Images& x, const Labels& y) override {
    if (decay_ > 0) net_.set_rate_scale(1 / std::sqrt(1 + decay_ * static_cast<double>(seen_)));
    seen_ += x.cols();
    return static_cast<bool>(net_.step(x, y));
  }

 private:
  Network net_;
  double decay_;
  Index seen_ = 0;
};

/// After each step, two on batches of samples that were seen before: a reservoir of these is kept.
class ReplayLearner : public NetworkLearner {
 public:
  ReplayLearner(Network net, double decay, std::uint64_t seed)
      : NetworkLearner{std::move(net), decay}, random_{altmin::Seed{seed}} {}

  bool learn(const Images& x, const Labels& y) override {
    bool learned = NetworkLearner::learn(x, y);
    for (int repeat = 0; repeat < 2 && !labels_.empty(); ++repeat) {
      Images again(x.rows(), x.cols());
      Labels labels(x.cols());
      for (Index t = 0; t < x.cols(); ++t) {
        const auto k = random_.below(static_cast<std::uint32_t>(labels_.size()));
        again.col(t) = kept_.col(k);
        labels(t) = labels_[k];
      }
      learned = NetworkLearner::learn(again, labels) && learned;
    }
    if (kept_.size() == 0) kept_.resize(x.rows(), capacity);
    for (Index t = 0; t < x.cols(); ++t) {
      ++seen_;
      auto place = static_cast<std::uint32_t>(labels_.size());
      if (place < capacity) {
        labels_.push_back(0);
      } else {
        place = random_.below(static_cast<std::uint32_t>(seen_));
        if (place >= capacity) continue;
      }
      kept_.col(place) = x.col(t);
      labels_[place] = y(t);
    }
    return learned;
  }

 private:
  static constexpr std::uint32_t capacity = 3000;

  altmin::Random random_;
  Images kept_;
  std::vector<int> labels_;
  std::uint64_t seen_ = 0;
};

/// Recursive least squares on random features: a frozen random layer, and above it one that moves by the inverse of its
/// memory along the error of the targets 0 and 1, of weight 1 each.
class LeastSquaresLearner : public Learner {
 public:
  explicit LeastSquaresLearner(Network net) : net_{std::move(net)} {}

  Images predict(const Images& x) override { return net_.predict(x); }
  bool learn(const Images& x, const Labels& y) override {
    Images target = Images::Zero(net_.layers().output().size(), x.cols());
    for (Index t = 0; t < x.cols(); ++t) target(y(t), t) = 1;
    return static_cast<bool>(net_.step(x, target));
  }

 private:
  Network net_;
};

inline altmin::Layers<float> layers_of(const Setting& setting) {
  altmin::Layers<float> layers{setting.features};
  const auto he = altmin::Initialization::he_normal;
  for (const Index units : setting.hidden) layers.add(altmin::Dense{units, true, he}).add(altmin::Relu{});
  return layers.add(altmin::Dense{setting.classes, true, altmin::Initialization::lecun_normal});
}

template <class Config>
Network make_network(const Setting& setting, const Config& config) {
  Network net{layers_of(setting), altmin::SoftmaxCrossEntropy{}, config, altmin::Seed{setting.seed}};
  net.set_threads(setting.threads);
  return net;
}

template <class Options>
Options adam_options(const Rates& rates) {
  Options options;
  options.learning_rate = rates.rate;
  options.beta2 = rates.second;
  options.weight_decay = rates.weight_decay;
  return options;
}

inline std::unique_ptr<Learner> make_least_squares(const Setting& setting) {
  constexpr Index random_features = 1000;
  altmin::Layers<float> layers{setting.features};
  layers.add(altmin::Dense{random_features, true, altmin::Initialization::he_normal}).add(altmin::Relu{});
  layers.add(altmin::Dense{setting.classes});
  altmin::RecursiveRule rule;
  rule.learning_rate =
      static_cast<double>(setting.classes) / 2;  // the derivative of the mean over outputs is 2/classes
  rule.forgetting = 1e-5;
  rule.damping = 30;
  rule.return_rate = 0;
  Network net{layers, altmin::MeanSquaredError{}, altmin::Pair{altmin::Backprop{}, rule}, altmin::Seed{setting.seed}};
  for (auto& parameter : net.layers()[0].parameters()) parameter.freeze();
  for (auto& parameter : net.layers()[2].parameters()) parameter.values().setZero();
  net.set_threads(setting.threads);
  return std::make_unique<LeastSquaresLearner>(std::move(net));
}

/// A way to learn. Those that are tuned have no defaults of their own for streams, and share what is tuned by name.
struct Method {
  const char* name;
  const char* tuned_as;  // "": by defaults alone
  std::unique_ptr<Learner> (*make)(const Setting&, const Rates&);
};

template <class Config>
std::unique_ptr<Learner> by_defaults(const Setting& setting, const Rates&) {
  return std::make_unique<NetworkLearner>(make_network(setting, Config{}));
}

inline const std::vector<Method>& methods() {
  static const std::vector<Method> all{
      {"am-recursive", "", by_defaults<altmin::AmRecursive>},
      {"am-recursive-blocks", "",
       [](const Setting& setting, const Rates&) -> std::unique_ptr<Learner> {
         return std::make_unique<NetworkLearner>(make_network(setting, altmin::AmRecursive::blocks()));
       }},
      {"adam", "adam",
       [](const Setting& setting, const Rates& rates) -> std::unique_ptr<Learner> {
         return std::make_unique<NetworkLearner>(make_network(setting, adam_options<altmin::Adam>(rates)), rates.decay);
       }},
      {"adam-centred", "adam-centred",
       [](const Setting& setting, const Rates& rates) -> std::unique_ptr<Learner> {
         altmin::Pair<altmin::Backprop, altmin::CentredAdamRule> pair;
         pair.rule_options = adam_options<altmin::CentredAdamRule>(rates);
         return std::make_unique<NetworkLearner>(make_network(setting, pair), rates.decay);
       }},
      {"adam-replay", "adam",
       [](const Setting& setting, const Rates& rates) -> std::unique_ptr<Learner> {
         return std::make_unique<ReplayLearner>(make_network(setting, adam_options<altmin::Adam>(rates)), rates.decay,
                                                setting.seed);
       }},
      {"sgd", "sgd",
       [](const Setting& setting, const Rates& rates) -> std::unique_ptr<Learner> {
         altmin::Sgd sgd;
         sgd.learning_rate = rates.rate;
         sgd.momentum = rates.second;
         sgd.weight_decay = rates.weight_decay;
         return std::make_unique<NetworkLearner>(make_network(setting, sgd), rates.decay);
       }},
      {"least-squares", "", [](const Setting& setting, const Rates&) { return make_least_squares(setting); }},
      {"am-mem", "", by_defaults<altmin::AmMem>},
      {"am-adam", "", by_defaults<altmin::AmAdam>}};
  return all;
}

/// Settings to try, the first of them the usual one: rates over two decades, with and without decay.
inline Rates candidate(const std::string& name, Index number, altmin::Random& random) {
  const bool sgd = name == "sgd";
  Rates rates{sgd ? 0.01 : 0.001};
  rates.second = sgd ? 0 : 0.999;
  if (number == 0) return rates;
  rates.rate = std::pow(10.0, sgd ? random.uniform(-3, -1) : random.uniform(-4, -2));
  const double decays[] = {0, 1e-3, 1e-4};
  rates.decay = decays[random.below(3)];
  const double seconds[] = {sgd ? 0 : 0.999, sgd ? 0.9 : 0.99};
  rates.second = seconds[random.below(2)];
  const double weight_decays[] = {0, sgd ? 1e-4 : 1e-2};
  rates.weight_decay = weight_decays[random.below(2)];
  return rates;
}

}  // namespace online
