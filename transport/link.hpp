// One connection from its first byte to its last: connects or is accepted, shakes hands, becomes a session or carries one that
// was suspended, and tells the hub what became of it. Made and destroyed by the hub; everything else runs on its home
// worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "greeter.hpp"
#include "hub.hpp"
#include "link_registry.hpp"
#include "link_session.hpp"

namespace troupe::detail {

class link;

/// What links share, and how they report. Calls come on the link's home worker.
class link_owner {
 public:
  virtual ~link_owner() = default;
  virtual scheduler& workers() noexcept = 0;
  virtual session_host& host() noexcept = 0;
  virtual const link_options& options() noexcept = 0;
  /// Where others can dial this node, if it listens to TCP: port 0 if not; an empty host: where its connections come from; a
  /// loopback address: they must come from there.
  virtual const endpoint& announced() noexcept = 0;
  virtual link_registry& registry() noexcept = 0;
  virtual resolver& names() noexcept = 0;

  virtual void link_is_up(std::uint64_t number, std::shared_ptr<link_session> session) = 0;
  /// Its session has lost its connection.
  /// `peer_dials`: it does so just now.
  virtual void link_is_suspended(std::uint64_t number, bool peer_dials) = 0;
  /// The handshake failed, or was for the session of another link, which has what came of it. `nobody`: each host that was dialled
  /// says that nobody listens there.
  virtual void link_failed(std::uint64_t number, refusal why, bool nobody) = 0;
  /// The session has ended; nothing of it is used any more when the link is let go.
  virtual void link_is_gone(std::uint64_t number, link_end why) = 0;
};

class link : public std::enable_shared_from_this<link> {
 public:
  link(link_owner& owner, worker& home, std::uint64_t number)
      : owner_(owner), home_(home), number_(number), greeter_(home) {}

  void accept(descriptor socket, bool local);
  /// Over a connected local socket: hub::adopt.
  void adopt(inherited_link over, duration patience);
  /// Tries the endpoints in turn until one can be connected to.
  void dial(std::vector<endpoint> to);
  /// For a suspended session, whose home worker is the link's.
  void dial_again(std::vector<endpoint> to, std::shared_ptr<link_session> session);
  /// For a session over a socket, whose home worker is the link's: it is to move to shared memory, over a local socket.
  void dial_to_move(endpoint to, std::shared_ptr<link_session> session);
  void close();
  /// Ends its handshake, if that is under way.
  void dismiss();

  /// Where the peer can be dialled, once it is up; nothing: it does not listen.
  std::optional<endpoint> way_back() const;

 private:
  detached run_accepted();
  detached run_dialled(std::vector<endpoint> to);
  detached run_adopted();
  detached run_dialled_again(std::vector<endpoint> to, std::shared_ptr<link_session> session);
  detached run_dialled_to_move(endpoint to, std::shared_ptr<link_session> session);
  task<void> become_session(bool greeted);
  task<bool> reach(endpoint at);
  task<std::vector<endpoint>> addresses_of(std::vector<endpoint> ways);
  task<bool> greet_any(std::vector<endpoint> to);
  bool vouch_for_peer();
  task<bool> greet_as_acceptor(const heard& first);
  task<bool> greet_as_dialer();
  task<bool> same_version(const heard& from);
  task<void> carry_on(const heard& first);
  std::shared_ptr<link_session> session_that(const resumption& asked);
  task<void> move(const heard& first);
  void move_over(std::shared_ptr<link_session> session, std::uint32_t number, shm_pair memory);
  task<bool> ask_to_carry_on(std::shared_ptr<link_session> session);
  bool judge(link_session& session);
  task<bool> refuse_to_carry_on(refusal_code why);
  bool confirmed(const std::optional<heard>& answer);
  struct preparation;
  preparation prepare(link_session& session, std::uint32_t attempt,
                      link_session::standing& standing) noexcept;
  connection take_connection();
  /// Whether the peer may be that node, by the key that it has proved to have.
  bool may_be(const node_identity& who);
  bool as_secure_as(const link_session& session);
  task<bool> read_hello(const heard& from);
  std::optional<refusal> objection(const incarnation& dialer);
  task<bool> refuse(refusal why);
  bool take_refusal(const heard& from);
  struct chosen_lane {
    std::shared_ptr<socket_lane> socket;  // at most one of these; neither: the handshake has failed
    std::shared_ptr<shm_lane> memory;
  };
  task<chosen_lane> choose_lane();
  task<std::optional<shm_pair>> share_memory(unsigned peer_streams);
  void finish(chosen_lane over);
  void gone(link_end why);
  void fail();

  hello own_hello() const;

  link_owner& owner_;
  worker& home_;
  std::uint64_t number_;
  greeter greeter_;
  bool accepted_ = false;
  bool secure_ = false;             // who the peer is was proved
  std::uint64_t session_name_ = 0;  // of a session that it can dial for again
  lane_kind kind_ = lane_kind::tcp;
  peer_process process_;  // on a local socket
  endpoint from_;         // the other end of a TCP connection
  bool near_ = false;     // the connection does not leave the host
  hello peer_;
  bool claimed_ = false;
  refusal refused_;  // by either side
  bool nobody_ = false;
  std::string lane_reason_;
  std::shared_ptr<link_session> session_;
};

}  // namespace troupe::detail
