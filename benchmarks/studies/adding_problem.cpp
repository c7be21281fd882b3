/// adding_problem [--algorithm NAME] ...: the adding problem (Hochreiter and Schmidhuber 1997). A sequence of T steps
/// has at each a number from 0 to 1 and a mark, which is 1 at two of them and 0 elsewhere; the target is the sum of the
/// two numbers that are marked, less 1. To answer 0 has a mean squared error of 1/6: what is far below has been carried
/// through time. Trains a recurrent network on new sequences at each step, and prints one line a seed.

#include <CLI/CLI.hpp>
#include <altmin/altmin.hpp>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

namespace {

using altmin::Index;
using altmin::Matrix;
using Network = altmin::Network<float>;

struct Options {
  std::string algorithm = "am-adam";
  std::string nonlinearity = "relu";
  Index length = 100;
  Index units = 100;
  Index batch = 20;
  Index steps = 20000;
  int seeds = 5;
  double learning_rate = 0.001;
  double code_learning_rate = 0.001;
  int code_iterations = 1;
};

/// Fills in new sequences: x is (2 length) x samples, y is 1 x samples.
void draw(altmin::Random& random, Matrix<float>& x, Matrix<float>& y) {
  const Index length = x.rows() / 2;
  for (Index s = 0; s < x.cols(); ++s) {
    for (Index t = 0; t < length; ++t) {
      x(2 * t, s) = static_cast<float>(random.uniform());
      x(2 * t + 1, s) = 0;
    }
    const Index half = length / 2;
    const Index first = random.below(static_cast<std::uint32_t>(half));
    const Index second = half + random.below(static_cast<std::uint32_t>(length - half));
    x(2 * first + 1, s) = x(2 * second + 1, s) = 1;
    y(0, s) = x(2 * first, s) + x(2 * second, s) - 1;
  }
}

template <class Algorithm>
void set_options(Algorithm& algorithm, const Options& options) {
  algorithm.learning_rate = algorithm.output_learning_rate = options.learning_rate;
  algorithm.code_learning_rate = options.code_learning_rate;
  algorithm.code_iterations = options.code_iterations;
  if (options.code_iterations > 1) algorithm.weight_inputs = altmin::WeightInputs::updated;
}

Network make_network(const Options& options, int seed) {
  const bool relu = options.nonlinearity == "relu";
  altmin::Layers<float> layers{altmin::Shape{1, options.length, 2}};
  layers.add(altmin::Recurrent{options.units, relu ? altmin::Nonlinearity::relu : altmin::Nonlinearity::tanh});
  layers.add(altmin::LastStep{});
  if (relu) {
    layers.add(altmin::Relu{});
  } else {
    layers.add(altmin::Tanh{});
  }
  layers.add(altmin::Dense{1});
  const altmin::Seed start{static_cast<std::uint64_t>(seed)};
  if (options.algorithm == "adam") {
    altmin::Adam adam;
    adam.learning_rate = options.learning_rate;
    return {layers, altmin::MeanSquaredError{}, adam, start};
  }
  altmin::AmAdam am;
  set_options(am, options);
  am.preserve_scale = options.algorithm == "am-adam";
  return {layers, altmin::MeanSquaredError{}, am, start};
}

/// The mean squared error on 2,000 other sequences.
double test_error(const Network& net, const Options& options) {
  altmin::Random random{altmin::Seed{12345}};
  Matrix<float> x(2 * options.length, 2000);
  Matrix<float> y(1, x.cols());
  draw(random, x, y);
  return (net.predict(x) - y).cwiseAbs2().mean();
}

void run(const Options& options, int seed) {
  Network net = make_network(options, seed);
  altmin::Random random{altmin::Seed{static_cast<std::uint64_t>(1000 + seed)}};
  Matrix<float> x(2 * options.length, options.batch);
  Matrix<float> y(1, options.batch);
  Index solved = 0;
  Index failed = 0;
  double error = 0;
  for (Index step = 1; step <= options.steps; ++step) {
    draw(random, x, y);
    if (!net.step(x, y)) ++failed;
    if (step % 500 != 0) continue;
    error = test_error(net, options);
    if (error < 0.01 && solved == 0) solved = step;
  }
  std::cout << options.algorithm << " " << options.nonlinearity << " T=" << options.length << " rate "
            << options.learning_rate << " code " << options.code_iterations << " x " << options.code_learning_rate
            << " seed " << seed << ": error " << error << ", below .01 after "
            << (solved > 0 ? std::to_string(solved) : "-") << ", failed steps " << failed << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Trains recurrent networks on the adding problem."};
  app.add_option("--algorithm", options.algorithm)->check(CLI::IsMember({"am-adam", "am-adam-unscaled", "adam"}));
  app.add_option("--nonlinearity", options.nonlinearity)->check(CLI::IsMember({"relu", "tanh"}));
  app.add_option("--length", options.length);
  app.add_option("--units", options.units);
  app.add_option("--batch", options.batch);
  app.add_option("--steps", options.steps);
  app.add_option("--seeds", options.seeds);
  app.add_option("--learning-rate", options.learning_rate);
  app.add_option("--code-iterations", options.code_iterations);
  app.add_option("--code-learning-rate", options.code_learning_rate);
  CLI11_PARSE(app, argc, argv);
  for (int seed = 1; seed <= options.seeds; ++seed) run(options, seed);
  return 0;
}
