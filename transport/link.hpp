// One connection from its first byte to its last: connects or is accepted, shakes hands, becomes a session,
// and tells the hub what became of it. Made and destroyed by the hub; everything else runs on its home
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
  virtual link_registry& registry() noexcept = 0;

  virtual void link_is_up(std::uint64_t number, std::shared_ptr<link_session> session) = 0;
  /// The handshake failed.
  virtual void link_failed(std::uint64_t number, refusal why) = 0;
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
  void close();

 private:
  detached run_accepted();
  detached run_dialled(std::vector<endpoint> to);
  detached run_adopted();
  task<void> become_session(bool greeted);
  task<bool> greet_any(std::vector<endpoint> to);
  bool vouch_for_peer();
  task<bool> greet_as_acceptor();
  task<bool> greet_as_dialer();
  task<bool> read_hello(const heard& from);
  std::optional<refusal> objection(const incarnation& dialer);
  task<bool> refuse(refusal why);
  bool take_refusal(const heard& from);
  task<std::shared_ptr<lane>> choose_lane();
  task<std::shared_ptr<lane>> share_memory();
  std::shared_ptr<lane> over_socket();
  void finish(std::shared_ptr<lane> over);
  void gone(link_end why);
  void fail();

  hello own_hello() const;
  std::vector<worker*> all_workers() const;

  link_owner& owner_;
  worker& home_;
  std::uint64_t number_;
  greeter greeter_;
  bool accepted_ = false;
  lane_kind kind_ = lane_kind::tcp;
  peer_process process_;  // on a local socket
  hello peer_;
  bool claimed_ = false;
  refusal refused_;  // by either side
  std::string lane_reason_;
  std::shared_ptr<link_session> session_;
};

}  // namespace troupe::detail
