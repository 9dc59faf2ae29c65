// The inside of a node: what every part of actors/ shares.
//
// | member                          | who touches it                                          |
// | worker_state                    | its worker; books() also read by whoever sums           |
// | slots                           | own worker's free list; a mutex for everybody else      |
// | peers                           | a mutex; peer_node objects stay where they are          |
// | names, mesh, meetings, watchers | worker 0; meetings::begin any worker or thread          |
// | kinds, dead letters and overdue | a mutex each                                            |
// | alarms, labels, watch           | see their headers                                       |
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <troupe/node.hpp>

#include "activity.hpp"
#include "alarms.hpp"
#include "blocking_pool.hpp"
#include "books.hpp"
#include "burst.hpp"
#include "control.hpp"
#include "crowds.hpp"
#include "head_start.hpp"
#include "held_watch.hpp"
#include "hub.hpp"
#include "kind_census.hpp"
#include "label_table.hpp"
#include "mailbox_budget.hpp"
#include "peer_ties.hpp"
#include "rundown.hpp"
#include "scheduler.hpp"
#include "waiting_room.hpp"

namespace troupe::detail {

struct link_wait;
class meetings;
class mesh;
class names;
class node_watchers;
class peers;
class slots;

/// What one worker of a node has for itself; worker::owner points here.
class worker_state {
 public:
  worker_state(node_core& n, worker& w) noexcept;

  node_core& node;
  worker& home;
  books count;
  activity shown;
  std::uint32_t turns_left = 0;  // of the present run's
  std::uint32_t looks_at = 0;    // the inlet, when there are so few left
  burst out;                     // of the present run
  kind_census kinds;
  label_table labels;  // of this worker's actors

  // Links (link.cpp): this worker's sending streams by peer_node::index, and what waits for peers.
  struct pending_ask {
    ask_base* who;
    peer_node* peer;
  };
  struct pending_watch {
    actor_core* watcher;
    std::uint32_t generation;
    address whom;
    envelope* notice;
    bool told;  // the peer; else it is to be met first
  };
  /// What this worker's run sends to an actor of another worker goes with others, and is accepted (burst.hpp). A run that has
  /// used its time slice holds nothing back.
  bool takes_by_burst(actor_core& to, std::uint32_t generation, envelope& e) noexcept {
    if (home.running == nullptr) return false;
    if (!shown.slice_is_used()) return out.takes(to, generation, e);
    out.end();
    return false;
  }
  out_stream* stream_to(const peer_node& peer) const noexcept;
  std::uint64_t next_number() noexcept { return std::uint64_t{home.index()} << 56 | ++last_number_; }

  peer_ties ties;
  std::vector<out_stream*> streams;
  std::unordered_map<std::uint64_t, pending_ask> asks;       // by correlation
  std::unordered_map<std::uint64_t, pending_watch> watches;  // by watch number
  std::list<link_wait*> unmet;                               // for third nodes (meetings.hpp)

  mailbox_budget::share held;    // by the mailboxes of this worker's actors
  std::vector<address> starved;  // of them, those where messages wait for the node's room
  crowds waiting_here;           // where neighbours wait for room
  head_start ahead;              // of those

  /// Gives back the credit that a taken or dropped message held; sent to the link at the end of the turn.
  void return_credit(const credit_note& c) noexcept;

 private:
  void flush_credit() noexcept;
  struct credit_flush : deferred {
    explicit credit_flush(worker_state& s) noexcept
        : deferred([](deferred& self) noexcept { static_cast<credit_flush&>(self).of.flush_credit(); }),
          of(s) {}
    worker_state& of;
  };
  std::uint64_t last_number_ = 0;
  std::vector<credit_note> credits_;
  credit_flush flush_;
};

class node_core {
 public:
  static result<std::unique_ptr<node_core>, setup_error> create(node_options options);
  node_core(const node_core&) = delete;
  node_core& operator=(const node_core&) = delete;
  ~node_core();

  bool stop(duration deadline);

