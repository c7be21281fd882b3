#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// A class names the parts of its value once, for all who walk over them (comparison, and the readers and writers of
/// component `io`):
///
///   template <class Visit, class... Self>
///   static void fields(Visit&& visit, Self&... self) {
///     visit("mu", self.mu...);
///     visit("nesterov", self.nesterov...);
///   }
///
/// so that fields(visit, a) walks over one object, and fields(visit, a, b) over two side by side. What was chosen (an
/// options struct) and what became of it (a class that shows its options by config()) are described alike. Working
/// memory is not part of a value. An enumeration names its values, in their order, by a function
/// `constexpr std::array<const char*, n> names(Kind)` beside it.
template <class T, class = void>
constexpr bool has_fields = false;

namespace detail {

template <class T>
constexpr bool is_matrix = false;
template <class Scalar>
constexpr bool is_matrix<Matrix<Scalar>> = true;

struct AnyVisit {
  template <class... Parts>
  void operator()(const char*, Parts&...) const {}
};

template <class T, class = void>
constexpr bool has_config = false;
template <class T>
constexpr bool has_config<T, std::void_t<decltype(std::declval<const T&>().config())>> = true;

}  // namespace detail

template <class T>
constexpr bool has_fields<T, std::void_t<decltype(T::fields(detail::AnyVisit{}, std::declval<T&>()))>> = true;

template <class T>
bool equal(const std::vector<T>& a, const std::vector<T>& b);
template <class T>
bool equal(const std::optional<T>& a, const std::optional<T>& b);

/// Whether two values are the same, by their fields where they have such.
template <class T>
bool equal(const T& a, const T& b) {
  if constexpr (has_fields<T>) {
    bool same = true;
    if constexpr (detail::has_config<T>) same = equal(a.config(), b.config());
    if (!same) return false;  // what follows may differ in kind
    T::fields([&](const char*, const auto& x, const auto& y) { same = same && equal(x, y); }, a, b);
    return same;
  } else if constexpr (std::is_empty_v<T>) {
    return true;
  } else {
    return a == b;
  }
}

template <class T>
bool equal(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i], b[i])) return false;
  }
  return true;
}

template <class T>
bool equal(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a || equal(*a, *b));
}

/// What has fields compares by them.
template <class T, std::enable_if_t<has_fields<T>, int> = 0>
bool operator==(const T& a, const T& b) {
  return equal(a, b);
}
template <class T, std::enable_if_t<has_fields<T>, int> = 0>
bool operator!=(const T& a, const T& b) {
  return !equal(a, b);
}

namespace detail {

/// Throws ShapeError, naming `what`, unless a matrix that was read from a file has the shape that its owner relies on.
template <class Scalar>
void require_shape(const Matrix<Scalar>& matrix, Index rows, Index columns, const char* what) {
  if (matrix.rows() == rows && matrix.cols() == columns) return;
  throw ShapeError(std::string(what) + ": expected " + shape_text(rows, columns) + ", got " +
                   shape_text(matrix.rows(), matrix.cols()));
}

/// The same for all matrices among a value's fields, which may also all be empty: not yet made.
template <class T>
void require_shapes(const T& value, Index rows, Index columns) {
  std::optional<bool> made;
  const auto check = [&](const char* name, const auto& part) {
    if constexpr (is_matrix<std::decay_t<decltype(part)>>) {
      if (!made) made = part.size() > 0;
      require_shape(part, *made ? rows : 0, *made ? columns : 0, name);
    }
  };
  if constexpr (has_fields<T>) T::fields(check, value);
}

}  // namespace detail
}  // namespace altmin
