// troupe::node: a set of workers, the actors on them, and the links to other nodes.
//
// Embedded in an existing program:
//
//   auto node = troupe::node::start({.name = "front", .workers = 2});
//   if (!node) { std::cerr << node.error().text << '\n'; return 2; }
//   auto acc = node->spawn(run_account, 0);
//   auto cents = acc.blocking_ask<balance>(1s);
//   // the destructor stops the node: its actors end in reverse order of birth
//
// troupe::run (run.hpp) does this for a whole program. Thread-safety: every function may be called from any
// thread unless it says otherwise; co_await only in actors. Refs must not be used after their node is gone.
//
// A copy of the process that fork() makes has none of the node's threads, and so no node: stop and the destructor do nothing
// there, blocking calls fail (stopped), what is sent goes nowhere.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/accounting.hpp>
#include <troupe/cell.hpp>
#include <troupe/inspect.hpp>
#include <troupe/kind.hpp>
#include <troupe/naming.hpp>
#include <troupe/node_events.hpp>
#include <troupe/ref.hpp>
#include <troupe/spawn.hpp>
#include <troupe/supervise.hpp>

namespace troupe {

namespace detail {
class node_core;
node_core& core_of(node& n) noexcept;
result<bulk_buffer> loan(node_core& node, std::size_t size);
}  // namespace detail

/// Which lanes a node may use to its peers: shared memory where the peer is on this host, or only TCP.
enum class lane_choice : std::uint8_t { automatic, tcp };

struct node_options {
  std::string name = {};                 // 1–64 of [A-Za-z0-9._-]; empty: "node-" and its process id
  std::vector<std::string> listen = {};  // tcp://HOST:PORT, unix://PATH
  std::string announce =
      {};  // tcp://ADDRESS:PORT where peers dial this node, if that is not where it listens (NAT)
  unsigned workers = 0;  // 0: one per processor
  io_backend io = io_backend::automatic;
  lane_choice lanes = lane_choice::automatic;
  // TLS over TCP (docs/SECURITY.md). Without a key, TCP is plain, and only on loopback.
  std::string key =
      {};  // file with this node's key: troupe-keys makes it. The node needs a name of its own then
  std::string peers = {};  // file with the names and keys of the nodes that it links with
  bool plaintext =
      false;  // without a key also beyond loopback: everybody on the way can read and change what is sent
  duration ask_deadline = std::chrono::seconds(5);    // of an ask without within()
  duration join_deadline = std::chrono::seconds(10);  // how long join keeps dialling
  std::uint32_t mesh =
      64;  // nodes that it links with on its own, because those that it has joined know them; 0: none
  duration rejoin = std::chrono::hours(1);  // and how long it dials again when that link broke; 0: not
  duration stop_deadline = std::chrono::seconds(5);  // for the ordered stop of all actors
  duration lease = std::chrono::seconds(
      10);  // of a link: so long without a word from the peer, be it that connections break, and it is DOWN; 500 ms to 1 h
  std::uint8_t wire_minor =
      255;  // it speaks this minor version of the wire at most: an older one, until all nodes know the newer
  std::uint32_t most_actors = 16u << 20;
  std::uint32_t most_links = 1024;  // with other nodes
  std::uint64_t mailbox_memory =
      std::uint64_t{1} << 30;  // bytes in all mailboxes together: beyond it, those with messages are full
  std::uint32_t max_message =
      16u << 20;  // bytes of one that comes from another node, encoded; 64 KiB to 256 MiB
  std::uint64_t shared_memory =
      std::uint64_t{1}
      << 30;  // bytes that it shares with processes of this host: bulks that were loaned here,
              // messages over 64 KiB (an eighth at most), the rings of links (half); at least 8 MiB
  std::uint32_t ring_bytes =
      512 * 1024;  // of each: one per link, worker and direction; a power of two from 256 KiB to 64 MiB
  std::size_t kept_memory = std::size_t{32}
                            << 20;  // that the process's malloc keeps for each thread when it is freed: large
                                    // messages are made of it. The last node of the process says; 0: does not
  unsigned blocking_threads = 16;   // of them at most (blocking.hpp)
  std::uint32_t blocking_calls = 1024;   // that may wait for one
  std::uint32_t most_names = 65536;      // published names, of all nodes together
  env* world = nullptr;                  // null: os_env()
  troupe::supervision supervision = {};  // of the node's own children that restart
  watchdog_options watchdog = {};
};

class node {
 public:
  /// Starts the workers and listens. The error is one line that names the value, the place and the fix.
  static result<node, setup_error> start(node_options options);

  node(node&&) noexcept;
  node& operator=(node&&) noexcept;
  ~node();  // as stop()

  const std::string& name() const noexcept;
  /// Which I/O backend the workers use, and why: one line.
  const std::string& io_note() const noexcept;
  /// The endpoints that are bound, with their real ports.
  std::vector<std::string> endpoints() const;

