/// code_table DATA [SAMPLES [EPOCHS [SEEDS]]]: what the steps on the codes do, and what they cost. Trains
/// 784-500-500-10 (ReLU, batches of 200) on MNIST in the folder DATA by AM-Adam, with different numbers and rates of
/// these steps, and by Adam, and prints a table in Markdown. Accuracies are of 10,000 digits that are held out of the
/// training set.

#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

using altmin::Index;
using Network = altmin::Network<float>;

/// Means over a run: the smallest cosine of any block, the largest displacement and share of flipped units of any code.
struct Codes {
  double cosine = 0;
  double displacement = 0;
  double flipped = 0;
  int count = 0;
};

/// Inspects a fixed batch every so many steps.
struct Probe {
  Codes& codes;
  const altmin::Dataset<float>& batch;

  void after_step(const altmin::Training<float>& t) const {
    if (t.step % 50 != 0) return;
    double cosine = 1;
    double displacement = 0;
    double flipped = 0;
    for (const altmin::BlockReport& block : t.net.inspect(batch.x(), batch.y())) {
      cosine = std::min(cosine, block.cosine);
      displacement = std::fmax(displacement, block.displacement);
      flipped = std::fmax(flipped, block.flipped);
    }
    codes.cosine += cosine;
    codes.displacement += displacement;
    codes.flipped += flipped;
    ++codes.count;
  }
};

struct Data {
  altmin::Dataset<float> train;
  altmin::Dataset<float> held_out;
  altmin::Dataset<float> probe;
};

struct Row {
  Codes codes;
  double accuracy = 0;  // mean over the seeds
  double low = 1;
  double high = 0;
  double seconds = 0;  // a step
};

/// Trains by an algorithm with each seed.
template <class Algorithm>
Row train(const Algorithm& algorithm, const Data& data, int epochs, int seeds) {
  Row row;
  for (int seed = 1; seed <= seeds; ++seed) {
    altmin::Layers<float> layers{784};
    layers.add(altmin::Dense{500})
        .add(altmin::Relu{})
        .add(altmin::Dense{500})
        .add(altmin::Relu{})
        .add(altmin::Dense{10});
    Network net{layers, altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{std::uint64_t(seed)}};
    altmin::FitOptions options;
    options.epochs = epochs;
    options.seed = altmin::Seed{std::uint64_t(seed)};
    const auto report = altmin::fit(net, data.train, options, altmin::CosineDecay{}, Probe{row.codes, data.probe});
    if (!report) std::cerr << report << '\n';
    const double accuracy = altmin::evaluate(net, data.held_out).accuracy;
    row.accuracy += accuracy / seeds;
    row.low = std::min(row.low, accuracy);
    row.high = std::max(row.high, accuracy);
    row.seconds += report.seconds / static_cast<double>(report.steps) / seeds;
  }
  return row;
}

void print(const std::string& name, const Row& row, double adam) {
  using altmin::detail::fixed;
  const auto mean = [&](double sum) { return row.codes.count > 0 ? sum / row.codes.count : 0; };
  std::cout << "| " << name << " | " << fixed(mean(row.codes.cosine), 4) << " | "
            << altmin::detail::number(100 * mean(row.codes.displacement), 2) << " | "
            << altmin::detail::number(100 * mean(row.codes.flipped), 2) << " | " << fixed(100 * row.accuracy, 2) << " ("
            << fixed(100 * row.low, 2) << " - " << fixed(100 * row.high, 2) << ") | " << fixed(row.seconds / adam, 2)
            << " |" << std::endl;
}

int number(int argc, char** argv, int place, int value) { return argc > place ? std::atoi(argv[place]) : value; }

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: code_table DATA [SAMPLES [EPOCHS [SEEDS]]]\n";
    return 2;
  }
  auto mnist = altmin::load_idx<float>(argv[1]).train;
  altmin::Standardizer<float>::constant(0.1307, 0.3081).apply(mnist);
  const Index held_out = 10000;
  const Index rest = mnist.size() - held_out;
  const Index samples = std::min<Index>(number(argc, argv, 2, 50000), rest);
  const int epochs = number(argc, argv, 3, 5);
  const int seeds = number(argc, argv, 4, 3);
  const Data data{
      mnist.take(samples), {mnist.x().rightCols(held_out), mnist.y().tail(held_out), mnist.classes()}, mnist.take(200)};

  std::cout << "| code steps, their rate | cosine | codes move, % | flipped, % | accuracy, % | time, Adam = 1 |\n"
            << "|---|---:|---:|---:|---:|---:|" << std::endl;
  const Row adam = train(altmin::Adam{}, data, epochs, seeds);
  print("Adam", adam, adam.seconds);
  print("the first-order limit", train(altmin::AmAdam{}, data, epochs, seeds), adam.seconds);
  for (const int iterations : {1, 5, 20, 50}) {
    for (const double rate : {0.001, 0.01, 0.1, 1.0}) {
      altmin::AmAdam options = altmin::AmAdam::equilibrium();
      options.code_iterations = iterations;
      options.code_learning_rate = rate;
      print(std::to_string(iterations) + ", " + altmin::detail::text(rate), train(options, data, epochs, seeds),
            adam.seconds);
    }
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "code_table: " << error.what() << '\n';
  return 1;
}
