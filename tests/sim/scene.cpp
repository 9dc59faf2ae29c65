#include "scene.hpp"

#include <utility>

namespace seeds {

void scene::arrived(std::uint64_t stream_number, std::uint64_t number, std::uint64_t at, bool counts) {
  one_stream& s = streams_[stream_number];
  ++messages;
  world.note(stream_number << 32 ^ number);
  const auto where = "stream " + std::to_string(stream_number) + ": message " + std::to_string(number);
  if (number == s.last) violated("duplicate: " + where + " came twice in a row");
  if (number < s.last) violated("order: " + where + " after " + std::to_string(s.last));
  if (s.station == none) s.station = at;
  if (s.station != at) violated("identity: " + where + " reached another actor than those before");
  s.last = number;
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
    if (w.by->ended() || w.downs != 0 || !(s.stopped || s.at->ended())) continue;
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
  if (injected[static_cast<std::size_t>(fault::torn_store)] != 0) return;
  std::uint64_t lost = 0;
  for (const one_stream& s : streams_) lost += s.accepted - s.arrived;
  if (lost > undelivered + unknown) {
    violated("loss: " + std::to_string(lost) + " messages were accepted and never came; the books know of " +
             std::to_string(undelivered) + " undelivered and " + std::to_string(unknown) + " unknown");
  }
}

}  // namespace seeds
