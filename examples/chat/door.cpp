#include "chat/door.hpp"

#include <algorithm>
#include <troupe/log.hpp>
#include <troupe/node.hpp>
#include <vector>

#include "chat/person.hpp"

namespace chat {
namespace {

troupe::actor run_doorkeeper(troupe::self<troupe::protocol<>>, troupe::ref<door> to, troupe::listener at) {
  for (;;) {
    auto stream = co_await at.accept();
    if (!stream) break;
    co_await to.send<visitor>(*stream);
  }
}

}  // namespace

troupe::actor run_door(troupe::self<door> self, troupe::ref<room> where, troupe::listener at) {
  const auto keeper = self.spawn(run_doorkeeper, self.me(), at);
  if (!keeper) co_return;  // the node is stopping
  self.monitor(keeper);
  std::vector<troupe::ref<person>> people;
  troupe::spawn_options options;
  options.name = "person";
  options.mailbox = person_mailbox;
  co_await self.serve(
      [&](visitor v) -> troupe::task<> {
        if (people.size() < most_people) {
          const auto newcomer = self.spawn(options, run_person, where, v.stream);
          if (!newcomer) co_return;  // the node is stopping
          self.monitor(newcomer);
          people.push_back(newcomer);
        } else {
          co_await v.stream.write("* too many people here: try again later\n");
        }
      },
      [&](const troupe::down& d) {
        std::erase_if(people, [&](const troupe::ref<person>& p) { return p == d.actor; });
        if (d.actor == keeper) self.stop();
      });
  // A doorkeeper waits for visitors and a person may be waiting for a terminal that nobody reads: a stop
  // would wait for them until its deadline.
  self.node().kill(keeper);
  for (const auto& p : people) self.node().kill(p);
}

}  // namespace chat
