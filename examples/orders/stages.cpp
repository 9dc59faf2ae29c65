// The stages of the order pipeline as actors; see stages.hpp.
#include "stages.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "input.hpp"
#include "ledger_book.hpp"

namespace orders {

using namespace std::chrono_literals;

namespace {

constexpr troupe::duration longest_absence = 20s;  // of a stage that another one looks for
constexpr std::uint32_t mailbox_size = 1024;
static_assert(progress_per_window < mailbox_size, "the ledger must never wait for the gateway");
static_assert(most_window < ledger_writer::max_held, "the ledger must be able to hold all orders under way");

std::int64_t now() { return troupe::os_env().now().time_since_epoch().count(); }

std::string worker_name(std::string_view stage, std::uint32_t index) {
  return "orders." + std::string(stage) + "." + std::to_string(index);
}

[[noreturn]] void fail_with(const std::string& whose, const troupe::down& end) {
  throw std::runtime_error(whose + " " + std::string(to_string(end.reason.kind)) + ": " + end.reason.text);
}

template <class T>
T must(file_result<T> r) {
  if (!r) throw std::runtime_error(r.error().text);
  return std::move(*r);
}

void must_reach(std::string_view stage, const troupe::result<void>& sent) {
  if (!sent) throw std::runtime_error("cannot send to " + std::string(stage) + ": " + sent.error().text());
}

template <class P>
troupe::task<> publish(troupe::node& node, std::string name, troupe::ref<P> me) {
  const auto published = co_await node.publish(name, me);
  if (!published) throw std::runtime_error("cannot publish " + name + ": " + published.error().text());
}

// What the stages between gateway and ledger differ in: their rules, and to whom an order goes that they let pass.

class check_rules {
 public:
  static constexpr std::string_view stage = "check";
  static constexpr std::string_view next_stage = "stock";
  static constexpr bool remembers = true;  // so it needs its orders without a gap

  check_rules(const plan& p, std::uint32_t) : rules_(!p.break_dedup), shards_(p.stock_workers) {
    for (stock_item& item : must(read_stock(p.stock_file))) rules_.add_sku(std::move(item.sku));
  }
  std::optional<status> decide(const order& o) { return rules_.decide(o); }
  std::uint32_t next_workers() const { return shards_; }
  std::uint32_t next_worker(const order& o) const { return shard_of(o.sku, shards_); }

 private:
  checker rules_;
  std::uint32_t shards_;
};

class stock_rules {
 public:
  static constexpr std::string_view stage = "stock";
  static constexpr std::string_view next_stage = "payment";
  static constexpr bool remembers = true;

  stock_rules(const plan& p, std::uint32_t index) : payments_(p.payment_workers) {
    for (stock_item& item : must(read_stock(p.stock_file))) {
      if (shard_of(item.sku, p.stock_workers) == index) rules_.add(std::move(item));
    }
  }
  std::optional<status> decide(const order& o) { return rules_.decide(o); }
  std::uint32_t next_workers() const { return payments_; }
  std::uint32_t next_worker(const order& o) const { return static_cast<std::uint32_t>(o.line % payments_); }

 private:
  stock_shard rules_;
  std::uint32_t payments_;
};

class payment_rules {
 public:
  static constexpr std::string_view stage = "payment";
  static constexpr std::string_view next_stage = "";
  static constexpr bool remembers = false;

  payment_rules(const plan&, std::uint32_t) {}
  std::optional<status> decide(const order& o) { return payment_status(o); }
  std::uint32_t next_workers() const { return 0; }
  std::uint32_t next_worker(const order&) const { return 0; }
};

/// A stage's part in one run: where its orders come from, and where they go.
class part {
 public:
  explicit part(const troupe::self<working_stage>& self) : self_(self) {}

  std::uint64_t run() const { return run_; }

