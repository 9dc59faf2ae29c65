// The stages of the order pipeline as actors; see stages.hpp.
#include "stages.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

#include "input.hpp"
#include "ledger_book.hpp"

namespace orders {

using namespace std::chrono_literals;

namespace {

constexpr troupe::duration longest_start = 20s;  // of the stages that another one looks for
constexpr std::uint32_t mailbox_size = 1024;
static_assert(window / progress_step < mailbox_size, "the ledger must never wait for the gateway");
static_assert(window < ledger_writer::max_held, "the ledger must be able to hold all orders under way");

std::int64_t now() { return troupe::os_env().now().time_since_epoch().count(); }

std::string worker_name(std::string_view stage, std::uint32_t index) {
  return "orders." + std::string(stage) + "." + std::to_string(index);
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
troupe::task<troupe::ref<P>> find(troupe::node& node, std::string name) {
  const auto found = co_await node.lookup<P>(name).within(longest_start);
  if (!found) throw std::runtime_error("cannot find " + name + ": " + found.error().text());
  co_return *found;
}

troupe::task<std::vector<troupe::ref<work>>> find_workers(troupe::node& node, std::string stage,
                                                          std::uint32_t count) {
  std::vector<troupe::ref<work>> found;
  for (std::uint32_t i = 0; i < count; ++i) found.push_back(co_await find<work>(node, worker_name(stage, i)));
  co_return found;
}

template <class P>
troupe::task<> publish(troupe::node& node, std::string name, troupe::ref<P> me) {
  const auto published = co_await node.publish(name, me);
  if (!published) throw std::runtime_error("cannot publish " + name + ": " + published.error().text());
}

[[noreturn]] void fail_with(const std::string& whose, const troupe::down& end) {
  throw std::runtime_error(whose + " " + std::string(to_string(end.reason.kind)) + ": " + end.reason.text);
}

troupe::task<> settle(troupe::ref<settled> ledger, entry result, std::int64_t entered) {
  must_reach("ledger", co_await ledger.send<settled>(result, entered));
}

troupe::task<> hand_on(std::string_view stage, troupe::ref<work> to, work& w) {
  must_reach(stage, co_await to.send<work>(troupe::give(w)));
}

troupe::actor run_check(troupe::self<working_stage> self, plan p) {
  checker rules(!p.break_dedup);
  for (stock_item& item : must(read_stock(p.stock_file))) rules.add_sku(std::move(item.sku));
  const auto ledger = co_await find<settled>(self.node(), ledger_name);
  const auto shards = co_await find_workers(self.node(), "stock", p.stock_workers);
  self.monitor(ledger);
  for (const auto& s : shards) self.monitor(s);
  co_await publish(self.node(), worker_name("check", 0), self.me());
  co_await self.serve(
      [&](work w) -> troupe::task<> {
        if (const auto refused = rules.decide(w.content)) {
          co_await settle(ledger, make_entry(w.content, *refused), w.entered);
        } else {
          co_await hand_on("stock", shards[shard_of(w.content.sku, p.stock_workers)], w);
        }
      },
      [&](const troupe::down& end) { fail_with(end.actor == ledger ? "ledger" : "stock", end); });
}

troupe::actor run_stock(troupe::self<working_stage> self, plan p, std::uint32_t index) {
  stock_shard rules;
  for (stock_item& item : must(read_stock(p.stock_file))) {
    if (shard_of(item.sku, p.stock_workers) == index) rules.add(std::move(item));
  }
  const auto ledger = co_await find<settled>(self.node(), ledger_name);
  const auto payments = co_await find_workers(self.node(), "payment", p.payment_workers);
  self.monitor(ledger);
  for (const auto& s : payments) self.monitor(s);
  co_await publish(self.node(), worker_name("stock", index), self.me());
  co_await self.serve(
      [&](work w) -> troupe::task<> {
        if (const auto refused = rules.decide(w.content)) {
          co_await settle(ledger, make_entry(w.content, *refused), w.entered);
        } else {
          co_await hand_on("payment", payments[w.content.line % payments.size()], w);
        }
      },
      [&](const troupe::down& end) { fail_with(end.actor == ledger ? "ledger" : "payment", end); });
}

troupe::actor run_payment(troupe::self<working_stage> self, std::uint32_t index) {
  const auto ledger = co_await find<settled>(self.node(), ledger_name);
  self.monitor(ledger);
  co_await publish(self.node(), worker_name("payment", index), self.me());
  co_await self.serve(
      [&](const work& w) {
        return settle(ledger, make_entry(w.content, payment_status(w.content)), w.entered);
      },
      [&](const troupe::down& end) { fail_with("ledger", end); });
}

troupe::actor run_ledger(troupe::self<ledger_stage> self, plan p) {
  ledger_book book(must(ledger_writer::create(p.ledger_file)));
  troupe::ref<progress> gateway;
  std::uint64_t told = 0;
  co_await publish(self.node(), ledger_name, self.me());
  while (co_await self.receive(
      [&](const settled& s) { book.add(s.result, std::chrono::nanoseconds(now() - s.entered)); },
      [&](const opened& by) { gateway = by.gateway; }, [&](const closed& all) { book.close(all.lines); },
      [&](report) { return book.report(); })) {
    if (book.written() - told < progress_step) continue;
    told = book.written();
    must_reach("gateway", co_await gateway.send<progress>(told));
  }
}

troupe::actor run_gateway(troupe::self<gateway_stage> self, plan p) {
  auto rows = must(order_reader::open(p.orders_file));
  const auto ledger = co_await find<troupe::protocol<settled, opened, closed>>(self.node(), ledger_name);
  const auto check = co_await find<work>(self.node(), worker_name("check", 0));
  self.monitor(ledger);
  self.monitor(check);
  must_reach("ledger", co_await ledger.send<opened>(self.me()));
  std::uint64_t sent = 0;
  std::uint64_t written = 0;
  while (auto row = must(rows.next())) {
    while (sent - written >= window) {
      const auto heard = co_await self.receive(
          [&](progress now_written) { written = now_written.written; },
          [&](const troupe::down& end) { fail_with(end.actor == ledger ? "ledger" : "check", end); });
      if (!heard) co_return;
    }
    ++sent;
    if (row->content) {
      work w{std::move(*row->content), now()};
      co_await hand_on("check", check, w);
    } else {
      co_await settle(ledger, malformed_entry(row->line), now());
    }
  }
  must_reach("ledger", co_await ledger.send<closed>(sent));
  co_await self.serve(
      [&](progress) {},
      [&](const troupe::down& end) { fail_with(end.actor == ledger ? "ledger" : "check", end); });
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
  if (stage == "gateway") spawn(0, run_gateway, p);
  if (stage == "check") spawn(0, run_check, p);
  if (stage == "ledger") spawn(0, run_ledger, p);
  for (std::uint32_t i = 0; stage == "stock" && i < p.stock_workers; ++i) spawn(i, run_stock, p, i);
  for (std::uint32_t i = 0; stage == "payment" && i < p.payment_workers; ++i) spawn(i, run_payment, i);
  return born;
}

}  // namespace orders
