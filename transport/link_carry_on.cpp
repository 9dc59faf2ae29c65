// How a session that has lost its connection goes on over another: the part of a link that is dialled, or was accepted, for that.
#include <utility>

#include "link.hpp"

namespace troupe::detail {

/// What a refusal means for the session. True: do not try another way.
bool link::judge(link_session& session) {
  if (refused_.code == refusal_code::already_linked) session.overtaken();
  // Whoever else answers there, behind a proxy for instance, knows nothing of the peer.
  const bool is_peer = refused_.who == session.peer().id;
  if (refused_.code != refusal_code::gone || !(is_peer || refused_.text == session.peer().name)) return false;
  session.forgotten(is_peer ? "the peer does not know the session any more"
                            : "another process has taken the peer's name");
  return true;
}

/// Has a session let go of the connection that it has, if any; on the session's home worker, and back.
struct link::preparation {
  link* self;
  link_session* session;
  std::uint32_t attempt;
  link_session::standing* standing;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    const auto answer = [self = self, into = standing, waiter](link_session::standing how) {
      self->home_.post([into, waiter, how = std::move(how)](worker& home) {
        *into = std::move(how);
        home.resume(waiter);
      });
    };
    session->home().post(
        [session = session, attempt = attempt, answer](worker&) { session->prepare(attempt, answer); });
  }
  void await_resume() const noexcept {}
};

link::preparation link::prepare(link_session& session, std::uint32_t attempt,
                                link_session::standing& standing) noexcept {
  return {this, &session, attempt, &standing};
}

/// The session that a peer names, if it is that peer.
std::shared_ptr<link_session> link::session_that(const resumption& asked) {
  const std::shared_ptr<link_session> session = owner_.registry().session_with(asked.from);
  const bool known = session && session->id() == asked.session && asked.to == owner_.options().self.id;
  return known ? session : nullptr;
}

/// The peer has dialled for a session that it names.
task<void> link::carry_on(const heard& first) {
  const bool speaks_it = co_await same_version(first);
  if (!speaks_it) co_return;
  const std::optional<resumption> asked = parse_resumption(first.body);
  if (!asked) co_return greeter_.fail("the peer asks for a session in a way that does not parse");
  const std::shared_ptr<link_session> session = session_that(*asked);
  link_session::standing here = refusal_code::gone;
  if (session && !(may_be(session->peer()) && as_secure_as(*session))) co_return;
  if (session) co_await prepare(*session, asked->attempt, here);
  if (!here) {
    co_await refuse_to_carry_on(here.error());
    co_return;
  }
  const bool said = co_await greeter_.say(greet(*here));
  if (!said) co_return;
  const std::optional<heard> answer = co_await greeter_.hear();
  if (!confirmed(answer)) co_return;
  auto over = std::make_shared<connection>(take_connection());
  session->home().post(
      [session, over, asked](worker&) { session->resume(asked->attempt, std::move(*over), asked->arrived); });
}

task<bool> link::refuse_to_carry_on(refusal_code why) {
  refusal no;
  no.code = why;
  no.who = owner_.options().self.id;
  no.text = owner_.options().self.name;  // so that the peer knows whom it has reached
  co_return co_await refuse(std::move(no));
}

task<bool> link::ask_to_carry_on(std::shared_ptr<link_session> session) {
  if (!may_be(session->peer()) || !as_secure_as(*session)) co_return false;
  resumption asked{owner_.options().self.id, session->peer().id, session->id(), session->next_attempt(), {}};
  link_session::standing here = refusal_code::gone;
  co_await prepare(*session, asked.attempt, here);
  if (!here) co_return false;
  asked.arrived = std::move(*here);
  const bool said = co_await greeter_.say(greet(asked));
  if (!said) co_return false;
  const std::optional<heard> answer = co_await greeter_.hear();
  if (!answer || take_refusal(*answer)) co_return false;
  const std::optional<arrived_frames> there = parse_arrived(answer->body);
  if (answer->header.kind != greeting_kind::resumed || !there) {
    greeter_.fail("the peer answers something else than how a session goes on");
    co_return false;
  }
  const bool told = co_await greeter_.say(greet(greeting_kind::confirm));
  if (!told) co_return false;
  co_return session->resume(asked.attempt, take_connection(), *there);
}

detached link::run_dialled_again(std::vector<endpoint> ways, std::shared_ptr<link_session> session) {
  const auto self = shared_from_this();
  const std::vector<endpoint> to = co_await addresses_of(std::move(ways));
  for (const endpoint& at : to) {
    refused_ = {};
    bool good = co_await reach(at);
    if (good) good = co_await ask_to_carry_on(session);
    nobody_ = greeter_.refused() && (nobody_ || &at == &to.front());
    if (good || judge(*session)) break;
  }
  fail();
}

}  // namespace troupe::detail
