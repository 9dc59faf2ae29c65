#include "scene.hpp"

#include <utility>

namespace seeds {

void scene::accepted(std::uint64_t stream, std::uint64_t number, std::uint64_t bytes) {
  one_stream& s = streams_[stream];
  ++s.accepted;
  s.under_way.push_back({number, bytes});
  if (s.station != none) put_under_way(s, s.under_way.back());
}

void scene::not_accepted(std::uint64_t stream, std::uint64_t number) {
  one_stream& s = streams_[stream];
  --s.accepted;
  if (s.last >= number) {
    violated("refusal: stream " + std::to_string(stream) + ": message " + std::to_string(number) +
             " was refused, and came");
    return;
  }
  if (s.station != none) take_off_the_way(s, s.under_way.back());
  s.under_way.pop_back();
}

void scene::put_under_way(one_stream& s, const parcel& p) {
  one_station& to = stations_[s.station];
  load& sum = to.under_way[s.from->process->name()];
  sum.messages += 1;
  sum.bytes += p.bytes;
  const bool local = s.from == to.at;
  const load& most = local ? to.most_local : to.most_remote;
  if (sum.messages <= most.messages && sum.bytes <= most.bytes) return;
  if (to.stopped || to.at->ended() || s.from->ended() || (!local && !links_lose_nothing())) return;
  violated("bounds: " + std::to_string(sum.messages) + " messages of " + std::to_string(sum.bytes) +
           " bytes are under way from " + s.from->process->name() + " to a station of " +
           to.at->process->name() + "; the most are " + std::to_string(most.messages) + " of " +
           std::to_string(most.bytes));
}

void scene::take_off_the_way(one_stream& s, const parcel& p) {
  load& sum = stations_[s.station].under_way[s.from->process->name()];
  sum.messages -= 1;
  sum.bytes -= p.bytes;
}

/// Else what was lost seems to be under way until something later arrives.
bool scene::links_lose_nothing() const {
  using troupe::sim::fault;
  for (const fault each :
       {fault::reset, fault::kill, fault::power_loss, fault::torn_store, fault::no_memory}) {
    if (world.injected()[static_cast<std::size_t>(each)] != 0) return false;
  }
  return true;
}

void scene::arrived(std::uint64_t stream_number, std::uint64_t number, std::uint64_t at, bool counts) {
  one_stream& s = streams_[stream_number];
  ++messages;
  world.note(stream_number << 32 ^ number);
  const auto where = "stream " + std::to_string(stream_number) + ": message " + std::to_string(number);
  if (number == s.last) violated("duplicate: " + where + " came twice in a row");
  if (number < s.last) violated("order: " + where + " after " + std::to_string(s.last));
  if (s.station == none) {
    s.station = at;
    for (const parcel& p : s.under_way) put_under_way(s, p);
  }
  if (s.station != at) violated("identity: " + where + " reached another actor than those before");
  s.last = number;
  for (; !s.under_way.empty() && s.under_way.front().number <= number; s.under_way.pop_front()) {
    take_off_the_way(s, s.under_way.front());
  }
  if (counts) ++s.arrived;
  if (s.arrived > s.accepted && !s.from->ended())
    violated("duplicate: " + where + ": more came than were sent");
}

void scene::downed(std::uint64_t number, troupe::exit_kind how) {
  one_watch& w = watches_[number];
  const one_station& s = stations_[w.station];
  const bool local = s.at == w.by;
  bool may_be = false;
  switch (how) {
    case troupe::exit_kind::stopped:
    case troupe::exit_kind::failed:  // on its last message
    case troupe::exit_kind::no_such_actor: may_be = s.stopped.has_value(); break;
    case troupe::exit_kind::unreachable: may_be = !local; break;
    case troupe::exit_kind::died: may_be = !local && s.at->ended(); break;
    default: break;
  }
  if (!may_be) {
    violated("DOWN: monitor " + std::to_string(number) + " was told '" + std::string(to_string(how)) +
             "', which is not what happened");
  }
  ++w.downs;
  world.note(number ^ 0xD0'0000'0000u);
  const std::optional<troupe::duration> ended = stations_[w.station].stopped;
  if (ended && world.elapsed() - *ended > latest_down) {
    violated("DOWN: monitor " + std::to_string(number) + " was told " +
             std::to_string((world.elapsed() - *ended) / 1ms) + " ms after the end");
  }
  if (w.downs > 1) violated("DOWN: monitor " + std::to_string(number) + " was told twice");
}

void scene::slept(troupe::duration wanted, troupe::duration took) {
  using troupe::sim::fault;
  const auto happened = [this](fault kind) { return world.injected()[static_cast<std::size_t>(kind)] != 0; };
  const bool leapt = happened(fault::jump);
  const bool held = happened(fault::stall) || happened(fault::pause);
  // A clock may be 500 ppm fast; a calm world is late by what its other turns take.
  if ((!leapt && took < wanted - wanted / 1000) || (!held && took > wanted + 300ms)) {
    violated("time: a sleep of " + std::to_string(wanted / 1us) + " us took " + std::to_string(took / 1us) +
             " us");
  }
}

std::uint64_t scene::begin(life_ptr by, std::string what) {
  open_.emplace(++next_work_, one_work{std::move(by), std::move(what)});
  return next_work_;
}

std::vector<std::string> scene::unfinished() const {
  std::vector<std::string> left;
  for (const auto& [number, w] : open_) {
    if (!w.by->ended()) left.push_back(w.what);
  }
  return left;
}

void scene::judge(const troupe::sim::fault_counts& injected, std::uint64_t undelivered,
                  std::uint64_t unknown) {
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    const one_watch& w = watches_[i];
    const one_station& s = stations_[w.station];
    if (!w.wanted || w.by->ended() || w.downs != 0 || !(s.stopped || s.at->ended())) continue;
    violated("DOWN: monitor " + std::to_string(i) + " of a station that has ended was never told");
  }
  for (std::size_t i = 0; i < stations_.size(); ++i) {
    const one_station& s = stations_[i];
    if (s.stopped || s.at->ended() || s.begun == s.spoiled + 1) continue;
    violated("restart: station " + std::to_string(i) + " failed " + std::to_string(s.spoiled) +
             " times and began " + std::to_string(s.begun) + " times");
  }
  // The books of a killed process are gone, and what it had sent may be anywhere.
  using troupe::sim::fault;
  if (injected[static_cast<std::size_t>(fault::kill)] != 0) return;
  if (injected[static_cast<std::size_t>(fault::power_loss)] != 0) return;
  if (injected[static_cast<std::size_t>(fault::torn_store)] != 0) return;
  // A clock that leaps again and again uses leases up.
  const bool may_end = session_gone || injected[static_cast<std::size_t>(fault::refuse)] != 0 ||
                       (old_version && injected[static_cast<std::size_t>(fault::hang_up)] != 0) ||
                       injected[static_cast<std::size_t>(fault::jump)] != 0;
  if (!may_end && unknown != 0)
    violated("session: " + std::to_string(unknown) + " messages are in doubt, though no process died");
  std::uint64_t lost = 0;
  for (const one_stream& s : streams_) lost += s.accepted - s.arrived;
  if (lost > undelivered + unknown) {
    violated("loss: " + std::to_string(lost) + " messages were accepted and never came; the books know of " +
             std::to_string(undelivered) + " undelivered and " + std::to_string(unknown) + " unknown");
  }
}

}  // namespace seeds
