#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace altmin {

template <class Signature>
class FunctionRef;

/// A non-owning reference to something callable: what a function takes whose body should be compiled once, whatever it
/// calls. Valid as long as the callable.
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <class Callable,
            std::enable_if_t<!std::is_same_v<std::remove_cv_t<std::remove_reference_t<Callable>>, FunctionRef> &&
                                 std::is_invocable_r_v<Result, Callable&, Arguments...>,
                             int> = 0>
  FunctionRef(Callable&& callable)  // NOLINT(google-explicit-constructor): a callable is passed as it is
      : object_{const_cast<void*>(static_cast<const void*>(std::addressof(callable)))},
        call_{[](void* object, Arguments... arguments) -> Result {
          return (*static_cast<std::remove_reference_t<Callable>*>(object))(std::forward<Arguments>(arguments)...);
        }} {}

  Result operator()(Arguments... arguments) const { return call_(object_, std::forward<Arguments>(arguments)...); }

 private:
  void* object_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace altmin
