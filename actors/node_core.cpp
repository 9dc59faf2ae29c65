#include "node_core.hpp"

#include <algorithm>
#include <utility>

#include <troupe/detail/checked.hpp>
#include <troupe/log.hpp>

#include "credit.hpp"
#include "delivery.hpp"
#include "handshake.hpp"
#include "meetings.hpp"
#include "mesh.hpp"
#include "names.hpp"
#include "node_watchers.hpp"
#include "peers.hpp"
#include "root.hpp"
#include "shm_ring.hpp"
#include "slots.hpp"

namespace troupe::detail {
namespace {

constexpr duration most_rejoin = std::chrono::hours(365 * 24);
constexpr duration most_farewell = std::chrono::seconds(1);

bool is_node_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace

// worker_state

worker_state::worker_state(node_core& n, worker& w) noexcept
    : node(n), home(w), held(n.budget()), waiting_here(*this), flush_(*this) {}

out_stream* worker_state::stream_to(const peer_node& peer) const noexcept {
  return peer.index < streams.size() ? streams[peer.index] : nullptr;
}

void worker_state::return_credit(const credit_note& c) noexcept {
  if (c.bytes == 0 || mutated(mutant::kept_credit)) return;
  if (!credits_.empty() && credits_.back().from == c.from && credits_.back().link == c.link &&
      credits_.back().stream == c.stream && credits_.back().destination == c.destination) {
    credits_.back().bytes += c.bytes;
    return;
  }
  credits_.push_back(c);
  home.defer(flush_);
}

void worker_state::flush_credit() noexcept {
  const auto give = [](const credit_note& c) {
    c.from->consumed(c.link, {c.stream, c.destination, c.bytes});
  };
  for (const credit_note& c : std::exchange(credits_, {})) {
    worker* const at = c.from->link.home();
    if (at == &home) {
      give(c);
    } else {
      at->post([give, c](worker&) { give(c); });
    }
  }
}

// node_core

result<std::unique_ptr<node_core>, setup_error> node_core::create(node_options options) {
  if (options.world == nullptr) options.world = &os_env();
  const bool is_named = !options.name.empty();
  if (!is_named) options.name = "node-" + std::to_string(options.world->process_id());
  if (!is_node_name(options.name)) {
    return setup_error{"node name '" + options.name + "': use 1 to 64 of the characters A-Z a-z 0-9 . _ -"};
  }
  if (options.mailbox_memory < mailbox_budget::least || options.mailbox_memory > mailbox_budget::most) {
    return setup_error{"node option mailbox_memory = " + std::to_string(options.mailbox_memory) +
                       ": use 1048576 bytes (1 MiB) to " + std::to_string(mailbox_budget::most)};
  }
  if (options.max_message < least_message_limit || options.max_message > most_message_limit) {
    return setup_error{"node option max_message = " + std::to_string(options.max_message) + ": use " +
                       std::to_string(least_message_limit) + " (64 KiB) to " +
                       std::to_string(most_message_limit) + " bytes (256 MiB)"};
  }
  if (options.lease < std::chrono::milliseconds(500) || options.lease > std::chrono::hours(1)) {
    return setup_error("node option lease = " + std::to_string(options.lease / std::chrono::milliseconds(1)) +
                       " ms: use 500 ms to 1 h");
  }
  if (options.rejoin < duration::zero() || options.rejoin > most_rejoin) {
    return setup_error("node option rejoin = " + std::to_string(options.rejoin / std::chrono::seconds(1)) +
                       " s: use 0 (it does not dial again) to a year");
  }
  if (!options.announce.empty()) {
    const auto at = endpoint::parse(options.announce);
    if (!at) return setup_error{"node option announce: " + at.error().text};
    if (at->family != endpoint::kind::tcp || at->port == 0 || !at->is_numeric())
      return setup_error{"node option announce = " + options.announce +
                         ": use tcp://ADDRESS:PORT, with a numeric address"};
  }
  if (options.shared_memory < bulk_pool::least) {
    return setup_error{"node option shared_memory = " + std::to_string(options.shared_memory) +
                       ": use at least " + std::to_string(bulk_pool::least) + " bytes (8 MiB)"};
  }
  if (!is_ring_size(options.ring_bytes)) {
    return setup_error{"node option ring_bytes = " + std::to_string(options.ring_bytes) +
                       ": use a power of two from " + std::to_string(smallest_ring) + " (256 KiB) to " +
                       std::to_string(largest_ring) + " (64 MiB)"};
  }
  check(options.supervision);
  std::shared_ptr<const link_security> security;
  if (options.key.empty() != options.peers.empty())
    return setup_error("node options key and peers: give both (TLS) or none");
  if (!options.key.empty()) {
    if (!is_named)
      return setup_error("node option key: a node with a key needs a name, which its peers list");
    auto loaded = link_security::load(options.key, options.peers, options.name);
    if (!loaded) return std::move(loaded).error();
    security = std::move(*loaded);
  }
  auto workers = scheduler::create(*options.world, {options.workers, options.io});
  if (!workers) return std::move(workers).error();
  std::unique_ptr<node_core> core(
      new node_core(std::move(options), std::move(security), std::move(*workers)));
  if (auto opened = core->open(); !opened) return std::move(opened).error();
  return core;
}

static incarnation new_incarnation(env& world, const link_security* security) {
  incarnation id{world.random(), world.random()};
  if (security != nullptr) id.low = link_security::bound_half(security->own_key, id.high);
  return id;
}

node_core::node_core(node_options options, std::shared_ptr<const link_security> security,
                     std::unique_ptr<scheduler> s)
    : options_(std::move(options)),
      identity_{options_.name, new_incarnation(*options_.world, security.get())},
      face_(this, false),
      scheduler_(std::move(s)),
      budget_(options_.mailbox_memory, scheduler_->size()),
      blocking_calls_(std::max(1u, options_.blocking_threads), options_.blocking_calls) {
  for (unsigned i = 0; i < scheduler_->size(); ++i) {
    states_.push_back(std::make_unique<worker_state>(*this, scheduler_->at(i)));
    scheduler_->at(i).owner = states_.back().get();
  }
  slots_ = std::make_unique<slots>(*this, actors_, scheduler_->size(), options_.most_actors);
  peers_ = std::make_unique<peers>(*this);
  mesh_ = std::make_unique<mesh>(*this);
  meetings_ = std::make_unique<meetings>(*this);
  watchers_ = std::make_unique<node_watchers>(*this);
  names_ = std::make_unique<names>(*this);
  if (options_.kept_memory != 0) options_.world->keep_freed_memory(options_.kept_memory);
  bulks_ = std::make_shared<bulk_pool>(*options_.world, options_.shared_memory);
  link_options links;
  links.self = identity_;
  links.minor = std::min(options_.wire_minor, links.minor);
  links.tcp_only = options_.lanes == lane_choice::tcp;
  links.max_message = options_.max_message;
  links.max_links = options_.most_links;
  links.lease = options_.lease;
  links.rejoin = options_.rejoin;
  links.security = std::move(security);
  links.plaintext = options_.plaintext;
  if (!options_.announce.empty()) links.announce = *endpoint::parse(options_.announce);
  links.ring_bytes = options_.ring_bytes;
  links.bulks = bulks_;
  hub_ = hub::create(*scheduler_, *peers_, links);
}

result<void, setup_error> node_core::listen() {
  for (const std::string& url : options_.listen) {
    auto at = endpoint::parse(url);
    if (!at) return std::move(at).error();
    auto bound = hub_->listen(*at);
    if (!bound) return std::move(bound).error();
    endpoints_.push_back(std::move(*bound));
  }
  return {};
}

result<void, setup_error> node_core::open() {
  if (auto listening = listen(); !listening) {
    scheduler_->start();  // what listens already is closed in order
    close_links();
    scheduler_->stop();
    return listening;
  }
  root_ = slots_->take(scheduler_->at(0));
  slots_->give_back(*root_);  // slot 0, which spawn_root takes again
  spawn_root(*this);
  scheduler_->start();
  watch_.start(options_.watchdog.held);
  return {};
}

node_core::~node_core() {
  stop(options_.stop_deadline);
  scheduler_->stop();  // again: a thread may have reached a mailbox at the last moment
}

worker& node_core::next_worker() noexcept {
  return scheduler_->at(turn_.fetch_add(1, std::memory_order_relaxed) % scheduler_->size());
}

std::string node_core::path_of(const actor_core& who) const {
  constexpr std::size_t longest = 4096;
  std::string path;
  for (const actor_core* at = &who; at != root_; at = at->parent()) {
    if (at == nullptr || path.size() > longest) return "/..." + path;
    path.insert(0, "/" + states_[at->origin()]->labels.find(at->slot()));
  }
  return "/" + identity_.name + path;
}

// Stopping.

bool node_core::stop(duration deadline) {
  TROUPE_ASSERT(here() == nullptr, "stop a node from a thread that is not one of its workers");
  if (root_ == nullptr || !is_here()) return true;  // open() has failed: nothing runs
  std::unique_lock lock(ending_.guard);
  if (!std::exchange(stop_begun_, true)) {
    lock.unlock();
    stop_all(deadline);
    lock.lock();
  }
  ending_.wait(world(), lock, [&] { return stopped_; });
  return overdue_.load(std::memory_order_relaxed) == 0;
}

void node_core::stop_all(duration deadline) {
  stop_by_ = world().now() + deadline;
  forget_overdue();
  actors_.begin();
  leave(world().now() + std::min<duration>(deadline / 4, most_farewell));
  auto* const c = new control(order::stop);
  c->deadline = stop_by_;
  root_->command(root_generation, c);
  {
    // The root's own slot stays taken; what was being spawned meanwhile is adopted and ended as well.
    std::unique_lock lock(ending_.guard);
    ending_.wait(world(), lock, [&] { return root_ended_ && actors_.inside() <= 1; });
  }
  close_links();
  blocking_calls_.stop();
  const std::lock_guard no_sums(books_guard_);
  scheduler_->stop();
  watch_.stop();
  const std::lock_guard lock(ending_.guard);
  stopped_ = true;
  ending_.notify_all();
}

/// Peers stop finding this node's actors before these end. One that does not answer is not waited for.
void node_core::leave(instant until) {
  const auto told = std::make_shared<bool>(false);
  scheduler_->at(0).post([this, told](worker&) {
    names_->leave([this, told] {
      const std::lock_guard lock(ending_.guard);
      *told = true;
      ending_.notify_all();
    });
  });
  std::unique_lock lock(ending_.guard);
  ending_.wait(world(), lock, [&] { return *told; }, until);
  scheduler_->at(0).post([this](worker&) {
    names_->fall_silent();
    meetings_->end();
    watchers_->end();
  });
}

void node_core::close_links() {
  bool closed = false;
  scheduler_->at(0).post([&](worker&) {
    hub_->close([&] {
      const std::lock_guard done(ending_.guard);
      closed = true;
      ending_.notify_all();
    });
  });
  std::unique_lock lock(ending_.guard);
  ending_.wait(world(), lock, [&] { return closed; });
}

void node_core::root_ended() noexcept {
  const std::lock_guard lock(ending_.guard);
  root_ended_ = true;
  ending_.notify_all();
}

void node_core::slot_left() noexcept {
  const std::lock_guard lock(ending_.guard);
  ending_.notify_all();
}

// What the mailboxes hold.

void node_core::hold(std::int64_t bytes) noexcept {
  worker_state* const own = here();
  if (own != nullptr ? own->held.add(bytes) : budget_.add(bytes)) tell_of_room();
}

void node_core::tell_of_room() noexcept {
  for (unsigned i = 0; i < scheduler_->size(); ++i) {
    scheduler_->at(i).post([this, i](worker&) {
      for (const address& a : std::exchange(states_[i]->starved, {})) {
        if (a.core()->generation() == a.generation) a.core()->node_has_room();
      }
    });
  }
}

// Books.

void node_core::count(entry e, std::uint64_t n) noexcept {
  if (worker_state* const state = here()) {
    state->count.add(e, n);
  } else {
    outside_.add_shared(e, n);
  }
}

void node_core::count_undelivered(errc why, const value_type* type, const address& to) noexcept {
  if (worker_state* const state = here()) {
    state->count.add_undelivered(why);
  } else {
    outside_.add_undelivered_shared(why);
  }
  constexpr std::size_t samples = 64;
  std::unique_lock lock(dead_guard_, std::defer_lock);
  if (why != errc::shed) {
    lock.lock();
  } else if (!lock.try_lock()) {  // overload is no time to wait for a sample
    return;
  }
  const dead_sample d{why, type, to.slot, to.generation};
  if (dead_.size() < samples) {
    dead_.push_back(d);
  } else {
    dead_[dead_next_++ % samples] = d;
  }
}

std::vector<dead_letter> node_core::dead_letters() {
  const std::lock_guard lock(dead_guard_);
  std::vector<dead_letter> letters;
  for (const dead_sample& d : dead_) {
    std::string name;
    if (d.type != nullptr && d.type->wire != nullptr)
      name = d.type->wire->schema.substr(0, d.type->wire->schema.find('{'));
    letters.push_back({d.why, std::move(name), d.slot, d.generation});
  }
  return letters;
}

accounting node_core::sum_books() {
  TROUPE_ASSERT(here() == nullptr, "read the books from a thread that is not one of this node's workers");
  const std::lock_guard no_stop(books_guard_);
  accounting sum;
  waiting_room walks;
  unsigned left = scheduler_->size();
  const auto walk = [&](unsigned index) {
    std::uint64_t pending = 0;
    for (std::uint32_t slot = 0; slot < slots_->count(); ++slot) {
      const actor_core& core = *slots_->find(slot);
      if (core.lives_on.is(&scheduler_->at(index))) pending += core.walk();
    }
    for (const out_stream* const stream : states_[index]->streams) {
      if (stream != nullptr) pending += stream->unacked();
    }
    const std::lock_guard lock(walks.guard);
    sum.pending += pending;
    --left;
    walks.notify_all();
  };
  for (unsigned i = 0; i < scheduler_->size(); ++i) {
    if (stopped_) {
      walk(i);
    } else {
      scheduler_->at(i).post([&walk, i](worker&) { walk(i); });
    }
  }
  std::unique_lock lock(walks.guard);
  walks.wait(world(), lock, [&] { return left == 0; });
  sum.pending += peers_->walk_outside();
  for (const auto& state : states_) state->count.sum_into(sum);
  outside_.sum_into(sum);
  return sum;
}

// Kinds.

result<void> node_core::offer(offered_kind k) {
  const std::lock_guard lock(kinds_guard_);
  if (kinds_.contains(k.name)) return errc::name_taken;
  if (kinds_.size() >= options_.most_names) return errc::limit_reached;
  std::string name = k.name;
  kinds_.emplace(std::move(name), std::move(k));
  return {};
}

const offered_kind* node_core::offered(const std::string& name) {
  const std::lock_guard lock(kinds_guard_);
  const auto found = kinds_.find(name);
  return found != kinds_.end() ? &found->second : nullptr;  // never erased
}

result<void> offer(node_core& node, offered_kind k) { return node.offer(std::move(k)); }

void drop(node_core& node, envelope* e, errc why, const address& to) noexcept {
  node.count_undelivered(why, e->type, to);
  if (const credit_note* const credit = e->credit()) {
    if (worker_state* const here = node.here()) here->return_credit(*credit);
  }
  discard(e, why == errc::expired ? error(why, 1) : error(why));  // it was the first of its queue
}

namespace {

void count(const address& to, entry what) noexcept {
  if (!to) return;
  (to.is_remote() ? to.peer()->node : to.core()->node()).count(what);
}

}  // namespace

void count_refused(const address& to) noexcept { count(to, entry::refused); }
void count_reply_lost(const address& asked) noexcept { count(asked, entry::replies_lost); }

}  // namespace troupe::detail
