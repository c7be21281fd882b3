// Two algorithms of one's own: AmLion, alternating minimization with another rule for the weights, and
// FeedbackAlignment, which is built from blocks. Each trains the same network to tell two rings apart.
#include <altmin/altmin.hpp>
#include <cmath>
#include <iostream>

#include "extensions/am_lion.hpp"
#include "extensions/feedback_alignment.hpp"

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

  // The algorithms are named in the type of the network, which can still be trained by any other.
  using Network = altmin::Network<float, AmLion, FeedbackAlignment>;
  Network::Layers layers{2};
  layers.add(altmin::Dense{32}).add(altmin::Relu{});
  layers.add(altmin::Dense{32}).add(altmin::Relu{});
  layers.add(altmin::Dense{2});
  Network by_lion{layers, altmin::SoftmaxCrossEntropy{}, AmLion{}, altmin::Seed{1}};
  Network by_feedback{layers, altmin::SoftmaxCrossEntropy{}, FeedbackAlignment{}, altmin::Seed{1}};
  Network by_backprop{layers, altmin::SoftmaxCrossEntropy{}, altmin::Adam{}, altmin::Seed{1}};

  altmin::FitOptions options;
  options.epochs = 20;
  options.batch_size = 50;
  const auto train = [&](const char* name, Network& net) {
    const auto report = altmin::fit(net, data, options);
    std::cout << name << ": " << report << ", accuracy " << altmin::evaluate(net, data).accuracy << '\n';
    return static_cast<bool>(report);
  };
  const bool all_went_well =
      train("AmLion", by_lion) && train("FeedbackAlignment", by_feedback) && train("Adam", by_backprop);
  return all_went_well ? 0 : 1;
}
