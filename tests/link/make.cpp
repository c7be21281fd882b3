#include "make.hpp"

altmin::Network<float> make_network() {
  return {altmin::Layers<float>{3}.add(altmin::Dense{4}).add(altmin::Relu{}).add(altmin::Dense{2}),
          altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};
}
