#pragma once

#include <utility>
#include <variant>

#include "altmin/losses/hinge.hpp"
#include "altmin/losses/logistic.hpp"
#include "altmin/losses/mean_squared_error.hpp"
#include "altmin/losses/softmax_cross_entropy.hpp"

namespace altmin {

/// Any loss. A loss of your own is a copyable type with the members that SoftmaxCrossEntropy shows: `name`, `check` and
/// `evaluate`; name it among the template arguments of Network.
template <class... Extra>
class AnyLoss {
 public:
  template <class Loss>
  explicit AnyLoss(Loss loss) : loss_{std::move(loss)} {}

  const char* name() const {
    return std::visit([](const auto& loss) -> const char* { return loss.name; }, loss_);
  }

  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    std::visit([&](const auto& loss) { loss.check(outputs, target); }, loss_);
  }

  /// The sum of the losses of all samples, and each sample's derivative by its prediction (outputs x samples).
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    return std::visit([&](const auto& loss) { return loss.evaluate(prediction, target, gradient); }, loss_);
  }

  friend bool operator==(const AnyLoss& a, const AnyLoss& b) { return a.loss_.index() == b.loss_.index(); }

 private:
  std::variant<SoftmaxCrossEntropy, MeanSquaredError, Logistic, Hinge, Extra...> loss_;
};

}  // namespace altmin
