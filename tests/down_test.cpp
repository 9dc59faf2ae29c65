// The words for how actors end, and what DOWN carries.
#include "actor_support.hpp"

#include <set>
#include <stdexcept>

using namespace test;
using troupe::exit_kind;

TEST_CASE("every kind of end has a word of its own") {
  std::set<std::string> words;
  for (const auto kind : {exit_kind::normal, exit_kind::stopped, exit_kind::killed, exit_kind::failed,
                          exit_kind::no_such_actor, exit_kind::unreachable, exit_kind::died}) {
    words.insert(std::string(to_string(kind)));
  }
  CHECK(words.size() == 7);
  CHECK(words.count("unknown") == 0);
}

TEST_CASE("DOWN is a message like any other: it is counted, and takes no room that others need") {
  struct filler {
    int number;
  };
  using watching = troupe::protocol<troupe::down, filler>;
  host h(1);
  const auto log = new_book();
  h->spawn(
      on_worker(0, 1),
      [](self<watching> me, book out) -> actor {
        const auto first = me.spawn([](self<filler>) -> actor { co_return; });
        const auto second = me.spawn([](self<filler>) -> actor {
          throw std::runtime_error(std::string(1000, 'x'));
          co_return;
        });
        me.monitor(first);
        me.monitor(second);
        (void)me.me().try_send<filler>(1);
        co_await me.sleep(
            1ms);  // both have ended, and their DOWN waits behind the message that fills the mailbox
        for (int i = 0; i < 3; ++i) {
          co_await me.receive(
              [&](const troupe::down& d) {
                out->add(std::string(d.actor == first ? "first " : "second ") +
                         std::to_string(d.reason.text.size()));
              },
              [&](filler) { out->add("filler"); });
        }
      },
      log);
  CHECK(log->wait_for(3) == lines{"filler", "first 0", "second 1000"});
  CHECK(h->accounting().taken == 3);
  h.finish();
}
