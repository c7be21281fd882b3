#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "altmin/core/fields.hpp"
#include "altmin/core/type_list.hpp"
#include "altmin/losses/hinge.hpp"
#include "altmin/losses/logistic.hpp"
#include "altmin/losses/mean_squared_error.hpp"
#include "altmin/losses/softmax_cross_entropy.hpp"

namespace altmin {

/// Any loss. A loss of your own is a copyable type with the members that SoftmaxCrossEntropy shows; name it among the
/// template arguments of Network (examples/extensions/huber.hpp shows a whole one):
///
///   static constexpr const char* name;             for summaries
///   fields()                                       where it has options, see core/fields.hpp
///   check(outputs, target) const                   throws if the target does not suit; called before each use
///   evaluate(prediction, target, gradient) const   the SUM of the losses of the samples, and each one's own derivative
///
/// evaluate() is called from several threads at once, on parts of a batch: a sample's derivative depends on that sample
/// alone. Where a prediction is not finite the sum must not be finite either: then no weight moves.
template <class... Extra>
class AnyLoss {
  template <class... Loss>
  static std::variant<Loss...> any_of(Types<Loss...>);

 public:
  using Losses = Types<SoftmaxCrossEntropy, MeanSquaredError, Logistic, Hinge, Extra...>;

  template <class Loss>
  explicit AnyLoss(Loss loss) : loss_{std::move(loss)} {
    static_assert(Losses::template contain<Loss>,
                  "altmin: the loss is one of the library, or one named in Network<Scalar, YourLoss>");
  }

  /// Calls visitor(loss) with the loss itself, of whatever kind.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return std::visit(std::forward<Visitor>(visitor), loss_);
  }

  const char* name() const {
    return visit([](const auto& loss) -> const char* { return loss.name; });
  }

  template <class Scalar>
  void check(Index outputs, const Target<Scalar>& target) const {
    visit([&](const auto& loss) { loss.check(outputs, target); });
  }

  /// The sum of the losses of all samples, and each sample's derivative by its prediction (outputs x samples).
  template <class Scalar>
  double evaluate(ConstView<Scalar> prediction, const Target<Scalar>& target, View<Scalar> gradient) const {
    return visit([&](const auto& loss) { return loss.evaluate(prediction, target, gradient); });
  }

  friend bool operator==(const AnyLoss& a, const AnyLoss& b) {
    return a.visit([&](const auto& loss) {
      const auto* other = std::get_if<std::decay_t<decltype(loss)>>(&b.loss_);
      return other != nullptr && equal(loss, *other);
    });
  }

 private:
  decltype(any_of(Losses{})) loss_;
};

}  // namespace altmin
