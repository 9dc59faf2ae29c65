// A strand: a serial context whose coroutines run one at a time on one home worker, and the operations they
// wait in. An actor is a strand (actors/); the runtime's own awaitables know no more than this.
//
// An `operation` is the suspended half of an awaitable. It lives in the frame of the coroutine that awaits,
// is linked to its strand while it waits, and unlinks itself when it is destroyed, so a frame can be
// destroyed at any suspension. Whoever completes it from afar must not keep its address: it keeps the strand
// and the operation's `ticket`, and the home worker looks the ticket up.
//
// Work may have a deadline: what serves a request inherits the request's. The worker holds that of the coroutine
// which runs now; an operation keeps it over the wait, so interleaved coroutines do not see each other's.
//
// So does its role: whether the coroutine that waits is one of several in a group (when.hpp), and what its end
// means.
//
// Everything here is touched by the strand's home worker alone.
#pragma once

#include <coroutine>
#include <cstdint>
#include <source_location>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/worker.hpp>

namespace troupe::detail {

/// What the end of a wait means to the coroutine that is not in any group. In this order; a group in a group is the
/// worse of the two.
enum class wait_role : std::uint8_t {
  alone,     // it goes on, and only then
  part,      // of a when_all: it does not go on before, and nothing follows but that
  leads_on,  // the same, but a branch with code of its own goes on
  rival,     // something else may end this wait
};

class operation {
 public:
  operation() noexcept {}  // what the others are before suspend() nobody asks
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;
  ~operation() { cancel(); }

  /// Suspends `waiter` in the strand that runs now; it continues after complete().
  /// `what` (a literal) and `at` tell whoever looks at the actor what it waits for, and where.
  void suspend(std::coroutine_handle<> waiter, const char* what, std::source_location at);
  /// The wait is over: the waiter is resumed by the strand's present run or its next. Call at most once.
  void complete();
  /// The waiter is resumed by the strand's next run; the present one ends, for others to have their turn.
  void complete_next_run();
  /// The waiter is not resumed any more.
  void cancel() noexcept {
    if (owner_ != nullptr) unlink();
  }

  strand* owner() const noexcept { return owner_; }
  std::uint64_t ticket() const noexcept { return ticket_; }
  const char* what() const noexcept { return what_; }
  const std::source_location& at() const noexcept { return at_; }
  wait_role role() const noexcept { return role_; }

 private:
  friend class strand;
  struct list {
    operation* head = nullptr;
    operation* tail = nullptr;
  };
  list& in() const noexcept;
  void link() noexcept;
  void unlink() noexcept;

  strand* owner_ = nullptr;
  operation* prev_;
  operation* next_;
  std::coroutine_handle<> waiter_;
  std::uint64_t ticket_;
  instant deadline_;  // the waiter's
  const char* what_;
  std::source_location at_;
  wait_role role_;
  bool ready_;  // in its owner's list of those, else in that of those that wait
};

class strand : public runnable {
 public:
  strand(function f, worker& home) noexcept : runnable(f, &home) {}

  /// For whom it is not at home: where it was, is or is to be.
  worker& home() const noexcept { return *lives_on.target(); }
  bool at_home() const noexcept { return lives_on.is(current_worker); }

  /// The waiting operation with that ticket, or null if it is complete or gone.
  operation* find(std::uint64_t ticket) const noexcept;
  template <class F>
  void each_wait(F f) const {
    for (const operation* o = waiting_.head; o != nullptr; o = o->next_) f(*o);
  }
  /// True if it is for each of them; stops at the first for which it is not.
  template <class F>
  bool every_wait(F f) const {
    for (const operation* o = waiting_.head; o != nullptr; o = o->next_) {
      if (!f(*o)) return false;
    }
    return true;
  }
  /// A run that ends with some schedules the strand anew.
  bool has_ready() const noexcept { return ready_.head != nullptr; }
  // For its runs. `here`: its home.
  /// Resumes the waiter of the operation that was completed first; there is one.
  void resume_next(worker& here) { resume(*ready_.head, here); }
  /// The wait of one of its operations is over, and the waiter is resumed now.
  void resume(operation& op, worker& here);

  bool run_ends = false;              // the present run is to end
  wait_role role = wait_role::alone;  // of what runs now

 private:
  friend class operation;
  operation::list waiting_;
  operation::list ready_;
};

inline operation::list& operation::in() const noexcept { return ready_ ? owner_->ready_ : owner_->waiting_; }

inline void operation::link() noexcept {
  list& into = in();
  next_ = nullptr;
  prev_ = into.tail;
  (prev_ != nullptr ? prev_->next_ : into.head) = this;
  into.tail = this;
}

inline void operation::unlink() noexcept {
  (prev_ != nullptr ? prev_->next_ : in().head) = next_;
  (next_ != nullptr ? next_->prev_ : in().tail) = prev_;
  owner_ = nullptr;
}

inline void operation::suspend(std::coroutine_handle<> waiter, const char* what, std::source_location at) {
  TROUPE_ASSERT(current_worker != nullptr && current_worker->running != nullptr,
                "co_await a troupe operation only inside an actor or a task that an actor awaits");
  owner_ = current_worker->running;
  waiter_ = waiter;
  ticket_ = current_worker->next_ticket++;
  deadline_ = current_worker->work_deadline;
  role_ = owner_->role;
  ready_ = false;
  what_ = what;
  at_ = at;
  link();
}

inline void operation::complete() {
  strand* const s = owner_;
  unlink();
  owner_ = s;
  ready_ = true;
  link();
  if (s->home().running != s) s->home().schedule(*s);
}

inline void operation::complete_next_run() {
  strand& s = *owner_;
  s.run_ends = s.yields = true;
  complete();
}

inline void strand::resume(operation& op, worker& here) {
  const auto waiter = op.waiter_;
  here.work_deadline = op.deadline_;
  role = op.role_;
  here.resumed_at.store(op.at_, std::memory_order_relaxed);
  op.unlink();
  here.resume(waiter);
  here.work_deadline = {};
  role = wait_role::alone;
}

}  // namespace troupe::detail
