/// admm mnist FOLDER | admm higgs TABLE TEST_ROWS: the offline alternating direction method of multipliers (fit_admm())
/// beside AM-Adam, on 784-300-10 for MNIST and 28-300-2 for rows in HIGGS's format. Prints a table in Markdown:
/// accuracy on the test set, seconds, and megabytes held for training beside the data.

#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <altmin/training/admm.hpp>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

using altmin::Index;
using Dataset = altmin::Dataset<float>;
using Network = altmin::Network<float>;

Network make(const Dataset& data, int seed) {
  altmin::Layers<float> layers{data.features()};
  layers.add(altmin::Dense{300}).add(altmin::Relu{}).add(altmin::Dense{data.classes()});
  return {layers, altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{static_cast<std::uint64_t>(seed)}};
}

void print(const std::string& name, int seed, double accuracy, double seconds, Index bytes) {
  using altmin::detail::fixed;
  std::cout << "| " << name << " | " << seed << " | " << fixed(100 * accuracy, 2) << " | " << fixed(seconds, 1) << " | "
            << fixed(static_cast<double>(bytes) / 1e6, 1) << " |" << std::endl;
}

void compare(const Dataset& train, const Dataset& test, int epochs) {
  std::cout << "| | seed | test accuracy, % | seconds | MB held |\n|---|---:|---:|---:|---:|" << std::endl;
  for (int seed = 1; seed <= 3; ++seed) {
    {
      Network net = make(train, seed);
      altmin::AdmmOptions options;
      double accuracy = 0;
      const auto report = altmin::fit_admm(net, train, options, [&](int sweep) {
        if (sweep % 20 != 0) return;
        accuracy = altmin::evaluate(net, test).accuracy;
        std::cerr << "sweep " << sweep << ": " << accuracy << '\n';
      });
      print("ADMM, " + std::to_string(report.sweeps) + " sweeps", seed, accuracy, report.seconds, report.bytes);
    }
    Network net = make(train, seed);
    altmin::FitOptions options;
    options.epochs = epochs;
    options.seed = altmin::Seed{static_cast<std::uint64_t>(seed)};
    const auto report = altmin::fit(net, train, options, altmin::CosineDecay{});
    print("AM-Adam, " + std::to_string(epochs) + " epochs", seed, altmin::evaluate(net, test).accuracy, report.seconds,
          net.bytes());
  }
}

Dataset read_table(const std::string& path) {
  const altmin::Source source{path};
  altmin::CsvReader<float> reader{source};
  altmin::Matrix<float> x(reader.features(), 1000000);
  altmin::Labels y(1000000);
  const Index rows = reader.read(x, {y.data(), y.size()});
  return {x.leftCols(rows), y.head(rows), 2};
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string what = argc > 2 ? argv[1] : "";
  if (what == "mnist") {
    auto data = altmin::load_idx<float>(argv[2]);
    altmin::Standardizer<float>::constant(0.1307, 0.3081).apply(data);
    compare(data.train, data.test, 10);
  } else if (what == "higgs" && argc > 3) {
    const Dataset all = read_table(argv[2]);
    const Index test = std::atoi(argv[3]);
    Dataset train = all.take(all.size() - test);
    Dataset held_out{all.x().rightCols(test), all.y().tail(test), 2};
    const auto standardizer = altmin::Standardizer<float>::fit(train.x());
    standardizer.apply(train);
    standardizer.apply(held_out);
    compare(train, held_out, 20);
  } else {
    std::cerr << "usage: admm mnist FOLDER | admm higgs TABLE TEST_ROWS\n";
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "admm: " << error.what() << '\n';
  return 1;
}
