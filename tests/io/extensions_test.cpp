// Layers, losses, signals and rules of a user's own, taken from the examples, in files.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <string>

#include "../../examples/extensions/feedback_alignment.hpp"
#include "../../examples/extensions/huber.hpp"
#include "../../examples/extensions/lion.hpp"
#include "../../examples/extensions/ridge_codes.hpp"
#include "../../examples/extensions/swish.hpp"
#include "../support.hpp"
#include "catch.hpp"
#include "support.hpp"

using altmin::FormatError;
using altmin::Kinds;
using altmin::Matrix;
using altmin::MovedCodes;
using altmin::Pair;
using ExtendedNet = altmin::Network<float>;
using OwnKinds = Kinds<Swish, Huber, Lion, FeedbackAlignment, MovedCodes<RidgeCodes>>;

namespace {

/// An algorithm of a user's own, with a name.
struct AmLion {
  static constexpr const char* name = "AmLion";

  double mu = 1;

  MovedCodes<> signal() const {
    MovedCodes<> options;
    options.mu = mu;
    return options;
  }
  Lion rule(bool) const { return {}; }
  void validate() const { signal().validate(name); }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("mu", self.mu...);
  }
};

struct ExtendedProblem {
  ExtendedProblem() {
    altmin::Random random{altmin::Seed{1}};
    x = support::random_matrix<float>(3, 20, random);
    y = support::random_matrix<float>(2, 20, random);
  }

  Matrix<float> x;
  Matrix<float> y;
};

template <class Algorithm>
ExtendedNet extended_net(const Algorithm& algorithm) {
  altmin::Layers<float> layers{3};
  layers.add(altmin::Dense{5}).add(Swish{0.5}).add(altmin::Dense{4}).add(altmin::Identity{}).add(altmin::Dense{4});
  ExtendedNet net{layers.add(Swish{2}).add(altmin::Dense{2}), Huber{0.7}, algorithm, altmin::Seed{1}};
  net.set_threads(1);
  return net;
}

/// Calls check(name, algorithm), own parts with options that are not the defaults.
template <class Check>
void for_each_extended(Check&& check) {
  FeedbackAlignment feedback;
  feedback.seed = altmin::Seed{8};
  Lion lion;
  lion.beta2 = 0.9;
  MovedCodes<RidgeCodes> ridge;
  ridge.mu = 0.5;
  ridge.rule.descent.iterations = 3;
  check("own weight rule", Pair{altmin::Backprop{}, lion});
  check("own signal", Pair{feedback, altmin::AdamRule{}});
  check("own signal with own rule", Pair{feedback, lion});
  check("own code rule", Pair{ridge, altmin::SgdRule{}});
  check("own algorithm", AmLion{0.7});
  check("of the library", altmin::AmAdam{});
}

}  // namespace

TEST_CASE("networks of a user's own parts are saved, and go on to the same bits", "[extensions]") {
  const ExtendedProblem problem;
  for_each_extended([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto net = extended_net(algorithm);
    for (int s = 0; s < 3; ++s) REQUIRE(net.step(problem.x, problem.y));
    const std::string file = altmin::format_checkpoint(net);
    const Kinds<AmLion, Swish, Huber, Lion, FeedbackAlignment, MovedCodes<RidgeCodes>> kinds;
    auto saved = altmin::parse_checkpoint<float>(file, kinds);
    CHECK(saved.network == net);
    CHECK(altmin::format_checkpoint(saved.network) == file);
    const auto* options = saved.network.algorithm().template options<std::decay_t<decltype(algorithm)>>();
    REQUIRE(options != nullptr);
    CHECK(altmin::equal(*options, algorithm));
    CHECK(altmin::parse_model<float>(file, kinds).layers() == net.layers());
    CHECK_FALSE(saved.network.layers()[1].as<Swish>() == nullptr);
    CHECK(saved.network.loss().as<Huber>()->delta == 0.7);
    net.step(problem.x, problem.y);
    CHECK(saved.network != net);
    saved.network.set_threads(1);
    for (int s = 0; s < 4; ++s) saved.network.step(problem.x, problem.y);
    for (int s = 0; s < 3; ++s) net.step(problem.x, problem.y);
    CHECK(saved.network == net);
  });
}

TEST_CASE("a kind that is not named is refused by one sentence", "[extensions]") {
  const auto refused = [](const auto& algorithm, auto kinds) {
    const std::string file = altmin::format_model(extended_net(algorithm));
    return support::message<FormatError>([&] { altmin::parse_model<float>(file, kinds); });
  };
  const std::string hint = " (kinds of your own are named in Kinds<...>)";
  CHECK(
      refused(altmin::Adam{}, Kinds<>{}) ==
      "network.layers[1].type: expected one of Dense, BinaryDense, Conv2d, Recurrent, LastStep, MaxPool2d, AvgPool2d, "
      "BatchNorm, Standardize, Dropout, Identity, Relu, LeakyRelu, Tanh, Sigmoid, Sign, Skip, got 'Swish'" +
          hint);
  CHECK(refused(altmin::Adam{}, Kinds<Swish>{}) ==
        "network.loss.type: expected one of SoftmaxCrossEntropy, MeanSquaredError, Logistic, Hinge, got 'Huber'" +
            hint);
  CHECK(refused(Pair{FeedbackAlignment{}, Lion{}}, Kinds<Swish, Huber>{}) ==
        "network.algorithm.options.signal.type: expected one of Backprop, MovedCodes, ExactCodes, got "
        "'FeedbackAlignment'" +
            hint);
  CHECK(refused(Pair{FeedbackAlignment{}, Lion{}}, Kinds<Swish, Huber, FeedbackAlignment>{}) ==
        "network.algorithm.options.rule.type: expected one of AdamRule, SgdRule, MemoryRule, FullMemoryRule, "
        "DescentRule, RecursiveRule, CentredAdamRule, got 'Lion'" +
            hint);
  CHECK(refused(Pair{MovedCodes<RidgeCodes>{}, Lion{}}, Kinds<Swish, Huber, Lion>{}) ==
        "network.algorithm.options.signal.type: expected one of Backprop, MovedCodes, ExactCodes, got 'RidgeCodes'" +
            hint);
  CHECK(refused(AmLion{}, OwnKinds{}) ==
        "network.algorithm.type: expected one of AmAdam, AmMem, AmMemFull, AmMemDescent, AmRecursive, AmSgd, Adam, "
        "Sgd, Pair, got 'AmLion'" +
            hint);
}

TEST_CASE("fit goes on from checkpoints of a user's own parts, which need not be named", "[extensions]") {
  const ExtendedProblem problem;
  const altmin::Dataset<float> data{problem.x, problem.y};
  const support::Folder folder;
  const std::string path = folder.file("run");
  altmin::FitOptions options;
  options.epochs = 2;
  options.batch_size = 8;
  for_each_extended([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    auto whole = extended_net(algorithm);
    whole.layers()[2].parameters()[0].freeze();
    auto stopped = whole;
    fit(stopped, data, options, altmin::Checkpoint{path});
    altmin::FitOptions longer = options;
    longer.epochs = 4;
    fit(whole, data, longer);
    auto resumed = extended_net(algorithm);
    fit(resumed, data, longer, altmin::Resume{path});
    CHECK(resumed == whole);
  });
}
