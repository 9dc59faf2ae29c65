// A worker runs two actors, while the observer looks, parks and falls asleep.
#include "explorer/models.hpp"

#include <memory>

#include "watch_park.hpp"

using namespace troupe::explorer;
using troupe::detail::watch_park;

namespace {

constexpr int runs = 2;

struct watch_model {
  atomic<int> shown{0};  // activity's number of runs, as far as this needs it
  watch_park park{1};
  event mutex;  // signalled: nobody holds it
  event told;

  watch_model() { mutex.signal(); }

  void work() {
    for (int run = 1; run <= runs; ++run) {
      shown.store(run, order::relaxed);
      if (park.after_run_began()) {
        mutex.wait();
        park.wake();
        told.signal();
        mutex.signal();
      }
    }
  }
  void observe() {
    unsigned quiet = 0;
    for (int seen = 0; seen != runs;) {
      watch_park::before_look();
      const int run = shown.load(order::relaxed);
      quiet = run != seen ? 0 : quiet + 1;
      seen = run;
      mutex.wait();
      const bool sleeps = park.next_wait(quiet);
      mutex.signal();
      if (sleeps) told.wait();
    }
  }
};

}  // namespace

TEST_CASE("models: no run begins unseen while the observer sleeps") {
  check_model("watch_park.hpp", {.ordered = 2, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<watch_model>();
    r.thread([=] { m->work(); });
    r.thread([=] { m->observe(); });
  });
}
