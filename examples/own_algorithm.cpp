// Three parts of an algorithm of your own, each beside parts of the library: Lion, a weight rule, FeedbackAlignment, a
// signal, and RidgeCodes, a code rule. Each trains a network to tell two rings apart.
#include <altmin/altmin.hpp>
#include <cmath>
#include <iostream>

#include "extensions/feedback_alignment.hpp"
#include "extensions/lion.hpp"
#include "extensions/ridge_codes.hpp"

int main() {
  altmin::Random random{altmin::Seed{1}};
  altmin::Matrix<float> x(2, 1000);  // one sample per column
  altmin::Labels y(1000);
  for (altmin::Index t = 0; t < x.cols(); ++t) {
    y(t) = static_cast<int>(t % 2);
    const double angle = random.uniform(0, 6.283185);
    const double radius = 1 + y(t) + 0.2 * random.normal();
    x.col(t) << static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle));
  }
  const altmin::Dataset<float> data{x, y};

  altmin::Layers<float> layers{2};
  layers.add(altmin::Dense{32}).add(altmin::Relu{});
  layers.add(altmin::Dense{32}).add(altmin::Identity{});  // its code has a closed form: the block above it is linear
  layers.add(altmin::Dense{32}).add(altmin::Relu{});
  layers.add(altmin::Dense{2});

  altmin::FitOptions options;
  options.epochs = 20;
  options.batch_size = 50;
  bool all_went_well = true;
  const auto train = [&](const char* name, const auto& algorithm) {
    altmin::Network<float> net{layers, altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
    const auto report = altmin::fit(net, data, options);
    std::cout << name << ": " << report << ", accuracy " << altmin::evaluate(net, data).accuracy << '\n';
    all_went_well = all_went_well && report;
  };
  // A pair of a signal and a weight rule is an algorithm.
  train("moved codes, Lion", altmin::Pair{altmin::MovedCodes<>{}, Lion{}});
  train("feedback alignment, Adam", altmin::Pair{FeedbackAlignment{}, altmin::AdamRule{}});
  train("codes in closed form, Adam", altmin::Pair{altmin::MovedCodes<RidgeCodes>{}, altmin::AdamRule{}});
  train("backprop, Adam", altmin::Adam{});
  return all_went_well ? 0 : 1;
}
