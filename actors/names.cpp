#include "names.hpp"

#include <algorithm>
#include <utility>

#include <troupe/log.hpp>

#include "delivery.hpp"
#include "mesh.hpp"
#include "node_core.hpp"
#include "node_watchers.hpp"
#include "peers.hpp"
#include "root.hpp"

namespace troupe::detail {
namespace {

std::vector<std::string> schemas_of(const protocol_info& p) {
  std::vector<std::string> all;
  for (const value_type* const type : p.messages) {
    if (type->wire != nullptr && type != &value_type_of<down>) all.emplace_back(type->wire->schema);
  }
  return all;
}

/// Does an actor that accepts `offered` take every message of `wanted`?
bool serves(const std::vector<std::string>& offered, const protocol_info& wanted) {
  return std::all_of(wanted.messages.begin(), wanted.messages.end(), [&](const value_type* type) {
    if (type == &value_type_of<down>) return true;
    if (type->wire == nullptr) return false;
    return std::any_of(offered.begin(), offered.end(), [&](const std::string& schema) {
      return !schema_mismatch(type->wire->schema, schema);
    });
  });
}

constexpr std::size_t most_bytes_of_a_name = max_chunk - 1024;  // it fits into one frame to a peer

/// At most so many.
std::size_t encoded_bytes(const name_change& change) {
  std::size_t bytes = change.name.size() + 64;
  for (const std::string& schema : change.schemas) bytes += schema.size() + 8;
  return bytes;
}

std::string link_broke(const peer_node& peer) {
  return "the link with " + peer.who.name + " broke while it was being set up; try again";
}

void answer(receipt* r, error outcome) noexcept {
  r->outcome = outcome;
  send_home(r);
}

}  // namespace

names::~names() {
  for (const waiting_lookup& w : lookups_) destroy(w.answer);
  for (const waiting_join& w : joins_) destroy(w.answer);
}

// Publishing.

void names::publish(const std::string& name, const address& who, const protocol_info& accepts, receipt* r) {
  const bool well_formed = !name.empty() && name.size() <= 255 && name.find('@') == std::string::npos;
  if (!well_formed) return answer(r, errc::bad_name);
  if (leaves_) return answer(r, errc::stopped);
  if (!who || who.is_remote() || who.core()->generation() != who.generation)
    return answer(r, errc::no_such_actor);
  const auto known = own_.find(name);
  if (known != own_.end() && known->second.what.actor) {
    const bool by_itself =
        known->second.what.actor == ref_to<protocol<>>(who);  // a restarted actor's next life
    return answer(r, by_itself ? errc::ok : errc::name_taken);
  }
  if (own_.size() >= node_.options().most_names) drop_withdrawn();
  if (own_.size() >= node_.options().most_names) return answer(r, errc::limit_reached);
  name_change published{name, ref_to<protocol<>>(who), schemas_of(accepts)};
  if (encoded_bytes(published) > most_bytes_of_a_name) return answer(r, errc::too_large);
  try {
    monitor(node_.root(), who);
  } catch (const std::bad_alloc&) {
    return answer(r, errc::no_memory);
  }
  own_[name] = {std::move(published), ++version_};
  changed(name);
  answer(r, errc::ok);
}

void names::withdraw(const address& ended) {
  for (auto& [name, own] : own_) {
    if (address_of(own.what.actor) != ended) continue;
    own = {{name, {}, {}}, ++version_};
    changed(name);
  }
}

void names::leave(std::function<void()> told) {
  leaves_ = true;
  left_ = std::move(told);
  for (auto& [name, own] : own_) {
    if (!own.what.actor) continue;
    own = {{name, {}, {}}, ++version_};
    changed(name);
  }
  leave_if_told();
}

void names::fall_silent() {
  for (const auto& [peer, known] : peers_) node_.face().kill(known.announcer);
}

void names::leave_if_told() {
  const auto is_told = [this](const auto& entry) {
    return !entry.second.announcer || entry.second.told >= version_;
  };
  if (left_ && std::all_of(peers_.begin(), peers_.end(), is_told)) std::exchange(left_, nullptr)();
}

/// Forgets withdrawn names of which every peer has been told. A peer that is linked later never knew them.
void names::drop_withdrawn() {
  std::uint64_t told = version_;
  for (const auto& [peer, known] : peers_) {
    if (known.announcer) told = std::min(told, known.told);
  }
  std::erase_if(own_,
                [&](const auto& entry) { return !entry.second.what.actor && entry.second.version <= told; });
}

void names::peer_was_told(peer_node& peer, std::uint64_t version) {
  if (const auto known = peers_.find(&peer); known != peers_.end()) known->second.told = version;
  leave_if_told();
}

void names::poke_announcer(peer_node& peer) {
  const auto known = peers_.find(&peer);
  if (known == peers_.end()) return;
  const result<void> poked = known->second.announcer.try_send<names_changed>();
  if (poked || poked.error() != errc::no_memory) return;  // full: it will look anyway
  node_.workers().at(0).post([this, &peer](worker&) { poke_announcer(peer); });
}

/// Tells the announcers, and the lookups that wait for this name.
void names::changed(const std::string& name) {
  for (const auto& [peer, known] : peers_) poke_announcer(*peer);
  lookups_.remove_if([&](const waiting_lookup& w) {
    return w.name.substr(0, w.name.find('@')) == name && answer_lookup(w, true);
  });
}

std::vector<name_change> names::changes_after(std::uint64_t version, std::size_t most,
                                              std::uint64_t& last) const {
  std::vector<const own_name*> newer;
  for (const auto& [name, own] : own_) {
    if (own.version > version) newer.push_back(&own);
  }
  std::sort(newer.begin(), newer.end(), [](const auto* a, const auto* b) { return a->version < b->version; });
  if (newer.size() > most) newer.resize(most);
  last = newer.empty() ? version : newer.back()->version;
  std::vector<name_change> changes;
  for (const own_name* const own : newer) changes.push_back(own->what);
  return changes;
}

// Finding.

errc names::find(const std::string& wanted_name, const protocol_info& wanted, address& found) const {
  const auto at = wanted_name.find('@');
  const std::string name = wanted_name.substr(0, at);
  const std::string where = at == std::string::npos ? std::string() : wanted_name.substr(at + 1);
  const name_change* only = nullptr;
  unsigned hits = 0;
  const auto consider = [&](const std::string& node, const name_change& entry) {
    if (!entry.actor || (!where.empty() && where != node)) return;
    only = &entry;
    ++hits;
  };
  if (const auto own = own_.find(name); own != own_.end()) consider(node_.identity().name, own->second.what);
  for (const auto& [peer, known] : peers_) {
    if (const auto entry = known.names.find(name); entry != known.names.end())
      consider(peer->who.name, entry->second);
  }
  if (hits == 0) return errc::not_found;
  if (hits > 1) return errc::ambiguous;
  if (!serves(only->schemas, wanted)) return errc::wrong_protocol;
  found = address_of(only->actor);
  return errc::ok;
}

bool names::answer_lookup(const waiting_lookup& w, bool may_wait) {
  address found;
  const errc how = find(w.name, *w.wanted, found);
  if (how == errc::not_found && may_wait) return false;
  if (how == errc::ok) {
    ::new (w.answer->storage()) address(found);
    w.answer->has_value = true;
  }
  answer(w.answer, how);
  return true;
}

void names::lookup(const std::string& name, const protocol_info& wanted, bool wait, receipt* r) {
  const waiting_lookup w{name, &wanted, r};
  if (answer_lookup(w, wait)) return;
  lookups_.remove_if([](const waiting_lookup& old) {
    if (!old.answer->state.cancelled()) return false;
    destroy(old.answer);
    return true;
  });
  if (lookups_.size() >= node_.options().most_names) return answer(r, errc::limit_reached);
  lookups_.push_back(w);
}

// Peers.

void names::peer_up(peer_node& peer, std::uint32_t link, const std::optional<endpoint>& at) {
  if (const auto old = peers_.find(&peer); old != peers_.end() && old->second.link != 0)
    forget(old, {exit_kind::unreachable, "it is linked anew"});
  known_peer& known = peers_[&peer];
  known.link = link;
  known.announcer = spawn_announcer(node_, peer);
  if (!known.announcer) {
    log(log_level::warning, node_.identity().name + ": at its limit of actors: " + peer.who.name +
                                " is not told its names; raise node_options::most_actors");
  }
  node_.all_nodes().up(peer, at);
}

void names::peer_down(peer_node& peer, std::uint32_t link, const exit_reason& why) {
  const auto known = peers_.find(&peer);
  if (known == peers_.end() || known->second.link != link) return;
  forget(known, why);
  joins_.remove_if([&](const waiting_join& w) {
    if (w.peer != &peer) return false;
    fail_join(w.answer, link_broke(peer));
    return true;
  });
}

void names::forget(std::map<peer_node*, known_peer>::iterator gone, const exit_reason& why) {
  foreign_ -= gone->second.names.size();
  node_.all_nodes().down(*gone->first);
  if (gone->second.has_said_all) node_.watchers().down(*gone->first, why);
  node_.face().stop(gone->second.announcer);
  peers_.erase(gone);
  leave_if_told();
}

void names::peer_said(peer_node& peer, const name_change& change) {
  if (!peer.link.up()) return;
  auto& theirs = peers_[&peer].names;
  const address& who = address_of(change.actor);
  if (!who) {
    foreign_ -= theirs.erase(change.name);
  } else if (who.is_remote() && who.peer() == &peer &&
             (theirs.contains(change.name) || foreign_ < node_.options().most_names)) {
    foreign_ += theirs.insert_or_assign(change.name, change).second ? 1 : 0;
    changed(change.name);
  }
}

void names::peer_has_said_all(peer_node& peer) {
  if (!peer.link.up()) return;
  if (!std::exchange(peers_[&peer].has_said_all, true)) node_.watchers().up(peer);
  joins_.remove_if([&](const waiting_join& w) {
    if (w.peer != &peer) return false;
    answer(w.answer, errc::ok);
    return true;
  });
}

// Joining: linked, and the peer's names are known.

void names::fail_join(receipt* r, const std::string& why) {
  ::new (r->storage()) std::string(why);
  r->has_value = true;
  answer(r, errc::ok);
}

void names::join(const std::string& url, receipt* r) {
  auto to = endpoint::parse(url);
  if (!to) return fail_join(r, to.error().text);
  const instant until = node_.world().now() + node_.options().join_deadline;
  node_.links().join(*to, until,
                     [this, r](const result<session*, setup_error>& linked) { joined(linked, r); });
}

void names::adopt(inherited_link link, receipt* r) {
  const bool child_process = link.peer.pid != 0;
  const duration patience = node_.options().join_deadline;
  node_.links().adopt(
      std::move(link), patience, [this, r, child_process](const result<session*, setup_error>& linked) {
        if (!child_process) return joined(linked, r);
        ::new (r->storage()) std::string(linked ? (*linked)->peer().name : linked.error().text);
        r->has_value = true;
        answer(r, linked ? errc::ok : errc::unreachable);
      });
}

void names::joined(const result<session*, setup_error>& linked, receipt* r) {
  if (!linked) return fail_join(r, linked.error().text);
  peer_node* const peer = node_.all_peers().intern((*linked)->peer());
  if (!peer->link.up()) {  // peer_down has come or is about to
    return fail_join(r, link_broke(*peer));
  }
  const auto known = peers_.find(peer);
  if (known != peers_.end() && known->second.has_said_all) return answer(r, errc::ok);
  joins_.push_back({peer, r});
}

}  // namespace troupe::detail
