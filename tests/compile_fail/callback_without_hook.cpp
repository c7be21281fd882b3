// expect: altmin: a callback of fit\(\) has at least one of begin\(t\)
#include <altmin/altmin.hpp>

#ifdef VALID
using History = altmin::History;
#else
using History = const altmin::History;  // cannot take anything down
#endif

void train(altmin::Network<float>& net, const altmin::Dataset<float>& data, History& history) {
  altmin::fit(net, data, altmin::FitOptions{}, history);
}
