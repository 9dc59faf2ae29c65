// troupe::blocking: calls that block, on threads beside the workers.
#include "actor_support.hpp"

#include <stdexcept>

using namespace test;

namespace {

std::string twice(const std::string& text) { return text + text; }
void wait_for(const shared_gate& g) { must(g->wait()); }
int throwing() { throw std::runtime_error("no such file"); }

}  // namespace

TEST_CASE("blocking gives what the function returns, or throws", "[blocking]") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::protocol<>>, book note) -> actor {
        std::string text = "ab";
        const auto doubled = co_await troupe::blocking(twice, troupe::give(text));
        note->add(doubled.value());
        const auto sum = co_await troupe::blocking([](int a, int b) { return a + b; }, 2, 3);
        note->add(std::to_string(sum.value()));
        const auto nothing = co_await troupe::blocking([] {});
        note->add(nothing ? "done" : "refused");
        std::string what;
        try {
          (void)co_await troupe::blocking(throwing);
        } catch (const std::runtime_error& e) {
          what = e.what();
        }
        note->add(what);
      },
      log);
  CHECK(log->wait_for(4) == lines{"abab", "5", "done", "no such file"});
  h.finish();
}

TEST_CASE("while a call blocks, the worker and even its actor's other branches go on", "[blocking]") {
  host h(1);
  const auto log = new_book();
  const auto shut = std::make_shared<gate>();
  h->spawn(
      [](self<troupe::protocol<>> me, shared_gate g, book note) -> actor {
        const auto opener = [&]() -> troupe::task<void> {
          co_await me.yield();
          note->add("opens");
          g->open();
        };
        const auto waiter = [&]() -> troupe::task<void> {
          (void)co_await troupe::blocking(wait_for, g);
          note->add("was let in");
        };
        co_await troupe::when_all(waiter(), opener());
      },
      shut, log);
  CHECK(log->wait_for(2) == lines{"opens", "was let in"});
  h.finish();
}

TEST_CASE("there are so many threads for blocking calls, and so many calls may wait for one", "[blocking]") {
  troupe::node_options options;
  options.blocking_threads = 2;
  options.blocking_calls = 3;
  host h(1, options);
  const auto log = new_book();
  const auto shut = std::make_shared<gate>();
  h->spawn(
      [](self<troupe::protocol<>>, shared_gate g, book note) -> actor {
        const auto call = [&](int) -> troupe::task<void> {
          const auto made = co_await troupe::blocking(wait_for, g);
          if (!made && made.error() == troupe::errc::full) note->add("full");
        };
        std::vector<troupe::task<void>> all;
        for (int i = 0; i < 7; ++i) all.push_back(call(i));
        const auto last = [&]() -> troupe::task<void> {
          g->open();
          co_return;
        };
        all.push_back(last());
        (void)co_await troupe::when_all(std::move(all));
        note->add("over");
      },
      shut, log);
  const lines said = log->wait_for(2);
  CHECK(said.front() == "full");
  CHECK(said.size() >= 2);
  h.finish();
}

TEST_CASE("an actor may end while its call runs: nobody hears of that, and the node's stop waits for it",
          "[blocking]") {
  const auto shut = std::make_shared<gate>();
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::protocol<>> me, shared_gate g, std::shared_ptr<std::atomic<bool>> over,
         book note) -> actor {
        const auto begun = std::make_shared<std::atomic<bool>>(false);
        const auto until_begun = [&]() -> troupe::task<void> {
          while (!begun->load()) co_await me.yield();
        };
        const auto first = co_await troupe::select(
            troupe::blocking(
                [](const std::shared_ptr<std::atomic<bool>>& started, const shared_gate& on,
                   const std::shared_ptr<std::atomic<bool>>& done) {
                  started->store(true);
                  must(on->wait());
                  done->store(true);
                },
                begun, g, over),
            until_begun());
        note->add("branch " + std::to_string(first.index()));
      },
      shut, ended, log);
  CHECK(log->wait_for(1) == lines{"branch 1"});
  CHECK(!ended->load());
  shut->open();
  h.finish();
  CHECK(ended->load());
}

TEST_CASE("as many calls as there are threads are never refused", "[blocking]") {
  troupe::node_options options;
  options.blocking_threads = 2;
  options.blocking_calls = 0;
  host h(1, options);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::protocol<>>, book note) -> actor {
        int refused = 0;
        for (int i = 0; i < 200; ++i) {
          const auto [a, b] = co_await troupe::when_all(troupe::blocking([] { return 1; }),
                                                        troupe::blocking([] { return 2; }));
          refused += (a ? 0 : 1) + (b ? 0 : 1);
        }
        note->add(std::to_string(refused) + " refused");
      },
      log);
  CHECK(log->wait_for(1) == lines{"0 refused"});
  h.finish();
}
