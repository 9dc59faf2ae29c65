#include "hub.hpp"

#include <algorithm>

#include <troupe/assert.hpp>
#include <troupe/log.hpp>

#include "hub_on_workers.hpp"

namespace troupe::detail {

static constexpr std::size_t most_handshakes = 256;  // of strangers, at a time
static constexpr int backlog = 512;

endpoint beside(env& world, std::uint16_t port) {
  endpoint local;
  local.family = endpoint::kind::local;
  local.path = "@troupe-" + std::to_string(world.user_id()) + "-" + std::to_string(port);
  return local;
}

/// Text that everybody on the way could read and change.
std::optional<setup_error> hub_on_workers::too_open(const endpoint& at) const {
  if (options_.security || options_.plaintext || at.is_loopback()) return std::nullopt;
  return setup_error(
      at.url() +
      " is beyond loopback, where links speak TLS: give the node a key and a list of its peers "
      "(--key FILE --peers FILE, see troupe-keys), or say --plaintext if the network is trusted");
}

result<endpoint, setup_error> hub_on_workers::listen(const endpoint& at) {
  if (auto no = too_open(at)) return std::move(*no);
  constexpr auto patience = std::chrono::milliseconds(200);  // no worker runs yet
  env& world = zero_.world();
  const bool with_local = at.family == endpoint::kind::tcp && !options_.tcp_only;
  result<descriptor, setup_error> local = descriptor();
  // Before the port answers: a neighbour that has waited for it must find shared memory, too.
  if (with_local && at.port != 0) local = world.listen(beside(world, at.port), backlog, patience);
  auto listener = world.listen(at, backlog, patience);
  if (!listener) return std::move(listener).error();
  const endpoint bound = at.family == endpoint::kind::local ? at : world.local_endpoint(listener->get());
  if (with_local && at.port == 0) local = world.listen(beside(world, bound.port), backlog, patience);

  if (announced_.port == 0 && at.family == endpoint::kind::tcp) {
    announced_.port = bound.port;
    if (bound.is_loopback()) announced_.host = bound.host;
  }
  start_listening(std::move(*listener), bound);
  if (with_local && local) {
    start_listening(std::move(*local), beside(world, bound.port));
  } else if (with_local) {
    log(log_level::warning,
        "nodes on this host will use TCP instead of shared memory: " + local.error().text);
  }
  return bound;
}

void hub_on_workers::start_listening(descriptor listener, const endpoint& at) {
  const bool local = at.family == endpoint::kind::local;
  const acceptor::events events{[this, local](descriptor socket) { accepted(std::move(socket), local); },
                                [this] { close_if_empty(); }};
  acceptor& a = *acceptors_.emplace_back(std::make_unique<acceptor>(zero_, std::move(listener), at, events));
  zero_.post([&a](worker&) { a.start(); });
}

std::uint64_t hub_on_workers::new_link(worker& home, bool stranger,
                                       std::function<void(detail::link&)> begin) {
  const std::uint64_t number = next_number_++;
  auto made = std::make_shared<detail::link>(*this, home, number);
  links_[number] = {made, &home, nullptr};
  if (stranger) strangers_.insert(number);
  home.post([made, begin = std::move(begin)](worker&) { begin(*made); });
  return number;
}

void hub_on_workers::accepted(descriptor socket, bool local) {
  const bool crowded = links_.size() >= options_.max_links + 2 * most_handshakes;
  if (closing_ || crowded) return;  // hangs up
  if (strangers_.size() >= most_handshakes) dismiss_oldest_stranger();
  auto owned = std::make_shared<descriptor>(std::move(socket));
  new_link(next_home(), true, [owned, local](detail::link& l) { l.accept(std::move(*owned), local); });
}

/// Who means it has shaken hands long before others have taken all the room; who is silent does not keep others out.
void hub_on_workers::dismiss_oldest_stranger() {
  const auto oldest = strangers_.begin();
  const one_link& l = links_.at(*oldest);
  l.home->post([connection = l.connection](worker&) { connection->dismiss(); });
  strangers_.erase(oldest);
}

void hub_on_workers::adopt(inherited_link link, duration patience, joined done) {
  TROUPE_ASSERT(current_worker == &zero_, "call hub::adopt on worker 0");
  if (closing_) return done(setup_error("this node is closing"));
  if (has_all_links()) return done(setup_error(says_has_all_links()));
  auto owned = std::make_shared<inherited_link>(std::move(link));
  const std::uint64_t number = new_link(
      next_home(), false, [owned, patience](detail::link& l) { l.adopt(std::move(*owned), patience); });
  links_.at(number).adopted = std::move(done);
}

session* hub_on_workers::linked_with(const incarnation& peer) const {
  for (const auto& [number, l] : links_) {
    if (l.session && l.session->peer().id == peer) return l.session.get();
  }
  return nullptr;
}

std::string hub_on_workers::says_has_all_links() const {
  return "this node has its " + std::to_string(options_.max_links) + " links already";
}

void hub_on_workers::link_is_up(std::uint64_t number, std::shared_ptr<link_session> session) {
  zero_.post([this, number, session](worker&) {
    one_link& l = links_.at(number);
    strangers_.erase(number);
    l.session = session;
    l.since = zero_.now();
    if (l.adopted) std::exchange(l.adopted, nullptr)(session.get());
    if (joining* const j = join_of(number)) {
      l.dialled = j->to;
      finish_join(*j, session.get());
    }
    stop_dialling(*session);
    if (session->lane() != lane_kind::shm) seek_memory(number);
  });
}

void hub_on_workers::link_failed(std::uint64_t number, refusal why, bool nobody) {
  zero_.post([this, number, why = std::move(why), nobody](worker&) {
    const auto at = links_.find(number);
    strangers_.erase(number);
    const joined adopted = std::move(at->second.adopted);
    links_.erase(at);
    if (adopted) adopted(setup_error(why.text));
    if (joining* const j = join_of(number)) attempt_failed(*j, why, nobody);
    close_if_empty();
  });
}

void hub_on_workers::link_is_gone(std::uint64_t number, link_end why) {
  zero_.post([this, number, why](worker&) {
    const auto at = links_.find(number);
    one_link lost = std::move(at->second);
    links_.erase(at);
    std::erase_if(joins_, [&](const auto& j) { return j->link == 0 && j->carries == number; });
    const bool broke = why == link_end::unreachable || why == link_end::died;
    if (broke && lost.lasting) {
      const bool was_good = zero_.now() - lost.since >= most_retry_after;
      if (was_good) lost.lasting->pause = retry_after;
      if (was_good || lost.lasting->until == instant{}) lost.lasting->until = zero_.now() + options_.rejoin;
      dial_later(*lost.lasting, lost.session->peer());
    }
    close_if_empty();
  });
}

void hub_on_workers::close(std::function<void()> done) {
  TROUPE_ASSERT(current_worker == &zero_, "call hub::close on worker 0");
  closing_ = true;
  on_closed_ = std::move(done);
  for (const auto& a : acceptors_) a->stop();
  for (const auto& [number, l] : links_) {
    l.home->post([connection = l.connection](worker&) { connection->close(); });
  }
  std::vector<joining*> waiting;
  for (const auto& j : joins_) {
    if (j->link == 0) waiting.push_back(j.get());
  }
  for (joining* const j : waiting) attempt_failed(*j, std::move(j->last));
  close_if_empty();
}

void hub_on_workers::close_if_empty() {
  if (!on_closed_ || !links_.empty() || !joins_.empty()) return;
  if (!std::ranges::all_of(acceptors_, [](const auto& a) { return a->stopped(); })) return;
  zero_.post([done = std::exchange(on_closed_, nullptr)](worker&) { done(); });
}

std::unique_ptr<hub> hub::create(scheduler& workers, session_host& host, const link_options& options) {
  TROUPE_ASSERT(valid_node_name(options.self.name), "a node name is 1 to 64 characters of A-Z a-z 0-9 . _ -");
  return std::make_unique<hub_on_workers>(workers, host, options);
}

}  // namespace troupe::detail
