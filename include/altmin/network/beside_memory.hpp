#pragma once

#include "altmin/network/gradient_rule.hpp"
#include "altmin/network/lowered_map.hpp"

namespace altmin {

/// The parameters of a block that a memory does not move (gains, shifts, maps that do not lower themselves), by Adam.
template <class Scalar>
class BesideMemory {
 public:
  BesideMemory(const Block<Scalar>& block, Index map, double learning_rate)
      : map_{map}, rule_{adam(learning_rate), block} {}

  /// The number of the layer that the memory moves; -1: none.
  Index map() const { return map_; }
  GradientRule<AdamMoments<Scalar>>& rule() { return rule_; }
  const GradientRule<AdamMoments<Scalar>>& rule() const { return rule_; }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("", self.rule_...);
  }

 private:
  static AdamOptions adam(double learning_rate) {
    AdamOptions options;
    options.learning_rate = learning_rate;
    return options;
  }

  Index map_;
  GradientRule<AdamMoments<Scalar>> rule_;
};

}  // namespace altmin
