// README.md shows this program as it stands.
// clang-format off
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <iostream>

int main() {
  const auto data = altmin::load_idx<float>("/usr/share/datasets/fashion-mnist");  // data.train, data.test; one sample per column

  altmin::Network<float> net{altmin::Layers<float>{data.train.features()}           // sizes are inferred and checked as layers are added
                                 .add(altmin::Dense{500}).add(altmin::BatchNorm{}).add(altmin::Relu{})
                                 .add(altmin::Dense{500}).add(altmin::BatchNorm{}).add(altmin::Relu{})
                                 .add(altmin::Dense{10}),
                             altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};

  altmin::FitOptions options;
  options.epochs = 5;
  options.batch_size = 200;
  altmin::fit(net, data.train, options, altmin::ProgressBar{std::cerr});
  std::cout << altmin::evaluate(net, data.test) << '\n';                             // loss, accuracy, confusion matrix

  const auto report = net.step(data.test.x().leftCols(64), data.test.y().head(64));  // ... and online: a batch, or one sample, at a time
  std::cout << report.loss << '\n';
}
