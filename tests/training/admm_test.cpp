// The alternating direction method of multipliers: closed forms where there are some, and that it learns.

#include "altmin/training/admm.hpp"

#include <vector>

#include "../network/problem.hpp"
#include "altmin/altmin.hpp"
#include "catch.hpp"
#include "message_of.hpp"

using altmin::AdmmOptions;
using altmin::Index;
using altmin::Layers;
using altmin::Matrix;
using altmin::Network;
using altmin::Seed;
using support::Problem;

namespace {

template <class Scalar>
altmin::Dataset<Scalar> labelled(Index samples) {
  const Problem<Scalar> problem{12, 3, samples};
  return {problem.x, problem.y, 3};
}

template <class Scalar>
Network<Scalar> two_hidden(int threads = 1) {
  Layers<Scalar> layers{12};
  layers.add(altmin::Dense{10}).add(altmin::Relu{}).add(altmin::Dense{8, false}).add(altmin::LeakyRelu{0.2});
  Network<Scalar> net{layers.add(altmin::Dense{3}), altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, Seed{3}};
  net.set_threads(threads);
  return net;
}

}  // namespace

TEMPLATE_TEST_CASE("ADMM on one map finds the least squares solution", "[admm]", float, double) {
  altmin::Random random{Seed{1}};
  const Matrix<TestType> x = support::random_matrix<TestType>(5, 40, random);
  const Matrix<TestType> targets = support::random_matrix<TestType>(2, 40, random);
  Network<TestType> net{Layers<TestType>{5}.add(altmin::Dense{2}), altmin::MeanSquaredError{}, altmin::AmAdam{},
                        Seed{1}};
  AdmmOptions options;
  options.sweeps = 200;
  options.warm_up = 5;
  options.ridge = 1e-7;
  altmin::fit_admm(net, {x, targets}, options);

  Matrix<double> a(6, 40);
  a.topRows(5) = x.template cast<double>();
  a.row(5).setOnes();
  const Matrix<double> expected = targets.template cast<double>() * a.transpose() *
                                  Eigen::LLT<Matrix<double>>{a * a.transpose()}.solve(Matrix<double>::Identity(6, 6));
  const auto parameters = net.layers()[0].parameters();
  const double tolerance = std::is_same_v<TestType, float> ? 1e-4 : 1e-6;
  CHECK(support::relative_error(parameters[0].value().template cast<double>(), expected.leftCols(5)) < tolerance);
  CHECK(support::relative_error(parameters[1].value().template cast<double>(), expected.col(5)) < tolerance);
}

TEMPLATE_TEST_CASE("while the multiplier stands still no sweep raises the objective", "[admm]", float, double) {
  const auto data = labelled<TestType>(60);
  double before = std::numeric_limits<double>::infinity();
  for (int sweeps = 1; sweeps <= 8; ++sweeps) {
    auto net = two_hidden<TestType>();
    AdmmOptions options;
    options.sweeps = options.warm_up = sweeps;
    const auto report = altmin::fit_admm(net, data, options);
    CHECK(report.objective <= before * (1 + 1e-5));
    CHECK(report.sweeps == sweeps);
    before = report.objective;
  }
}

TEMPLATE_TEST_CASE("ADMM learns, with the same bits on any number of threads", "[admm]", float, double) {
  const auto data = labelled<TestType>(300);
  auto net = two_hidden<TestType>();
  const double start = altmin::evaluate(net, data).accuracy;
  AdmmOptions options;
  std::vector<int> sweeps;
  const auto report = altmin::fit_admm(net, data, options, [&](int sweep) { sweeps.push_back(sweep); });
  CHECK(sweeps.size() == std::size_t(options.sweeps));
  CHECK(sweeps.back() == options.sweeps);
  CHECK(altmin::evaluate(net, data).accuracy > std::max(0.9, start));
  // The variables of every sample: products, outputs and activations of all layers, the input, the multiplier.
  const Index of_samples = 300 * (13 + 3 * 10 + 3 * 8 + 1 + 4 * 3) * Index(sizeof(TestType));
  CHECK(report.bytes > of_samples);
  CHECK(report.bytes < 2 * of_samples);

  auto other = two_hidden<TestType>(3);
  altmin::fit_admm(other, data, options);
  CHECK(other == net);
}

TEST_CASE("ADMM refuses what it cannot train, and changes nothing", "[admm]") {
  const auto data = labelled<float>(20);
  const auto refusal = [&](const Layers<float>& layers) {
    Network<float> net{layers, altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, Seed{1}};
    const Network<float> before = net;
    const std::string message = support::message_of<altmin::OptionError>([&] { altmin::fit_admm(net, data); });
    CHECK(net == before);
    return message;
  };
  CHECK(refusal(Layers<float>{12}.add(altmin::Dense{4}).add(altmin::Tanh{}).add(altmin::Dense{3})) ==
        "fit_admm: layer 1 (Tanh): expected Dense layers, with Relu or LeakyRelu between them");
  CHECK(refusal(Layers<float>{12}.add(altmin::Relu{}).add(altmin::Dense{3})) ==
        "fit_admm: layer 0 (Relu): expected Dense layers, with Relu or LeakyRelu between them");
  CHECK(refusal(Layers<float>{12}.add(altmin::Dense{3}).add(altmin::Relu{})) ==
        "fit_admm: expected a network whose last layer is Dense");
  auto net = two_hidden<float>();
  AdmmOptions options;
  options.gamma = 0;
  CHECK(support::message_of<altmin::OptionError>([&] { altmin::fit_admm(net, data, options); }) ==
        "AdmmOptions: gamma must be above 0, got 0");
  CHECK_THROWS_AS(altmin::fit_admm(net, altmin::Dataset<float>{Matrix<float>::Zero(5, 4), altmin::Labels::Zero(4)}),
                  altmin::ShapeError);
}
