#include <cmath>
#include <vector>

#include "altmin/altmin.hpp"
#include "catch.hpp"

namespace {

using DoubleNet = altmin::Network<double>;
using Scale = double (DoubleNet::*)() const;

/// Keeps a scale of each step.
struct Recorder {
  Scale scale;
  std::vector<double>& scales;

  template <class Training>
  void after_step(Training& t) {
    scales.push_back((t.net.*scale)());
  }
};

template <class Schedule>
std::vector<double> scales(const Schedule& schedule, int epochs, Scale scale = &DoubleNet::rate_scale) {
  DoubleNet net{altmin::Layers<double>{2}.add(altmin::Dense{2}), altmin::SoftmaxCrossEntropy{}, altmin::Adam{}};
  const altmin::Dataset<double> data{altmin::Matrix<double>::Ones(2, 8), altmin::Labels::Zero(8), 2};
  altmin::FitOptions options;
  options.epochs = epochs;
  options.batch_size = 4;
  std::vector<double> seen;
  const auto report = altmin::fit(net, data, options, Recorder{scale, seen}, schedule);
  REQUIRE(report);
  CHECK((net.*scale)() == 1);
  return seen;
}

/// How one step moves the first weights of a network on whose schedules something is set.
template <class Algorithm, class Set>
altmin::Matrix<double> move(const Algorithm& algorithm, Set&& set) {
  DoubleNet net{altmin::Layers<double>{3}.add(altmin::Dense{4}).add(altmin::Tanh{}).add(altmin::Dense{2}),
                altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
  set(net);
  const altmin::Matrix<double> before = net.layers()[0].parameters()[0].value();
  altmin::Matrix<double> x = altmin::Matrix<double>::Ones(3, 4);
  x(0, 1) = -1;  // a memory takes out the mean of the inputs
  x(1, 2) = 0.5;
  net.step(x, altmin::Labels::Zero(4));
  return net.layers()[0].parameters()[0].value() - before;
}

}  // namespace

TEST_CASE("the cosine schedule goes from 1 to 0 over all steps") {
  const auto seen = scales(altmin::CosineDecay{}, 3);
  REQUIRE(seen.size() == 6);
  for (std::size_t step = 0; step < 6; ++step) {
    CHECK(seen[step] == Approx(0.5 * (1 + std::cos(3.14159265358979 * static_cast<double>(step) / 6))));
  }
}

TEST_CASE("rates warm up in equal steps, then follow the cosine over the epochs that are left") {
  const auto seen = scales(altmin::CosineDecay{2}, 4);
  REQUIRE(seen.size() == 8);
  const double expected[] = {.25, .5, .75, 1};
  for (std::size_t s = 0; s < 4; ++s) {
    CHECK(seen[s] == Approx(expected[s]));
    CHECK(seen[4 + s] == Approx(0.5 * (1 + std::cos(3.14159265358979323846 * static_cast<double>(s) / 4))));
  }
  for (const double scale : scales(altmin::CosineDecay{100}, 2)) CHECK(scale <= 0.02 + 1e-12);  // never at full rate
  for (const double wrong : {-1.0, std::nan("")}) {
    CHECK_THROWS_AS(scales(altmin::CosineDecay{wrong}, 1), altmin::OptionError);
  }
}

TEST_CASE("rates halve every so many epochs") {
  CHECK(scales(altmin::HalveEvery{2}, 5) == std::vector<double>{1, 1, 1, 1, .5, .5, .5, .5, .25, .25});
  CHECK_THROWS_AS(scales(altmin::HalveEvery{0}, 1), altmin::OptionError);
}

TEST_CASE("mu grows by a factor each epoch up to a limit") {
  CHECK(scales(altmin::GrowMu{2, 5}, 4, &DoubleNet::mu_scale) == std::vector<double>{1, 1, 2, 2, 4, 4, 5, 5});
  const auto published = scales(altmin::GrowMu{}, 60, &DoubleNet::mu_scale);  // 0.01, x 1.1 an epoch, up to 1.5
  CHECK(published[2] == 1.1);
  CHECK(published[20] == Approx(2.5937424601));
  CHECK(published.back() == 150);
  CHECK_THROWS_AS(scales(altmin::GrowMu{0.9}, 1), altmin::OptionError);
  CHECK_THROWS_AS(scales(altmin::GrowMu{1.1, 0.5}, 1), altmin::OptionError);
}

TEST_CASE("the rate scale multiplies the rate of every algorithm") {
  const auto check = [&](const auto& algorithm) {
    const auto scaled = [&](double scale) {
      return move(algorithm, [&](DoubleNet& net) { net.set_rate_scale(scale); });
    };
    CHECK(scaled(0).isZero(0));
    CHECK(scaled(0.25).isApprox(0.25 * scaled(1), 1e-9));
  };
  check(altmin::AmAdam{});
  check(altmin::AmSgd{});
  check(altmin::AmMem{});
  check(altmin::AmMemFull{});
  check(altmin::Adam{});
  check(altmin::Sgd{});
}

TEST_CASE("the mu scale multiplies mu, where there is one") {
  const auto set = [](DoubleNet& net) { net.set_mu_scale(4); };
  const auto leave = [](DoubleNet&) {};
  const auto check = [&](auto algorithm) {
    algorithm.lambda_code = 0.01;
    const auto scaled = move(algorithm, set);
    CHECK(scaled != move(algorithm, leave));
    algorithm.mu *= 4;
    CHECK(scaled == move(algorithm, leave));
  };
  check(altmin::AmAdam::equilibrium());
  check(altmin::AmSgd{});
  check(altmin::AmMem::equilibrium());
  check(altmin::AmMemFull::equilibrium());
  CHECK(move(altmin::Adam{}, set) == move(altmin::Adam{}, leave));

  DoubleNet net{altmin::Layers<double>{2}.add(altmin::Dense{2}), altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}};
  for (const double scale : {0.0, -1.0, std::nan("")}) CHECK_THROWS_AS(net.set_mu_scale(scale), altmin::OptionError);
  const DoubleNet before = net;
  net.set_mu_scale(2);
  CHECK(net != before);
}
