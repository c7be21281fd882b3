// A step that would leave anything that is not finite moves nothing and says so; the network goes on from it as if the
// step had never been tried, bit for bit.

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "problem.hpp"

namespace finite_steps {

using altmin::Adam;
using altmin::AmAdam;
using altmin::AmMem;
using altmin::AmSgd;
using altmin::BatchNorm;
using altmin::Dense;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::MeanSquaredError;
using altmin::Network;
using altmin::Seed;
using altmin::Sgd;
using altmin::SoftmaxCrossEntropy;
using altmin::Status;
using support::Problem;

/// Calls check(name, algorithm) for every algorithm, in every form of its weight updates.
template <class Check>
void for_each_algorithm(Check&& check) {
  check("Adam", Adam{});
  Adam decayed;
  decayed.weight_decay = 0.01;
  check("Adam, weight decay", decayed);
  check("Sgd", Sgd{0.01});
  check("Sgd, Nesterov, weight decay", Sgd{0.01, 0.9, true, 0.001});
  check("AmAdam", AmAdam{});
  check("AmAdam, moving", support::moving());
  check("AmAdam, published", AmAdam::published());
  AmAdam sparse = support::moving();
  sparse.lambda_weight = 0.001;
  sparse.weight_iterations = 2;
  check("AmAdam, two sparse weight iterations", sparse);
  AmSgd sgd;
  sgd.learning_rate = sgd.output_learning_rate = 0.01;
  check("AmSgd", sgd);
  check("AmMem", AmMem{});
  check("AmMemFull", altmin::AmMemFull{});
  check("AmMemDescent", altmin::AmMemDescent{});
  check("Backprop, memory", altmin::Pair{altmin::Backprop{}, altmin::MemoryRule{}});
}

/// A number whose square is infinite.
template <class Scalar>
const Scalar huge = std::is_same_v<Scalar, float> ? Scalar(1e20) : Scalar(1e160);

template <class Scalar>
Layers<Scalar> normalized() {
  Layers<Scalar> layers{12};
  return layers.add(BatchNorm{})
      .add(Dense{10})
      .add(BatchNorm{})
      .add(altmin::Relu{})
      .add(altmin::Dropout{0.1})
      .add(Dense{3});
}

template <class Net>
bool all_finite(const Net& net) {
  for (const auto& layer : net.layers()) {
    for (const auto& list : {layer.parameters(), layer.statistics()}) {
      for (const auto& parameter : list) {
        if (!parameter.value().allFinite()) return false;
      }
    }
  }
  return true;
}

/// Takes `step` on a network, which must refuse it, then the same good steps on it and on a twin that was never given
/// it.
template <class Net, class Step, class X, class Y>
void check_nothing_moves(Net& net, const X& x, const Y& y, Step&& step) {
  for (int s = 0; s < 3; ++s) REQUIRE(net.step(x, y));
  Net twin = net;
  for (int s = 0; s < 2; ++s) {
    const auto report = step(net);
    CHECK_FALSE(report);
    CHECK(report.status != Status::updated);
    CHECK(net == twin);
  }
  for (int s = 0; s < 7; ++s) {  // the roots of AmMemFull among them
    const auto report = net.step(x, y);
    const auto expected = twin.step(x, y);
    REQUIRE(report);
    CHECK(report.loss == expected.loss);
    CHECK(net == twin);
  }
  CHECK(net.predict(x) == twin.predict(x));
  CHECK(all_finite(net));
}

}  // namespace finite_steps

TEMPLATE_TEST_CASE("one outlier in front of a batch normalization moves nothing", "", float, double) {
  using namespace finite_steps;
  const Problem<TestType> problem{12, 3, 20};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network<TestType> net{normalized<TestType>(), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    Matrix<TestType> x = problem.x;
    x(4, 7) = huge<TestType>;
    check_nothing_moves(net, problem.x, problem.y, [&](auto& same) { return same.step(x, problem.y); });
  });
}

TEMPLATE_TEST_CASE("an outlier without normalization moves nothing where gradients overflow", "", float, double) {
  using namespace finite_steps;
  const Problem<TestType> problem{12, 3, 20};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    INFO(name);
    Network<TestType> net{support::mlp<TestType>({12, 10, 8, 3}), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
    Matrix<TestType> x = problem.x;
    x(4, 7) = 1000 * huge<TestType>;
    check_nothing_moves(net, problem.x, problem.y, [&](auto& same) { return same.step(x, problem.y); });
  });
}

TEMPLATE_TEST_CASE("a target whose gradients overflow, or their squares, moves nothing", "", float, double) {
  using namespace finite_steps;
  const Problem<TestType> problem{12, 3, 20};
  const Matrix<TestType> target = problem.x.topRows(2);
  // In float the loss is finite: it is summed in double.
  const std::vector<double> targets =
      std::is_same_v<TestType, float> ? std::vector<double>{1e21, 1e30, 3e38} : std::vector<double>{1e160, 1e300};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    for (const bool batch_norm : {false, true}) {
      for (const double size : targets) {
        INFO(name << ", " << size << (batch_norm ? ", batch norm" : ""));
        Network<TestType> net{support::mlp<TestType>({12, 10, 8, 2}, batch_norm), MeanSquaredError{}, algorithm,
                              Seed{2}};
        Matrix<TestType> bad = target;
        bad(1, 3) = static_cast<TestType>(size);
        check_nothing_moves(net, problem.x, target, [&](auto& same) { return same.step(problem.x, bad); });
      }
    }
  });
}

