#pragma once

#include "altmin/network/algorithm.hpp"
#include "altmin/network/backprop.hpp"
#include "altmin/network/gradient_rule.hpp"

namespace altmin {

/// Backprop with Adam; with weight_decay above 0, AdamW.
struct Adam : AdamOptions {
  static constexpr const char* name = "Adam";

  Backprop signal() const { return {}; }
  AdamRule rule(bool) const { return {AdamOptions{*this}}; }
  void validate() const { AdamOptions::validate(name); }
};

/// Backprop with stochastic gradient descent.
struct Sgd : SgdOptions {
  static constexpr const char* name = "Sgd";

  Backprop signal() const { return {}; }
  SgdRule rule(bool) const { return {SgdOptions{*this}}; }
  void validate() const { SgdOptions::validate(name); }
};

}  // namespace altmin
