// What inspect() reports of a step.

#include <cmath>

#include "altmin/altmin.hpp"
#include "catch.hpp"
#include "problem.hpp"

using altmin::BlockReport;
using altmin::Matrix;
using altmin::Network;
using altmin::Seed;
using support::Problem;

namespace {

template <class Algorithm>
std::vector<BlockReport> inspected(const Algorithm& algorithm, const Problem<double>& problem) {
  const Network<double> net{support::mlp<double>({12, 9, 8, 3}), altmin::SoftmaxCrossEntropy{}, algorithm, Seed{3}};
  const Network<double> before = net;
  const auto reports = net.inspect(problem.x, problem.y);
  CHECK(net == before);
  REQUIRE(reports.size() == 3);
  return reports;
}

}  // namespace

TEST_CASE("the direction of backprop, and of the first-order limit, is the gradient's", "[inspection]") {
  const Problem<double> problem{12, 3, 30};
  for (const auto& reports : {inspected(altmin::Adam{}, problem), inspected(altmin::AmAdam{}, problem),
                              inspected(altmin::AmMem{}, problem), inspected(altmin::AmMemFull{}, problem)}) {
    for (const BlockReport& report : reports) CHECK(report.cosine == Approx(1).epsilon(1e-9));
  }
}

TEST_CASE("without moved codes there is nothing to report of codes", "[inspection]") {
  for (const BlockReport& report : inspected(altmin::Adam{}, Problem<double>{12, 3, 30})) {
    CHECK(std::isnan(report.displacement));
    CHECK(std::isnan(report.flipped));
    CHECK(std::isnan(report.penalty));
  }
}

TEST_CASE("the report of moved codes is that of the step that follows", "[inspection]") {
  const Problem<double> problem{12, 3, 30};
  altmin::AmAdam options = altmin::AmAdam::equilibrium();
  options.preserve_scale = false;
  options.mu = 0.1;
  Network<double> net{support::mlp<double>({12, 9, 8, 3}), altmin::SoftmaxCrossEntropy{}, options, Seed{3}};
  for (int s = 0; s < 5; ++s) REQUIRE(net.step(problem.x, problem.y));
  const auto reports = net.inspect(problem.x, problem.y);
  const auto step = net.step(problem.x, problem.y);
  REQUIRE(step);
  const auto& algorithm = net.algorithm();
  for (altmin::Index l = 0; l < 2; ++l) {
    const BlockReport& report = reports[std::size_t(l)];
    const Matrix<double> before = algorithm.forward_code(l);
    const Matrix<double> after = algorithm.code(l);
    CHECK(report.displacement == Approx((after - before).norm() / before.norm()));
    CHECK(report.displacement > 1e-4);
    CHECK(report.flipped == Approx(((after.array() > 0) != (before.array() > 0)).cast<double>().mean()));
    CHECK(report.penalty == Approx(step.penalties[l]));
    CHECK(report.cosine > 0.5);
    CHECK(report.cosine < 1 - 1e-4);
  }
  CHECK(reports[0].flipped + reports[1].flipped > 0);
  CHECK(std::isnan(reports[2].displacement));
}

TEST_CASE("the direction of moved codes is that of their residuals", "[inspection]") {
  // With inputs of the forward pass, the gradient of a dense block is its residual times them.
  const Problem<double> problem{12, 3, 30};
  altmin::AmAdam options = altmin::AmAdam::equilibrium();
  options.weight_inputs = altmin::WeightInputs::forward;
  Network<double> net{support::mlp<double>({12, 9, 3}), altmin::SoftmaxCrossEntropy{}, options, Seed{3}};
  const auto reports = net.inspect(problem.x, problem.y);
  Network<double> plain{support::mlp<double>({12, 9, 3}), altmin::SoftmaxCrossEntropy{},
                        altmin::Pair{altmin::Backprop{}, altmin::SgdRule{1}}, Seed{3}};
  REQUIRE(plain.layers()[0].parameters()[0].value() == net.layers()[0].parameters()[0].value());
  const Matrix<double> weight = plain.layers()[0].parameters()[0].value();
  const Matrix<double> bias = plain.layers()[0].parameters()[1].value();
  REQUIRE(plain.step(problem.x, problem.y));
  const Matrix<double> weight_move = plain.layers()[0].parameters()[0].value() - weight;
  const Matrix<double> bias_move = plain.layers()[0].parameters()[1].value() - bias;
  REQUIRE(net.step(problem.x, problem.y));
  const Matrix<double> residual = net.algorithm().displacement(0);  // of the code above block 0
  const Matrix<double> direction = residual * problem.x.transpose();
  const altmin::Vector<double> of_bias = residual.rowwise().sum();
  const double dot = direction.cwiseProduct(weight_move).sum() + of_bias.dot(bias_move.col(0));
  const double sizes = std::sqrt((direction.squaredNorm() + of_bias.squaredNorm()) *
                                 (weight_move.squaredNorm() + bias_move.squaredNorm()));
  CHECK(reports[0].cosine == Approx(dot / sizes));
}

TEST_CASE("exact codes and every algorithm can be inspected", "[inspection]") {
  const Problem<double> problem{12, 3, 8};
  for (const auto& reports : {inspected(altmin::AmRecursive{}, problem), inspected(altmin::AmSgd{}, problem),
                              inspected(altmin::AmMemDescent{}, problem)}) {
    for (const BlockReport& report : reports) {
      CHECK(report.cosine > 0.2);
      CHECK(report.cosine <= 1 + 1e-9);
    }
  }
}

TEST_CASE("a step that would fail is reported as nothing", "[inspection]") {
  const Problem<double> problem{12, 3, 8};
  Network<double> net{support::mlp<double>({12, 9, 3}), altmin::MeanSquaredError{}, altmin::AmAdam{}, Seed{3}};
  net.layers()[0].parameters()[0].values().setConstant(1e200);
  net.layers()[2].parameters()[0].values().setConstant(1e200);
  for (const BlockReport& report : net.inspect(problem.x, Matrix<double>::Zero(3, 8))) {
    CHECK(std::isnan(report.cosine));
  }
  CHECK_THROWS_AS(net.inspect(Matrix<double>::Zero(11, 8), Matrix<double>::Zero(3, 8)), altmin::ShapeError);
}
