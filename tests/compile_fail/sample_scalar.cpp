// expect: altmin: the samples must have the network's scalar type
#include <altmin/altmin.hpp>

#ifdef VALID
using Samples = altmin::Matrix<float>;
#else
using Samples = altmin::Matrix<double>;
#endif

void train(altmin::Network<float>& net, const Samples& x, const altmin::Labels& y) { net.step(x, y); }
