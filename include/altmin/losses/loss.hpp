#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "altmin/losses/hinge.hpp"
#include "altmin/losses/logistic.hpp"
#include "altmin/losses/mean_squared_error.hpp"
#include "altmin/losses/softmax_cross_entropy.hpp"

namespace altmin {

/// Any loss. A loss of your own is a copyable type with the members that SoftmaxCrossEntropy shows; name it among the
/// template arguments of Network (examples/extensions/huber.hpp shows a whole one):
///
///   static constexpr const char* name;             for summaries
///   operator==                                     where it has options
///   check(outputs, target) const                   throws if the target does not suit; called before each use
///   evaluate(prediction, target, gradient) const   the SUM of the losses of the samples, and each one's own derivative
///
/// evaluate() is called from several threads at once, on parts of a batch: a sample's derivative depends on that sample
/// alone. Where a prediction is not finite the sum must not be finite either: then no weight moves.
template <class... Extra>
class AnyLoss {
 public:
  template <class Loss>
  explicit AnyLoss(Loss loss) : loss_{std::move(loss)} {
    static_assert(
        (std::is_same_v<Loss, SoftmaxCrossEntropy> || std::is_same_v<Loss, MeanSquaredError> ||
         std::is_same_v<Loss, Logistic> || std::is_same_v<Loss, Hinge> || (std::is_same_v<Loss, Extra> || ...)),
        "altmin: the loss is one of the library, or one named in Network<Scalar, YourLoss>");
  }

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

  friend bool operator==(const AnyLoss& a, const AnyLoss& b) {
    return std::visit(
        [&](const auto& loss) {
          const auto* other = std::get_if<std::decay_t<decltype(loss)>>(&b.loss_);
          return other != nullptr && same(loss, *other);
        },
        a.loss_);
  }

 private:
  template <class Loss>
  static bool same(const Loss& a, const Loss& b) {
    if constexpr (std::is_empty_v<Loss>)
      return true;
    else
      return a == b;
  }

  std::variant<SoftmaxCrossEntropy, MeanSquaredError, Logistic, Hinge, Extra...> loss_;
};

}  // namespace altmin
