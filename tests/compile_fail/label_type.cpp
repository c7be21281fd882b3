// expect: altmin: labels must be a column vector of int, such as altmin::Labels
#include <altmin/altmin.hpp>

#ifdef VALID
using Label = int;
#else
using Label = long;
#endif

void train(altmin::Network<float>& net, const altmin::Matrix<float>& x, const altmin::Vector<Label>& y) {
  net.step(x, y);
}
