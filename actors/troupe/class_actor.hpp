// A class as an actor: node.spawn<T>(args...), self.spawn<T>(args...).
//
//   struct account {
//     using accepts = troupe::protocol<deposit, balance>;
//     explicit account(std::int64_t opening) : cents(opening) {}
//     void on(const deposit& d) { cents += d.cents; }
//     std::int64_t on(const balance&) { return cents; }
//     std::int64_t cents;
//   };
//
// It is an actor's coroutine like any other, which holds a T and serves with its on() overloads; what these may
// return and take is what a handler may (receive.hpp). A constructor whose first parameter is
// `troupe::self<T::accepts>&` gets the actor's self, which lives as long as the T.
#pragma once

#include <type_traits>
#include <utility>

#include <troupe/self.hpp>

namespace troupe::detail {

template <class T>
struct class_handlers {
  explicit class_handlers(T& of) noexcept : object(&of) {}
  template <class M>
    requires requires(T& object, M m) { object.on(std::move(m)); }
  decltype(auto) operator()(M&& m) const {
    return object->on(std::forward<M>(m));
  }
  template <class M, class R>
    requires requires(T& object, M m, replier<R> r) { object.on(std::move(m), std::move(r)); }
  decltype(auto) operator()(M&& m, replier<R> r) const {
    return object->on(std::forward<M>(m), std::move(r));
  }
  T* object;
};

template <class T, class... Args>
actor run_class(self<typename T::accepts> me, Args... args) {
  if constexpr (std::is_constructible_v<T, self<typename T::accepts>&, Args...>) {
    T object(me, std::move(args)...);
    co_await me.serve(class_handlers<T>(object));
  } else {
    T object(std::move(args)...);
    co_await me.serve(class_handlers<T>(object));
  }
}

}  // namespace troupe::detail
