// Waiting for several things at once, in one actor: the first of them, or all of them.
//
//   auto first = co_await troupe::select(self.receive([&](stop_work) {...}), bank.ask<balance>(), self.sleep(2s));
//   if (first.index() == 2) ...                                  // a std::variant of their results, in order
//   auto [a, b] = co_await troupe::when_all(left.ask<sum>(), right.ask<sum>());
//   auto all = co_await troupe::when_all(std::move(tasks));      // std::vector<task<T>>: a std::vector<T>
//   auto any = co_await troupe::when_any(std::move(tasks));      // {index, value}
//
// The awaitables run in the same actor, one at a time, started in order. void is std::monostate in a variant
// or a tuple. They are referred to, not moved: write them inside the co_await expression, or name tasks.
// Belongs to the actor that awaits it; allocates a pooled frame for each branch.
//
// Exactly one awaitable wins a select or when_any: the one that ends first (of two that end in one run of the
// actor, the one that was completed first), be it with an exception, which comes out of the co_await. One that
// needs no waiting wins as soon as it is its turn to start; those after it are not started. A receive looks at
// its mailbox only when all have started, so give what stands beside it some time: sleep(0s) always wins.
//
// The losers are cancelled before anything else of the actor runs: they are not resumed any more, and they
// are no longer registered with anybody.
//   receive  takes no message any more. A handler that had run has run, though another branch won; a handler
//            that waited is destroyed, and its asker hears no_reply.
//   send     that waited for room was never sent. One that had been accepted was sent.
//   ask      that waited for room was never sent. Otherwise its handler is cancelled; a reply that is under way
//            already is lost, and counted so (replies_lost).
//   task     is destroyed, and with it what it waited for.
//   streams  lose no byte that has arrived; of a write, a piece may have been sent.
//   join, publish, lookup, spawn_on: what was asked for may be done all the same.
//
// when_all waits for all of them even when some throw; then it throws the exception that came first.
//
// Why `cancel()`. An operation undoes its registration when it is destroyed; but a select's operands live
// until the end of the full expression, which may go on waiting (a select inside a when_all). To ignore late
// results would not do: a losing receive would take messages, a losing send would be sent. So every awaitable
// of troupe has `void cancel() noexcept`: what its destructor does, under a name, and all that its destructor
// does. It may be called before the awaitable was awaited, while it waits, once it is complete, and twice.
// select asks for nothing else, so awaitables of your own take part if they have it.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

#include <troupe/assert.hpp>
#include <troupe/detail/branches.hpp>
#include <troupe/task.hpp>

namespace troupe {

namespace detail {

/// Goes on with the branch that ends first and cancels the others.
template <class Branches>
class [[nodiscard("co_await it")]] first_operation {
 public:
  explicit first_operation(Branches b) noexcept : branches_(std::move(b)) {}
  first_operation(const first_operation&) = delete;
  first_operation& operator=(const first_operation&) = delete;
  ~first_operation() {
    if (waiter_) cancel();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter_.suspend(waiter);
    branches_.start(*this, at);
  }
  typename Branches::first await_resume() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(*first_);
  }
  void cancel() noexcept { branches_.cancel(); }

  // For the branches.
  template <class A>
  static constexpr wait_role role = wait_role::rival;
  template <class Index, class V>
  void keep(Index index, V&& value) {
    first_.emplace(Branches::make_first(index, std::forward<V>(value)));
  }
  void failed() noexcept { failure_ = std::current_exception(); }
  void ended(std::size_t index) noexcept {
    branches_.cancel_but(index);
    waiter_.go_on();
  }

 private:
  Branches branches_;
  group_waiter waiter_;
  std::optional<typename Branches::first> first_;
  std::exception_ptr failure_;
};

/// Goes on when every branch has ended.
template <class Branches>
class [[nodiscard("co_await it")]] all_operation {
 public:
  explicit all_operation(Branches b)
      : branches_(std::move(b)), left_(branches_.size()), slots_(Branches::make_slots(left_)) {}
  all_operation(const all_operation&) = delete;
  all_operation& operator=(const all_operation&) = delete;
  ~all_operation() {
    if (waiter_) cancel();
  }

  bool await_ready() const noexcept { return left_ == 0; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter_.suspend(waiter);
    branches_.start(*this, at);
  }
  auto await_resume() {
    if (failure_) std::rethrow_exception(failure_);
    return Branches::collect(slots_);
  }
  void cancel() noexcept { branches_.cancel(); }

  // For the branches.
  template <class A>
  static constexpr wait_role role = runs_code<A> ? wait_role::leads_on : wait_role::part;
  template <class Index, class V>
  void keep(Index index, V&& value) {
    Branches::slot(slots_, index).emplace(std::forward<V>(value));
  }
  void failed() noexcept {
    if (!failure_) failure_ = std::current_exception();
  }
  void ended(std::size_t) noexcept {
    if (--left_ == 0) waiter_.go_on();
  }

 private:
  Branches branches_;
  std::size_t left_;
  typename Branches::slots slots_;
  group_waiter waiter_;
  std::exception_ptr failure_;
};

}  // namespace detail

/// co_await gives a std::variant of the results, in order; index() says which one won.
template <class... As>
[[nodiscard("co_await it: a select that is not awaited waits for nothing")]] auto select(As&&... awaitables) {
  static_assert(sizeof...(As) != 0, "select needs something to wait for");
  using branches = detail::branches_of<std::remove_reference_t<As>...>;
  return detail::first_operation<branches>(branches(awaitables...));
}

/// co_await gives a std::tuple of the results, in order.
template <class... As>
[[nodiscard("co_await it: a when_all that is not awaited starts nothing")]] auto when_all(
    As&&... awaitables) {
  using branches = detail::branches_of<std::remove_reference_t<As>...>;
  return detail::all_operation<branches>(branches(awaitables...));
}
/// co_await gives a std::vector of the results, in order; void for task<void>.
template <class T>
[[nodiscard("co_await it: a when_all that is not awaited starts nothing")]] auto when_all(
    std::vector<task<T>> tasks) {
  using branches = detail::branches_of_tasks<T>;
  return detail::all_operation<branches>(branches(std::move(tasks)));
}

/// co_await gives when_any_result<T>. There must be at least one task (asserted).
template <class T>
[[nodiscard("co_await it: a when_any that is not awaited starts nothing")]] auto when_any(
    std::vector<task<T>> tasks) {
  TROUPE_ASSERT(!tasks.empty(), "when_any needs at least one task");
  using branches = detail::branches_of_tasks<T>;
  return detail::first_operation<branches>(branches(std::move(tasks)));
}

}  // namespace troupe
