// The explorer on programs whose outcomes the memory model lays down: what it allows is found, what it forbids is not.
#include "catch.hpp"

#include <memory>

#include "explorer/atomic.hpp"

using namespace troupe::explorer;

namespace {

struct two {
  atomic<int> x;
  atomic<int> y;
  int seen_x = -1;
  int seen_y = -1;
};

/// May both threads miss the other's store?
findings store_buffering(order store, order load, order around) {
  return explore(
      [=](run& r) {
        const auto s = std::make_shared<two>();
        r.thread([=] {
          s->x.store(1, store);
          if (around != order::relaxed) fence(around);
          s->seen_y = s->y.load(load);
        });
        r.thread([=] {
          s->y.store(1, store);
          if (around != order::relaxed) fence(around);
          s->seen_x = s->x.load(load);
        });
        r.at_end([=] { require(s->seen_x == 1 || s->seen_y == 1, "both missed the other's store"); });
      },
      {});
}

struct message {
  atomic<int> flag;
  plain<int> data;

  void pass(order o) {
    data.set(7);
    flag.store(1, o);
  }
};

/// May data be seen before it is written, once the flag is seen?
findings message_passing(order store, order load) {
  return explore(
      [=](run& r) {
        const auto s = std::make_shared<message>();
        r.thread([=] { s->pass(store); });
        r.thread([=] {
          if (s->flag.load(load) == 1) require(s->data.get() == 7, "old data");
        });
      },
      {});
}

}  // namespace

TEST_CASE("explorer: store buffering is seen with release and acquire, and not with seq_cst") {
  CHECK(store_buffering(order::relaxed, order::relaxed, order::relaxed).violation != "");
  CHECK(store_buffering(order::release, order::acquire, order::relaxed).violation != "");
  CHECK(store_buffering(order::relaxed, order::relaxed, order::acq_rel).violation != "");
  for (const findings& f : {store_buffering(order::relaxed, order::relaxed, order::seq_cst),
                            store_buffering(order::seq_cst, order::seq_cst, order::relaxed)}) {
    CHECK(f.violation == "");
    CHECK(f.complete);
  }
}

TEST_CASE("explorer: a message is passed by release and acquire together, and by neither alone") {
  CHECK(message_passing(order::relaxed, order::acquire).violation != "");
  CHECK(message_passing(order::release, order::relaxed).violation != "");
  const findings f = message_passing(order::release, order::acquire);
  CHECK(f.violation == "");
  CHECK(f.complete);
}

TEST_CASE(
    "explorer: a chain of read-modify-writes carries a release on, a store of another thread does not") {
  const auto chain = [](bool by_store) {
    return explore(
        [=](run& r) {
          const auto s = std::make_shared<message>();
          r.thread([=] { s->pass(order::release); });
          r.thread([=] {
            if (by_store) {
              if (s->flag.load(order::relaxed) == 1) s->flag.store(2, order::relaxed);
            } else {
              int one = 1;
              s->flag.compare_exchange_strong(one, 2, order::relaxed);
            }
          });
          r.thread([=] {
            if (s->flag.load(order::acquire) == 2) require(s->data.get() == 7, "old data");
          });
        },
        {});
  };
  CHECK(chain(true).violation != "");
  CHECK(chain(false).violation == "");
}

TEST_CASE("explorer: a location's stores are seen in one order, by all threads") {
  const findings f = explore(
      [](run& r) {
        const auto x = std::make_shared<atomic<int>>(0);
        r.thread([=] { x->store(1, order::relaxed); });
        r.thread([=] { x->store(2, order::relaxed); });
        const auto seen = std::make_shared<std::array<int, 4>>();
        for (const std::size_t at : {0u, 2u}) {
          r.thread([=] {
            (*seen)[at] = x->load(order::relaxed);
            (*seen)[at + 1] = x->load(order::relaxed);
          });
        }
        r.at_end([=] {
          const bool opposite = *seen == std::array{1, 2, 2, 1} || *seen == std::array{2, 1, 1, 2};
          require(!opposite, "two orders");
        });
      },
      {});
  CHECK(f.violation == "");
  CHECK(f.complete);
}

TEST_CASE(
    "explorer: a lost wake-up, a run without end and a failed check are told, with the run that shows them") {
  const findings asleep = explore(
      [](run& r) {
        const auto e = std::make_shared<event>();
        r.thread([=] { e->wait(); });
      },
      {});
  CHECK(asleep.violation == "a thread sleeps for ever");
  CHECK(asleep.trace.find("sleeps on") != std::string::npos);

  const findings endless = explore(
      [](run& r) {
        const auto x = std::make_shared<atomic<int>>(0);
        r.thread([=] {
          while (x->load(order::relaxed) == 0) {
          }
        });
      },
      {});
  CHECK(endless.violation == "a run that does not end");

  const findings lost = explore(
      [](run& r) {
        const auto x = std::make_shared<atomic<int>>(0);
        for (int i = 0; i < 2; ++i) {
          r.thread([=] { x->store(x->load(order::relaxed) + 1, order::relaxed); });
        }
        r.at_end([=] { require(x->load(order::relaxed) == 2, "an addition is lost"); });
      },
      {});
  CHECK(lost.violation == "an addition is lost");
  CHECK(lost.trace.find("thread 2: store 1") != std::string::npos);
}

TEST_CASE("explorer: seq_cst fences order what may be read, and do not pass data on") {
  struct state {
    atomic<int> y;
    atomic<int> z;
    plain<int> data;
  };
  const findings f = explore(
      [](run& r) {
        const auto s = std::make_shared<state>();
        r.thread([=] {
          s->data.set(1);
          fence(order::seq_cst);
          if (s->y.load(order::relaxed) == 0) s->z.store(1, order::relaxed);
        });
        r.thread([=] {
          s->y.store(1, order::relaxed);
          fence(order::seq_cst);
          if (s->z.load(order::relaxed) == 1) require(s->data.get() == 1, "old data");
        });
      },
      {});
  CHECK(f.violation == "a race: data is read that another thread writes");
}

TEST_CASE("explorer: nothing of one run is seen in the next") {
  const findings f = explore(
      [](run& r) {
        const auto x = std::make_shared<atomic<int>>(0);
        x->store(5, order::relaxed);
        r.thread([=] { require(x->load(order::acquire) == 5, "a value that was never written"); });
        r.thread([=] { x->fetch_add(0, order::acq_rel); });
        r.at_end([] { fence(order::seq_cst); });
      },
      {});
  CHECK(f.violation == "");
  CHECK(f.complete);
}

TEST_CASE("explorer: an exchange that fails may have read an older value") {
  const findings f = explore(
      [](run& r) {
        const auto x = std::make_shared<atomic<int>>(0);
        r.thread([=] { x->store(1, order::relaxed); });
        r.thread([=] {
          int two = 2;
          x->compare_exchange_strong(two, 3, order::relaxed, order::relaxed);
          require(two == x->load(order::relaxed), "an older value");
        });
      },
      {.preemptions = 0});
  CHECK(f.violation == "an older value");
}
