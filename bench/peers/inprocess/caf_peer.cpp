// The C++ Actor Framework (0.17): event-based actors, with as many threads in the scheduler as the case has workers.
#include <future>
#include <vector>

#include <caf/all.hpp>

#include "bench_case.hpp"
#include "memory.hpp"

namespace bench {
namespace {

using done_atom = caf::atom_constant<caf::atom("done")>;
using get_atom = caf::atom_constant<caf::atom("get")>;
using report = std::shared_ptr<std::promise<double>>;

/// Runs `first` as the first actor of a system: it fulfils the report. The system stays: its end waits for all its actors.
template <class F, class... Args>
double in_a_system(const setting& how, F first, Args... args) {
  auto* const config = new caf::actor_system_config;
  config->set("scheduler.max-threads", std::size_t{how.workers});
  auto* const system = new caf::actor_system(*config);
  const report done = std::make_shared<std::promise<double>>();
  auto value = done->get_future();
  system->spawn(first, done, how, args...);
  return value.get();
}

caf::behavior pong(caf::event_based_actor*) {
  return {[](std::int64_t n) { return n; }};
}
struct play_state {
  std::int64_t sum = 0;
  std::uint64_t next = 0;
  stopwatch watch;
  caf::actor other;
};
caf::behavior ping(caf::stateful_actor<play_state>* self, report done, setting how) {
  const std::uint64_t rounds = how.times(1'000'000);
  self->state.other = self->spawn(pong);
  self->send(self->state.other, std::int64_t{0});
  return {[=](std::int64_t n) {
    play_state& s = self->state;
    s.sum += n;
    if (++s.next < rounds) {
      self->send(s.other, static_cast<std::int64_t>(s.next));
      return;
    }
    check(s.sum == sum_below(rounds), "pingpong: the sum is wrong");
    done->set_value(s.watch.ns_each(rounds));
  }};
}

void send_all(caf::event_based_actor* self, const caf::actor& to, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) self->send(to, static_cast<std::int64_t>(i));
}
caf::behavior gather(caf::stateful_actor<play_state>* self, report done, setting how, unsigned senders) {
  const std::uint64_t each = how.times(2'000'000) / senders + 1;
  const caf::actor me = self;
  for (unsigned i = 0; i < senders; ++i)
    self->spawn([=](caf::event_based_actor* sender) { send_all(sender, me, each); });
  return {[=](std::int64_t n) {
    play_state& s = self->state;
    s.sum += n;
    if (++s.next != each * senders) return;
    check(s.sum == senders * sum_below(each), "fanin: the sum is wrong");
    done->set_value(s.watch.millions_per_second(each * senders));
  }};
}

caf::behavior member(caf::event_based_actor* self, const caf::actor& next) {
  return {[=](std::int64_t left) { self->send(next, left - 1); }};
}
caf::behavior ring(caf::stateful_actor<play_state>* self, report done, setting how) {
  constexpr unsigned members = 100;
  const std::uint64_t hops = how.times(2'000'000) / members * members;
  caf::actor next = self;
  for (unsigned i = 1; i < members; ++i) next = self->spawn(member, next);
  self->send(next, static_cast<std::int64_t>(hops) - 1);
  return {[=](std::int64_t left) {
    if (left > 0) return self->send(next, left - 1);
    check(left == 0, "ring: hops are missing");
    done->set_value(self->state.watch.ns_each(hops));
  }};
}

caf::behavior sleeper(caf::event_based_actor* self, const caf::actor& parent) {
  self->send(parent, done_atom::value);
  return {[](std::int64_t) {}};
}
struct idle_state {
  std::vector<caf::actor> all;
  std::uint64_t begun = 0;
};
caf::behavior idle(caf::stateful_actor<idle_state>* self, report done, setting how, bool memory) {
  const std::uint64_t count = how.times(1'000'000);
  const double before = resident_bytes();
  const stopwatch watch;
  const caf::actor me = self;
  self->state.all.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) self->state.all.push_back(self->spawn(sleeper, me));
  return {[=](done_atom) {
    if (++self->state.begun != count) return;
    done->set_value(memory ? (resident_bytes() - before) / static_cast<double>(count) : watch.ns_each(count));
  }};
}

caf::behavior skynet(caf::stateful_actor<play_state>* self, const caf::actor& parent, std::int64_t first,
                     std::int64_t leaves) {
  if (leaves == 1) {
    self->send(parent, first);
    return {};
  }
  const caf::actor me = self;
  for (std::int64_t i = 0; i < 10; ++i) self->spawn(skynet, me, first + i * (leaves / 10), leaves / 10);
  return {[=](std::int64_t n) {
    self->state.sum += n;
    if (++self->state.next != 10) return;
    self->send(parent, self->state.sum);
    self->quit();
  }};
}
caf::behavior top(caf::event_based_actor* self, report done, setting how) {
  const auto leaves = static_cast<std::int64_t>(how.times(1'000'000));
  const stopwatch watch;
  const caf::actor me = self;
  self->spawn(skynet, me, std::int64_t{0}, leaves);
  return {[=](std::int64_t sum) {
    check(sum == sum_below(static_cast<std::uint64_t>(leaves)), "skynet: the sum is wrong");
    done->set_value(watch.seconds());
  }};
}

void ask_next(caf::stateful_actor<play_state>* self, const report& done, std::uint64_t count) {
  self->request(self->state.other, std::chrono::seconds(1), static_cast<std::int64_t>(self->state.next))
      .then([=](std::int64_t n) {
        play_state& s = self->state;
        s.sum += n;
        if (++s.next < count) return ask_next(self, done, count);
        check(s.sum == sum_below(count), "ask: the sum is wrong");
        done->set_value(s.watch.ns_each(count));
      });
}
caf::behavior asker(caf::stateful_actor<play_state>* self, report done, setting how) {
  self->state.other = self->spawn(pong);
  ask_next(self, done, how.times(500'000));
  return {[](get_atom) {}};
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  std::vector<bench_case> cases;
  for (const unsigned workers : {1u, 2u}) {
    const auto add = [&](const char* name, const char* unit, bench_case::measure m) {
      cases.push_back({name, workers, placement::free, unit, std::move(m)});
    };
    add("pingpong", "ns", [](const setting& how) { return in_a_system(how, ping); });
    add("stream", "M/s", [](const setting& how) { return in_a_system(how, gather, 1u); });
    add("fanin", "M/s", [](const setting& how) { return in_a_system(how, gather, 100u); });
    add("ring", "ns", [](const setting& how) { return in_a_system(how, ring); });
    add("skynet", "s", [](const setting& how) { return in_a_system(how, top); });
  }
  cases.push_back(
      {"spawn", 1, placement::free, "ns", [](const setting& how) { return in_a_system(how, idle, false); }});
  cases.push_back({"idle_bytes", 1, placement::free, "B",
                   [](const setting& how) { return in_a_system(how, idle, true); }});
  cases.push_back(
      {"ask", 1, placement::free, "ns", [](const setting& how) { return in_a_system(how, asker); }});
  return run_peer("caf", cases, argc, argv);
}
