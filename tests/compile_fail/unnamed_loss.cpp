// expect: altmin: the loss is one of the library, or one named in Network<Scalar, YourLoss>
#include <altmin/altmin.hpp>

struct Mine : altmin::MeanSquaredError {};

int main() {
  altmin::Layers<float> layers{2};
  layers.add(altmin::Dense{1});
#ifdef VALID
  const altmin::Network<float, Mine> net{layers, Mine{}, altmin::Adam{}};
#else
  const altmin::Network<float> net{layers, Mine{}, altmin::Adam{}};
#endif
}
