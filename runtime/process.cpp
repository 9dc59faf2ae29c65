// The handle and the awaitable of troupe/process.hpp over process_core.
#include <troupe/process.hpp>

#include <utility>

#include <troupe/assert.hpp>
#include <troupe/sleep.hpp>
#include <troupe/when.hpp>

#include "process_core.hpp"

namespace troupe {
namespace detail {

void let_go::operator()(process_core* core) const noexcept { core->let_go(); }

bool process_end_operation::await_ready() const noexcept { return of_.status().has_value(); }
void process_end_operation::await_suspend(std::coroutine_handle<> waiter, std::source_location at) {
  wait_.suspend(waiter, "end of a process", at);
  of_.wait(*this);
}
exit_status process_end_operation::await_resume() const noexcept { return *of_.status(); }
void process_end_operation::cancel() noexcept {
  of_.give_up(*this);
  wait_.cancel();
}

namespace {

const byte_stream& only_if_there(const std::optional<byte_stream>& s) noexcept {
  TROUPE_ASSERT(s.has_value(), "to read or write a standard stream of a program, make it stdio::stream");
  return *s;
}

}  // namespace
}  // namespace detail

result<process, setup_error> process::start(const program& what, bool linked) {
  TROUPE_ASSERT(detail::current_worker != nullptr, "start a process inside an actor");
  detail::worker& home = *detail::current_worker;
  auto started = home.world().start_process(what, linked);
  if (!started) return std::move(started).error();
  return process(*new detail::process_core(home, std::move(*started)));
}

std::int32_t process::id() const noexcept { return core_->child.pid; }
const byte_stream& process::in() const noexcept { return detail::only_if_there(core_->in); }
const byte_stream& process::out() const noexcept { return detail::only_if_there(core_->out); }
const byte_stream& process::err() const noexcept { return detail::only_if_there(core_->err); }
void process::terminate() const noexcept { core_->end(false); }
void process::kill() const noexcept { core_->end(true); }
inherited_link process::take_link() const noexcept { return std::move(core_->child.link); }

task<exit_status> process::stop(duration grace) const {
  terminate();
  const auto first = co_await select(ended(), sleep_operation(grace));
  if (first.index() == 1) kill();
  const exit_status how = co_await ended();
  co_return how;
}

}  // namespace troupe
