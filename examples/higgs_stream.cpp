// README.md shows this program as it stands.
// clang-format off
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <altmin/io.hpp>
#include <iostream>

int main() {
  altmin::StreamOptions rows;
  rows.test_rows = 5000;     // the last ones are held back
  rows.standardize = false;  // the network does
  altmin::Stream<float> stream{"-", rows};  // standard input; or a file, gzipped or not

  altmin::Network<float> net{altmin::Layers<float>{stream.features()}
                                 .add(altmin::Standardize{})
                                 .add(altmin::Dense{300}).add(altmin::Relu{})
                                 .add(altmin::Dense{2}),
                             altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};
  altmin::FitOptions once;
  once.epochs = 1;
  altmin::fit(net, stream, once, altmin::Checkpoint{"higgs.safetensors", 1000}, altmin::ProgressBar{std::cerr});
  std::cout << altmin::evaluate(net, stream.test()) << '\n';  // loss, accuracy, AUC, confusion matrix

  const auto same = altmin::load_model<float>("higgs.safetensors");  // of raw features: its file has their statistics
  std::cout << same.classify(stream.test().x().leftCols(5)).transpose() << '\n';
}