  const node_options& options() const noexcept { return options_; }
  env& world() const noexcept { return *options_.world; }
  troupe::node& face() noexcept { return face_; }
  const node_identity& identity() const noexcept { return identity_; }
  scheduler& workers() noexcept { return *scheduler_; }
  worker_state& state(unsigned worker) noexcept { return *states_[worker]; }
  /// The state of the worker that runs on this thread, if it is one of this node's.
  worker_state* here() noexcept {
    if (current_worker == nullptr) return nullptr;
    auto* const state = static_cast<worker_state*>(current_worker->owner);
    return state != nullptr && &state->node == this ? state : nullptr;
  }
  hub& links() noexcept { return *hub_; }
  bulk_pool& bulks() noexcept { return *bulks_; }
  slots& all_slots() noexcept { return *slots_; }
  peers& all_peers() noexcept { return *peers_; }
  names& all_names() noexcept { return *names_; }
  meetings& all_meetings() noexcept { return *meetings_; }
  mesh& all_nodes() noexcept { return *mesh_; }
  node_watchers& watchers() noexcept { return *watchers_; }
  actor_core& root() noexcept { return *root_; }
  const std::vector<endpoint>& endpoints() const noexcept { return endpoints_; }
  bool stopping() const noexcept { return actors_.begun(); }
  /// False in a copy that fork() has made of its process: there it has no threads, so nothing waits for them.
  bool is_here() const noexcept { return world().process_id() == process_; }
  /// By when an actor that is stopped now must have ended.
  instant stop_by(instant now) const noexcept { return stopping() ? stop_by_ : now + options_.stop_deadline; }
  worker& next_worker() noexcept;
  /// Numbers the children of the root, in the order in which they were spawned.
  std::uint64_t next_birth() noexcept { return births_.fetch_add(1, std::memory_order_relaxed) + 1; }
  std::uint64_t births() const noexcept { return births_.load(std::memory_order_relaxed); }

  // Books.
  void count(entry e, std::uint64_t n = 1) noexcept;
  /// Counts a dead letter and keeps it as a sample.
  void count_undelivered(errc why, const value_type* type, const address& to) noexcept;
  accounting sum_books();

  mailbox_budget& budget() noexcept { return budget_; }
  blocking_pool& blocking_calls() noexcept { return blocking_calls_; }
  /// The mailboxes hold so many bytes more (or less).
  void hold(std::int64_t bytes) noexcept;
  /// They hold less than the limit again: who waits for that may go on.
  void tell_of_room() noexcept;
  node_info inspect(const inspect_options& how);  // inspect.cpp
  std::vector<dead_letter> dead_letters();

  // Kinds.
  result<void> offer(offered_kind k);
  const offered_kind* offered(const std::string& name);

  void root_ended() noexcept;
  /// Only the root's slot is taken, and the node stops.
  void slot_left() noexcept;
  void count_overdue() noexcept { overdue_.fetch_add(1, std::memory_order_relaxed); }
  void report_overdue(std::string line);
  void forget_overdue();
  std::vector<std::string> overdue();

  // Seeing; any thread.
  alarms& all_alarms() noexcept { return alarms_; }
  held_watch& watch() noexcept { return watch_; }
  /// "/node/parent/name" of an actor that lives.
  std::string path_of(const actor_core& who) const;

 private:
  node_core(node_options options, std::shared_ptr<const link_security> security,
            std::unique_ptr<scheduler> s);
  result<void, setup_error> open();
  result<void, setup_error> listen();
  void leave(instant until);
  void close_links();
  void stop_all(duration deadline);

  node_options options_;
  const std::int32_t process_ = options_.world->process_id();
  node_identity identity_;
  troupe::node face_;
  std::unique_ptr<scheduler> scheduler_;
  alarms alarms_{identity_.name};
  held_watch watch_{*this};
  std::vector<std::unique_ptr<worker_state>> states_;
  rundown actors_;  // begins before the root is stopped
  std::unique_ptr<slots> slots_;
  std::unique_ptr<peers> peers_;
  std::unique_ptr<mesh> mesh_;
  std::unique_ptr<meetings> meetings_;
  std::unique_ptr<node_watchers> watchers_;
  std::unique_ptr<names> names_;
  std::shared_ptr<bulk_pool> bulks_;
  std::unique_ptr<hub> hub_;
  std::vector<endpoint> endpoints_;
  actor_core* root_ = nullptr;
  mailbox_budget budget_;
  blocking_pool blocking_calls_;
  books outside_;  // of threads that are no workers of this node
  std::atomic<unsigned> turn_{0};
  std::atomic<std::uint64_t> births_{0};
  std::atomic<std::uint32_t> overdue_{0};  // actors killed at their stop's deadline
  instant stop_by_{};                      // of the node's own stop; written before that begins

  std::mutex kinds_guard_;
  std::unordered_map<std::string, offered_kind> kinds_;

  std::mutex dead_guard_;
  struct dead_sample {
    errc why;
    const value_type* type;
    std::uint32_t slot;
    std::uint32_t generation;
  };
  std::vector<dead_sample> dead_;
  std::size_t dead_next_ = 0;
  std::vector<std::string> overdue_lines_;

  waiting_room ending_;  // stop() waits here; what follows is under its guard
  bool root_ended_ = false;
  bool stop_begun_ = false;
  bool stopped_ = false;    // the threads are joined; written under both mutexes
  std::mutex books_guard_;  // held while the books are summed and while the threads are joined
};

}  // namespace troupe::detail
