// expect: altmin: the target must be labels \(int\) or have the network's scalar type
#include <altmin/altmin.hpp>

#ifdef VALID
using Values = altmin::Matrix<float>;
#else
using Values = altmin::Matrix<double>;
#endif

void train(altmin::Network<float>& net, const altmin::Matrix<float>& x, const Values& y) { net.step(x, y); }
