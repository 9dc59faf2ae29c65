#include "process_core.hpp"

#include <utility>

#include <troupe/assert.hpp>
#include <troupe/log.hpp>

#include "stream_core.hpp"

namespace troupe::detail {
namespace {

std::optional<byte_stream> stream_of(worker& home, descriptor socket) {
  if (!socket) return std::nullopt;
  return byte_stream(socket_handle<stream_core>(*new stream_core(home, std::move(socket))));
}

}  // namespace

process_core::pidfd_wait::pidfd_wait(process_core& o) noexcept
    : io_operation([](io_operation& self, std::int32_t result) noexcept {
        static_cast<pidfd_wait&>(self).of.pidfd_is_readable(result < 0);
      }),
      of(o) {}

process_core::process_core(worker& home, started_process started)
    : child(std::move(started)),
      in(stream_of(home, std::move(child.in))),
      out(stream_of(home, std::move(child.out))),
      err(stream_of(home, std::move(child.err))),
      home_(home) {
  home_.io().wait_readable(wait_, child.pidfd.get());
}

void process_core::assert_here() const noexcept {
  TROUPE_ASSERT(current_worker == &home_, "use a process on the worker that started it");
}

void process_core::let_go() noexcept {
  assert_here();
  TROUPE_ASSERT(waiter_ == nullptr, "a process was destroyed while somebody waits for its end");
  let_go_ = true;
  if (status_) {
    delete this;
  } else {
    ++home_.closing;
    if (end(true)) return;
    log(log_level::error, "process " + std::to_string(child.pid) +
                              " cannot be killed (it has other rights than this one) and is left alone");
    home_.io().cancel(wait_);
  }
}

bool process_core::end(bool at_once) const noexcept {
  assert_here();
  return status_ || home_.world().end_process(child, at_once);
}

void process_core::wait(process_end_operation& waiter) noexcept {
  assert_here();
  TROUPE_ASSERT(waiter_ == nullptr, "one coroutine at a time waits for the end of a process");
  waiter_ = &waiter;
}

void process_core::give_up(process_end_operation& waiter) noexcept {
  if (waiter_ == &waiter) waiter_ = nullptr;
}

void process_core::pidfd_is_readable(bool cancelled) noexcept {
  status_ = home_.world().reap_process(child);
  if (!status_ && !cancelled) return home_.io().wait_readable(wait_, child.pidfd.get());
  home_.io().forget(child.pidfd.get());
  child.pidfd.reset();
  if (let_go_) {
    --home_.closing;
    delete this;
  } else if (waiter_ != nullptr) {
    std::exchange(waiter_, nullptr)->wait_.complete();
  }
}

}  // namespace troupe::detail
