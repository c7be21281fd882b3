// A network with a loss of your own, Huber: fits a curve to data of which one in ten is an outlier, and compares the
// result with that of the squared error.
#include <altmin/altmin.hpp>
#include <cmath>
#include <iostream>

#include "extensions/huber.hpp"

int main() {
  altmin::Random random{altmin::Seed{1}};
  altmin::Matrix<double> x(1, 1000);  // one sample per column
  altmin::Matrix<double> curve(1, 1000);
  altmin::Matrix<double> y(1, 1000);
  for (altmin::Index t = 0; t < x.cols(); ++t) {
    x(t) = random.uniform(-2, 2);
    curve(t) = std::sin(2 * x(t));
    y(t) = curve(t) + 0.1 * random.normal() + (random.uniform() < 0.1 ? 10 : 0);
  }

  using Network = altmin::Network<double>;
  altmin::Layers<double> layers{1};
  layers.add(altmin::Dense{32}).add(altmin::Tanh{});
  layers.add(altmin::Dense{32}).add(altmin::Tanh{});
  layers.add(altmin::Dense{1});
  Network robust{layers, Huber{0.2}, altmin::AmAdam{}, altmin::Seed{1}};
  Network squared{layers, altmin::MeanSquaredError{}, altmin::AmAdam{}, altmin::Seed{1}};

  // Compares all derivatives of the network with difference quotients: in double; a few samples suffice.
  const auto check = robust.check_gradients(x.leftCols(10), y.leftCols(10));
  std::cout << "largest error of a derivative " << check.error << ", at " << check.where << '\n';
  if (!(check.error < 1e-7)) return 1;

  altmin::FitOptions options;
  options.epochs = 50;
  options.batch_size = 50;
  for (Network* net : {&robust, &squared}) {
    altmin::fit(*net, altmin::Dataset<double>{x, y}, options);
    std::cout << net->loss()->name() << ": mean distance from the curve " << (net->predict(x) - curve).cwiseAbs().mean()
              << '\n';
  }
}
