// The link with a peer as this node's threads see it: whether it is up, the how manieth it is, and where it is at home.
// Links of one peer follow each other and do not overlap (link_registry.hpp); each may have another home.
//
// Whoever holds something of a link (credit, a monitor) holds its number. What was read of a link before may be stale: a
// thread that finds a new session, or a link that is up, also finds a number that is at least as new, and so never takes
// a new link for its own.
//
// | operation   | who                                        | synchronisation                                        |
// | begin       | the session's home worker, under a mutex   | link_: release: the number, to session_of;             |
// |             |                                            | up_: release: number and home, to up, has              |
// | end         | the session's home worker, under the mutex | relaxed: whoever has to know is told by a letter       |
// | up, has     | any thread                                 | acquire, from begin                                    |
// | session_of  | what was the home worker of such a link    | acquire, from begin                                    |
// | session     | any thread, under the mutex                | relaxed                                                |
// | number      | any thread                                 | relaxed: of the link that brought what it is asked for |
// | home        | any thread                                 | relaxed: behind up, or by what the link has brought    |
#pragma once

#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class session;
class worker;

class link_state {
 public:
  std::uint32_t begin(session& s, worker& home) noexcept {
    const std::uint32_t next = number() + 1;
    number_.store(next, std::memory_order_relaxed);
    link_.store(&s, std::memory_order_release);  // to session_of
    home_.store(&home, std::memory_order_relaxed);
    up_.store(true, std::memory_order_release);  // to up
    return next;
  }
  void end() noexcept {
    up_.store(false, std::memory_order_relaxed);
    link_.store(nullptr, std::memory_order_relaxed);
  }

  bool up() const noexcept { return up_.load(std::memory_order_acquire); }  // from begin
  /// Whether the link with that number is still up. After its loss has reached a worker, this is false there.
  bool has(std::uint32_t number) const noexcept { return up() && this->number() == number; }
  /// Of the first link if there was none yet: 0.
  std::uint32_t number() const noexcept { return number_.load(std::memory_order_relaxed); }
  /// Null before the first link; then that of the last.
  worker* home() const noexcept { return home_.load(std::memory_order_relaxed); }
  /// Null if the link with that number has ended.
  session* session_of(std::uint32_t number) const noexcept {
    session* const s = link_.load(std::memory_order_acquire);  // from begin
    return this->number() == number ? s : nullptr;
  }
  session* any_session() const noexcept { return link_.load(std::memory_order_relaxed); }

 private:
  atomic<session*> link_{nullptr};
  atomic<std::uint32_t> number_{0};
  atomic<worker*> home_{nullptr};
  atomic<bool> up_{false};
};

}  // namespace troupe::detail
