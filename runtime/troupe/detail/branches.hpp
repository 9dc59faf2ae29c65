// The branches of a group, and the shape of its results: of awaitables of any kind (a variant, a tuple), or of
// a vector of tasks (index and value, a vector).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <troupe/detail/branch.hpp>
#include <troupe/task.hpp>

namespace troupe {

/// What when_any gives: which task ended first, and its value (none for task<void>).
template <class T>
struct when_any_result {
  std::size_t index;
  T value;
};
template <>
struct when_any_result<void> {
  std::size_t index;
};

namespace detail {

template <class A>
concept cancellable = requires(A& a) { a.cancel(); };

/// Refers to the awaitables: they live until the end of the full expression, or longer.
template <class... As>
class branches_of {
  static_assert(
      (cancellable<As> && ...),
      "select and when_all take awaitables of troupe, or others that have `void cancel() noexcept`");

 public:
  using first = std::variant<await_value<As>...>;
  using slots = std::tuple<std::optional<await_value<As>>...>;

  explicit branches_of(As&... awaitables) noexcept : awaitables_(awaitables...) {}

  static constexpr std::size_t size() noexcept { return sizeof...(As); }
  template <class Group>
  void start(Group& group, std::source_location at) {
    each([&](auto i) {
      using awaitable = std::tuple_element_t<i, std::tuple<As...>>;
      branches_[i] = run_branch(group, std::get<i>(awaitables_), i, at);
      branches_[i].start(Group::template role<awaitable>);
    });
  }
  void cancel() noexcept { cancel_but(size()); }
  void cancel_but(std::size_t kept) noexcept {
    each([&](auto i) {
      if (i == kept) return;
      branches_[i].destroy();
      std::get<i>(awaitables_).cancel();
    });
  }

  template <std::size_t I, class V>
  static first make_first(std::integral_constant<std::size_t, I>, V&& value) {
    return first(std::in_place_index<I>, std::forward<V>(value));
  }
  static constexpr slots make_slots(std::size_t) { return {}; }
  template <std::size_t I>
  static auto& slot(slots& s, std::integral_constant<std::size_t, I>) noexcept {
    return std::get<I>(s);
  }
  static auto collect(slots& s) {
    return std::apply([](auto&... each) { return std::tuple<await_value<As>...>(std::move(*each)...); }, s);
  }

 private:
  template <class F>
  static void each(F f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(std::integral_constant<std::size_t, I>()), ...);
    }(std::index_sequence_for<As...>());
  }

  std::tuple<As&...> awaitables_;
  std::array<branch, sizeof...(As)> branches_;
};

template <class T>
class branches_of_tasks {
 public:
  using first = when_any_result<T>;
  using slots = std::vector<std::optional<value_or_monostate<T>>>;

  explicit branches_of_tasks(std::vector<task<T>> tasks)
      : tasks_(std::move(tasks)), branches_(tasks_.size()) {}

  std::size_t size() const noexcept { return tasks_.size(); }
  template <class Group>
  void start(Group& group, std::source_location at) {
    for (std::size_t i = 0; i != size(); ++i) {
      branches_[i] = run_branch(group, tasks_[i], i, at);
      branches_[i].start(Group::template role<task<T>>);
    }
  }
  void cancel() noexcept { cancel_but(size()); }
  void cancel_but(std::size_t kept) noexcept {
    for (std::size_t i = 0; i != size(); ++i) {
      if (i == kept) continue;
      branches_[i].destroy();
      tasks_[i].cancel();
    }
  }

  template <class V>
  static first make_first(std::size_t index, V&& value) {
    if constexpr (std::is_void_v<T>) {
      return first{index};
    } else {
      return first{index, std::forward<V>(value)};
    }
  }
  static slots make_slots(std::size_t count) { return slots(count); }
  static auto& slot(slots& s, std::size_t index) noexcept { return s[index]; }
  static auto collect(slots& s) {
    if constexpr (!std::is_void_v<T>) {
      std::vector<T> values;
      values.reserve(s.size());
      for (auto& each : s) values.push_back(std::move(*each));
      return values;
    }
  }

 private:
  std::vector<task<T>> tasks_;
  std::vector<branch> branches_;
};

}  // namespace detail
}  // namespace troupe
