#include "hub.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <troupe/assert.hpp>
#include <troupe/log.hpp>

#include "acceptor.hpp"
#include "link.hpp"

namespace troupe::detail {
namespace {

constexpr std::size_t most_handshakes = 256;  // of strangers, at a time
constexpr duration retry_after = std::chrono::milliseconds(50);
constexpr duration most_retry_after =
    std::chrono::seconds(5);  // of who dials again; so long a link must live to be a good one
constexpr duration most_resume_after = std::chrono::seconds(1);  // the lease is short
constexpr duration dialler_first =
    std::chrono::milliseconds(400);  // before who was dialled dials for a session
constexpr duration sure_of_nobody = std::chrono::milliseconds(200);  // and the second time
constexpr duration move_after = std::chrono::seconds(1);             // a session over a socket tries memory
constexpr duration most_move_after = std::chrono::minutes(1);
constexpr int backlog = 512;

/// Where nodes of this user on this host find the one that listens on `port`.
endpoint beside(env& world, std::uint16_t port) {
  endpoint local;
  local.family = endpoint::kind::local;
  local.path = "@troupe-" + std::to_string(world.user_id()) + "-" + std::to_string(port);
  return local;
}

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
    instant since = {};  // it is up
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

void joining::dial_again() { hub_.dial(*this); }

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

std::vector<endpoint> hub_on_workers::ways_to(const endpoint& to) const {
  if (to.family == endpoint::kind::local || options_.tcp_only || !to.is_loopback()) return {to};
  return {beside(zero_.world(), to.port), to};
}

void hub_on_workers::join(const endpoint& to, instant until, joined done) {
  TROUPE_ASSERT(current_worker == &zero_, "call hub::join on worker 0");
  if (auto no = too_open(to)) return done(std::move(*no));
  joins_.push_back(std::make_unique<joining>(*this, to, until, std::move(done)));
  dial(*joins_.back());
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

void hub_on_workers::dial(joining& j) {
  if (j.moves) return dial_to_move(j);
  if (j.carries != 0) return dial_to_carry_on(j);
  if (session* const existing = linked_with(j.last.who)) return finish_join(j, existing);
  if (closing_) {
    j.last.text = "this node is closing";
    return attempt_failed(j, j.last);
  }
  if (has_all_links()) {
    j.last.text = says_has_all_links();
    return attempt_failed(j, j.last);
  }
  j.link = new_link(next_home(), false, [ways = ways_to(j.to)](detail::link& l) { l.dial(ways); });
}

/// Also if there are as many links as there may be: it is one of them.
void hub_on_workers::dial_to_carry_on(joining& j) {
  const std::shared_ptr<link_session> lost = links_.at(j.carries).session;
  if (closing_ || !lost->suspended()) return drop(j);
  j.link = new_link(lost->home(), false,
                    [ways = ways_to(j.to), lost](detail::link& l) { l.dial_again(ways, lost); });
}

/// Who had dialled does so for a session that is, or will be, over a socket although both are on one host and want memory: there may
/// be some later.
void hub_on_workers::seek_memory(std::uint64_t link) {
  const one_link& l = links_.at(link);
  if (!l.dialled || !l.session->may_move()) return;
  if (std::ranges::any_of(joins_, [&](const auto& j) { return j->moves && j->carries == link; })) return;
  const endpoint at =
      l.dialled->family == endpoint::kind::local ? *l.dialled : beside(zero_.world(), l.dialled->port);
  joining& j = *joins_.emplace_back(std::make_unique<joining>(*this, at, instant::max(), joined{}));
  j.lost = l.session->peer().name;
  j.carries = link;
  j.moves = true;
  j.pause = options_.seek_memory;
  wait_to_dial(j);
}

void hub_on_workers::dial_to_move(joining& j) {
  const std::shared_ptr<link_session> session = links_.at(j.carries).session;
  if (closing_ || session->lane() == lane_kind::shm) return drop(j);
  if (session->suspended()) return wait_to_dial(j);
  j.link = new_link(session->home(), false,
                    [at = j.to, session](detail::link& l) { l.dial_to_move(at, session); });
}

void hub_on_workers::drop(joining& j) {
  std::erase_if(joins_, [&](const auto& each) { return each.get() == &j; });
  close_if_empty();
}

session* hub_on_workers::linked_with(const incarnation& peer) const {
  for (const auto& [number, l] : links_) {
    if (l.session && l.session->peer().id == peer) return l.session.get();
  }
  return nullptr;
}

joining* hub_on_workers::join_of(std::uint64_t link) {
  const auto at = std::ranges::find(joins_, link, [](const auto& j) { return j->link; });
  return at != joins_.end() ? at->get() : nullptr;
}

std::string hub_on_workers::says_has_all_links() const {
  return "this node has its " + std::to_string(options_.max_links) + " links already";
}

std::string hub_on_workers::advice(const joining& j) const {
  switch (j.last.code) {
    case refusal_code::version:
    case refusal_code::self:
    case refusal_code::not_admitted: return "";  // the peer's own words say it
    default: return "; start a node that listens on " + j.to.url() + ", or correct the address";
  }
}

void hub_on_workers::attempt_failed(joining& j, refusal why, bool nobody) {
  j.link = 0;
  if (j.moves) return closing_ || !links_.contains(j.carries) ? drop(j) : wait_to_dial(j);
  if (j.carries != 0) return carry_on_later(j, nobody);
  j.last = std::move(why);
  const bool hopeless = j.last.code == refusal_code::version || j.last.code == refusal_code::self;
  if (closing_ || hopeless || zero_.now() + j.pause > j.until) {
    return finish_join(j, setup_error{"cannot join " + j.to.url() + ": " + j.last.text + advice(j)});
  }
  wait_to_dial(j);
}

/// If it has not gone on meanwhile. Where nobody listens any more who had answered there before, the peer has ended.
void hub_on_workers::carry_on_later(joining& j, bool nobody) {
  const auto at = links_.find(j.carries);
  if (closing_ || at == links_.end() || !at->second.session->suspended()) return drop(j);
  const instant now = zero_.now();
  if (!nobody || !at->second.dialled) {
    j.nobody_since.reset();
  } else if (!j.nobody_since) {
    j.nobody_since = now;
  } else if (now - *j.nobody_since >= sure_of_nobody) {
    at->second.home->post(
        [lost = at->second.session](worker&) { lost->forgotten("nobody listens where the peer did"); });
    return drop(j);
  }
  wait_to_dial(j);
}

/// With jitter: all who lost a node dial it again.
void hub_on_workers::wait_to_dial(joining& j) {
  const auto jitter = static_cast<std::uint64_t>((j.pause * 2 / 5).count());
  const auto more = duration(static_cast<duration::rep>(zero_.world().random() % jitter));
  zero_.timers().arm(j.retry, zero_.now() + j.pause + more);
  const duration most = j.moves ? most_move_after : j.carries == 0 ? most_retry_after : most_resume_after;
  if (!j.lost.empty()) j.pause = std::min(2 * j.pause, most);
}

void hub_on_workers::meet(const node_identity& who, const endpoint& at, duration pause, instant until) {
  TROUPE_ASSERT(current_worker == &zero_, "call hub::meet on worker 0");
  if (who.id == options_.self.id || linked_with(who.id) != nullptr || too_open(at)) return;
  dial_later({at, std::max(pause, retry_after), until}, who);
}

void hub_on_workers::dial_later(const lasting_join& lost, const node_identity& who) {
  if (closing_ || lost.until <= zero_.now()) return;
  const auto dialled = [](const auto& j) { return !j->lost.empty() && j->carries == 0; };
  if (std::ranges::any_of(joins_, [&](const auto& j) { return dialled(j) && j->to == lost.to; })) return;
  if (std::ranges::count_if(joins_, dialled) >= std::max(1u, options_.max_links / 4)) {
    log(log_level::warning, options_.self.name + ": does not dial " + lost.to.url() +
                                ": as many as it may are being dialled already");
    return;
  }
  joined done = [this](const result<session*, setup_error>& how) {
    if (!how && !closing_) log(log_level::warning, options_.self.name + ": " + how.error().text);
  };
  joining& j = *joins_.emplace_back(std::make_unique<joining>(*this, lost.to, lost.until, std::move(done)));
  j.lost = who.name;
  j.pause = lost.pause;
  j.last.who = who.id;
  wait_to_dial(j);
}

void hub_on_workers::finish_join(joining& j, result<session*, setup_error> how) {
  const auto at = std::ranges::find(joins_, &j, [](const auto& each) { return each.get(); });
  const std::unique_ptr<joining> own = std::move(*at);
  joins_.erase(at);
  const bool again = !own->lost.empty();
  for (auto& [number, l] : links_) {
    const bool is_it = how && l.session.get() == *how;
    if (is_it && !(again && l.lasting)) l.lasting = {own->to, own->pause, again ? own->until : instant{}};
  }
  own->done(std::move(how));
  close_if_empty();
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

/// Who had dialled does so again at once; who was dialled, if that does not help.
void hub_on_workers::link_is_suspended(std::uint64_t number, bool peer_dials) {
  zero_.post([this, number, peer_dials](worker&) {
    const auto at = links_.find(number);
    if (closing_ || at == links_.end()) return;
    const one_link& l = at->second;
    seek_memory(number);
    const std::optional<endpoint> to = l.dialled ? l.dialled : l.connection->way_back();
    if (!to) return;
    const auto same =
        std::ranges::find_if(joins_, [&](const auto& j) { return j->carries == number && !j->moves; });
    const bool is_new = same == joins_.end();
    if (!is_new) (*same)->nobody_since.reset();
    if (!is_new && (*same)->link != 0) return;  // its attempt ends, and it looks again
    joining& j = is_new
                     ? *joins_.emplace_back(std::make_unique<joining>(*this, *to, instant::max(), joined{}))
                     : **same;
    j.lost = l.session->peer().name;
    j.carries = number;
    j.nobody_since.reset();
    j.pause = retry_after;
    zero_.timers().cancel(j.retry);
    if (l.dialled && !peer_dials) return dial(j);
    j.pause = dialler_first;
    wait_to_dial(j);
    j.pause = retry_after;
  });
}

/// It has dialled this node itself, or was found by another join.
void hub_on_workers::stop_dialling(session& linked) {
  std::vector<joining*> over;
  for (const auto& j : joins_) {
    if (j->link == 0 && j->carries == 0 && j->lost == linked.peer().name) over.push_back(j.get());
  }
  for (joining* const j : over) finish_join(*j, &linked);
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

}  // namespace

std::unique_ptr<hub> hub::create(scheduler& workers, session_host& host, const link_options& options) {
  TROUPE_ASSERT(valid_node_name(options.self.name), "a node name is 1 to 64 characters of A-Z a-z 0-9 . _ -");
  return std::make_unique<hub_on_workers>(workers, host, options);
}

}  // namespace troupe::detail
