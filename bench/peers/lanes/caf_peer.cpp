// The C++ Actor Framework (0.17): event-based actors of two systems, whose middlemen talk over TCP. Nothing holds a sender back:
// what the other process has not taken yet waits in memory.
#include <future>
#include <memory>
#include <string>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "bench_case.hpp"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {

// Not in the anonymous namespace: they have names on the wire.
struct parcel {
  std::int64_t value;
  std::int64_t a, b, c, d, e, f, g;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& i, parcel& p) {
  return i(caf::meta::type_name("parcel"), p.value, p.a, p.b, p.c, p.d, p.e, p.f, p.g);
}
struct load {
  std::int64_t value;
  std::string bytes;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& i, load& l) {
  return i(caf::meta::type_name("load"), l.value, l.bytes);
}

namespace {

using back_atom = caf::atom_constant<caf::atom("back")>;
using total_atom = caf::atom_constant<caf::atom("total")>;
using again_atom = caf::atom_constant<caf::atom("again")>;
using report = std::shared_ptr<std::promise<double>>;

/// Systems stay: the end of one waits for all its actors.
caf::actor_system& start_system() {
  auto* const config = new caf::actor_system_config;
  config->load<caf::io::middleman>();
  config->add_message_type<parcel>("parcel");
  config->add_message_type<load>("load");
  config->set("scheduler.max-threads", std::size_t{1});
  return *new caf::actor_system(*config);
}

struct sum_state {
  std::int64_t sum = 0;
};
/// Sums what comes, or sends it back.
caf::behavior far_actor(caf::stateful_actor<sum_state>* self) {
  return {[](back_atom, const parcel& p) { return p; }, [=](const parcel& p) { self->state.sum += p.value; },
          [=](const load& l) { self->state.sum += l.value + l.bytes.back(); },
          [=](total_atom) { return self->state.sum; }};
}

/// Runs `near` in an actor of this process, with the actor in another.
template <class F, class... Args>
double with_far(F near, Args... args) {
  const far_side other([](auto tell) {
    caf::actor_system& system = start_system();
    const auto port = system.middleman().publish(system.spawn(far_actor), 0, "127.0.0.1");
    check(bool(port), "caf: cannot listen");
    tell(std::to_string(*port));
    for (;;) pause();
  });
  caf::actor_system& system = start_system();
  const auto far =
      system.middleman().remote_actor("127.0.0.1", static_cast<std::uint16_t>(std::stoi(other.told())));
  check(bool(far), "caf: cannot connect");
  const report done = std::make_shared<std::promise<double>>();
  auto value = done->get_future();
  system.spawn(near, *far, done, args...);
  return value.get();
}

struct rtt_state {
  std::int64_t sum = 0;
  std::uint64_t next = 0;
  double ns = 0;
  stopwatch watch;
};
/// `asleep`: with a pause before each round.
caf::behavior run_rtt(caf::stateful_actor<rtt_state>* self, const caf::actor& far, const report& done,
                      std::uint64_t rounds, bool asleep) {
  const auto again = [=] {
    self->state.watch = {};
    self->send(far, back_atom::value,
               parcel{static_cast<std::int64_t>(self->state.next), 0, 0, 0, 0, 0, 0, 0});
  };
  again();
  return {[=](const parcel& p) {
            rtt_state& s = self->state;
            s.ns += s.watch.ns_each(1);
            s.sum += p.value;
            if (++s.next != rounds)
              return asleep ? self->delayed_send(self, asleep_after, again_atom::value) : again();
            check(s.sum == sum_below(rounds), "rtt: the sum is wrong");
            done->set_value(s.ns / static_cast<double>(rounds));
          },
          [=](again_atom) { again(); }};
}

/// `end`: what is summed of a message beside its number.
template <class Message>
void run_oneway(caf::event_based_actor* self, const caf::actor& far, const report& done, std::uint64_t count,
                Message m, std::uint64_t end) {
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    m.value = static_cast<std::int64_t>(i);
    self->send(far, m);
  }
  self->request(far, caf::infinite, total_atom::value).then([=](std::int64_t sum) {
    check(sum == sum_below(count) + static_cast<std::int64_t>(count * end), "oneway: the sum is wrong");
    done->set_value(watch.millions_per_second(count));
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  constexpr std::uint64_t fewer = 8;
  std::vector<bench_case> all{
      {"rtt_awake", 1, placement::free, "ns",
       [](const setting& how) { return with_far(run_rtt, how.times(full_lane_rounds), false); }},
      {"rtt_asleep", 1, placement::free, "ns",
       [](const setting& how) { return with_far(run_rtt, how.times(full_asleep_rounds), true); }},
      {"oneway", 1, placement::free, "M/s", [](const setting& how) {
         return with_far(run_oneway<parcel>, how.times(full_lane_stream / fewer), parcel{}, std::uint64_t{0});
       }}};
  for (const auto& [name, bytes] :
       {std::pair{"oneway_1k", 1u << 10}, {"oneway_64k", 1u << 16}, {"oneway_1m", 1u << 20}}) {
    all.push_back({name, 1, placement::free, "M/s", [size = bytes](const setting& how) {
                     const load l{0, std::string(size, '\1')};
                     return with_far(run_oneway<load>, how.times(full_lane_loads(size) / fewer), l,
                                     std::uint64_t{1});
                   }});
  }
  return run_peer("caf", all, argc, argv);
}