TEST_CASE("a rate that takes weights to infinity moves nothing") {
  using namespace finite_steps;
  const Problem<float> problem{12, 3, 20};
  for_each_algorithm([&](const std::string& name, const auto& algorithm) {
    for (const double scale : {1e38, 1e42, 1e300}) {  // of all rates
      INFO(name << ", " << scale);
      if (name == "AmMemDescent") continue;  // has no rate below its last block
      Network<float> net{support::mlp<float>({12, 10, 8, 3}, true), SoftmaxCrossEntropy{}, algorithm, Seed{2}};
      for (int s = 0; s < 3; ++s) REQUIRE(net.step(problem.x, problem.y));
      Network<float> twin = net;
      net.set_rate_scale(scale);
      bool refused = false;
      for (int s = 0; s < 10 && !refused; ++s) {
        const auto before = net;
        refused = !net.step(problem.x, problem.y);
        CHECK(all_finite(net));
        if (refused) CHECK(net == before);
      }
      CHECK(refused);
      if (scale < 1e40) continue;  // a step or two may have been finite
      CHECK(net.layers() == twin.layers());
      net.set_rate_scale(1);
      REQUIRE(net.step(problem.x, problem.y));
      REQUIRE(twin.step(problem.x, problem.y));
      CHECK(net.layers() == twin.layers());
    }
  });
}

TEST_CASE("AmAdam at a rate of 1e38 refuses the step") {
  using namespace finite_steps;
  const Problem<float> problem{12, 3, 20};
  AmAdam options = support::moving();
  options.learning_rate = options.output_learning_rate = 1e38;
  Network<float> net{support::mlp<float>({12, 10, 3}), SoftmaxCrossEntropy{}, options, Seed{2}};
  const auto before = net.layers();
  CHECK(net.step(problem.x, problem.y).status == Status::weights_not_finite);
  CHECK(net.layers() == before);
}

TEST_CASE("an epsilon that is 0 in float divides no weight by 0") {
  using namespace finite_steps;
  const Problem<float> problem{12, 3, 20};
  Adam options;
  options.epsilon = 1e-60;
  Network<float> net{support::mlp<float>({12, 10, 3}), SoftmaxCrossEntropy{}, options, Seed{2}};
  Matrix<float> x = problem.x;
  x.row(5).setZero();  // its weights have no gradient: 0 / 0
  const auto before = net.layers();
  CHECK(net.step(x, problem.y).status == Status::weights_not_finite);
  CHECK(net.layers() == before);
  REQUIRE(net.step(problem.x, problem.y));
  CHECK(all_finite(net));
}

TEST_CASE("a gradient with a finite square moves weights by the rule") {
  // 1e18 is beyond what bounds prove: every new number is looked at instead, and found finite.
  using namespace finite_steps;
  for (const float size : {1.F, 1e10F, 1e15F, 1e18F}) {
    INFO(size);
    Network<float> net{Layers<float>{2}.add(Dense{1, false}), MeanSquaredError{}, Adam{}, Seed{2}};
    net.layers()[0].parameters()[0].values().setZero();
    REQUIRE(net.step(Matrix<float>::Ones(2, 1), Matrix<float>::Constant(1, 1, size)));
    CHECK(net.layers()[0].parameters()[0].value().isApproxToConstant(0.001F, 1e-5F));

    Network<float> sgd{Layers<float>{2}.add(Dense{1, false}), MeanSquaredError{}, Sgd{}, Seed{2}};
    sgd.layers()[0].parameters()[0].values().setZero();
    REQUIRE(sgd.step(Matrix<float>::Ones(2, 1), Matrix<float>::Constant(1, 1, size)));
    CHECK(sgd.layers()[0].parameters()[0].value().isApproxToConstant(0.2F * size, 1e-5F));
  }
}

TEST_CASE("tiny residuals do not break the roots of AM-mem") {
  using namespace finite_steps;
  const Problem<float> problem{12, 3, 20};
  Network<float> net{support::mlp<float>({12, 10, 3}), MeanSquaredError{}, altmin::AmMemFull{}, Seed{2}};
  for (const float size : {1e-8F, 1e-11F, 1e-15F, 1e-25F}) {
    for (int s = 0; s < 3; ++s) {
      const Matrix<float> target = net.predict(problem.x).array() + size;
      REQUIRE(net.step(size * problem.x, size * target));
      CHECK(all_finite(net));
    }
  }
}

TEST_CASE("a frozen parameter's gradient may overflow") {
  using namespace finite_steps;
  const Problem<float> problem{12, 3, 20};
  Network<float> net{support::mlp<float>({12, 10, 3}), SoftmaxCrossEntropy{}, Adam{}, Seed{2}};
  for (auto& parameter : net.layers()[0].parameters()) parameter.freeze();
  net.layers()[0].parameters()[0].values().setZero();
  CHECK(net.step(huge<float> * problem.x, problem.y));
}

TEST_CASE("reports name what was not finite") {
  CHECK(std::string{altmin::to_string(altmin::Status::weights_not_finite)} ==
        "a gradient, moment, weight or statistic would overflow; nothing moved");
  CHECK(std::string{altmin::to_string(altmin::Status::updated)} == "the weights were updated");
}
