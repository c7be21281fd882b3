#pragma once

#include <type_traits>

namespace altmin {

/// A list of types.
template <class... T>
struct Types {
  template <class X>
  static constexpr bool contain = (std::is_same_v<X, T> || ...);

  /// Calls visit(Types<T>{}) for each of them, in their order.
  template <class Visit>
  static void for_each(Visit&& visit) {
    (visit(Types<T>{}), ...);
  }
};

template <class... A, class... B>
constexpr Types<A..., B...> operator+(Types<A...>, Types<B...>) {
  return {};
}

}  // namespace altmin
