#pragma once

#include <memory>
#include <typeinfo>
#include <utility>

#include "altmin/core/fields.hpp"

namespace altmin {

/// A value of any class that derives from `Interface`: it copies by clone(), moves, and compares by kind and fields.
/// Empty after it has been moved from.
template <class Interface>
class Erased {
 public:
  Erased() = default;
  explicit Erased(std::unique_ptr<Interface> value) : value_{std::move(value)} {}
  Erased(const Erased& other) : value_{other.value_ ? other.value_->clone() : nullptr} {}
  Erased(Erased&&) noexcept = default;
  Erased& operator=(const Erased& other) { return *this = Erased{other}; }
  Erased& operator=(Erased&&) noexcept = default;
  ~Erased() = default;

  explicit operator bool() const { return value_ != nullptr; }
  Interface& operator*() { return *value_; }
  const Interface& operator*() const { return *value_; }
  Interface* operator->() { return value_.get(); }
  const Interface* operator->() const { return value_.get(); }

  /// Shows the value's state.
  template <class Visitor>
  void visit(Visitor& visitor) {
    value_->visit(visitor);
  }

  /// The value itself, where it is of this class; null if it is of another.
  template <class Class>
  Class* as() {
    return dynamic_cast<Class*>(value_.get());
  }
  template <class Class>
  const Class* as() const {
    return dynamic_cast<const Class*>(value_.get());
  }

  friend bool operator==(const Erased& a, const Erased& b) {
    return a.value_ && b.value_ ? a.value_->equals(*b.value_) : !a.value_ && !b.value_;
  }
  friend bool operator!=(const Erased& a, const Erased& b) { return !(a == b); }

 private:
  std::unique_ptr<Interface> value_;
};

/// An Erased of this class, from what its constructor takes.
template <class Class, class Interface, class... Arguments>
Erased<Interface> make_erased(Arguments&&... arguments) {
  return Erased<Interface>{std::make_unique<Class>(std::forward<Arguments>(arguments)...)};
}

/// Implements clone() and equals() of an interface for the class `Derived`, which lists its fields (core/fields.hpp).
template <class Derived, class Interface>
class Cloneable : public Interface {
 public:
  std::unique_ptr<Interface> clone() const override {
    return std::make_unique<Derived>(static_cast<const Derived&>(*this));
  }
  bool equals(const Interface& other) const override {
    return typeid(*this) == typeid(other) &&
           equal(static_cast<const Derived&>(*this), static_cast<const Derived&>(other));
  }
};

}  // namespace altmin
