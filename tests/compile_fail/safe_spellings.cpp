// expect: ok
// The legal spellings next to the unsafe ones, and all that a bank needs.
#include <troupe/troupe.hpp>

struct page {
  std::string text;
};
struct letter {
  page first;
};
struct question {
  using reply = int;
  page first;
};
using desk = troupe::protocol<letter, question>;

page make_page() { return page{"made"}; }
troupe::actor run_desk(troupe::self<desk> me, page first) {
  int count = 0;
  co_await me.serve([&](const letter&) { ++count; },
                    [&](question q) -> troupe::task<int> {
                      co_return static_cast<int>(q.first.text.size() + first.text.size());
                    });
}
inline constexpr troupe::kind<run_desk> desk_kind{"desk"};
troupe::task<> f(troupe::node& n, troupe::ref<desk> r) {
  page draft = make_page();
  co_await r.send<letter>(draft);
  co_await r.send<letter>(troupe::give(draft));
  (void)co_await r.ask<question>(troupe::make<page>("x")).within(std::chrono::seconds(1));
  (void)r.try_send<letter>();
  n.spawn(run_desk, troupe::make<page>("x"));
  (void)n.offer(desk_kind);
  (void)co_await n.spawn_on("x", desk_kind, troupe::give(draft));
  (void)co_await n.publish("desk", r);
  (void)co_await n.lookup<letter>("desk");
}
