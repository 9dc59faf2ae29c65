// Control letters, and the part of an actor that only some actors need: its family.
#pragma once

#include <coroutine>
#include <memory>
#include <string>
#include <vector>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/timer_wheel.hpp>
#include <troupe/down.hpp>

namespace troupe::detail {

enum class order : std::uint8_t {
  birth,  // start a coroutine that another thread spawned here
  adopt,  // to the root: `subject` is your child (it was spawned off the root's worker)
  reap,   // to the parent: `subject` has ended; take it out of the family and free its slot
  stop,   // close the mailbox; killed if not done by `deadline`
  kill,
  monitor,    // tell `subject`, or `peer`, when you end
  demonitor,  // … no longer
};

struct control : letter {
  explicit control(order o) noexcept : letter(letter_kind::control), what(o) {}
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { pool_release(block, bytes); }

  order what;
  actor_core* subject = nullptr;
  std::uint32_t subject_generation = 0;
  bool to_adopt = false;          // birth: the spawner could not link it to its parent, `subject`
  instant deadline{};             // stop
  envelope* notice = nullptr;     // monitor: the DOWN for a local watcher, made when the monitor was
  peer_node* peer = nullptr;      // monitor: the watcher's node
  std::uint64_t watch = 0;        // monitor: the watcher's number for it
  std::coroutine_handle<> frame;  // birth
  std::unique_ptr<family> ties;   // birth: with the name
};

struct family {
  struct deadline_timer : timer {
    explicit deadline_timer(family& f) noexcept;
    family& of;
  };
  struct watched {
    address whom;
    std::uint64_t remote_watch;  // 0: local
  };

  static constexpr std::size_t few = 16;

  family() noexcept : kill_timer(*this) {}

  std::string name;
  actor_core* owner = nullptr;
  actor_core* youngest = nullptr;
  std::uint64_t linked = 0;    // children ever
  letter* monitors = nullptr;  // controls, chained by letter::next
  std::vector<watched> watching;
  std::size_t tidy_at = few;  // when `watching` is that long, those that have ended leave it
  instant stop_by{};          // zero: no stop under way
  deadline_timer kill_timer;
  bool ends_when_stopped = false;
  std::string exit_text;
};

/// The DOWN message for a watcher, with its text to be filled in.
envelope* make_notice(const address& whom);
void fill_notice(envelope* notice, exit_kind how, const std::string& text);

}  // namespace troupe::detail
