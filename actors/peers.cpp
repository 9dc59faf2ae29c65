#include "peers.hpp"

#include <utility>

#include <troupe/ask.hpp>
#include <troupe/detail/checked.hpp>
#include <troupe/log.hpp>

#include "actor_links.hpp"
#include "delivery.hpp"
#include "meetings.hpp"
#include "mesh.hpp"
#include "names.hpp"
#include "node_core.hpp"
#include "slots.hpp"
#include "wire_notes.hpp"

namespace troupe::detail {
namespace {

std::pair<std::uint32_t, std::uint32_t> split(std::uint64_t target) noexcept {
  return {static_cast<std::uint32_t>(target >> 32), static_cast<std::uint32_t>(target)};
}

credit_note credit_of(peer_node& from, const held_credit& c) noexcept {
  return {&from, from.link.number(), c.stream, c.destination, c.bytes};
}

/// Null: there is no memory for it.
receipt* receipt_for(peer_node& asker, const inbound_message& m, const value_type* reply) noexcept {
  receipt* const r = make_receipt(reply);
  if (r == nullptr) return nullptr;
  r->peer = &asker;
  r->ticket = m.correlation;
  r->deadline = m.deadline;
  asker.requests_here.fetch_add(1, std::memory_order_relaxed);
  return r;
}

/// It is a dead letter, and what it asks is answered with that.
void refuse_inbound(peer_node& peer, std::uint64_t target, const inbound_message& m, errc why) {
  const auto [slot, generation] = split(target);
  peer.node.count(entry::accepted_inbound);
  peer.node.count_undelivered(why, nullptr, address::of(static_cast<actor_core*>(nullptr), slot, generation));
  worker_state& here = *peer.node.here();
  here.return_credit(credit_of(peer, m.credit));
  if (m.correlation == 0) return;
  if (out_stream* const back = here.stream_to(peer))
    return back->reply(m.correlation, why, nullptr, nullptr, &peer);
  peer.node.count(entry::replies_lost);
}

/// A route to nobody: `cookie` says why.
void deliver_nowhere(std::uint64_t cookie, std::uint64_t target, session& from, inbound_message& m) {
  refuse_inbound(*static_cast<peer_node*>(from.cookie), target, m, static_cast<errc>(cookie));
}

/// A route to an actor: `cookie` is the message's value_type.
void deliver_to_actor(std::uint64_t cookie, std::uint64_t target, session& from, inbound_message& m) {
  const auto& type = *reinterpret_cast<const value_type*>(static_cast<std::uintptr_t>(cookie));
  auto& peer = *static_cast<peer_node*>(from.cookie);
  if (type.is_request != (m.correlation != 0)) return m.body.fail();  // nobody would answer, or could
  if (m.lost) return refuse_inbound(peer, target, m, errc::no_memory);
  linked_envelope* const e = allocate_linked_envelope(type);
  receipt* const asked = e != nullptr && m.correlation != 0 ? receipt_for(peer, m, type.reply) : nullptr;
  if (e == nullptr || (m.correlation != 0 && asked == nullptr)) {
    if (e != nullptr) release_envelope(e);
    return refuse_inbound(peer, target, m, errc::no_memory);
  }
  e->answer = asked;
  if (type.wire->flat != 0 && type.wire->flat == m.body.remaining()) {
    m.body.read(e->message(), type.wire->flat);
  } else {
    type.construct(e->message());
    const std::size_t encoded = type.owns_nothing ? 0 : m.body.remaining();
    type.wire->decode(m.body, e->message(), m.longer_schema);
    if (!m.body.ok()) return free_unsent(e);
    e->weight = static_cast<std::uint32_t>(e->block() + encoded);
  }
  e->note = credit_of(peer, m.credit);
  peer.node.count(entry::accepted_inbound);
  const auto [slot, generation] = split(target);
  peer.node.all_slots().find(slot)->deliver(generation, e);
}

}  // namespace

void forget_request(peer_node& asker) noexcept {
  asker.requests_here.fetch_sub(1, std::memory_order_relaxed);
}

/// What the peer asked for over that link is wanted no more: whoever may have such a request on this worker hears of it.
static void abandon_requests(worker_state& here, peer_node& asker, std::uint32_t link) {
  if (asker.requests_here.load(std::memory_order_relaxed) == 0) return;
  slots& all = asker.node.all_slots();
  for (std::uint32_t slot = 0; slot < all.count(); ++slot) {
    actor_core& core = *all.find(slot);
    if (!core.lives_on.is(&here.home) || !core.lives() || !core.has_requests()) continue;
    auto* const c = new detail::control(order::cancel);
    c->peer = &asker;
    c->session = link;
    core.command(core.generation(), c);
  }
}

void peer_node::consumed(std::uint32_t number, const held_credit& credit) {
  if (session* const s = link.session_of(number)) s->consumed(credit);
}

bool by_number::operator()(const peer_node* a, const peer_node* b) const noexcept {
  return a->index < b->index;
}
bool by_number::operator()(const actor_core* a, const actor_core* b) const noexcept {
  return a->slot() < b->slot();
}

peers::peers(node_core& node) : node_(node), self_(node, node.identity(), static_cast<unsigned>(most)) {}

// The table.

peer_node* peers::intern(const node_identity& id) {
  const std::lock_guard lock(guard_);
  const auto found = table_.find(id.id);
  if (found != table_.end()) {
    // A node known only from a ref gets its name when it is linked; only its incarnation is looked at before.
    if (found->second->who.name.empty() && !id.name.empty()) {
      found->second->who.name = id.name;
      --strangers_;
    }
    return found->second.get();
  }
  if (table_.size() >= most || (id.name.empty() && strangers_ >= most_strangers)) return nullptr;
  strangers_ += id.name.empty() ? 1 : 0;
  const auto number = static_cast<unsigned>(table_.size());
  return table_.emplace(id.id, std::make_unique<peer_node>(node_, id, number)).first->second.get();
}

peer_node* peers::named(const std::string& name) {
  const std::lock_guard lock(guard_);
  const auto found = last_of_name_.find(name);
  const bool up = found != last_of_name_.end() && found->second->link.up();
  return up ? found->second : nullptr;
}

std::vector<link_info> peers::links() {
  const std::lock_guard lock(guard_);
  std::vector<link_info> all;
  for (const auto& [name, peer] : last_of_name_) {
    link_info info{.node = peer->who.name, .lane = "none", .why = "the link has ended"};
    if (const session* const s = peer->link.any_session()) {
      info = {.node = peer->who.name,
              .lane = std::string(to_string(s->lane())),
              .why = s->lane_reason(),
              .frames_out = s->frames_out(),
              .frames_in = s->frames_in(),
              .stalled = s->stalled(),
              .suspended = s->suspended(),
              .duplicates = s->duplicates(),
              .resumed = s->resumed()};
    }
    all.push_back(std::move(info));
  }
  return all;
}

// The host.

result<void> peers::admit(const node_identity& peer) {
  if (peer.name == node_.identity().name) return errc::name_taken;
  const std::lock_guard lock(guard_);
  const auto known = last_of_name_.find(peer.name);
  session* const other = known != last_of_name_.end() ? known->second->link.any_session() : nullptr;
  if (other != nullptr && known->second->who.id != peer.id) {
    other->supersede(link_end::died);  // its process was this one's predecessor: later the name is free
    return errc::name_taken;
  }
  const auto same = table_.find(peer.id);
  const bool is_new = same == table_.end();
  if (!is_new && !same->second->who.name.empty() && same->second->who.name != peer.name)
    return errc::name_taken;
  if (table_.size() >= most && is_new) return errc::limit_reached;
  return {};
}

/// Names come and go (a node without one is named after its process): of those that have ended, some are kept to be shown.
void peers::forget_ended_names() {
  if (last_of_name_.size() <= linked_ + most_links_shown) return;
  for (auto at = last_of_name_.begin();
       last_of_name_.size() > linked_ + most_links_shown / 2 && at != last_of_name_.end();) {
    const bool linked = at->second->link.any_session() != nullptr;
    at = linked ? std::next(at) : last_of_name_.erase(at);
  }
}

void peers::stream_up(worker& on, session& s, out_stream& stream) {
  peer_node* const peer = intern(s.peer());
  auto& streams = node_.state(on.index()).streams;
  if (streams.size() <= peer->index) streams.resize(peer->index + 1, nullptr);
  streams[peer->index] = &stream;
  end_meeting(node_.state(on.index()), *peer);
}

void peers::link_up(session& s) {
  peer_node* const peer = intern(s.peer());
  s.cookie = peer;
  peer->near.store(s.is_near(), std::memory_order_relaxed);
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(guard_);
    number = peer->link.begin(s, s.home());
    last_of_name_[peer->who.name] = peer;
    ++linked_;
    forget_ended_names();
  }
  log(log_level::info, node_.identity().name + ": linked with " + s.peer().name + " over " +
                           std::string(to_string(s.lane())) + " (" + s.lane_reason() + ")");
  node_.workers().at(0).post(
      [this, peer, number, at = s.dialled_at()](worker&) { node_.all_names().peer_up(*peer, number, at); });
}

