#include "catch.hpp"

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <troupe/detail/timer_wheel.hpp>

using namespace troupe;
using namespace std::chrono_literals;
using detail::timer;
using detail::timer_wheel;

namespace {

constexpr duration tick{1 << timer_wheel::tick_bits};

struct counted : timer {
  counted() : timer([](timer& t) noexcept { ++static_cast<counted&>(t).fired; }) {}
  int fired = 0;
};

constexpr instant at(duration d) { return instant(d); }

}  // namespace

TEST_CASE("a timer fires once, not before it is due and at most a tick later", "[timer_wheel]") {
  for (const duration due :
       {duration(1), duration(tick), duration(tick + 1ns), duration(1ms), duration(5s)}) {
    timer_wheel wheel;
    counted t;
    wheel.arm(t, at(due));
    CHECK(t.armed());
    wheel.advance(at(due - 1ns));
    CHECK(t.fired == 0);
    wheel.advance(at(due + tick));
    CHECK(t.fired == 1);
    CHECK_FALSE(t.armed());
    wheel.advance(at(due * 3));
    CHECK(t.fired == 1);
  }
}

TEST_CASE("a timer that is due already fires in the next tick", "[timer_wheel]") {
  timer_wheel wheel;
  counted past;
  counted before_time;
  wheel.advance(at(1s));
  wheel.arm(past, at(1ms));
  wheel.arm(before_time, at(-1s));
  wheel.advance(at(1s));
  CHECK(past.fired + before_time.fired == 0);
  wheel.advance(at(1s + tick));
  CHECK(past.fired + before_time.fired == 2);
}

TEST_CASE("timers can be moved, cancelled and destroyed", "[timer_wheel]") {
  timer_wheel wheel;
  counted moved;
  counted cancelled;
  auto destroyed = std::make_unique<counted>();
  wheel.arm(moved, at(1s));
  wheel.arm(cancelled, at(1s));
  wheel.arm(*destroyed, at(1s));
  CHECK(wheel.size() == 3);
  wheel.arm(moved, at(3s));
  wheel.cancel(cancelled);
  wheel.cancel(cancelled);
  destroyed.reset();
  CHECK(wheel.size() == 1);
  wheel.advance(at(2s));
  CHECK(moved.fired + cancelled.fired == 0);
  wheel.advance(at(4s));
  CHECK(moved.fired == 1);
}

TEST_CASE("timers of one slot can be cancelled by one of them", "[timer_wheel]") {
  struct assassin : timer {
    explicit assassin(timer_wheel& w) : timer(&assassin::fire), wheel(w) {}
    static void fire(timer& t) noexcept {
      auto& self = static_cast<assassin&>(t);
      ++*self.fired;
      for (assassin* const other : self.others) self.wheel.cancel(*other);
    }
    timer_wheel& wheel;
    std::vector<assassin*> others;
    int* fired = nullptr;
  };
  timer_wheel wheel;
  int fired = 0;
  std::vector<std::unique_ptr<assassin>> all;
  for (int i = 0; i < 5; ++i) all.push_back(std::make_unique<assassin>(wheel));
  for (auto& one : all) {
    one->fired = &fired;
    for (auto& other : all) {
      if (other != one) one->others.push_back(other.get());
    }
    wheel.arm(*one, at(1s));
  }
  wheel.advance(at(2s));
  CHECK(fired == 1);
  CHECK(wheel.size() == 0);
}

TEST_CASE("a handler that arms its timer again fires at its own pace", "[timer_wheel]") {
  struct repeating : timer {
    explicit repeating(timer_wheel& w, duration p) : timer(&repeating::fire), wheel(w), period(p) {}
    static void fire(timer& t) noexcept {
      auto& self = static_cast<repeating&>(t);
      ++self.fired;
      self.due += self.period;
      self.wheel.arm(self, self.due);
    }
    timer_wheel& wheel;
    duration period;
    instant due{};
    int fired = 0;
  };
  timer_wheel wheel;
  repeating often(wheel, 10ms);
  repeating always(wheel, 0ms);  // due at once: once a tick, so that advance() ends
  often.due = at(10ms);
  wheel.arm(often, often.due);
  wheel.arm(always, always.due);
  wheel.advance(at(1s + tick));
  CHECK(often.fired == 100);
  CHECK(always.fired == (1s + tick) / tick);
}

TEST_CASE("far timers wait out every level of the wheel", "[timer_wheel]") {
  timer_wheel wheel;
  counted end_of_time;
  wheel.arm(end_of_time, instant::max());
  std::vector<std::unique_ptr<counted>> far;
  const duration start = 12345678901ns;
  wheel.advance(at(start));
  for (duration d = 1ms; d < std::chrono::hours(24 * 365 * 40); d *= 7) {
    far.push_back(std::make_unique<counted>());
    wheel.arm(*far.back(), at(start + d));
  }
  std::size_t next = 0;
  for (duration d = 1ms; d < std::chrono::hours(24 * 365 * 40); d *= 7, ++next) {
    wheel.advance(at(start + d - 1ns));
    CHECK(far[next]->fired == 0);
    wheel.advance(at(start + d + tick));
    CHECK(far[next]->fired == 1);
  }
  REQUIRE(next == 15);
  CHECK(end_of_time.fired == 0);
  REQUIRE(wheel.next_due().has_value());
  CHECK(*wheel.next_due() > at(start));
}

