#pragma once

#include <array>
#include <string>
#include <string_view>
#include <type_traits>

#include "altmin/core/type_list.hpp"
#include "altmin/io/options.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/losses/losses.hpp"
#include "altmin/network/algorithms.hpp"

namespace altmin {

/// The kinds of layers, losses, algorithms, signals and weight rules of your own that a file may hold, beside those of
/// the library, by their options structs: `Kinds<Swish, Huber, Lion>{}`. A code rule is named by its signal,
/// `MovedCodes<RidgeCodes>`; a Pair by its signal and its rule. Writing needs no such list. Their options are
/// default-constructible.
template <class... Own>
struct Kinds {};

namespace detail {

// What a kind is, by what it declares.
template <class T, class = void>
constexpr bool is_layer_kind = false;
template <class T>
constexpr bool is_layer_kind<T, std::void_t<typename T::template Layer<double>>> = true;

template <class T, class = void>
constexpr bool is_algorithm_kind = false;
template <class T>
constexpr bool
    is_algorithm_kind<T, std::void_t<decltype(std::declval<T&>().signal()), decltype(std::declval<T&>().rule(true))>> =
        true;

template <class T, class = void>
constexpr bool is_signal_kind = false;
template <class T>
constexpr bool is_signal_kind<T, std::void_t<typename T::template Signal<double>>> = true;

template <class T, class = void>
constexpr bool has_rule = false;
template <class T>
constexpr bool has_rule<T, std::void_t<typename T::template Rule<double>>> = true;

template <class T>
constexpr bool is_rule_kind() {
  if constexpr (has_rule<T>) {
    constexpr bool moves_weights = std::is_base_of_v<WeightRuleInterface<double>, typename T::template Rule<double>>;
    static_assert(moves_weights, "altmin: Kinds<...> names a code rule by its signal, MovedCodes<YourRule>");
    return moves_weights;
  }
  return false;
}

template <class T>
constexpr bool is_loss_kind() {
  return !is_layer_kind<T> && !is_algorithm_kind<T> && !is_signal_kind<T> && !has_rule<T>;
}

template <class T>
constexpr bool is_pair = false;
template <class Signal, class Rule>
constexpr bool is_pair<Pair<Signal, Rule>> = true;

template <bool chosen, class T>
using TypesIf = std::conditional_t<chosen, Types<T>, Types<>>;

/// All kinds that a file may hold.
template <class... Own>
struct AllKinds {
  static_assert(!(is_pair<Own> || ...), "altmin: Kinds<...> names a Pair by its signal and its weight rule");

  using Layers = decltype((Types<Dense, BinaryDense, Conv2d, Recurrent, LastStep, MaxPool2d, AvgPool2d, BatchNorm,
                                 Standardize, Dropout, Identity, Relu, LeakyRelu, Tanh, Sigmoid, Sign, Skip>{} +
                           ... + TypesIf<is_layer_kind<Own>, Own>{}));
  using Losses = decltype((Types<SoftmaxCrossEntropy, MeanSquaredError, Logistic, Hinge>{} + ... +
                           TypesIf<is_loss_kind<Own>(), Own>{}));
  using Algorithms = decltype((Types<AmAdam, AmMem, AmMemFull, AmMemDescent, AmRecursive, AmSgd, Adam, Sgd>{} + ... +
                               TypesIf<is_algorithm_kind<Own>, Own>{}));
  using Signals = decltype((Types<Backprop, MovedCodes<>, ExactCodes>{} + ... + TypesIf<is_signal_kind<Own>, Own>{}));
  using Rules =
      decltype((Types<AdamRule, SgdRule, MemoryRule, FullMemoryRule, DescentRule, RecursiveRule, CentredAdamRule>{} +
                ... + TypesIf<is_rule_kind<Own>(), Own>{}));
};

template <std::size_t n>
constexpr bool all_different(const std::array<std::string_view, n>& names) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (names[i] == names[j]) return false;
    }
  }
  return true;
}

/// "Dense, Relu".
template <class... T>
std::string known_names(Types<T...>) {
  std::string known;
  ((known += (known.empty() ? "" : ", ") + std::string(T::name)), ...);
  return known;
}

/// A layer, loss, algorithm, signal or weight rule as a file has it: its name and its options.
struct Kind {
  std::string type{};
  nlohmann::json options = nlohmann::json::object();

  template <class Visitor>  // a JsonWriter or a JsonReader
  void visit(Visitor& visitor) {
    visitor.text("type", type);
    visitor.json("options", options);
  }
};

/// Reads the options of a kind that is one of T, and calls use(options); false if it is another.
template <class... T, class Use>
bool find_kind(Types<T...>, const Kind& kind, const std::string& where, Use&& use) {
  static_assert((std::is_default_constructible_v<T> && ...),
                "altmin: the options of a kind that is read from a file have defaults");
  static_assert(all_different<sizeof...(T)>({T::name...}),
                "altmin: in a file, each kind goes by a name of its own: give yours one");
  const auto try_one = [&](auto options) {
    if (kind.type != decltype(options)::name) return false;
    read_options(kind.options, options, where + ".options");
    use(options);
    return true;
  };
  return (try_one(T{}) || ...);
}

[[noreturn]] inline void refuse_kind(const Kind& kind, const std::string& where, const std::string& known) {
  throw FormatError(where + ".type: expected one of " + known + ", got '" + shown(kind.type) +
                    "' (kinds of your own are named in Kinds<...>)");
}

/// The same for a kind that must be one of T. Throws FormatError, naming `where` and all of them, if it is another.
template <class... T, class Use>
void read_kind(Types<T...> known, const Kind& kind, const std::string& where, Use&& use) {
  if (!find_kind(known, kind, where, use)) refuse_kind(kind, where, known_names(known));
}

/// Reads the options of an algorithm, one with a name of its own or a Pair, and calls use(options).
template <class All, class Use>
void read_algorithm(const Kind& kind, const std::string& where, Use&& use) {
  if (kind.type != Pair<Backprop, AdamRule>::name) {
    if (find_kind(typename All::Algorithms{}, kind, where, use)) return;
    refuse_kind(kind, where, known_names(typename All::Algorithms{}) + ", " + Pair<Backprop, AdamRule>::name);
  }
  const std::string inside = where + ".options";
  Kind signal;
  Kind rule;
  JsonReader reader{kind.options, inside};
  for (const auto& [role, part] : {std::pair{"signal", &signal}, {"rule", &rule}}) {
    reader.enter(role);
    part->visit(reader);
    reader.leave();
  }
  reader.finish();
  read_kind(typename All::Signals{}, signal, inside + ".signal", [&](const auto& signal_options) {
    read_kind(typename All::Rules{}, rule, inside + ".rule", [&](const auto& rule_options) {
      use(Pair{signal_options, rule_options});
    });
  });
}

}  // namespace detail
}  // namespace altmin
