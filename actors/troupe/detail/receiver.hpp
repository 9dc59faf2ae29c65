// Who takes the messages of a mailbox: the suspended side of receive and serve, and the handlers that run.
//
// An actor has one receiver at a time. It takes a message with `take`; a handler that is a task, and waits, goes on as a
// coroutine of its own (running_handler) while the actor waits in the receiver, and up to `most` of them run at
// a time. The receiver owns them: ended, failed or destroyed, it leaves none behind. Home worker only.
#pragma once

#include <coroutine>
#include <exception>

#include <troupe/detail/message.hpp>
#include <troupe/detail/strand.hpp>
#include <troupe/task.hpp>

namespace troupe::detail {

class actor_core;
class receiver;

/// The promise of a handler's coroutine, in its receiver's list while it runs.
struct running_handler : pooled_frame {
  running_handler(receiver& r, envelope* e) noexcept : of(&r), message(e) {}

  receiver* of;
  envelope* message;  // freed by the handler at its end; by the receiver, if it never gets there
  std::coroutine_handle<> frame;
  running_handler* prev = nullptr;
  running_handler* next = nullptr;
};

class receiver : public operation {
 public:
  using function = void (*)(receiver& self, envelope* taken) noexcept;

  receiver(function f, bool takes_one, unsigned handlers_at_a_time) noexcept
      : once(takes_one), take(f), most(handlers_at_a_time) {}
  ~receiver() {
    if (owner() != nullptr || handlers != nullptr) cancel();
  }
  /// A message that was not taken stays in the mailbox; a handler that waits is destroyed.
  void cancel() noexcept;

  bool full() const noexcept { return running == most; }
  /// Nothing more is to be taken, and no handler runs.
  bool over() const noexcept { return running == 0 && (failure || (once && took)); }
  void await_in_mailbox(std::coroutine_handle<> waiter, std::source_location at);
  // The handlers.
  void start(running_handler& h) noexcept;
  void ended(running_handler& h) noexcept;  // its coroutine is at its end
  void drop(running_handler& h, error why) noexcept;
  void drop_all(errc why = errc::no_reply) noexcept;
  void cancel_handler(running_handler& h) noexcept;  // its asker has gone

  const bool once;
  bool took = false;
  bool taking = false;  // inside take(): a handler that ends now (by a foreign awaitable) needs no wake-up
  bool limited : 1 = false;      // it ends by itself: .within(d)
  bool overdue : 1 = false;      // its time is over, and it has not looked at what was there by then
  bool reported : 1 = false;     // by the watchdog
  bool passed_over : 1 = false;  // the last run has left it without a message, though there was one
  errc ended_by = errc::ok;      // why it ended without a message: stopped or expired
  const function take;
  const value_type* only = nullptr;  // a selective receive: messages of other types stay where they are
  running_handler* handlers = nullptr;
  unsigned running = 0;
  const unsigned most;
  std::exception_ptr failure;  // a handler threw

 private:
  void unlink(running_handler& h) noexcept;
  actor_core& core() const noexcept;
};

}  // namespace troupe::detail
