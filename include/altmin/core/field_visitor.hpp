#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "altmin/core/fields.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// What a parameter is in a file.
struct ArrayFormat {
  std::vector<Index> shape;  // the matrix's rows, one after another, are its numbers in the same order
  double least;              // of each number
};

/// Goes over the fields() of a value of unknown class: how erased values are written to files, read and printed. A
/// writer reads each part and changes none, a reader replaces it. Whole parts stand between enter() and leave().
class FieldVisitor {
 public:
  FieldVisitor() = default;
  FieldVisitor(const FieldVisitor&) = delete;
  FieldVisitor& operator=(const FieldVisitor&) = delete;
  virtual ~FieldVisitor() = default;

  virtual void boolean(const std::string& name, bool& value) = 0;
  /// A whole number within limits.
  virtual void integer(const std::string& name, std::int64_t& value, std::int64_t least, std::int64_t most) = 0;
  virtual void natural(const std::string& name, std::uint64_t& value, std::uint64_t most) = 0;
  virtual void real(const std::string& name, double& value) = 0;
  virtual void text(const std::string& name, std::string& value) = 0;
  /// One of some names, by its number.
  virtual void choice(const std::string& name, std::size_t& value, Span<const char* const> names) = 0;
  /// A matrix of any shape, whose numbers are not NaN.
  virtual void matrix(const std::string& name, Matrix<float>& value) = 0;
  virtual void matrix(const std::string& name, Matrix<double>& value) = 0;
  /// A matrix of a shape that is known, whose numbers are finite.
  virtual void array(const std::string& name, Matrix<float>& value, const ArrayFormat& format) = 0;
  virtual void array(const std::string& name, Matrix<double>& value, const ArrayFormat& format) = 0;

  virtual void enter(const std::string& name) = 0;
  virtual void leave() = 0;
  /// Whether what follows under this name is there: a reader says so, a writer returns `value`.
  virtual bool present(const std::string& name, bool value) = 0;
  /// Entries of the list that has been entered, which are named 0, 1, ...: a reader of lists of any length says how
  /// many, all others return `count`.
  virtual std::size_t length(std::size_t count) = 0;
};

template <class Scalar>
class Parameter;

/// Shows a part of a value to a visitor: a leaf, or a part with leaves of its own. An empty name stands for the value
/// around it.
template <class T>
void visit_part(FieldVisitor& visitor, const std::string& name, T& part);

/// Shows all fields of a value.
template <class T>
void visit_fields(FieldVisitor& visitor, T& value) {
  if constexpr (has_fields<T>) {
    T::fields([&](const char* name, auto& part) { visit_part(visitor, name, part); }, value);
  } else {
    static_assert(std::is_empty_v<T>,
                  "altmin: what goes into a file is listed by fields(), see altmin/core/fields.hpp");
  }
}

namespace detail {

template <class T>
constexpr bool is_vector = false;
template <class T>
constexpr bool is_vector<std::vector<T>> = true;

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

template <class T>
constexpr bool is_parameter = false;
template <class Scalar>
constexpr bool is_parameter<Parameter<Scalar>> = true;

template <class T, class = void>
constexpr bool shows_itself = false;
template <class T>
constexpr bool shows_itself<T, std::void_t<decltype(std::declval<T&>().visit(std::declval<FieldVisitor&>()))>> = true;

/// Nothing is written where nothing changes, so that a writer may go over a value that others are reading.
template <class T>
void replace(T& part, T value) {
  if (!(part == value)) part = value;
}

template <class Visit>
void visit_nested(FieldVisitor& visitor, const std::string& name, Visit&& visit) {
  if (!name.empty()) visitor.enter(name);
  visit();
  if (!name.empty()) visitor.leave();
}

/// Calls visit(i) for all entries of the list that has been entered, which grows one by one.
template <class T, class Visit>
void visit_list(FieldVisitor& visitor, std::vector<T>& list, Visit&& visit) {
  const std::size_t count = visitor.length(list.size());
  if (list.size() > count) list.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (i == list.size()) list.emplace_back();
    visit(i);
  }
}

}  // namespace detail

template <class T>
void visit_part(FieldVisitor& visitor, const std::string& name, T& part) {
  static_assert(!std::is_const_v<T>, "altmin: a visitor goes over values that it may replace");
  if constexpr (std::is_same_v<T, bool>) {
    visitor.boolean(name, part);
  } else if constexpr (std::is_enum_v<T>) {
    const auto all = names(part);
    auto number = static_cast<std::size_t>(part);
    visitor.choice(name, number, {all.data(), static_cast<Index>(all.size())});
    detail::replace(part, static_cast<T>(number));
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    std::uint64_t value = part;
    visitor.natural(name, value, std::numeric_limits<T>::max());
    detail::replace(part, static_cast<T>(value));
  } else if constexpr (std::is_integral_v<T>) {
    std::int64_t value = part;
    visitor.integer(name, value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
    detail::replace(part, static_cast<T>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    auto value = static_cast<double>(part);
    visitor.real(name, value);
    detail::replace(part, static_cast<T>(value));
  } else if constexpr (std::is_same_v<T, std::string>) {
    visitor.text(name, part);
  } else if constexpr (detail::is_matrix<T>) {
    visitor.matrix(name, part);
  } else if constexpr (detail::is_parameter<T>) {
    visitor.array(name, part.matrix(), {part.shape().tensor(), part.shape().least});
  } else if constexpr (detail::is_optional<T>) {
    const bool there = visitor.present(name, part.has_value());
    if (there && !part) part.emplace();
    if (!there) part.reset();
    if (there) visit_part(visitor, name, *part);
  } else if constexpr (detail::is_vector<T>) {
    detail::visit_nested(visitor, name, [&] {
      if constexpr (detail::is_parameter<typename T::value_type>) {
        for (auto& parameter : part) visit_part(visitor, parameter.name(), parameter);
      } else {
        detail::visit_list(visitor, part, [&](std::size_t i) { visit_part(visitor, std::to_string(i), part[i]); });
      }
    });
  } else if constexpr (detail::shows_itself<T>) {
    detail::visit_nested(visitor, name, [&] { part.visit(visitor); });
  } else {
    detail::visit_nested(visitor, name, [&] { visit_fields(visitor, part); });
  }
}

}  // namespace altmin