void peers::lane_changed(session& s) {
  log(log_level::info, node_.identity().name + ": the link with " + s.peer().name + " goes on over " +
                           std::string(to_string(s.lane())) + " (" + s.lane_reason() + ")");
}

route_binding peers::bind(session& from, std::uint64_t target, std::string_view schema) {
  const auto nowhere = [&](errc why) {
    return route_binding{&deliver_nowhere, static_cast<std::uint64_t>(why), target};
  };
  const auto [slot, generation] = split(target);
  const actor_core* const core = node_.all_slots().find(slot);
  if (core == nullptr) return nowhere(errc::no_such_actor);
  const protocol_info* const accepts = core->accepts(generation);
  if (accepts == nullptr) return nowhere(errc::no_such_actor);
  std::string why = printable(schema_name(schema)) + ": the target takes no such message";
  for (const value_type* const type : accepts->messages) {
    if (type->wire == nullptr || type == &value_type_of<down>) continue;
    if (schema_name(type->wire->schema) != schema_name(schema)) continue;
    if (auto mismatch = schema_mismatch(schema, type->wire->schema)) {
      why = std::move(*mismatch);
      break;
    }
    return {&deliver_to_actor, static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(type)), target,
            schema != type->wire->schema};  // compatible and different: one has more fields
  }
  log(log_level::warning, node_.identity().name + ": messages of " + from.peer().name + " refused: " + why);
  return nowhere(errc::wrong_protocol);
}