  /// Finds whom this stage sends to, monitors them, and begins the run there.
  troupe::task<> enter(std::uint64_t run, std::string next_stage, std::uint32_t next_workers) {
    for (const troupe::ref<>& r : sends_to_) self_.demonitor(r);
    sends_to_.clear();
    next_.clear();
    from_.clear();
    run_ = run;
    taken_ = 0;
    broken_ = false;
    ledger_ = co_await find<settled>(ledger_name);
    for (std::uint32_t i = 0; i < next_workers && !broken_; ++i) {
      const auto who = co_await find<onward>(worker_name(next_stage, i));
      const auto sent = co_await who.send<begin>(run, self_.me());
      next_.push_back({who, 0});
      if (!sent) broken_ = true;
    }
  }
  /// Once for each of those that send to this stage.
  troupe::task<> add_sender(troupe::ref<broken> who) {
    from_.push_back(who);
    if (broken_) (void)co_await who.send<broken>(run_);
  }

  /// Whether it is of this run, and, if the stage remembers what it has seen, follows what that was.
  bool takes(const work& w, bool remembers) {
    if (broken_ || w.run != run_ || (remembers && w.number != taken_ + 1)) return false;
    ++taken_;
    return true;
  }
  troupe::task<> settle(const work& w, status outcome) {
    const entry result = make_entry(w.content, outcome);
    const auto sent = co_await ledger_.send<settled>(result, w.entered);
    if (!sent) co_await break_off();
  }
  troupe::task<> hand_on(work& w, std::uint32_t to) {
    w.number = ++next_[to].handed;
    const auto sent = co_await next_[to].who.send<work>(troupe::give(w));
    if (!sent) co_await break_off();
  }

  bool sends_to(const troupe::ref<>& who) const {
    return std::ranges::find(sends_to_, who) != sends_to_.end();
  }
  /// The run cannot reach its end; those that send to this stage must know.
  troupe::task<> break_off() {
    if (std::exchange(broken_, true)) co_return;
    for (const auto& who : from_) (void)co_await who.send<broken>(run_);
  }

 private:
  using onward = troupe::protocol<begin, work>;
  struct receiver {
    troupe::ref<onward> who;
    std::uint64_t handed;  // orders of this run
  };

  /// Nobody, and a broken run, if it stays away.
  template <class P>
  troupe::task<troupe::ref<P>> find(std::string name) {
    const auto found = co_await self_.node().template lookup<P>(name).within(longest_absence);
    if (!found) {
      broken_ = true;
      co_return troupe::ref<P>();
    }
    self_.monitor(*found);
    sends_to_.push_back(*found);
    co_return *found;
  }

