#pragma once

#include <memory>

#include "altmin/core/erased.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/network/code_problem.hpp"

namespace altmin {

/// Gradient steps with Nesterov's momentum.
struct DescentSteps {
  int iterations = 5;
  double rate = 0.001;
  double momentum = 0.9;
};

/// How one code is moved: the seam inside the moved codes. An options struct with a nested Rule<Scalar>, such as
/// CodeDescent, names it; examples/extensions/ridge_codes.hpp shows another one. Each code has a rule of its own.
template <class Scalar>
class CodeRuleInterface {
 public:
  virtual ~CodeRuleInterface() = default;

  virtual std::unique_ptr<CodeRuleInterface> clone() const = 0;
  virtual bool equals(const CodeRuleInterface& other) const = 0;
  virtual void visit(FieldVisitor& visitor) = 0;

  /// Solves for the code of `problem`: leaves its solution, for all samples, see CodeProblem. `l` is the code's number.
  /// The rule's state changes in finish_step() alone.
  virtual CodeSums solve(const Worker<Scalar>& worker, const CodeProblem<Scalar>& problem,
                         const CodePenalties& penalties, Workspace<Scalar>& workspace, Index l) = 0;

  /// Whether it can be that of one of several ranks: the sums of CodeProblem are those over all ranks; what else it
  /// sums over the batch it sums by Worker::sum.
  virtual bool sums_over_ranks() const { return false; }

  /// The gradient steps by which codes whose steps in time act on each other settle (see CodesInTime), and what they
  /// came to.
  virtual DescentSteps steps_in_time(const CodePenalties&, Index) const { return {}; }
  virtual void observe_time(const CodePenalties&, const CodeSums&) {}

  /// After the weights have moved.
  virtual void finish_step() {}

 protected:
  CodeRuleInterface() = default;
  CodeRuleInterface(const CodeRuleInterface&) = default;
  CodeRuleInterface& operator=(const CodeRuleInterface&) = default;
};

/// Implements the common part of a code rule for the class `Rule`, which lists its state in fields().
template <class Rule, class Scalar>
class CodeRuleBase : public Cloneable<Rule, CodeRuleInterface<Scalar>> {
 public:
  void visit(FieldVisitor& visitor) override { visit_fields(visitor, static_cast<Rule&>(*this)); }
};

}  // namespace altmin