void peers::reply(session& s, std::uint64_t correlation, errc status, reader& body, const bulk& apart) {
  const auto* const from = static_cast<const peer_node*>(s.cookie);
  // Numbers can be guessed: only the peer that was asked may answer.
  const auto find = [from](worker_state& at, std::uint64_t number) -> ask_base* {
    const auto found = at.asks.find(number);
    return found != at.asks.end() && found->second.peer == from ? found->second.who : nullptr;
  };
  const auto worker_index = static_cast<unsigned>(correlation >> 56);
  if (worker_index >= node_.workers().size()) return body.fail();
  if (mutated(mutant::lost_reply) && node_.world().random() % 3 == 0) return;
  worker_state& asker = node_.state(worker_index);
  if (&asker == node_.here()) {
    ask_base* const ask = find(asker, correlation);
    return ask != nullptr ? ask->on_link_reply(status, body) : node_.count(entry::replies_lost);
  }
  std::string copy(apart.empty() ? body.remaining() : 0, '\0');
  body.read(copy.data(), copy.size());
  asker.home.post([&asker, find, correlation, status, apart, copy = std::move(copy), context = body.context(),
                   lent = std::vector(body.attachments().begin(), body.attachments().end())](worker&) {
    const std::span<const std::byte> whole =
        apart.empty() ? std::as_bytes(std::span(copy)) : apart.trusted_bytes();
    reader again(whole, context, lent);
    ask_base* const ask = find(asker, correlation);
    return ask != nullptr ? ask->on_link_reply(status, again) : asker.node.count(entry::replies_lost);
  });
}

