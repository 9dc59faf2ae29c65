// blocking_send and blocking_ask: a thread that is no worker waits for an actor that does the waiting for it.
// The deadline is kept by the worker's timers; the thread itself waits untimed.
#include <memory>

#include <troupe/ask.hpp>
#include <troupe/self.hpp>

#include "delivery.hpp"
#include "node_core.hpp"
#include "peers.hpp"
#include "waiting_room.hpp"

namespace troupe::detail {
namespace {

/// Shared by the thread and its helper actor; whichever way the helper ends, the call is over.
class blocking_call {
 public:
  blocking_call(const address& t, envelope* e) : to(t), message(e) {}

  void finish_with(error e, receipt* r) {
    const std::lock_guard lock(room_.guard);
    if (done_) return;
    outcome = e;
    answer = r;
    done_ = true;
    room_.notify_all();
  }
  void wait(env& world) {
    std::unique_lock lock(room_.guard);
    room_.wait(world, lock, [&] { return done_; });
  }

  const address to;
  envelope* message;
  duration within{};
  error outcome = errc::no_reply;
  receipt* answer = nullptr;

 private:
  waiting_room room_;
  bool done_ = false;
};

/// Held by the helper: if it is killed before it has an answer, the call ends all the same.
struct end_of_call {
  explicit end_of_call(std::shared_ptr<blocking_call> c) : call(std::move(c)) {}
  end_of_call(const end_of_call&) = delete;
  end_of_call& operator=(const end_of_call&) = delete;
  ~end_of_call() { call->finish_with(outcome, nullptr); }
  std::shared_ptr<blocking_call> call;
  error outcome = errc::stopped;
};

/// What the calling thread has sent by try_send goes first.
void after_what_was_sent(const address& to) {
  if (to.is_remote()) forward_outside(*to.peer());
}

/// A target that ended because its node stops is no target that is gone: the caller hears of the stop, whichever ended first.
error why_not(const self<protocol<>>& me, error e) {
  const bool ended = e.code == errc::no_such_actor || e.code == errc::no_reply;
  return ended && me.core()->node().stopping() ? error(errc::stopped) : e;
}

class untyped_ask : ask_base {
 public:
  untyped_ask(const address& to, envelope* e, duration d) : ask_base(to, e) { within_ = d; }
  using ask_base::await_ready;
  using ask_base::await_suspend;
  /// The receipt with the reply, the caller's from now on; or null and failure() says why.
  receipt* await_resume() noexcept { return take_answer(); }
  using ask_base::failure;
};

actor run_blocking_ask(self<protocol<>> me, std::shared_ptr<blocking_call> call) {
  end_of_call end(call);
  me.core()->end_when_stopped();
  if (me.stopping()) co_return;
  after_what_was_sent(call->to);
  untyped_ask asking(call->to, std::exchange(call->message, nullptr), call->within);
  receipt* const r = co_await asking;
  call->finish_with(r != nullptr ? error(errc::ok) : why_not(me, asking.failure()), r);
}

actor run_blocking_send(self<protocol<>> me, std::shared_ptr<blocking_call> call) {
  end_of_call end(call);
  me.core()->end_when_stopped();
  if (me.stopping()) co_return;
  after_what_was_sent(call->to);
  send_operation sending(call->to, std::exchange(call->message, nullptr));
  const result<void> sent = co_await sending.within(call->within);
  call->finish_with(sent ? error(errc::ok) : why_not(me, sent.error()), nullptr);
}

template <class Helper>
void wait_for(Helper helper, const std::shared_ptr<blocking_call>& call) {
  TROUPE_ASSERT(current_worker == nullptr,
                "blocking_send and blocking_ask are for threads that are not workers: co_await");
  node_core& node = call->to.is_remote() ? call->to.peer()->node : call->to.core()->node();
  if (!node.is_here()) return call->finish_with(errc::stopped, nullptr);
  spawn_options options;
  if (call->to.is_remote()) {  // where its try_send goes as well: what one thread sends stays in order
    const worker* const home = call->to.peer()->link.home();
    if (home != nullptr) options.worker = home->index();
  }
  const bool started = static_cast<bool>(spawn_actor(node, nullptr, options, helper, call));
  if (!started) return call->finish_with(node.stopping() ? errc::stopped : errc::full, nullptr);
  call->wait(node.world());
}

}  // namespace

error send_blocking(const address& to, envelope* e, duration within) {
  const auto call = std::make_shared<blocking_call>(to, e);
  call->within = within;
  if (e == nullptr) {
    call->finish_with(errc::no_memory, nullptr);
  } else if (to) {
    wait_for(&run_blocking_send, call);
  } else {
    call->finish_with(errc::no_such_actor, nullptr);
  }
  free_unsent(call->message);
  return call->outcome;
}

receipt* ask_blocking(const address& to, envelope* e, duration within, error& failure) {
  const auto call = std::make_shared<blocking_call>(to, e);
  call->within = within;
  if (e == nullptr) {
    call->finish_with(errc::no_memory, nullptr);
  } else if (to) {
    wait_for(&run_blocking_ask, call);
  } else {
    call->finish_with(errc::no_such_actor, nullptr);
  }
  free_unsent(call->message);
  failure = call->outcome;
  return call->answer;
}

}  // namespace troupe::detail
