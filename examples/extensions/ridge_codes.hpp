#pragma once

// A code rule of your own, complete. own_algorithm.cpp trains with it.
//
// A code rule moves one code: from the block above the code, its target and the penalties it computes the displacement.
// It is two types: the outer one holds the options, its nested Rule<Scalar> the state for one code.

#include <Eigen/Cholesky>
#include <altmin/altmin.hpp>
#include <string>

/// Codes in closed form, where the block above is linear, W c + b (Identity layers, Dense): the exact minimiser of
/// target |W delta - r|^2 + proximity |delta|^2, a ridge regression, r being the target's displacement. All other codes
/// are moved by CodeDescent, and so are all codes with a sparsity penalty or without the proximity term.
struct RidgeCodes {
  static constexpr const char* name = "RidgeCodes";

  altmin::CodeDescent descent{};  ///< of all other codes

  template <class Scalar>
  class Rule;

  void validate(const std::string& algorithm) const { descent.validate(algorithm); }

  // The options, listed once: networks compare by them, and files store them.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("descent", self.descent...);
  }
};

template <class Scalar>
class RidgeCodes::Rule : public altmin::CodeRuleBase<Rule<Scalar>, Scalar> {
 public:
  explicit Rule(const RidgeCodes& options) : options_{options}, descent_{options.descent} {}

  altmin::CodeSums solve(const altmin::Worker<Scalar>& worker, const altmin::CodeProblem<Scalar>& problem,
                         const altmin::CodePenalties& penalties, altmin::Workspace<Scalar>& workspace,
                         altmin::Index l) override {
    if (!has_closed_form(problem, penalties)) return descent_.solve(worker, problem, penalties, workspace, l);
    const auto w = problem.block.matrix();
    const auto target = static_cast<Scalar>(penalties.target);
    const altmin::View<Scalar> displacement = problem.solution.displacement;
    problem.target.write_residual(problem.forward, {}, problem.solution.residual);  // r
    // (target W'W + proximity I) delta = target W'r. multiply() runs in parallel, with the same bits for any number of
    // threads, and does not allocate. Eigen's decomposition does, for large matrices; the library's own rules do not.
    normal_.resize(w.cols(), w.cols());
    altmin::multiply_symmetric<Scalar>(worker, altmin::transposed(w), w, normal_, target);
    normal_.diagonal().array() += static_cast<Scalar>(penalties.proximity);
    altmin::multiply<Scalar>(worker, altmin::transposed(w), problem.solution.residual, displacement, target);
    cholesky_.compute(normal_);
    cholesky_.solveInPlace(displacement);
    return problem.evaluate(worker, workspace);  // sets the moved code, the moved block and its residual
  }

  // Codes that CodeDescent moves, and the steps in time of a recurrent layer's code.
  altmin::DescentSteps steps_in_time(const altmin::CodePenalties& penalties, altmin::Index l) const override {
    return descent_.steps_in_time(penalties, l);
  }
  void observe_time(const altmin::CodePenalties& penalties, const altmin::CodeSums& sums) override {
    descent_.observe_time(penalties, sums);
  }
  void finish_step() override { descent_.finish_step(); }

  const RidgeCodes& config() const { return options_; }

  // The state by which training continues, listed once: networks compare by it, and checkpoints store it.
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("descent", self.descent_...);
  }

 private:
  static bool has_closed_form(const altmin::CodeProblem<Scalar>& problem, const altmin::CodePenalties& penalties) {
    if (!problem.target.is_code() || problem.block.matrix().size() == 0 || problem.block.skips()) return false;
    for (altmin::Index k = 0; k < problem.block.top(); ++k) {
      if (problem.block[k].template as<altmin::Identity>() == nullptr) return false;
    }
    return penalties.proximity > 0 && penalties.sparsity == 0;
  }

  RidgeCodes options_;
  altmin::CodeDescent::Rule<Scalar> descent_;

  // Working memory.
  altmin::Matrix<Scalar> normal_;
  Eigen::LLT<altmin::Matrix<Scalar>> cholesky_;
};