void peers::control(session& s, const control_note& note) {
  auto& peer = *static_cast<peer_node*>(s.cookie);
  switch (note.kind) {
    case note_monitor: return begin_watch(peer, note);
    case note_demonitor:
    case note_cancel: {
      const auto [slot, generation] = split(note.subject);
      actor_core* const core = node_.all_slots().find(slot);
      if (core == nullptr) return;
      auto* const c = new detail::control(note.kind == note_cancel ? order::cancel : order::demonitor);
      c->peer = &peer;
      c->watch = note.object;
      return core->command(generation, c);
    }
    case note_down: {
      const auto worker_index = static_cast<unsigned>(note.object >> 56);
      if (worker_index >= node_.workers().size()) return;
      const auto how =
          static_cast<exit_kind>(std::min(note.code, static_cast<std::uint8_t>(exit_kind::linked)));
      worker_state& watcher = node_.state(worker_index);
      if (&watcher == node_.here())
        return deliver_notice(watcher, peer, note.object, how, std::string(note.text));
      watcher.home.post([&watcher, &peer, number = note.object, how, text = std::string(note.text)](worker&) {
        deliver_notice(watcher, peer, number, how, text);
      });
      return;
    }
    case note_link:
    case note_unlink:
    case note_sever: return take_link_note(node_, peer, note);
    default: return;  // a later version's note: not for us
  }
}

void peers::link_stalled(session& s) {
  const std::string link = node_.identity().name + ": link with " + s.peer().name;
  if (!s.stalled() && !s.suspended()) return log(log_level::info, link + " goes on");
  const std::string what =
      s.suspended() ? " has lost its connection" : " stalls: nothing has come for a while";
  log(log_level::warning, link + what + "; it ends with its lease of " +
                              std::to_string(node_.options().lease / std::chrono::milliseconds(1)) + " ms");
}

void peers::begin_watch(peer_node& from, const control_note& note) {
  const auto [slot, generation] = split(note.subject);
  const std::uint32_t before = from.watched_here.fetch_add(1, std::memory_order_relaxed);
  actor_core* const core = node_.all_slots().find(slot);
  if (core == nullptr) return notify_peer(node_, from, note.object, exit_kind::no_such_actor, {});
  if (before >= most_watched) {
    return notify_peer(node_, from, note.object, exit_kind::unreachable,
                       "the peer watches too many actors here");
  }
  auto* const c = new detail::control(order::monitor);
  c->peer = &from;
  c->watch = note.object;
  c->session = from.link.number();
  core->command(generation, c);
}

void peers::stream_acked(worker& on, std::uint64_t messages) {
  node_.state(on.index())
      .count.add(entry::handed_over, mutated(mutant::double_ack) ? 2 * messages : messages);
}

void peers::stream_down(worker& on, session& s, std::uint64_t unacked) {
  worker_state& state = node_.state(on.index());
  const peer_node* const peer = intern(s.peer());
  if (!mutated(mutant::forgotten_unknown)) state.count.add(entry::unknown, unacked);
  state.streams[peer->index] = nullptr;
  std::vector<ask_base*> lost;
  for (const auto& [number, ask] : state.asks) {
    if (ask.peer == peer) lost.push_back(ask.who);
  }
  for (ask_base* const ask : lost) ask->end_link_ask(errc::link_down);
}

void peers::link_down(session& s, link_end why, std::string_view text) {
  auto* const peer = static_cast<peer_node*>(s.cookie);
  if (peer == nullptr) return;
  {
    const std::lock_guard lock(guard_);
    peer->link.end();
    --linked_;
  }
  log(log_level::info,
      node_.identity().name + ": link with " + peer->who.name + " has ended: " + std::string(text));
  const exit_kind how =
      why == link_end::died || why == link_end::left ? exit_kind::died : exit_kind::unreachable;
  for (unsigned i = 0; i < node_.workers().size(); ++i) {
    node_.workers().at(i).post(
        [this, peer, how, i, number = peer->link.number(), reason = std::string(text)](worker&) {
          lose_watches(node_.state(i), *peer, how, reason);
          node_.state(i).ties.lose(*peer, number, {how, reason});
          abandon_requests(node_.state(i), *peer, number);
          if (i == 0) node_.all_names().peer_down(*peer, number, {how, reason});
        });
  }
}

}  // namespace troupe::detail
