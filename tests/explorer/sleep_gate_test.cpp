// Two threads post to a worker that goes to sleep between.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include <troupe/detail/sleep_gate.hpp>

using namespace troupe::explorer;

namespace {

constexpr std::size_t posters = 2;

struct worker_model {
  troupe::detail::sleep_gate gate;
  event wake;
  std::array<atomic<int>, posters> inbox;  // for the concurrentqueue: a release to an acquire, and no more
  std::array<plain<int>, posters> data;
  std::array<bool, posters> taken{};
  std::size_t count = 0;

  void post(std::size_t i) {
    data[i].set(1);
    inbox[i].store(1, order::release);
    if (gate.after_post()) wake.signal();
  }
  /// False if nothing new was there.
  bool drain() {
    const std::size_t before = count;
    for (std::size_t i = 0; i < posters; ++i) {
      if (taken[i] || inbox[i].load(order::acquire) == 0) continue;
      require(data[i].get() == 1, "what was posted is not there");
      taken[i] = true;
      ++count;
    }
    return count != before;
  }
  void work() {
    while (count < posters) {
      if (drain()) continue;
      gate.before_last_look();
      if (!drain()) wake.wait();
      gate.awake();
    }
  }
};

}  // namespace

TEST_CASE("models: no post to a worker that falls asleep is lost") {
  check_model("sleep_gate.hpp", {.ordered = 2, .needed = 2},
              [](run& r) {
                const auto m = std::make_shared<worker_model>();
                for (std::size_t i = 0; i < posters; ++i) r.thread([=] { m->post(i); });
                r.thread([=] { m->work(); });
              },
              {.preemptions = 2, .stale_loads = 2});
}
