#include <cmath>
#include <vector>

#include "altmin/altmin.hpp"
#include "catch.hpp"

namespace {

/// Keeps the scale of each step.
struct Recorder {
  std::vector<double>& scales;

  template <class Training>
  void after_step(Training& t) {
    scales.push_back(t.net.rate_scale());
  }
};

template <class Schedule>
std::vector<double> scales(const Schedule& schedule, int epochs) {
  altmin::Network<double> net{altmin::Layers<double>{2}.add(altmin::Dense{2}), altmin::SoftmaxCrossEntropy{},
                              altmin::Adam{}};
  const altmin::Dataset<double> data{altmin::Matrix<double>::Ones(2, 8), altmin::Labels::Zero(8), 2};
  altmin::FitOptions options;
  options.epochs = epochs;
  options.batch_size = 4;
  std::vector<double> seen;
  const auto report = altmin::fit(net, data, options, Recorder{seen}, schedule);
  REQUIRE(report);
  CHECK(net.rate_scale() == 1);
  return seen;
}

}  // namespace

TEST_CASE("the cosine schedule goes from 1 to 0 over all steps") {
  const auto seen = scales(altmin::CosineDecay{}, 3);
  REQUIRE(seen.size() == 6);
  for (std::size_t step = 0; step < 6; ++step) {
    CHECK(seen[step] == Approx(0.5 * (1 + std::cos(3.14159265358979 * static_cast<double>(step) / 6))));
  }
}

TEST_CASE("rates halve every so many epochs") {
  CHECK(scales(altmin::HalveEvery{2}, 5) == std::vector<double>{1, 1, 1, 1, .5, .5, .5, .5, .25, .25});
  CHECK_THROWS_AS(scales(altmin::HalveEvery{0}, 1), altmin::OptionError);
}

TEST_CASE("the scale multiplies the rate of every algorithm") {
  const auto move = [](const auto& algorithm, double scale) {
    altmin::Network<double> net{
        altmin::Layers<double>{3}.add(altmin::Dense{4}).add(altmin::Tanh{}).add(altmin::Dense{2}),
        altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
    net.set_rate_scale(scale);
    const altmin::Matrix<double> before = net.layers()[0].parameters()[0].value();
    net.step(altmin::Matrix<double>::Ones(3, 4), altmin::Labels::Zero(4));
    return altmin::Matrix<double>(net.layers()[0].parameters()[0].value() - before);
  };
  const auto check = [&](const auto& algorithm) {
    CHECK(move(algorithm, 0).isZero(0));
    CHECK(move(algorithm, 0.25).isApprox(0.25 * move(algorithm, 1), 1e-9));
  };
  check(altmin::AmAdam{});
  check(altmin::AmSgd{});
  check(altmin::AmMem{});
  check(altmin::Adam{});
  check(altmin::Sgd{});
}
