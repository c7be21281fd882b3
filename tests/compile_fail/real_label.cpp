// expect: altmin: a label must be an integer
#include <altmin/altmin.hpp>

#ifdef VALID
using Label = long;
#else
using Label = double;
#endif

void train(altmin::Network<float>& net, const altmin::Matrix<float>& x, Label y) { net.step(x, y); }
