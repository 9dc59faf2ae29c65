// Actors that are programs: spawned, supervised, monitored and stopped as any other.
//
//   troupe::program proxy{.path = "haproxy", .arguments = {"-f", "proxy.cfg"}};
//   me.spawn({.name = "proxy"}, troupe::restart_on_failure(troupe::run_process), proxy);
//
//   troupe::program parser{.path = "./parser"};  // calls troupe::run, and publishes an actor "parser"
//   const troupe::ref<parse> to =
//       me.spawn({.name = "parser"}, troupe::restart_on_failure(troupe::run_service<parse>), parser, "parser");
//
// run_process lives as long as its program. Its exit reason is normal when that returned 0; else failed, with "exit status 3"
// or "killed by SIGSEGV" (exit_status::text), or with why it could not be started. Asked to stop, it asks the program to end
// (SIGTERM), kills it after program::grace, and ends when it has. Killed, it kills it.
//
// run_service also stands for an actor of its program, which is to be a program of troupe::run: the child's node is linked with
// this one over a socket that it inherits, by shared memory as with any node of this host, and what comes to the ref goes on
// to the actor that the child publishes by that name, whichever life of the child that is. What comes while there is none
// waits in the mailbox, and so does its sender, once that is full (spawn_options). Order is kept.
//   ask   ends no later than at its asker, is cancelled there too, and fails with the error that it meets: link_down if the
//         child died with it. It is never asked twice.
//   send  says ok when it is in the mailbox; what is on its way when the child dies is lost, as by the death of any actor. So is
//         what waits for credit then, and what lies before the DOWN when the child's actor ends and its process does not.
// The child is started anew (or the actor ends) when its process ends, and also when its link or its published actor has gone
// for program::grace. It has node_options::join_deadline to publish the name.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <troupe/node.hpp>
#include <troupe/process.hpp>
#include <troupe/self.hpp>
#include <troupe/when.hpp>

namespace troupe {

actor run_process(self<protocol<>> me, program what);

namespace detail {

template <class P>
struct with_down;
template <class... Ms>
struct with_down<protocol<Ms...>> {
  using type = std::conditional_t<contains<down, protocol<Ms...>>, protocol<Ms...>, protocol<Ms..., down>>;
};

template <class M, class P>
concept passes_on = contains<M, as_protocol_t<P>> && !std::same_as<M, down>;

/// Whether there is a link to the node of a remote actor.
bool is_linked(const address& remote) noexcept;

/// Handlers that hand every message of P to an actor of another node. Those that come after the link has gone stay in the
/// mailbox (not_taken), ahead of the DOWN.
template <class P>
class pass_on {
 public:
  /// `gone`: its DOWN has come.
  pass_on(const ref<P>& service, const bool& gone) : to_(service), gone_(gone) {}

  template <passes_on<P> M>
    requires(!request<M>)
  task<void> operator()(M&& message) const {
    check_link();
    (void)co_await to_.template send<M>(give(message));
  }
  template <passes_on<P> M>
    requires request<M>
  task<result<reply_of<M>>> operator()(M&& message) const {
    check_link();
    result<reply_of<M>> answer = co_await to_.template ask<M>(give(message));
    co_return answer;
  }

 private:
  void check_link() const {
    if (gone_ || !is_linked(address_of(to_))) throw not_taken{errc::link_down};
  }

  ref<P> to_;
  const bool& gone_;
};

/// Of messages that wait for credit or for their reply.
inline constexpr unsigned most_passed_on = 1024;

struct service_is_gone {};

/// Throws if it cannot be started.
process start_or_throw(const program& what, bool linked);
/// Throws unless it has succeeded.
void end_as(const exit_status& how);
/// The name of the node of a child that was started with a link, once there is one; or why there will be none.
task<result<std::string, setup_error>> link_with(node& own, process& child);
duration start_limit(node& own) noexcept;
void end_when_stopped(actor_core& core, bool does) noexcept;
/// When it is asked to stop, the messages that are being passed on are given up, and serve returns.
void drop_handlers_when_stopped(actor_core& core) noexcept;

template <class P>
task<result<ref<P>, setup_error>> find_service(node& own, process& child, const std::string& name) {
  const result<std::string, setup_error> there = co_await link_with(own, child);
  if (!there) co_return there.error();
  const result<ref<P>> found = co_await own.lookup<P>(name + "@" + *there).within(start_limit(own));
  if (found) co_return *found;
  co_return setup_error("it did not publish '" + name + "': " + found.error().text());
}

}  // namespace detail

/// `name`: of the actor of protocol P that the program publishes. The spawned ref converts to ref<P>.
template <class P>
actor run_service(self<typename detail::with_down<detail::as_protocol_t<P>>::type> me, program what,
                  std::string name) {
  detail::check_protocol_travels(static_cast<detail::as_protocol_t<P>*>(nullptr));
  if (me.stopping()) co_return;
  process child = detail::start_or_throw(what, true);

  detail::end_when_stopped(*me.core(), true);  // one that is not linked yet is killed
  task<result<ref<P>, setup_error>> finding = detail::find_service<P>(me.node(), child, name);
  const auto begun = co_await select(child.ended(), finding);
  if (begun.index() == 0) co_return detail::end_as(std::get<0>(begun));
  detail::end_when_stopped(*me.core(), false);

  const result<ref<P>, setup_error>& service = std::get<1>(begun);
  std::string trouble = service ? std::string() : service.error().text;
  if (service) {
    me.monitor(*service);
    bool gone = false;
    detail::drop_handlers_when_stopped(*me.core());
    try {
      (void)co_await me.serve(interleave(detail::most_passed_on), detail::pass_on<P>(*service, gone),
                              [&](const down& d) -> task<void> {
                                if (d.actor != *service) co_return;  // of an earlier life
                                gone = true;
                                co_await me.yield();  // those whose asks have failed hear of it first
                                throw detail::service_is_gone();
                              });
    } catch (const detail::not_taken&) {
      trouble = "its link has gone, and it did not end";
    } catch (const detail::service_is_gone&) {
      trouble = "its actor has gone, and it did not end";
    }
  }
  if (trouble.empty()) {
    (void)co_await child.stop(what.grace);
    co_return;
  }
  detail::end_when_stopped(*me.core(), true);
  const auto ended = co_await select(child.ended(), me.sleep(what.grace));
  if (ended.index() == 0) co_return detail::end_as(std::get<0>(ended));  // which says more
  throw std::runtime_error(trouble);
}

}  // namespace troupe
