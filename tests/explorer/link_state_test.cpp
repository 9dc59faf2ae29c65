// The link with a peer ends, and the next one begins on another worker; a third worker hears of the loss, a thread that
// is no worker sends.
#include "explorer/models.hpp"

#include <memory>

#include "link_state.hpp"

namespace troupe::detail {
class session {};
class worker {};
}  // namespace troupe::detail

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

struct peer_model {
  link_state link;
  session first, second;
  worker one, other;
  event released;  // link_registry's claim
  event lost;      // what the home worker posts to the others

  void first_home() {
    const std::uint32_t number = link.begin(first, one);
    require(link.session_of(number) == &first, "a link does not find its own session");
    link.end();
    lost.signal();
    released.signal();
    require(link.session_of(number) == nullptr, "credit of a link goes to the session of the next");
  }
  void second_home() {
    released.wait();
    const std::uint32_t number = link.begin(second, other);
    require(number == 2 && link.has(number) && link.home() == &other, "the second link is not all there");
  }
  void third() {
    lost.wait();
    require(!link.has(1), "a link is taken for up after its loss has been seen to");
  }
  void outside() const {
    if (link.up()) require(link.home() != nullptr, "a link is up that is nowhere at home");
  }
};

}  // namespace

TEST_CASE("models: nobody takes the next link with a peer for the one that has ended") {
  check_model("link_state.hpp", {.ordered = 4, .needed = 4},
              [](run& r) {
                const auto m = std::make_shared<peer_model>();
                r.thread([=] { m->first_home(); });
                r.thread([=] { m->second_home(); });
                r.thread([=] { m->third(); });
                r.thread([=] { m->outside(); });
              },
              {.preemptions = 2, .stale_loads = 2});
}
