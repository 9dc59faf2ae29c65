#include "actor_links.hpp"

#include <algorithm>
#include <utility>

#include "control.hpp"
#include "node_core.hpp"
#include "peers.hpp"
#include "slots.hpp"
#include "wire_notes.hpp"

namespace troupe::detail {
namespace {

note_kind as_note(order what) noexcept {
  switch (what) {
    case order::link: return note_link;
    case order::unlink: return note_unlink;
    default: return note_sever;
  }
}

order as_order(std::uint8_t note) noexcept {
  switch (note) {
    case note_link: return order::link;
    case note_unlink: return order::unlink;
    default: return order::sever;
  }
}

control* make_letter(order what, const address& from, exit_reason why) {
  auto* const c = new control(what);
  c->other = from;
  if (what == order::sever) {
    c->words = std::make_unique<last_words>();
    c->words->why = std::move(why);
  }
  return c;
}

/// `from` is an actor of this node.
void tell(node_core& node, order what, const address& from, const address& to, const exit_reason& why = {}) {
  if (!to.is_remote()) return to.core()->command(to.generation, make_letter(what, from, why));
  if (out_stream* const stream = node.here()->stream_to(*to.peer())) {
    stream->control({as_note(what), to.wire_target(), from.wire_target(), static_cast<std::uint8_t>(why.kind),
                     std::string_view(why.text).substr(0, longest_note_text), true});
  } else if (what == order::link) {
    const exit_reason no_link{exit_kind::unreachable, "no link to its node"};
    from.core()->command(from.generation, make_letter(order::sever, to, no_link));
  }
}

std::string describe(const exit_reason& why) {
  if (why.kind == exit_kind::linked) return why.text;  // of the first in the chain
  return std::string(to_string(why.kind)) + (why.text.empty() ? "" : ": " + why.text);
}

bool ends_the_linked(exit_kind how) noexcept { return how != exit_kind::normal && how != exit_kind::stopped; }

}  // namespace

void link(actor_core& one, const address& other) {
  if (other == one.self()) return;
  if (!other) return one.end_linked({exit_kind::no_such_actor, {}});  // what could not be spawned
  const bool remote = other.is_remote();
  const std::uint32_t session = remote ? other.peer()->link.number() : 0;
  if (!one.hold_link(other, session)) return;
  if (remote) other.peer()->watched_here.fetch_add(1, std::memory_order_relaxed);
  tell(one.node(), order::link, one.self(), other);
}

void unlink(actor_core& one, const address& other) noexcept {
  if (one.drop_link(other)) tell(one.node(), order::unlink, one.self(), other);
}

void refuse_link(actor_core& gone, const control& link) noexcept {
  if (link.other.is_remote()) link.other.peer()->watched_here.fetch_sub(1, std::memory_order_relaxed);
  const address dead = address::of(&gone, gone.slot(), link.generation);
  tell(gone.node(), order::sever, dead, link.other, {exit_kind::no_such_actor, {}});
}

void take_link_note(node_core& node, peer_node& from, const control_note& note) {
  const address here =
      address::of(static_cast<actor_core*>(nullptr), static_cast<std::uint32_t>(note.subject >> 32),
                  static_cast<std::uint32_t>(note.subject));
  const address other = address::of(&from, static_cast<std::uint32_t>(note.object >> 32),
                                    static_cast<std::uint32_t>(note.object));
  const order what = as_order(note.kind);
  actor_core* const core = node.all_slots().find(here.slot);
  if (what == order::link) {
    const bool too_many = from.watched_here.fetch_add(1, std::memory_order_relaxed) >= peers::most_watched;
    if (core == nullptr || too_many) {
      from.watched_here.fetch_sub(1, std::memory_order_relaxed);
      const exit_reason why{too_many ? exit_kind::unreachable : exit_kind::no_such_actor,
                            too_many ? "the peer watches too many actors here" : ""};
      return tell(node, order::sever, here, other, why);
    }
  }
  if (core == nullptr) return;
  const auto how = static_cast<exit_kind>(std::min(note.code, static_cast<std::uint8_t>(exit_kind::linked)));
  control* const c = make_letter(what, other, {how, std::string(note.text)});
  c->session = from.link.number();
  core->command(here.generation, c);
}

// An actor's own links.

/// False if that link exists.
bool actor_core::hold_link(const address& other, std::uint32_t session) {
  family& f = ties();
  const auto same = [&](const family::linked_with& l) { return l.other == other; };
  if (std::any_of(f.links.begin(), f.links.end(), same)) return false;
  f.links.push_back({other, session});
  if (other.is_remote()) node_->here()->ties.add(*other.peer(), *this);
  return true;
}

bool actor_core::drop_link(const address& other) noexcept {
  if (!ties_) return false;
  auto& links = ties_->links;
  const auto found =
      std::find_if(links.begin(), links.end(), [&](const auto& l) { return l.other == other; });
  if (found == links.end()) return false;
  links.erase(found);
  if (other.is_remote()) node_->here()->ties.give_up(*other.peer(), *this);
  return true;
}

/// Somebody has linked itself with this actor.
void actor_core::linked_by(const control& c) {
  if (phase_ == phase::free || phase_ == phase::ending) return refuse_link(*this, c);
  const bool remote = c.other.is_remote();
  const bool lost = remote && !c.other.peer()->link.has(c.session);  // and its loss has been seen to already
  const bool held = !lost && hold_link(c.other, c.session);
  if (remote && !held) c.other.peer()->watched_here.fetch_sub(1, std::memory_order_relaxed);
  if (lost) end_linked({exit_kind::unreachable, "no link to its node"});
}

void actor_core::linked_one_ended(const control& c) noexcept {
  if (drop_link(c.other)) end_linked(c.words->why);
}

void actor_core::end_linked(const exit_reason& why) noexcept {
  if ((phase_ == phase::starting || phase_ == phase::running) && !finished_) {
    finished(exit_kind::linked, describe(why));
  }
}

void actor_core::lose_peer(const control& c) noexcept {
  if (!ties_) return;
  const auto was_there = [&](peer_node* peer, std::uint32_t session) {
    if (peer != c.peer || session > c.session) return false;
    node_->here()->ties.give_up(*peer, *this);
    return true;
  };
  for (letter** at = &ties_->monitors; *at != nullptr;) {
    auto* const m = static_cast<control*>(*at);
    if (m->peer != nullptr && was_there(m->peer, m->session)) {
      *at = m->next;
      delete m;
    } else {
      at = &m->next;
    }
  }
  const auto lost = std::erase_if(ties_->links, [&](const family::linked_with& l) {
    return l.other.is_remote() && was_there(l.other.peer(), l.session);
  });
  if (lost != 0) end_linked(c.words->why);
}

/// At its end.
void actor_core::tell_linked() noexcept {
  if (ties_->links.empty()) return;
  const exit_reason why{how_, ties_->exit_text};
  const address dead = address::of(this, slot_, generation() - 1);
  for (const family::linked_with& l : std::exchange(ties_->links, {})) {
    if (l.other.is_remote()) node_->here()->ties.give_up(*l.other.peer(), *this);
    tell(*node_, ends_the_linked(how_) ? order::sever : order::unlink, dead, l.other, why);
  }
}

}  // namespace troupe::detail
