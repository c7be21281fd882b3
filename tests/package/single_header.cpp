// A program on the single header alone.
#include "altmin_single.hpp"

#include <iostream>
#include <sstream>

int main() {
  altmin::Random random{altmin::Seed{1}};
  altmin::Matrix<float> x(4, 200);
  altmin::Labels y(200);
  for (auto& value : x.reshaped()) value = static_cast<float>(random.uniform(-1, 1));
  for (altmin::Index t = 0; t < 200; ++t) y(t) = x(0, t) + x(1, t) > 0 ? 1 : 0;
  const altmin::Dataset<float> data{x, y};

  altmin::Network<float> net{
      altmin::Layers<float>{4}.add(altmin::Dense{8}).add(altmin::BatchNorm{}).add(altmin::Relu{}).add(altmin::Dense{2}),
      altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};
  altmin::FitOptions options;
  options.epochs = 30;
  options.batch_size = 20;
  altmin::fit(net, data, options);
  const auto metrics = altmin::evaluate(net, data);
  std::cout << metrics << '\n' << net.step(x.leftCols(8), y.head(8)).loss << '\n';

  std::ostringstream source;
  altmin::export_c(net, source);
  return metrics.accuracy > 0.9 && source.str().find("net_predict") != std::string::npos ? 0 : 1;
}
