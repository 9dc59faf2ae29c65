// Two streams fill a lane that holds two bytes, and sleep until its home worker has sent some.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include "send_room.hpp"

using namespace troupe::explorer;

namespace {

constexpr unsigned streams = 2;
constexpr int bytes = 3;  // of the first stream all but one

struct lane_model {
  troupe::detail::send_room room{2, streams};
  event posted;
  std::array<event, streams> told;
  atomic<int> outbox{0};  // for the concurrentqueue: a release to an acquire, and no more

  void write(unsigned stream) {
    for (int i = 0; i < (stream == 0 ? bytes - 1 : 1); ++i) {
      while (!room.open(stream, 0)) told[stream].wait();
      room.add(1);
      outbox.fetch_add(1, order::release);
      posted.signal();
    }
  }
  void send() {
    for (int sent = 0; sent != bytes;) {
      posted.wait();
      for (const int there = outbox.load(order::acquire); sent != there; ++sent) {
        room.remove(1);
        room.offer([this](unsigned stream) { told[stream].signal(); });
      }
    }
    require(room.bytes() == 0, "bytes are still counted that are gone");
  }
};

}  // namespace

TEST_CASE("models: no stream that waits for room in a lane waits for ever") {
  check_model("sleep_gate.hpp", {.ordered = 2, .needed = 2},
              [](run& r) {
                const auto m = std::make_shared<lane_model>();
                for (unsigned i = 0; i < streams; ++i) r.thread([=] { m->write(i); });
                r.thread([=] { m->send(); });
              },
              {.preemptions = 2, .stale_loads = 2});
}
