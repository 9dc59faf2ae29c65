// Two threads spawn actors, which end at once, while a third stops the node.
#include "explorer/models.hpp"

#include <memory>

#include "rundown.hpp"

using namespace troupe::explorer;

namespace {

struct node_model {
  troupe::detail::rundown actors;
  plain<bool> up{true};
  event left;

  void spawn() {
    if (actors.begun()) return;
    actors.enter();
    if (!actors.begun()) require(up.get(), "an actor outlives its node");
    if (actors.leave()) left.signal();
  }
  void stop() {
    actors.begin();
    while (actors.inside() != 0) left.wait();
    up.set(false);
  }
};

}  // namespace

TEST_CASE("models: a node that stops waits for every actor that was spawned, and no longer") {
  check_model("rundown.hpp", {.ordered = 5, .needed = 5}, [](run& r) {
    const auto m = std::make_shared<node_model>();
    for (int i = 0; i < 2; ++i) r.thread([=] { m->spawn(); });
    r.thread([=] { m->stop(); });
  });
}
