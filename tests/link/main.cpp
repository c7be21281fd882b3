#include "make.hpp"

int main() {
  altmin::Network<float> network = make_network();
  network.step(altmin::Matrix<float>::Ones(3, 2), altmin::Labels::Zero(2));
  const altmin::Network<float> other{altmin::Layers<float>{3}.add(altmin::Dense{2}), altmin::SoftmaxCrossEntropy{},
                                     altmin::AmAdam{}, altmin::Seed{1}};
  return network.predict(altmin::Matrix<float>::Ones(3, 2)).size() == 4 && !(network == other) ? 0 : 1;
}
