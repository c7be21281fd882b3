#pragma once

#include <Eigen/Core>

namespace altmin::detail {

/// value where x > 0, else 0, as a functor for Eigen's expressions: its own select() takes one element after the other.
template <class Scalar>
struct WherePositive {
  Scalar operator()(Scalar x, Scalar value) const { return x > Scalar(0) ? value : Scalar(0); }
  template <class Packet>
  Packet packetOp(const Packet& x, const Packet& value) const {
    using namespace Eigen::internal;
    return pand(pcmp_lt(pzero(x), x), value);
  }
};

}  // namespace altmin::detail

namespace Eigen::internal {

template <class Scalar>
struct functor_traits<altmin::detail::WherePositive<Scalar>> {
  enum { Cost = 2 * NumTraits<Scalar>::AddCost, PacketAccess = packet_traits<Scalar>::HasCmp };
};

}  // namespace Eigen::internal
