#pragma once

#include <altmin/altmin.hpp>
#include <cmath>
#include <cstdint>

namespace support {

/// Two classes of points in the plane that a line separates badly and a small network well.
inline altmin::Dataset<float> rings(altmin::Index samples, std::uint64_t seed = 1) {
  altmin::Random random{altmin::Seed{seed}};
  altmin::Matrix<float> x(2, samples);
  altmin::Labels y(samples);
  for (altmin::Index t = 0; t < samples; ++t) {
    y(t) = static_cast<int>(random.below(2));
    const double angle = random.uniform(0, 6.2831853);
    const double radius = y(t) + 0.5 + 0.1 * random.normal();
    x.col(t) << static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle));
  }
  return {x, y};
}

/// A small network for them.
template <class Algorithm = altmin::AmAdam>
altmin::Network<float> network(const Algorithm& algorithm = {}) {
  altmin::Network<float> net{altmin::Layers<float>{2}
                                 .add(altmin::Dense{16})
                                 .add(altmin::Relu{})
                                 .add(altmin::Dense{16})
                                 .add(altmin::Relu{})
                                 .add(altmin::Dense{2}),
                             altmin::SoftmaxCrossEntropy{}, algorithm, altmin::Seed{1}};
  net.set_threads(1);
  return net;
}

}  // namespace support
