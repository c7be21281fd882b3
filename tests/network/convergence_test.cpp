// The convergence theorem of stochastic alternating minimization (Choromanska et al. 2019, section 4), by simulation:
// three blocks of two numbers, each moved in turn by a noisy gradient step in a ball around its minimiser.

#include <cmath>
#include <vector>

#include "altmin/core/random.hpp"
#include "altmin/optimizers/sgd.hpp"
#include "catch.hpp"

namespace {

using altmin::Index;
using altmin::Matrix;

constexpr int blocks = 3;
constexpr double modulus[blocks] = {1, 1.3, 1.7};  // strong convexity
constexpr double smooth[blocks] = {2, 2.5, 3};     // smoothness
constexpr double coupling = 0.12;                  // gamma: what another block's error adds to a gradient
constexpr double noise = 0.5;                      // deviation of each gradient coordinate
constexpr double radius = 1;
constexpr int runs = 300;
constexpr int steps = 3000;

/// Mean squared error of all blocks after each step, by the rate rate(t).
template <class Rate>
std::vector<double> simulate(Rate&& rate) {
  altmin::Random random{altmin::Seed{1}};
  altmin::Workers<double> workers{1};
  std::vector<double> error(steps + 1, 0);
  for (int run = 0; run < runs; ++run) {
    std::vector<Matrix<double>> theta(blocks, Matrix<double>::Zero(2, 1));  // the minimiser is 0
    for (auto& block : theta) {
      const double angle = random.uniform(0, 6.283185307179586);
      block << radius * std::cos(angle), radius * std::sin(angle);
    }
    std::vector<altmin::SgdMoments<double>> moments(blocks);
    for (int t = 0; t <= steps; ++t) {
      for (const auto& block : theta) error[static_cast<std::size_t>(t)] += block.squaredNorm() / runs;
      for (std::size_t d = 0; d < blocks; ++d) {  // in turn, each seeing what the others have become
        Matrix<double> gradient(2, 1);
        gradient << modulus[d] * theta[d](0), smooth[d] * theta[d](1);
        for (std::size_t i = 0; i < blocks; ++i) {
          if (i != d) gradient += coupling * theta[i];
        }
        gradient(0) += noise * random.normal();
        gradient(1) += noise * random.normal();
        altmin::Parameter<double> parameter{"theta", 2, 1};
        parameter.set(theta[d]);
        moments[d].update(workers.worker(), {rate(t), 0, false, 0}, parameter, 1, gradient);
        theta[d] = parameter.value() * std::min(1.0, radius / parameter.value().norm());  // back into the ball
      }
    }
  }
  return error;
}

const double c = 2 * modulus[0] - 3 * coupling * (blocks - 1);

double decaying_rate(int t) { return 1.5 / (c * (t + 2) + 1.5 * coupling * (blocks - 1)); }

}  // namespace

TEST_CASE("stochastic alternating minimization converges as the theorem says") {
  const auto error = simulate(decaying_rate);
  // E||g_d||^2 <= sigma_d^2 inside the balls: the largest gradient there, and the noise.
  double sigma_squared = 0;
  for (const double s : smooth) {
    const double largest = s * radius + coupling * (blocks - 1) * radius;
    sigma_squared += largest * largest + 2 * noise * noise;
  }
  for (int t = 0; t <= steps; ++t) {
    const double bound = std::pow(2.0 / (t + 2), 1.5) * error[0] + 9 * sigma_squared / (c * c * (t + 2));
    REQUIRE(error[static_cast<std::size_t>(t)] <= bound);
  }

  // Slope of log(error) against log(t + 2), by least squares over the later part.
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (int t = steps / 30; t <= steps; ++t) {
    const double x = std::log(t + 2.0);
    const double y = std::log(error[static_cast<std::size_t>(t)]);
    n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
  }
  CHECK((n * sxy - sx * sy) / (n * sxx - sx * sx) == Approx(-1).margin(0.15));
}

TEST_CASE("a constant step plateaus") {
  const auto error = simulate([](int) { return 0.05; });
  const auto mean = [&](int first, int last) {
    double sum = 0;
    for (int t = first; t < last; ++t) sum += error[static_cast<std::size_t>(t)];
    return sum / (last - first);
  };
  const double middle = mean(500, 1500);
  CHECK(mean(2000, 3000) == Approx(middle).epsilon(0.1));
  CHECK(middle > 5 * simulate(decaying_rate)[steps]);
}
