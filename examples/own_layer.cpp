// A network with a layer of your own, Swish: checks its derivatives, then trains it to tell two rings apart.
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

  // Compares its derivatives with difference quotients in double, and difference() in float with differences in double.
  const auto layer_check = altmin::check_layer(Swish{}, 20);
  std::cout << "errors of backward() " << layer_check.backward << ", gradient() " << layer_check.gradient
            << ", difference() " << layer_check.difference << '\n';
  if (!(layer_check.backward < 1e-6 && layer_check.gradient < 1e-6 && layer_check.difference < 1e-4)) return 1;

  // The network takes it like a layer of the library.
  altmin::Layers<double> layers{2};
  layers.add(altmin::Dense{16}).add(Swish{});
  layers.add(altmin::Dense{16}).add(Swish{});
  layers.add(altmin::Dense{2});
  altmin::Network<double> net{layers, altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};

  // Compares all derivatives of the network with difference quotients: in double; a few samples suffice.
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