TEST_CASE("next_due is never late, and leads to every timer in a few steps", "[timer_wheel]") {
  timer_wheel wheel;
  CHECK_FALSE(wheel.next_due().has_value());
  for (const duration d : {duration(100us), duration(1s), duration(1h), duration(1h * 24 * 3650)}) {
    counted t;
    const instant start = at(d / 3);
    wheel.advance(start);
    wheel.arm(t, start + d);
    unsigned steps = 0;
    while (t.fired == 0) {
      const auto next = wheel.next_due();
      REQUIRE(next.has_value());
      REQUIRE(*next > start);
      REQUIRE(*next < start + d + tick);
      wheel.advance(*next);
      REQUIRE(++steps <= timer_wheel::levels);
    }
    CHECK_FALSE(wheel.next_due().has_value());
  }
}

namespace {

/// What the wheel should do: a sorted list of due ticks.
class model {
 public:
  void arm(std::size_t id, std::int64_t due) {
    cancel(id);
    due_[id] = std::max((due + tick.count() - 1) / tick.count(), now_ + 1);
    order_.insert({due_[id], id});
  }
  void cancel(std::size_t id) {
    if (const auto it = due_.find(id); it != due_.end()) {
      order_.erase({it->second, id});
      due_.erase(it);
    }
  }
  std::vector<std::pair<std::int64_t, std::size_t>> advance(std::int64_t now) {
    now_ = std::max(now_, now / tick.count());
    std::vector<std::pair<std::int64_t, std::size_t>> fired;
    while (!order_.empty() && order_.begin()->first <= now_) {
      fired.push_back(*order_.begin());
      due_.erase(order_.begin()->second);
      order_.erase(order_.begin());
    }
    return fired;
  }
  std::optional<std::int64_t> next() const {
    if (order_.empty()) return std::nullopt;
    return order_.begin()->first * tick.count();
  }
  std::int64_t due_tick(std::size_t id) const { return due_.at(id); }
  std::size_t size() const { return due_.size(); }

 private:
  std::int64_t now_ = 0;
  std::map<std::size_t, std::int64_t> due_;
  std::set<std::pair<std::int64_t, std::size_t>> order_;
};

struct logged : timer {
  logged()
      : timer([](timer& t) noexcept {
          auto& self = static_cast<logged&>(t);
          self.log->push_back({self.due, self.id});
        }) {}
  std::vector<std::pair<std::int64_t, std::size_t>>* log = nullptr;
  std::size_t id = 0;
  std::int64_t due = 0;
};

}  // namespace

TEST_CASE("the wheel does what a sorted list does, over 100,000 random operations", "[timer_wheel]") {
  std::mt19937_64 random(20240607);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  const auto some_time = [&] { return static_cast<std::int64_t>(random() >> (2 + below(48))) / 256; };
  timer_wheel wheel;
  model expected;
  std::vector<std::pair<std::int64_t, std::size_t>> fired;
  std::vector<logged> timers(300);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    timers[i].log = &fired;
    timers[i].id = i;
  }
  std::int64_t now = 0;
  std::size_t total = 0;
  for (int step = 0; step < 100'000; ++step) {
    const std::size_t id = below(timers.size());
    const auto what = below(10);
    if (what < 5) {
      const std::int64_t due = now + some_time() - 1000;
      wheel.arm(timers[id], at(duration(due)));
      expected.arm(id, due);
      timers[id].due = expected.due_tick(id);
    } else if (what < 7) {
      wheel.cancel(timers[id]);
      expected.cancel(id);
    } else {
      const auto next = wheel.next_due();
      now = what == 7 && next ? std::max(now, std::int64_t{next->time_since_epoch().count()})
                              : now + some_time() / 1024;
      wheel.advance(at(duration(now)));
      const auto due = expected.advance(now);
      REQUIRE(fired.size() == due.size());
      for (std::size_t i = 1; i < fired.size(); ++i) REQUIRE(fired[i - 1].first <= fired[i].first);
      std::sort(fired.begin(), fired.end());
      REQUIRE(fired == due);
      total += fired.size();
      fired.clear();
    }
    REQUIRE(wheel.size() == expected.size());
    const auto next = wheel.next_due();
    REQUIRE(next.has_value() == expected.next().has_value());
    if (next) REQUIRE(next->time_since_epoch().count() <= *expected.next());
  }
  CHECK(total > 10'000);
}
