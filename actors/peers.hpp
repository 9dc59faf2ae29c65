// The other nodes that this one has heard of, and the host side of their links.
//
// A peer_node stands for one incarnation of a node for as long as this node lives, so that refs to its actors
// stay valid as values across link loss. The table is bounded; refs to nodes beyond it decode as nobody. Nodes that
// only a peer's refs speak of have a bound of their own, so that a peer cannot use up the room of honest ones.
//
// | peer_node member | who touches it                                                                |
// | who.id, index    | anyone; they never change                                                     |
// | who.name         | written once, before the first link is up; read by whoever knows of the link  |
// | link             | link_state.hpp; the mutex is the table's                                      |
// | introducer, near | anyone                                                                        |
// | outside…         | under its mutex                                                               |
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <troupe/node.hpp>

#include "hub.hpp"
#include "link_state.hpp"
#include "node_core.hpp"

namespace troupe::detail {

class peer_node {
 public:
  peer_node(node_core& n, node_identity id, unsigned number) : node(n), who(std::move(id)), index(number) {}

  node_core& node;
  node_identity who;  // the name is empty until the first link
  const unsigned index;

  /// Gives credit back to the link with that number, on its home worker; nothing if it has ended.
  void consumed(std::uint32_t number, const held_credit& credit);

  link_state link;
  std::atomic<bool> near{false};  // on this host, by the last link; relaxed: read for what has come over that
  std::atomic<peer_node*> introducer{
      nullptr};  // who sent a ref of it, and is linked (meetings.hpp); relaxed: a hint
  std::atomic<std::uint32_t> requests_here{0};  // of its actors, not yet answered; relaxed: none, or some
  std::atomic<std::uint32_t> watched_here{0};   // its monitors of this node's actors, and the links with them

  // Messages of threads that are no workers, on their way to the link (outside.cpp).
  struct outside_message {
    address to;
    envelope* message;
  };
  static constexpr std::size_t most_outside = 1024;
  std::mutex outside_guard;
  std::deque<outside_message> outside;
  std::size_t outside_reserved = 0;
  bool outside_posted = false;  // a forward_outside() is on its way to the home worker
};

class peers : public session_host {
 public:
  static constexpr std::size_t most = 1u
                                      << 18;  // incarnations ever linked, some 700 bytes each: refs keep them
  static constexpr std::size_t most_strangers = 4096;    // known from refs that others sent
  static constexpr std::size_t most_links_shown = 4096;  // that have ended
  static constexpr std::uint32_t most_watched = 65536;   // monitors and links that one peer may hold here

  explicit peers(node_core& node);
  /// This node itself, as the context of codecs when it talks to itself (spawn_on the own name).
  peer_node& self() noexcept { return self_; }
  std::uint64_t walk_outside();

  /// The peer with that incarnation, made if it is new; null when the table is full.
  peer_node* intern(const node_identity& id);
  peer_node* intern(const incarnation& id) { return intern(node_identity{{}, id}); }
  /// The linked peer with that name, or null.
  peer_node* named(const std::string& name);
  std::vector<link_info> links();

  result<void> admit(const node_identity& peer) override;
  void stream_up(worker& on, session& s, out_stream& stream) override;
  void link_up(session& s) override;
  route_binding bind(session& s, std::uint64_t target, std::string_view schema) override;
  void reply(session& s, std::uint64_t correlation, errc status, reader& body, const bulk& apart) override;
  void control(session& s, const control_note& note) override;
  void link_stalled(session& s) override;
  void lane_changed(session& s) override;
  void stream_acked(worker& on, std::uint64_t messages) override;
  void stream_down(worker& on, session& s, std::uint64_t unacked) override;
  void link_down(session& s, link_end why, std::string_view text) override;

 private:
  void forget_ended_names();
  void begin_watch(peer_node& from, const control_note& note);

  node_core& node_;
  peer_node self_;
  std::mutex guard_;
  std::map<incarnation, std::unique_ptr<peer_node>> table_;
  std::size_t strangers_ = 0;  // of the table, without a name
  std::size_t linked_ = 0;
  std::map<std::string, peer_node*> last_of_name_;  // the incarnation that was linked last
};

// Sending to peers, on the sender's worker.
send_outcome send_to_peer(const address& to, const envelope& e) noexcept;
link_wait* wait_for_peer(const address& to, const envelope& e, operation& who);
error outcome_of(const link_wait& w) noexcept;
bool still_waits(const link_wait& w) noexcept;
void destroy(link_wait* w) noexcept;
error to_error(send_outcome how, const envelope& e) noexcept;

// try_send, on any thread.
errc reserve_peer(const address& to, const value_type& type) noexcept;
void unreserve_peer(const address& to) noexcept;
error commit_peer(const address& to, envelope* e) noexcept;
errc reserve_outside(peer_node& peer) noexcept;
void unreserve_outside(peer_node& peer) noexcept;
void commit_outside(const address& to, envelope* e) noexcept;
/// On the link's home worker: what threads have sent until now goes to the link.
void forward_outside(peer_node& peer);

void count_refused(const address& to) noexcept;
void count_reply_lost(const address& asked) noexcept;

}  // namespace troupe::detail
