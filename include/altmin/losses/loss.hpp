#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "altmin/core/erased.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/losses/target.hpp"

namespace altmin {

/// A loss, whatever its kind. A loss of your own is a copyable type with the members that SoftmaxCrossEntropy shows
/// (examples/extensions/huber.hpp shows a whole one):
///
///   static constexpr const char* name;             for summaries and files
///   fields()                                       where it has options, see core/fields.hpp
///   check(outputs, target) const                   throws if the target does not suit; called before each use
///   evaluate(prediction, target, gradient) const   the SUM of the losses of the samples, and each one's own derivative
///
/// and may have
///
///   curvature(prediction, hessian) const           the second derivative of one sample's loss (outputs x outputs,
///   double)
///                                                  by its prediction (outputs x 1); positive semidefinite
///
/// evaluate() is called from several threads at once, on parts of a batch: a sample's derivative depends on that sample
/// alone. Where a prediction is not finite the sum must not be finite either: then no weight moves.
template <class Scalar>
class LossInterface {
 public:
  virtual ~LossInterface() = default;

  virtual const char* name() const = 0;
  virtual std::unique_ptr<LossInterface> clone() const = 0;
  virtual bool equals(const LossInterface& other) const = 0;
  virtual void visit_options(FieldVisitor& visitor) const = 0;

  /// Throws ShapeError or DataError if the target does not suit this many outputs a sample.
  virtual void check(Index outputs, const Target<Scalar>& target) const = 0;

  /// The sum of the losses of all samples, and each sample's derivative by its prediction (outputs x samples).
  virtual double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const = 0;

  /// The second derivative of one sample's loss by its prediction (outputs x outputs), for signals that solve for
  /// codes.
  virtual bool has_curvature() const { return false; }
  virtual void curvature(ConstView<Scalar>, Matrix<double>&) const {}
};

namespace detail {

template <class Loss, class Scalar, class = void>
constexpr bool has_curvature = false;
template <class Loss, class Scalar>
constexpr bool has_curvature<Loss, Scalar,
                             std::void_t<decltype(std::declval<const Loss&>().curvature(
                                 std::declval<ConstView<Scalar>>(), std::declval<Matrix<double>&>()))>> = true;

template <class Loss, class Scalar>
class LossModel : public Cloneable<LossModel<Loss, Scalar>, LossInterface<Scalar>> {
 public:
  explicit LossModel(Loss loss) : loss_{std::move(loss)} {}

  const Loss& loss() const { return loss_; }
  const char* name() const override { return Loss::name; }
  void visit_options(FieldVisitor& visitor) const override {
    Loss options = loss_;
    visit_fields(visitor, options);
  }
  void check(Index outputs, const Target<Scalar>& target) const override { loss_.check(outputs, target); }
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const override {
    return loss_.evaluate(prediction, target, gradient);
  }
  bool has_curvature() const override { return detail::has_curvature<Loss, Scalar>; }
  void curvature(ConstView<Scalar> prediction, Matrix<double>& hessian) const override {
    if constexpr (detail::has_curvature<Loss, Scalar>) loss_.curvature(prediction, hessian);
  }

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("loss", self.loss_...);
  }

 private:
  Loss loss_;
};

}  // namespace detail

/// Any loss, as a value.
template <class Scalar>
class AnyLoss : public Erased<LossInterface<Scalar>> {
 public:
  template <class Loss>
  explicit AnyLoss(Loss loss);

  /// The loss itself, where it is of this kind; null if it is of another.
  template <class Loss>
  const Loss* as() const {
    const auto* model = Erased<LossInterface<Scalar>>::template as<detail::LossModel<Loss, Scalar>>();
    return model == nullptr ? nullptr : &model->loss();
  }
};

template <class Scalar>
template <class Loss>
AnyLoss<Scalar>::AnyLoss(Loss loss)
    : Erased<LossInterface<Scalar>>{std::make_unique<detail::LossModel<Loss, Scalar>>(std::move(loss))} {}

}  // namespace altmin
