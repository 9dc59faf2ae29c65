#include "root.hpp"

#include <algorithm>
#include <utility>

#include <troupe/self.hpp>

#include "node_core.hpp"
#include "peers.hpp"

namespace troupe::detail {
namespace {

constexpr std::size_t names_per_message = 32;
constexpr std::size_t nodes_per_message = 64;
constexpr duration pause_before_again = std::chrono::milliseconds(10);

spawn_answer spawn_here(node_core& node, const spawn_request& what) {
  const offered_kind* const k = node.offered(what.kind);
  if (k == nullptr) return {errc::not_offered, {}};
  if (k->schema != what.schema) return {errc::wrong_protocol, {}};
  const address& asker = address_of(what.from);
  reader arguments(std::as_bytes(std::span(what.arguments)),
                   asker.is_remote() ? asker.peer() : &node.all_peers().self());
  errc why = errc::ok;
  const address born = k->spawn(node, arguments, why);
  if (!born) return {why, {}};
  return {errc::ok, ref_to<protocol<>>(born)};
}

actor run_root(self<root_protocol> me) {
  node_core& node = core_of(me.node());
  co_await me.serve(
      [&](const names_said& said) {
        const address& from = address_of(said.from);
        if (!from.is_remote()) return;
        for (const name_change& change : said.changes) node.all_names().peer_said(*from.peer(), change);
        const std::size_t heard = std::min(said.nodes.size(), nodes_per_message);
        for (std::size_t i = 0; i < heard; ++i) node.all_nodes().introduced(*from.peer(), said.nodes[i]);
        if (said.all) node.all_names().peer_has_said_all(*from.peer());
      },
      [&](const spawn_request& what) { return spawn_here(node, what); },
      [&](const where_is& asked) {
        const address& from = address_of(asked.from);
        return from.is_remote() ? node.all_nodes().way_to(asked.who, *from.peer()) : std::string();
      },
      [&](const down& ended) { node.all_names().withdraw(address_of(ended.actor)); });
}

/// The peer has no memory or no time for it now; to hear it twice does no harm.
bool may_be_said_again(error why) noexcept {
  return why == errc::no_memory || why == errc::expired || why == errc::mailbox_full;
}

/// Tells one peer the names of this node, and the nodes that it is to meet: all of them first, then every change.
actor run_announcer(self<names_changed> me, ref<root_protocol> to) {
  node_core& node = core_of(me.node());
  const ref<> from = ref_to<protocol<>>(node.root().self());
  std::uint64_t told = 0;
  std::uint64_t introduced = 0;
  std::size_t most = names_per_message;
  bool more = true;
  while (more) {
    std::uint64_t last = 0;
    std::vector<name_change> changes = node.all_names().changes_after(told, most, last);
    std::uint64_t last_node = introduced;
    std::vector<introduction> nodes;
    if (changes.empty())  // apart from them: a message to a peer may be no larger than the largest name
      nodes =
          node.all_nodes().introductions_to(*address_of(to).peer(), introduced, nodes_per_message, last_node);
    const bool all = changes.empty() && nodes.size() < nodes_per_message;
    const result<void> heard = co_await to.ask<names_said>(from, give(changes), all, give(nodes));
    if (!heard && heard.error() == errc::too_large && most > 1) {  // long schemas: fewer at a time
      most /= 2;
      continue;
    }
    if (!heard && may_be_said_again(heard.error())) {
      co_await me.sleep(pause_before_again);
      continue;
    }
    if (!heard) co_return;
    told = last;
    introduced = last_node;
    most = names_per_message;
    node.all_names().peer_was_told(*address_of(to).peer(), told);
    if (all) more = static_cast<bool>(co_await me.receive([](names_changed) {}));
  }
}

}  // namespace

ref<root_protocol> root_of(peer_node& peer) noexcept {
  return ref_to<root_protocol>(address::of(&peer, root_slot, root_generation));
}

ref<names_changed> spawn_announcer(node_core& node, peer_node& peer) {
  spawn_options options;
  options.name = "announcer to " + peer.who.name;
  options.mailbox = 1;
  options.worker = 0;
  return spawn_actor(node, nullptr, options, &run_announcer, root_of(peer));
}

void spawn_root(node_core& node) {
  spawn_options options;
  options.name = "root";
  options.worker = 0;
  const auto root = spawn_actor(node, nullptr, options, &run_root);
  TROUPE_ASSERT(address_of(root).slot == root_slot && address_of(root).generation == root_generation,
                "the root is the first actor of its node");
}

task<result<address>> spawn_remote(node_core& node, std::string where, std::string kind, std::string schema,
                                   result<std::string> arguments) {
  if (!arguments) co_return arguments.error();
  spawn_request request{ref_to<protocol<>>(node.root().self()), std::move(kind), std::move(schema),
                        std::move(*arguments)};
  if (where == node.identity().name) {
    const spawn_answer here = spawn_here(node, request);
    if (here.outcome != errc::ok) co_return here.outcome;
    co_return address_of(here.actor);
  }
  peer_node* const peer = node.all_peers().named(where);
  if (peer == nullptr) co_return errc::not_found;
  const result<spawn_answer> answer = co_await root_of(*peer).ask<spawn_request>(give(request));
  if (!answer) co_return answer.error();
  if (answer->outcome != errc::ok) co_return answer->outcome;
  co_return address_of(answer->actor);
}

result<std::string> encode_arguments(node_core& node, const std::string& where,
                                     const std::function<void(writer&)>& write) {
  peer_node* const peer = node.all_peers().named(where);
  peer_node* const context = peer != nullptr ? peer : &node.all_peers().self();
  writer scale = writer::scale(context);
  write(scale);
  if (scale.size() > node.options().max_message) return errc::too_large;
  std::string bytes(scale.size(), '\0');
  writer out(std::as_writable_bytes(std::span(bytes)), context);
  write(out);
  if (!out.ok()) return errc::not_encodable;
  return bytes;
}

}  // namespace troupe::detail
