#include <troupe/node.hpp>

#include <algorithm>
#include <utility>

#include "delivery.hpp"
#include "node_core.hpp"
#include "node_watchers.hpp"
#include "peers.hpp"
#include "slots.hpp"

namespace troupe {

using namespace detail;

result<node, setup_error> node::start(node_options options) {
  auto core = node_core::create(std::move(options));
  if (!core) return std::move(core).error();
  return node(core->release(), true);
}

node::node(node&& o) noexcept
    : core_(std::exchange(o.core_, nullptr)), owner_(std::exchange(o.owner_, false)) {}
node& node::operator=(node&& o) noexcept {
  std::swap(core_, o.core_);
  std::swap(owner_, o.owner_);
  return *this;
}
node::~node() {
  if (owner_ && core_->is_here()) delete core_;
}

const std::string& node::name() const noexcept { return core().identity().name; }
const std::string& node::io_note() const noexcept { return core().workers().io_note(); }

std::vector<std::string> node::endpoints() const {
  std::vector<std::string> urls;
  for (const endpoint& e : core().endpoints()) urls.push_back(e.url());
  return urls;
}

namespace {

void order_end(node_core& node, const ref<>& who, order what) {
  const address& to = address_of(who);
  // Also for the time after the node's own stop, when nobody would obey.
  if (!to || to.is_remote() || to.core()->generation() != to.generation) return;
  auto* const c = new control(what);
  c->deadline = node.world().now() + node.options().stop_deadline;
  to.core()->command(to.generation, c);
}

}  // namespace

void node::stop(const ref<>& who) { order_end(core(), who, order::stop); }
void node::kill(const ref<>& who) { order_end(core(), who, order::kill); }

void node::watch_nodes(const ref<node_events>& who) {
  core().workers().at(0).post([core = &core(), who](worker&) { core->watchers().add(who); });
}

std::vector<link_info> node::links() const { return core().all_peers().links(); }
node_info node::inspect(const inspect_options& how) const { return core().inspect(how); }
struct accounting node::accounting() const { return core().sum_books(); }
std::vector<dead_letter> node::dead_letters() const { return core().dead_letters(); }
std::uint64_t node::live_actors() const noexcept { return core().all_slots().live(); }

bool node::stop() { return stop(core().options().stop_deadline); }
bool node::stop(duration deadline) { return core().stop(deadline); }
std::vector<std::string> node::overdue() const { return core().overdue(); }

namespace detail {

node_core& core_of(node& n) noexcept { return n.core(); }
node& node_of(actor_core& core) noexcept { return core.node().face(); }
result<bulk_buffer> loan(node_core& node, std::size_t size) { return node.bulks().loan(size); }

// Spawning.

actor_core* begin_spawn(node_core& node, actor_core* parent, const spawn_options& options) {
  if (node.stopping()) return nullptr;  // and again below, once the slot is counted: rundown.hpp
  scheduler& all = node.workers();
  worker_state* const here = node.here();
  worker* home = nullptr;
  if (options.worker) {
    home = &all.at(*options.worker % all.size());
  } else if (parent != nullptr) {
    home = &parent->home();
  } else {
    home = here != nullptr ? &here->home : &node.next_worker();
  }
  actor_core* const taken = node.all_slots().take(*home);
  if (taken == nullptr || !node.stopping()) return taken;
  abandon_spawn(*taken);
  return nullptr;
}

void abandon_spawn(actor_core& core) noexcept { core.node().all_slots().give_back(core); }

address finish_spawn(actor_core& core, actor_core* parent, const spawn_options& options,
                     const protocol_info& accepts, const actor& body,
                     std::unique_ptr<rebirth> again) noexcept {
  actor_core& root = core.node().root();
  const bool of_node = parent == nullptr && &core != &root;
  core.prepare(
      {std::clamp(options.mailbox, 1u, mailbox::most_messages), options.mailbox_bytes, options.when_full},
      accepts, of_node ? core.node().next_birth() : 0, again != nullptr);
  const address born = core.self();
  control birth(order::birth);
  birth.subject = parent != nullptr ? parent : &root;
  birth.frame = body.frame;
  birth.function = body.function;
  birth.may_move = !options.worker && again == nullptr;
  if (!options.name.empty() || again) {
    birth.ties = std::make_unique<family>();
    birth.ties->name = options.name;
    birth.ties->again = std::move(again);
  }
  if (&core == &root) {
    birth.subject = nullptr;
  } else if (birth.subject->at_home()) {
    birth.subject->link_child(core);
  } else {
    birth.to_adopt = true;
  }
  if (core.at_home()) {
    core.born(birth);
  } else {
    core.command(born.generation, new control(std::move(birth)));
  }
  return born;
}

}  // namespace detail
}  // namespace troupe
