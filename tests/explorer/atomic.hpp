// std::atomic's operations, by the explorer's memory (engine.hpp).
#pragma once

#include <bit>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "explorer/engine.hpp"

namespace troupe::explorer {

template <class T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(value));
  using where = std::source_location;
  using difference = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;

 public:
  static constexpr bool is_always_lock_free = true;

  atomic() noexcept : atomic(T()) {}
  atomic(T initial) noexcept : location_(new_location(pack(initial))) {}
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  T load(order o = order::seq_cst, const where& at = where::current()) const noexcept {
    return unpack(explorer::load(location_, o, at));
  }
  void store(T v, order o = order::seq_cst, const where& at = where::current()) noexcept {
    explorer::store(location_, pack(v), o, at);
  }
  T exchange(T v, order o = order::seq_cst, const where& at = where::current()) noexcept {
    return change([v](T) { return v; }, o, at);
  }
  bool compare_exchange_strong(T& expected, T desired, order success = order::seq_cst,
                               order failure = order::seq_cst, const where& at = where::current()) noexcept {
    const T found =
        unpack(explorer::compare_exchange(location_, pack(expected), pack(desired), success, failure, at));
    const bool same = pack(found) == pack(expected);
    expected = found;
    return same;
  }
  bool compare_exchange_weak(T& expected, T desired, order success = order::seq_cst,
                             order failure = order::seq_cst, const where& at = where::current()) noexcept {
    return compare_exchange_strong(expected, desired, success, failure, at);
  }
  T fetch_add(difference d, order o = order::seq_cst, const where& at = where::current()) noexcept {
    return change([d](T v) { return static_cast<T>(v + d); }, o, at);
  }
  T fetch_sub(difference d, order o = order::seq_cst, const where& at = where::current()) noexcept {
    return change([d](T v) { return static_cast<T>(v - d); }, o, at);
  }
  T fetch_or(T d, order o = order::seq_cst, const where& at = where::current()) noexcept {
    return change([d](T v) { return static_cast<T>(v | d); }, o, at);
  }

 private:
  static value pack(T v) noexcept {
    value all = 0;
    std::memcpy(&all, &v, sizeof v);
    return all;
  }
  static T unpack(value all) noexcept {
    T v;
    std::memcpy(&v, &all, sizeof v);
    return v;
  }
  template <class F>
  T change(F f, order o, const where& at) noexcept {
    return unpack(explorer::exchange(location_, [f](value v) { return pack(f(unpack(v))); }, o, at));
  }

  unsigned location_;
};

}  // namespace troupe::explorer
