// Two threads put chunks into an outbox, and tell the home worker when nobody has.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include "announcement.hpp"

using namespace troupe::explorer;

namespace {

constexpr std::size_t senders = 2;
constexpr int each = 2;

struct outbox_model {
  troupe::detail::announcement announced;
  event posted;
  std::array<atomic<int>, senders> put;  // for the concurrentqueue: a release to an acquire, and no more
  std::array<std::array<plain<int>, each>, senders> chunks;
  std::array<int, senders> taken{};

  void send(std::size_t from) {
    for (int i = 0; i < each; ++i) {
      chunks[from][static_cast<std::size_t>(i)].set(1);
      put[from].store(i + 1, order::release);
      if (announced.announce()) posted.signal();
    }
  }
  void look() {
    while (taken[0] + taken[1] != senders * each) {
      posted.wait();
      announced.heard();
      for (std::size_t from = 0; from < senders; ++from) {
        for (const int there = put[from].load(order::acquire); taken[from] != there; ++taken[from]) {
          require(chunks[from][static_cast<std::size_t>(taken[from])].get() == 1, "a chunk is not all there");
        }
      }
    }
  }
};

}  // namespace

TEST_CASE("models: no chunk stays in an outbox unannounced") {
  check_model("announcement.hpp", {.ordered = 2, .needed = 2},
              [](run& r) {
                const auto m = std::make_shared<outbox_model>();
                for (std::size_t i = 0; i < senders; ++i) r.thread([=] { m->send(i); });
                r.thread([=] { m->look(); });
              },
              {.preemptions = 2, .stale_loads = 2});
}
