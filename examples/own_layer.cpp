// A network with a layer of one's own, Swish: checks its derivatives, then trains it to tell two rings apart.
#include <altmin/altmin.hpp>
#include <cmath>
#include <iostream>

#include "extensions/swish.hpp"

int main() {
  altmin::Random random{altmin::Seed{1}};
  altmin::Matrix<double> x(2, 1000);  // one sample per column
  altmin::Labels y(1000);
  for (altmin::Index t = 0; t < x.cols(); ++t) {
    y(t) = static_cast<int>(t % 2);
    const double angle = random.uniform(0, 6.283185);
    const double radius = 1 + y(t) + 0.2 * random.normal();
    x.col(t) << radius * std::cos(angle), radius * std::sin(angle);
  }

  // The layer is named in the type of the network, and from then on is one like any other.
  using Network = altmin::Network<double, Swish>;
  Network::Layers layers{2};
  layers.add(altmin::Dense{16}).add(Swish{});
  layers.add(altmin::Dense{16}).add(Swish{});
  layers.add(altmin::Dense{2});
  Network net{layers, altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};

  // Compares all derivatives with central differences. In double, and a few samples will do.
  const auto check = net.check_gradients(x.leftCols(10), y.head(10));
  std::cout << "largest error of a derivative " << check.error << ", at " << check.where << '\n';
  if (!(check.error < 1e-7)) return 1;

  altmin::FitOptions options;
  options.epochs = 20;
  options.batch_size = 50;
  altmin::fit(net, altmin::Dataset<double>{x, y}, options);
  std::cout << net << '\n'
            << "slopes learned: " << net.layers()[1].parameters()[0].value() << " and "
            << net.layers()[3].parameters()[0].value() << '\n'
            << altmin::evaluate(net, altmin::Dataset<double>{x, y}) << '\n';
}