  const troupe::self<working_stage>& self_;
  std::uint64_t run_ = 0;
  std::uint64_t taken_ = 0;  // orders of this run
  bool broken_ = false;
  std::vector<troupe::ref<broken>> from_;
  troupe::ref<settled> ledger_;
  std::vector<receiver> next_;
  std::vector<troupe::ref<>> sends_to_;  // all that are monitored
};

/// check, a stock shard or a payment worker: takes part in one run after the other.
template <class Rules>
troupe::actor run_stage(troupe::self<working_stage> self, plan p, std::uint32_t index) {
  std::optional<Rules> rules;  // of the present run
  part now(self);
  co_await publish(self.node(), worker_name(Rules::stage, index), self.me());
  co_await self.serve(
      [&](const begin& b) -> troupe::task<> {
        if (b.run < now.run()) co_return;
        if (b.run > now.run()) {
          rules.emplace(p, index);
          co_await now.enter(b.run, std::string(Rules::next_stage), rules->next_workers());
        }
        co_await now.add_sender(b.from);
      },
      [&](work w) -> troupe::task<> {
        if (!now.takes(w, Rules::remembers)) co_return;
        if (const auto outcome = rules->decide(w.content)) {
          co_await now.settle(w, *outcome);
        } else {
          co_await now.hand_on(w, rules->next_worker(w.content));
        }
      },
      [&](const broken& b) -> troupe::task<> {
        if (b.run == now.run()) co_await now.break_off();
      },
      [&](const troupe::down& end) -> troupe::task<> {
        if (now.sends_to(end.actor)) co_await now.break_off();
      });
}

troupe::actor run_ledger(troupe::self<ledger_stage> self, plan p) {
  ledger_book book(
      must(p.resume ? ledger_writer::resume(p.ledger_file) : ledger_writer::create(p.ledger_file)));
  opened by{};
  std::uint64_t told = 0;  // to this gateway, in this run
  co_await publish(self.node(), ledger_name, self.me());
  while (co_await self.receive(
      [&](const settled& s) { book.add(s.result, std::chrono::nanoseconds(now() - s.entered)); },
      [&](const opened& o) {
        by = o;
        told = 0;
      },
      [&](const closed& all) { book.close(all.lines); }, [&](report) { return book.report(); })) {
    if (book.written() - told < p.window / progress_per_window) continue;
    told = book.written();
    (void)co_await by.gateway.send<progress>(by.run, told);  // one that is gone will open another run
  }
}

template <class P>
troupe::task<troupe::ref<P>> find(troupe::node& node, std::string name) {
  const auto found = co_await node.lookup<P>(name).within(longest_absence);
  if (!found) throw std::runtime_error("cannot find " + name + ": " + found.error().text());
  co_return *found;
}

/// One life is one run: whatever is lost ends it, and its supervisor starts the next one.
troupe::actor run_gateway(troupe::self<gateway_stage> self, plan p) {
  auto rows = must(order_reader::open(p.orders_file));
  const auto ledger = co_await find<troupe::protocol<settled, opened, closed>>(self.node(), ledger_name);
  const auto check = co_await find<troupe::protocol<begin, work>>(self.node(), worker_name("check", 0));
  self.monitor(ledger);
  self.monitor(check);
  const auto run = static_cast<std::uint64_t>(now());  // so a later one has a higher number
  must_reach("ledger", co_await ledger.send<opened>(run, self.me()));
  must_reach("check", co_await check.send<begin>(run, self.me()));

  std::uint64_t written = 0;
  const auto on_progress = [&](const progress& so_far) {
    if (so_far.run == run) written = so_far.written;
  };
  const auto on_broken = [&](const broken& b) {
    if (b.run == run) throw std::runtime_error("a stage that check needs was lost");
  };
  const auto on_down = [&](const troupe::down& end) {
    if (end.actor == ledger) fail_with("ledger", end);
    if (end.actor == check) fail_with("check", end);
  };
  std::uint64_t sent = 0;
  std::uint64_t handed = 0;  // of them to check
  while (auto row = must(rows.next())) {
    while (sent >= written + p.window) {
      const auto heard = co_await self.receive(on_progress, on_broken, on_down);
      if (!heard) co_return;
    }
    ++sent;
    if (row->content) {
      work w{run, ++handed, std::move(*row->content), now()};
      must_reach("check", co_await check.send<work>(troupe::give(w)));
    } else {
      must_reach("ledger", co_await ledger.send<settled>(malformed_entry(row->line), now()));
    }
  }
  must_reach("ledger", co_await ledger.send<closed>(sent));
  co_await self.serve(on_progress, on_broken, on_down);
}

/// Every node hears of a lost stage in its own time, and a run that has begun meanwhile breaks again.
troupe::actor keep_gateway(troupe::self<troupe::protocol<>> self, plan p) {
  self.supervise({.most_restarts = 30, .within = 10s, .backoff = {.first = 20ms, .most = 500ms}});
  self.spawn(troupe::restart_on_failure(run_gateway), p);
  co_await self.serve();
}

}  // namespace

std::vector<troupe::ref<>> spawn_stage(troupe::node& node, std::string_view stage, const plan& p,
                                       unsigned first_thread) {
  std::vector<troupe::ref<>> born;
  troupe::spawn_options options;
  options.mailbox = mailbox_size;
  const auto spawn = [&](std::uint32_t index, auto function, const auto&... arguments) {
    options.name = worker_name(stage, index);
    options.worker = first_thread + index;
    born.push_back(node.spawn(options, function, arguments...));
  };
  if (stage == "gateway") spawn(0, keep_gateway, p);
  if (stage == "check") spawn(0, run_stage<check_rules>, p, 0u);
  if (stage == "ledger") spawn(0, run_ledger, p);
  for (std::uint32_t i = 0; stage == "stock" && i < p.stock_workers; ++i)
    spawn(i, run_stage<stock_rules>, p, i);
  for (std::uint32_t i = 0; stage == "payment" && i < p.payment_workers; ++i)
    spawn(i, run_stage<payment_rules>, p, i);
  return born;
}

}  // namespace orders
