#include "chat/room.hpp"

#include <algorithm>
#include <deque>
#include <string_view>
#include <troupe/node.hpp>
#include <utility>

#include "chat/text.hpp"

namespace chat {
namespace {

struct seat {
  troupe::ref<member> who;
  std::string name;
  std::uint64_t missed = 0;
};

/// Never waits: false if the line did not fit.
bool put(seat& to, line_kind kind, const std::string& from, const std::string& text) {
  const bool fits = to.who.try_send<line>(kind, to.missed, from, text).has_value();
  to.missed = fits ? 0 : to.missed + 1;
  return fits;
}

class meeting {
 public:
  meeting(const troupe::self<room>& self, const room_limits& limits) : self_(self), limits_(limits) {}

  joined enter(const join& j);
  void talk(const say& s);
  void rename(const nick& n);
  void whisper(const tell& t);
  void leave(const troupe::ref<>& who);
  std::vector<std::string> names() const;
  room_figures count() const;

 private:
  seat* find(const troupe::ref<>& who);
  seat* find(std::string_view name);
  seat* member_or_tell(const troupe::ref<member>& who);
  std::string free_name();
  void hand(seat& to, line_kind kind, const std::string& from, const std::string& text);
  void broadcast(line_kind kind, const std::string& from, const std::string& text, const seat* author);
  void announce(const std::string& text) { broadcast(line_kind::notice, {}, text, nullptr); }
  void welcome(seat& newcomer);
  void put_out_sleepers();

  const troupe::self<room>& self_;
  const room_limits limits_;
  std::vector<seat> seats_;  // in the order of joining
  std::deque<line> history_;
  std::uint64_t guests_ = 0;
  room_figures counted_;
};

seat* meeting::find(const troupe::ref<>& who) {
  const auto found = std::ranges::find_if(seats_, [&](const seat& s) { return s.who == who; });
  return found != seats_.end() ? &*found : nullptr;
}

seat* meeting::find(std::string_view name) {
  const auto found = std::ranges::find(seats_, name, &seat::name);
  return found != seats_.end() ? &*found : nullptr;
}

seat* meeting::member_or_tell(const troupe::ref<member>& who) {
  seat* const s = find(who);
  if (s == nullptr) {
    seat stranger{who, {}, 0};
    put(stranger, line_kind::notice, {}, "you are not in the room (any more): join again");
  }
  return s;
}

std::string meeting::free_name() {
  std::string name;
  do {
    name = "guest-" + std::to_string(++guests_);
  } while (find(name) != nullptr);
  return name;
}

void meeting::hand(seat& to, line_kind kind, const std::string& from, const std::string& text) {
  if (!put(to, kind, from, text)) ++counted_.missed;
}

void meeting::broadcast(line_kind kind, const std::string& from, const std::string& text,
                        const seat* author) {
  for (seat& s : seats_) hand(s, &s == author ? line_kind::own : kind, from, text);
}

/// Each that goes is announced, which may be one line too many for the next.
void meeting::put_out_sleepers() {
  for (;;) {
    const auto asleep =
        std::ranges::find_if(seats_, [&](const seat& s) { return s.missed > limits_.patience; });
    if (asleep == seats_.end()) return;
    const seat gone = std::move(*asleep);
    seats_.erase(asleep);
    ++counted_.put_out;
    self_.node().kill(gone.who);  // of this node; one that lives elsewhere is told when it speaks again
    announce(gone.name + " was put out: it did not read " + std::to_string(gone.missed) + " lines");
  }
}

joined meeting::enter(const join& j) {
  if (find(j.who) != nullptr) return {false, "you are in the room already"};
  if (seats_.size() >= limits_.members) return {false, "the room is full: try again later"};
  const std::string name = j.name.empty() ? free_name() : j.name;
  if (!is_name(name)) return {false, "a name is 1 to 20 of A-Z a-z 0-9 _ -"};
  if (find(name) != nullptr) return {false, "the name " + name + " is taken"};
  announce(name + " joined");
  self_.monitor(j.who);
  seats_.push_back({j.who, name, 0});
  welcome(seats_.back());
  put_out_sleepers();
  return {true, name};
}

void meeting::welcome(seat& newcomer) {
  std::string text = "you are " + newcomer.name + "; here:";
  for (const std::string& name : names()) text += " " + name;
  hand(newcomer, line_kind::notice, {}, clean(text));
  for (const line& l : history_) hand(newcomer, l.kind, l.from, l.text);
}

void meeting::talk(const say& s) {
  const seat* const author = member_or_tell(s.who);
  if (author == nullptr) return;
  const std::string from = author->name;
  const std::string text = clean(s.text);
  history_.push_back({line_kind::said, 0, from, text});
  if (history_.size() > kept_lines) history_.pop_front();
  ++counted_.said;
  broadcast(line_kind::said, from, text, author);
  put_out_sleepers();
}

void meeting::rename(const nick& n) {
  seat* const s = member_or_tell(n.who);
  if (s == nullptr) return;
  if (!is_name(n.name)) {
    hand(*s, line_kind::notice, {}, "a name is 1 to 20 of A-Z a-z 0-9 _ -: /nick NAME");
  } else if (find(n.name) != nullptr) {
    hand(*s, line_kind::notice, {}, "the name " + n.name + " is taken");
  } else {
    const std::string before = std::exchange(s->name, n.name);
    announce(before + " is now " + n.name);
  }
  put_out_sleepers();
}

void meeting::whisper(const tell& t) {
  seat* const s = member_or_tell(t.who);
  if (s == nullptr) return;
  const std::string text = clean(t.text);
  seat* const to = find(t.to);
  if (text.empty()) {
    hand(*s, line_kind::notice, {}, "nothing to tell: /msg NAME TEXT");
  } else if (to == nullptr) {
    hand(*s, line_kind::notice, {}, "there is no " + clean(t.to) + " here: /who lists the names");
  } else if (put(*to, line_kind::whisper, s->name, text)) {
    hand(*s, line_kind::notice, {}, "told " + to->name + ": " + text);
  } else {
    ++counted_.missed;
    hand(*s, line_kind::notice, {}, to->name + " does not read just now: not told");
  }
  put_out_sleepers();
}

void meeting::leave(const troupe::ref<>& who) {
  const auto found = std::ranges::find_if(seats_, [&](const seat& s) { return s.who == who; });
  if (found == seats_.end()) return;
  const std::string name = std::move(found->name);
  seats_.erase(found);
  announce(name + " left");
  put_out_sleepers();
}

std::vector<std::string> meeting::names() const {
  std::vector<std::string> all;
  for (const seat& s : seats_) all.push_back(s.name);
  return all;
}

room_figures meeting::count() const {
  room_figures now = counted_;
  now.members = seats_.size();
  return now;
}

}  // namespace

troupe::actor run_room(troupe::self<room> self, room_limits limits) {
  meeting here(self, limits);
  co_await self.serve([&](const join& j) { return here.enter(j); },  //
                      [&](const say& s) { here.talk(s); },           //
                      [&](const nick& n) { here.rename(n); },        //
                      [&](const tell& t) { here.whisper(t); },       //
                      [&](const quit& q) { here.leave(q.who); },     //
                      [&](const present&) { return here.names(); },  //
                      [&](const figures&) { return here.count(); },  //
                      [&](const troupe::down& d) { here.leave(d.actor); });
}

}  // namespace chat
