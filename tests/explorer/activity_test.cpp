// A worker runs actors, and the thread of held_watch looks at what it shows.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include <troupe/detail/published.hpp>

#include "activity.hpp"

namespace troupe::detail {

/// In place of the real one: a slot, and what any thread may read of the actor in it.
class actor_core {
 public:
  explorer::plain<std::uint64_t> slot;
  published<std::uint64_t> parent;
};

}  // namespace troupe::detail

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

/// Each run is of an actor in a new slot.
struct new_slots_model {
  activity shown;
  std::array<actor_core, 2> slots;

  void work() {
    for (std::uint64_t run = 1; run <= slots.size(); ++run) {
      actor_core& who = slots[run - 1];
      who.slot.set(run);
      shown.begin(who);
      shown.end();
    }
  }
  void look() const {
    const std::uint64_t run = shown.runs();
    const actor_core* const who = shown.actor();
    if (who != nullptr)
      require(who->slot.get() >= run, "the actor of an earlier run is taken for this one's");
  }
};

/// Each run is of a new actor in the same slot, with another parent.
struct one_slot_model {
  activity shown;
  actor_core slot;

  void work() {
    for (std::uint64_t run = 1; run <= 2; ++run) {
      shown.begin(slot);
      slot.parent.store(run);
      shown.end();
    }
  }
  void report() const {
    const std::uint64_t run = shown.runs();
    const actor_core* const who = shown.actor();
    if (who == nullptr) return;
    const std::uint64_t parent = who->parent.load();
    if (shown.runs() == run && shown.actor() == who)
      require(parent <= run, "a later actor is reported for this run's");
  }
};

}  // namespace

TEST_CASE("models: nobody takes the actor of an earlier run for that of the run it has seen") {
  check_model("activity.hpp", {.ordered = 4, .needed = 4}, [](run& r) {
    const auto m = std::make_shared<new_slots_model>();
    r.thread([=] { m->work(); });
    r.thread([=] { m->look(); });
  });
}

TEST_CASE("models: what is reported of a run that still goes on is of that run's actor") {
  check_model("published.hpp", {.ordered = 2, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<one_slot_model>();
    r.thread([=] { m->work(); });
    r.thread([=] { m->report(); });
  });
}
