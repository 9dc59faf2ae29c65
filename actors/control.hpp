// Control letters, and the part of an actor that only some actors need: its family.
#pragma once

#include <coroutine>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/timer_wheel.hpp>
#include <troupe/down.hpp>
#include <troupe/supervise.hpp>

#include "timed_sends.hpp"
#include "wait_cycles.hpp"

namespace troupe::detail {

class supervisor;

enum class order : std::uint8_t {
  birth,  // start a coroutine that another thread spawned here
  adopt,  // to the root: `subject` is your child (it was spawned off the root's worker)
  reap,   // to the parent: `subject` has ended; take it out of the family and free its slot
  stop,   // close the mailbox; killed if not done by `deadline`
  kill,
  monitor,    // tell `subject`, or `peer`, when you end
  demonitor,  // … no longer
  cancel,  // the request with that asker (`subject`, or `peer`) and number (`watch`) is wanted no more, or the
           // send is given up; without a number: all that came from `peer` over its link `session`
  rested,  // to the parent: `subject`, which restarts, has ended for the reason in `words`, and waits
  rest,    // to a child that restarts: end your coroutine, then wait for your restart
  restart,
  restarted,  // to the parent: `subject` has
  give_up,    // to a child that waits for its restart: there will be none; `words` is your exit reason
  link,       // `other` has linked itself with you
  unlink,     // … no longer, or it has ended in a normal way
  sever,      // … and has ended, for the reason in `words`
  lost,   // the link to `peer` has ended: forget its monitors, and die if you are linked with an actor there
  chase,  // the last in `chased` waits for you, or somebody does: are you stuck as well? (wait_cycles.hpp)
  confirm,  // you were found in a wait cycle, `chased`: do you still wait as you did?
};

/// An exit reason on its way, and whose.
struct last_words {
  exit_reason why;
  std::string who;
};

struct control : letter {
  explicit control(order o) noexcept : letter(letter_kind::control), what(o) {}
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { pool_release(block, bytes); }

  order what;
  actor_core* subject = nullptr;
  std::uint32_t subject_generation = 0;
  bool to_adopt = false;          // birth: the spawner could not link it to its parent, `subject`
  bool may_move = false;          // birth: to another worker, until it starts
  instant deadline{};             // stop
  envelope* notice = nullptr;     // monitor: the DOWN for a local watcher, made when the monitor was
  peer_node* peer = nullptr;      // monitor: the watcher's node
  std::uint64_t watch = 0;        // monitor: the watcher's number for it; cancel: the asker's for the request
  std::coroutine_handle<> frame;  // birth
  std::source_location function;  // birth: its kind
  std::unique_ptr<family> ties;   // birth: with the name
  address other{};                // link, unlink, sever: who is linked with the addressee
  std::uint32_t session = 0;      // monitor, link, lost, cancel: link_state::number then
  std::unique_ptr<last_words> words;
  std::unique_ptr<chase> chased;
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

  struct linked_with {
    address other;
    std::uint32_t session;  // for an actor of a peer: link_state::number then
  };

  static constexpr std::size_t few = 16;

  family() noexcept;
  ~family();

  std::string name;
  actor_core* owner = nullptr;
  actor_core* youngest = nullptr;
  std::uint64_t linked = 0;    // children ever
  letter* monitors = nullptr;  // controls, chained by letter::next
  std::vector<watched> watching;
  std::size_t tidy_at = few;  // when `watching` is that long, those that have ended leave it
  instant stop_by{};          // zero: no stop under way
  deadline_timer kill_timer;
  bool had_no_time = false;  // it was told to stop when the deadline had passed: others were in the way
  bool ends_when_stopped = false;
  bool drops_handlers_when_stopped = false;
  std::string exit_text;
  timed_sends timers;
  std::vector<linked_with> links;
  std::unique_ptr<supervisor> keeper;  // of its children that restart
  std::unique_ptr<rebirth> again;      // set: it restarts
  bool told_to_rest = false;
};

/// The DOWN message for a watcher, with its text to be filled in.
envelope* make_notice(const address& whom);
void fill_notice(envelope* notice, exit_kind how, const std::string& text);

}  // namespace troupe::detail
