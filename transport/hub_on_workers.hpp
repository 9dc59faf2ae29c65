// The hub as it is: links on all workers, and on worker 0 who is dialled, who listens, and what becomes of them. hub.cpp has what
// comes in and what ends, hub_dialling.cpp whatever is dialled.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "acceptor.hpp"
#include "hub.hpp"
#include "link.hpp"

namespace troupe::detail {

inline constexpr duration retry_after = std::chrono::milliseconds(50);
inline constexpr duration most_retry_after =
    std::chrono::seconds(5);  // of who dials again; so long a link must live to be a good one

/// Where nodes of this user on this host find the one that listens on `port`.
endpoint beside(env& world, std::uint16_t port);

class hub_on_workers;

/// One join(): dials until it is linked. Or dials for a link that has lost its connection, or could have a better lane. Worker 0.
struct joining {
  joining(hub_on_workers& of, endpoint at, instant deadline, hub::joined d)
      : hub_(of), to(std::move(at)), until(deadline), done(std::move(d)) {}
  void dial_again();

  hub_on_workers& hub_;
  endpoint to;
  instant until;
  hub::joined done;
  std::uint64_t link = 0;                    // the attempt that is under way
  std::string lost;                          // the peer that it was linked with: it is dialled again
  std::uint64_t carries = 0;                 // the link whose session is to go on
  bool moves = false;                        // to shared memory
  std::optional<instant> nobody_since = {};  // nobody listens there, and did not either then
  duration pause = retry_after;
  refusal last;
  bound_timer<joining, &joining::dial_again> retry{*this};
};

/// Worker 0 owns every field but the registry and what never changes.
class hub_on_workers final : public hub, public link_owner {
 public:
  hub_on_workers(scheduler& workers, session_host& host, const link_options& options)
      : workers_(workers),
        host_(host),
        options_(options),
        zero_(workers.at(0)),
        registry_(options.max_links),
        resolver_(zero_.world()) {
    if (options.announce) announced_ = *options.announce;
  }
  ~hub_on_workers() override {
    TROUPE_ASSERT(links_.empty() && joins_.empty(), "close() a hub and wait for it before destroying it");
  }

  result<endpoint, setup_error> listen(const endpoint& at) override;
  void join(const endpoint& to, instant until, joined done) override;
  void meet(const node_identity& who, const endpoint& at, duration pause, instant until) override;
  void adopt(inherited_link link, duration patience, joined done) override;
  void close(std::function<void()> done) override;

  void dial(joining& j);

 private:
  /// Whom to dial again when the link breaks: as if it had never been up, unless it was for long.
  struct lasting_join {
    endpoint to;
    duration pause;
    instant until;
  };
  struct one_link {
    std::shared_ptr<detail::link> connection;
    worker* home;
    std::shared_ptr<link_session> session;  // once it is up
    joined adopted = {};                    // shaking hands, and adopted: to be told
    std::optional<endpoint> dialled = {};
    std::optional<lasting_join> lasting = {};
    instant since = {};         // it is up
    instant sought = {};        // memory, the last time
    duration seek_memory = {};  // after such a pause, the next time that it is over a socket
  };

  scheduler& workers() noexcept override { return workers_; }
  session_host& host() noexcept override { return host_; }
  const link_options& options() noexcept override { return options_; }
  const endpoint& announced() noexcept override { return announced_; }
  link_registry& registry() noexcept override { return registry_; }
  resolver& names() noexcept override { return resolver_; }
  void link_is_up(std::uint64_t number, std::shared_ptr<link_session> session) override;
  void link_is_suspended(std::uint64_t number, bool peer_dials) override;
  void link_failed(std::uint64_t number, refusal why, bool nobody) override;
  void link_is_gone(std::uint64_t number, link_end why) override;

  worker& next_home() noexcept { return workers_.at(next_home_++ % workers_.size()); }
  std::uint64_t new_link(worker& home, bool stranger, std::function<void(detail::link&)> begin);
  std::optional<setup_error> too_open(const endpoint& at) const;
  void start_listening(descriptor listener, const endpoint& at);
  void accepted(descriptor socket, bool local);
  void dismiss_oldest_stranger();
  bool has_all_links() const noexcept { return links_.size() - strangers_.size() >= options_.max_links; }
  std::vector<endpoint> ways_to(const endpoint& to) const;
  void dial_to_carry_on(joining& j);
  void seek_memory(std::uint64_t link);
  void dial_to_move(joining& j);
  void carry_on_later(joining& j, bool nobody);
  void drop(joining& j);
  session* linked_with(const incarnation& peer) const;
  joining* join_of(std::uint64_t link);
  void attempt_failed(joining& j, refusal why, bool nobody = false);
  void wait_to_dial(joining& j);
  void stop_dialling(session& linked);
  void dial_later(const lasting_join& lost, const node_identity& who);
  void finish_join(joining& j, result<session*, setup_error> how);
  void close_if_empty();
  std::string says_has_all_links() const;
  std::string advice(const joining& j) const;

  scheduler& workers_;
  session_host& host_;
  link_options options_;
  endpoint announced_;  // as it is before the workers start
  worker& zero_;
  link_registry registry_;
  resolver resolver_;
  std::vector<std::unique_ptr<acceptor>> acceptors_;
  std::vector<std::unique_ptr<joining>> joins_;
  std::map<std::uint64_t, one_link> links_;
  std::uint64_t next_number_ = 1;
  unsigned next_home_ = 0;
  std::set<std::uint64_t> strangers_;  // links that were accepted, and still shake hands
  bool closing_ = false;
  std::function<void()> on_closed_;
};

}  // namespace troupe::detail