  /// Starts an actor as a child of the node, on the calling worker, or on the next one in turn. A default ref
  /// if the node has stopped or is at its limit of actors.
  template <class F, class... Args>
    requires(!detail::class_actor<F>)
  auto spawn(F function, Args&&... args) {
    return spawn(spawn_options{}, function, std::forward<Args>(args)...);
  }
  template <class F, class... Args>
    requires(!detail::class_actor<F>)
  auto spawn(const spawn_options& options, F function, Args&&... args) {
    return detail::spawn_actor(core(), nullptr, options, function, std::forward<Args>(args)...);
  }
  /// The same for a class (class_actor.hpp).
  template <detail::class_actor T, class... Args>
    requires(!detail::begins_with_options<Args...>)
  auto spawn(Args&&... args) {
    return spawn<T>(spawn_options{}, std::forward<Args>(args)...);
  }
  template <detail::class_actor T, class... Args>
  auto spawn(const spawn_options& options, Args&&... args) {
    return spawn(options, &detail::run_class<T, std::decay_t<detail::unwrapped<Args>>...>,
                 std::forward<Args>(args)...);
  }

  /// Asks an actor of this node to stop, or ends it at its next suspension. Any ref; a dead actor is no
  /// error.
  void stop(const ref<>& who);
  void kill(const ref<>& who);

  /// Memory for a bulk (bulk.hpp). no_memory: node_options::shared_memory is used up, or the kernel has none;
  /// too_large: over 1 GiB.
  result<bulk_buffer> loan(std::size_t size) { return detail::loan(core(), size); }

  /// A value that others read without a message (cell.hpp). no_memory, as loan.
  template <cell_value T>
  result<cell<T>> make_cell(const T& first) {
    return detail::cell_in(loan(detail::cell_bytes<T>), first);
  }

  // Other nodes.

  /// Links with the node that listens at `url`; co_await it: result<void, setup_error>.
  join_operation join(std::string url) { return join_operation(core(), std::move(url)); }

  /// Tells `who` of the nodes that this one is linked with, and then of each that comes or goes, until `who` ends: it misses
  /// none but a node that came and went before it could be told.
  void watch_nodes(const ref<node_events>& who);

  /// Makes an actor of this node known by name, to this node and every node it is linked with, until it ends.
  /// co_await it: result<void> (bad_name, no_such_actor, name_taken, limit_reached, too_large, stopped).
  template <class P>
  publish_operation publish(std::string name, const ref<P>& who) {
    detail::check_protocol_travels(static_cast<typename ref<P>::accepts*>(nullptr));
    return publish_operation(core(), std::move(name), detail::address_of(who),
                             detail::protocol_info_of<typename ref<P>::accepts>);
  }
  /// Finds "name" or "name@node". co_await it: result<ref<P>>: not_found, ambiguous (then name a node),
  /// wrong_protocol. With .within(d) it waits for the name to appear.
  template <class P>
  auto lookup(std::string name) {
    using accepted = detail::as_protocol_t<P>;
    detail::check_protocol_travels(static_cast<accepted*>(nullptr));
    return lookup_operation<accepted>(core(), std::move(name), detail::protocol_info_of<accepted>);
  }

  /// Lets linked nodes spawn this kind here. name_taken if the name is offered already.
  template <auto F>
  result<void> offer(const kind<F>& k) {
    return detail::offer_kind(core(), k);
  }
  /// Spawns an offered kind on the node with that name. co_await it: result<ref<...>>: not_found (no such
  /// node), not_offered, wrong_protocol (the kinds differ), expired, unreachable, link_down.
  template <auto F, class... Args>
  auto spawn_on(std::string_view where, const kind<F>& k, Args&&... args) {
    detail::check_arguments<Args...>();
    return detail::spawn_kind(core(), where, k, std::forward<Args>(args)...);
  }

  // Seeing.
  std::vector<link_info> links() const;
  /// Everything at once: the actors and what each waits for, links, books, alarms. Off the workers only.
  node_info inspect(const inspect_options& how = {}) const;
  /// Sums the books. Off the workers only; waits for every worker to have walked its queues.
  struct accounting accounting() const;
  std::vector<dead_letter> dead_letters() const;  // the last 64
  std::uint64_t live_actors() const noexcept;

  /// Ordered stop: the node's names are withdrawn, of which peers hear first (they have a second at most, and a quarter of the
  /// deadline); no new actors, every actor stopped in reverse order of birth, killed at the deadline, links closed
  /// with a goodbye, threads joined. Off the workers only; idempotent. False if some actor did not end
  /// by the deadline and had to be killed: overdue() names it. Actors whose turn came only after the deadline are killed
  /// as well, and not named.
  bool stop();
  bool stop(duration deadline);
  /// The last 64 actors that were killed because they had not ended by the deadline of their stop, as logged: "/node/
  /// parent/name", how many messages its mailbox held, and whether it waited. Once stop() has begun, those of that stop.
  std::vector<std::string> overdue() const;

 private:
  friend detail::node_core& detail::core_of(node& n) noexcept;
  friend class detail::node_core;
  node(detail::node_core* core, bool owner) noexcept : core_(core), owner_(owner) {}
  detail::node_core& core() const noexcept { return *core_; }

  detail::node_core* core_;
  bool owner_;  // else the face that actors get from self.node()
};

}  // namespace troupe
