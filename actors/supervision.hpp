// A parent's side of supervision; all of it runs on the parent's home worker.
//
//   child                                     parent
//   fails; its coroutine is gone, its
//   children end              rested ──►      counts the failure against its budget; over it: give_up ──►,
//                                             and the parent itself fails
//                                             one_for_all, rest_for_one: the others, youngest first, each
//                           ◄── rest          when the one before is down
//   ends likewise             rested ──►
//                                             back-off
//                           ◄── restart       oldest first, each when the one before has started
//   runs until it waits       restarted ──►
//
// A child is told nothing by its parent between its `rested` and what answers it, but for the stop or kill with which
// a parent that ends makes the child's end final. A child that fails while its group is being ended is not counted:
// it would have been told to end.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/timer_wheel.hpp>
#include <troupe/supervise.hpp>

#include "control.hpp"

namespace troupe::detail {

class supervisor {
 public:
  supervisor(actor_core& parent, const supervision& policy);

  void follow(const supervision& policy);
  /// That child waits for its restart.
  void rested(actor_core& child, const last_words& words);
  /// That child has begun another life.
  void restarted(const actor_core& child);
  /// That child has ended for good and left the family.
  void left(const actor_core& child);

 private:
  struct restart_timer : timer {
    explicit restart_timer(supervisor& s) noexcept
        : timer([](timer& self) noexcept { static_cast<restart_timer&>(self).of.restart_due(); }), of(s) {}
    supervisor& of;
  };
  struct waiting {
    actor_core* child;
    instant due;
  };

  bool over() const noexcept;  // no child restarts any more
  bool spend(instant now);
  void give_up(actor_core& child, const last_words& words);
  duration next_pause() noexcept;
  bool in_group(const actor_core& child) const noexcept;
  void begin_group(const actor_core& failed);
  void end_next_of_group();
  void restart_after(actor_core& child, duration pause);
  void restart_due() noexcept;

  actor_core& parent_;
  supervision policy_;
  std::deque<instant> restarts_;  // within policy_.within
  std::vector<waiting> waiting_;  // those of one instant in order of birth
  restart_timer timer_;
  actor_core* starting_ = nullptr;  // it was told to restart and has not done so yet

  // The group that is being ended, by number of birth; none when last_ is 0.
  std::uint64_t first_ = 0;
  std::uint64_t last_ = 0;
  duration group_pause_{};
};

}  // namespace troupe::detail
