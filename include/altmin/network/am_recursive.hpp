#pragma once

#include "altmin/network/algorithm.hpp"
#include "altmin/network/exact_codes.hpp"
#include "altmin/network/recursive_rule.hpp"

namespace altmin {

/// Recursive AM-mem, for streams: codes are solved exactly, all together (ExactCodes), and the memory of the paper's
/// AM-mem is kept as its inverse (RecursiveRule), so that each sample counts at once. For single samples and batches of
/// a few; fully connected networks without batch normalization; losses with a curvature. A stochastic proximal point
/// method in the memory's metric, and a layer-wise relative of the extended Kalman filter. Time and memory a sample
/// grow with the square of a layer's inputs, unless these are taken in blocks: see blocks().
struct AmRecursive {
  static constexpr const char* name = "AmRecursive";

  double learning_rate = 300;  ///< see RecursiveRule, as the next four
  double forgetting = 2e-4;
  double damping = 2500;
  int block_size = 0;
  double return_rate = 2e-5;
  int newton_steps = 6;  ///< see ExactCodes, as the next five
  double trust = 0.5;
  double least_weight = 0.02;
  bool output_memory = true;
  double output_forgetting = 0.001;
  double output_damping = 1000;
  double adam_learning_rate = 0.001;  ///< of what moves by Adam beside the maps; 0 or more

  /// The cheap form: memories of 262 inputs each.
  static AmRecursive blocks() {
    AmRecursive options;
    options.block_size = 262;
    return options;
  }

  ExactCodes signal() const {
    return {newton_steps, trust, least_weight, output_memory, output_forgetting, output_damping};
  }
  RecursiveRule rule(bool) const {
    return {learning_rate, forgetting, damping, block_size, return_rate, adam_learning_rate};
  }

  /// Throws OptionError.
  void validate() const {
    signal().validate(name);
    rule(true).validate(name);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    RecursiveRule::fields(visit, self...);
    visit("newton_steps", self.newton_steps...);
    visit("trust", self.trust...);
    visit("least_weight", self.least_weight...);
    visit("output_memory", self.output_memory...);
    visit("output_forgetting", self.output_forgetting...);
    visit("output_damping", self.output_damping...);
  }
};

}  // namespace altmin
