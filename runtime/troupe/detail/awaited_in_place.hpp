// Awaits an operation that stays where it is: GCC 12 copies an awaited glvalue, so what is awaited is this
// prvalue that points at it.
#pragma once

#include <coroutine>
#include <source_location>

namespace troupe::detail {

template <class Operation>
class [[nodiscard("co_await it")]] awaited_in_place {
 public:
  explicit awaited_in_place(Operation& o) noexcept : operation_(&o) {}
  /// Says that it is awaited there.
  awaited_in_place(Operation& o, const std::source_location& there) noexcept
      : operation_(&o), instead_of_here_(&there) {}
  bool await_ready(std::source_location at = std::source_location::current()) const {
    if constexpr (requires { operation_->await_ready(at); }) {
      return operation_->await_ready(instead_of_here_ != nullptr ? *instead_of_here_ : at);
    } else {
      return operation_->await_ready();
    }
  }
  auto await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) const {
    if constexpr (requires { operation_->await_suspend(waiter, at); }) {
      return operation_->await_suspend(waiter, instead_of_here_ != nullptr ? *instead_of_here_ : at);
    } else {
      return operation_->await_suspend(waiter);
    }
  }
  auto await_resume() const { return operation_->await_resume(); }
  void cancel() const noexcept { operation_->cancel(); }

 private:
  Operation* operation_;
  const std::source_location* instead_of_here_ = nullptr;
};

}  // namespace troupe::detail
