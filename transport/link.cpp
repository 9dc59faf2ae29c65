#include "link.hpp"

#include <algorithm>
#include <utility>

#include <troupe/detail/checked.hpp>

namespace troupe::detail {

void link::accept(descriptor socket, bool local) {
  accepted_ = true;
  kind_ = local ? lane_kind::local_socket : lane_kind::tcp;
  greeter_.begin(owner_.options().handshake_deadline);
  from_ = home_.world().remote_endpoint(socket.get());
  near_ = local || from_.is_loopback();
  greeter_.adopt(std::move(socket));
  home_.resume(run_accepted().handle);
}

void link::dial(std::vector<endpoint> to) {
  session_name_ = std::max<std::uint64_t>(home_.world().random(), 1);
  greeter_.begin(owner_.options().handshake_deadline);
  home_.resume(run_dialled(std::move(to)).handle);
}

void link::dial_again(std::vector<endpoint> to, std::shared_ptr<link_session> session) {
  const link_options& o = owner_.options();
  greeter_.begin(std::min(o.handshake_deadline, o.lease / link_session::looks_in_a_lease));
  home_.resume(run_dialled_again(std::move(to), std::move(session)).handle);
}

void link::adopt(inherited_link over, duration patience) {
  kind_ = lane_kind::local_socket;
  process_ = std::move(over.peer);
  accepted_ = process_.pid != 0;
  greeter_.begin(patience);
  greeter_.adopt(std::move(over.socket));
  home_.resume(accepted_ ? run_accepted().handle : run_adopted().handle);
}

std::optional<endpoint> link::way_back() const {
  if (peer_.port == 0) return std::nullopt;
  // A stranger does not send this node elsewhere.
  const bool is_known =
      secure_ || kind_ == lane_kind::local_socket || peer_.host.empty() || peer_.host == from_.host;
  if (!is_known) return accepted_ || from_.host.empty() ? std::nullopt : std::optional(from_);
  endpoint at;
  at.port = peer_.port;
  at.host = !peer_.host.empty() ? peer_.host : from_.host.empty() ? "127.0.0.1" : from_.host;
  return at;
}

void link::dismiss() {
  if (!session_) greeter_.abort("more handshakes at a time than there may be, and this was the oldest");
}

void link::close() {
  if (session_) return session_->close();
  greeter_.abort("this node is closing");
}

detached link::run_accepted() {
  const auto self = shared_from_this();
  bool good = kind_ != lane_kind::local_socket || vouch_for_peer();
  const auto& security = owner_.options().security;
  if (good && kind_ == lane_kind::tcp && security)
    good = co_await greeter_.secure(*security, secure_channel::side::acceptor);
  std::optional<heard> first;
  if (good) first = co_await greeter_.hear();
  if (first && first->header.kind == greeting_kind::resume) {
    co_await carry_on(*first);
    co_return fail();
  }
  if (first && first->header.kind == greeting_kind::move) {
    co_await move(*first);
    co_return fail();
  }
  good = first.has_value();
  if (good) good = co_await greet_as_acceptor(*first);
  co_await become_session(good);
}

detached link::run_dialled(std::vector<endpoint> to) {
  const auto self = shared_from_this();
  const bool greeted = co_await greet_any(std::move(to));
  co_await become_session(greeted);
}

detached link::run_adopted() {
  const auto self = shared_from_this();
  bool greeted = vouch_for_peer();
  if (greeted) greeted = co_await greet_as_dialer();
  co_await become_session(greeted);
}

task<void> link::become_session(bool greeted) {
  if (!greeted) co_return fail();
  chosen_lane over = co_await choose_lane();
  if (!over.socket && !over.memory) co_return fail();
  finish(std::move(over));
}

/// Names are looked up each time: what they mean may have changed.
task<std::vector<endpoint>> link::addresses_of(std::vector<endpoint> ways) {
  std::vector<endpoint> all;
  for (const endpoint& way : ways) {
    if (way.is_numeric()) {
      all.push_back(way);
      continue;
    }
    std::vector<endpoint> found = co_await greeter_.look_up(owner_.names(), way);
    all.insert(all.end(), found.begin(), found.end());
  }
  co_return all;
}

task<bool> link::reach(endpoint at) {
  greeter_.hang_up();
  process_ = {};
  kind_ = at.family == endpoint::kind::local ? lane_kind::local_socket : lane_kind::tcp;
  near_ = at.is_loopback();
  from_ = kind_ == lane_kind::tcp ? at : endpoint();
  bool good = co_await greeter_.connect(std::move(at));
  if (good && kind_ == lane_kind::local_socket) good = vouch_for_peer();
  const auto& security = owner_.options().security;
  if (good && kind_ == lane_kind::tcp && security)
    good = co_await greeter_.secure(*security, secure_channel::side::dialer);
  co_return good;
}

/// A session that began over TLS does not go on without.
bool link::as_secure_as(const link_session& session) {
  const bool is = greeter_.channel() != nullptr || !session.is_secure();
  if (!is) greeter_.fail("a session that began over TLS does not go on without");
  return is;
}

bool link::may_be(const node_identity& who) {
  const secure_channel* const over = greeter_.channel();
  const bool may = over == nullptr || owner_.options().security->allows(who, over->peer_key());
  if (!may) greeter_.fail("the peer says that it is node '" + who.name + "', and its key is another node's");
  return may;
}

/// The first that answers decides. One that is not there, or is not a node, is passed over.
task<bool> link::greet_any(std::vector<endpoint> ways) {
  const std::vector<endpoint> to = co_await addresses_of(std::move(ways));
  for (const endpoint& at : to) {
    bool good = co_await reach(at);
    if (good) good = co_await greet_as_dialer();
    if (good || !refused_.text.empty()) co_return good;
  }
  co_return false;
}

/// A local socket leads to a process of the same user, or it is not used: anybody can listen on a name. Of one that was
/// inherited the kernel names the process that made it, so who has the other end is known to the one and not to the other.
bool link::vouch_for_peer() {
  if (process_.pid != 0) return true;
  auto process = home_.world().peer_of(greeter_.socket());
  const bool ours = process && process->uid == home_.world().user_id();
  if (ours) {
    process_ = std::move(*process);
  } else {
    greeter_.fail("the local socket belongs to another user");
  }
  return ours;
}

hello link::own_hello() const {
  const link_options& o = owner_.options();
  hello h;
  h.node = o.self;
  h.minor = o.minor;
  h.workers = static_cast<std::uint8_t>(owner_.workers().size());
  h.window = o.window;
  h.max_destinations = o.max_destinations;
  h.max_routes = o.max_routes;
  h.max_message = o.max_message;
  h.wants_shm = !o.tcp_only;
  h.session = accepted_ ? peer_.session : session_name_;
  const endpoint& at = owner_.announced();
  if (at.host.empty() || !at.is_loopback()) {
    h.port = at.port;
    h.host = at.host;
  } else if (near_) {
    h.port = at.port;
  }
  return h;
}

task<bool> link::greet_as_acceptor(const heard& first) {
  if (first.header.kind != greeting_kind::hello) {
    greeter_.fail("the peer did not begin with a hello");
    co_return false;
  }
  const bool understood = co_await read_hello(first);
  if (!understood) co_return false;
  std::optional<refusal> no = objection(peer_.node.id);
  if (no) co_return co_await refuse(std::move(*no));
  const bool welcomed = co_await greeter_.say(greet(greeting_kind::welcome, own_hello()));
  if (!welcomed) co_return false;
  const std::optional<heard> answer = co_await greeter_.hear();
  if (!confirmed(answer)) co_return false;
  if (!owner_.registry().make_final(peer_.node.id, number_))
    greeter_.fail("another link with the same node was made meanwhile");
  co_return greeter_.failure().empty();
}

bool link::confirmed(const std::optional<heard>& answer) {
  if (!answer || take_refusal(*answer)) return false;
  const bool so = answer->header.kind == greeting_kind::confirm;
  if (!so) greeter_.fail("the peer did not confirm the handshake");
  return so;
}

task<bool> link::greet_as_dialer() {
  const bool said = co_await greeter_.say(greet(greeting_kind::hello, own_hello()));
  if (!said) co_return false;
  const std::optional<heard> answer = co_await greeter_.hear();
  if (!answer || take_refusal(*answer)) co_return false;
  if (answer->header.kind != greeting_kind::welcome) {
    greeter_.fail("the peer answered the hello with something else");
    co_return false;
  }
  const bool understood = co_await read_hello(*answer);
  if (!understood) co_return false;
  std::optional<refusal> no = objection(owner_.options().self.id);
  if (no) co_return co_await refuse(std::move(*no));
  const bool confirmed = co_await greeter_.say(greet(greeting_kind::confirm));
  co_return confirmed;
}

task<bool> link::same_version(const heard& from) {
  if (from.header.major == wire_major) co_return true;
  refusal no;
  no.code = refusal_code::version;
  no.text = "wire version " + std::to_string(wire_major) + " here and " + std::to_string(from.header.major) +
            " there: use the same troupe release on both nodes";
  co_return co_await refuse(std::move(no));
}

task<bool> link::read_hello(const heard& from) {
  const bool speaks_it = co_await same_version(from);
  if (!speaks_it) co_return false;
  result<hello, std::string> parsed = parse_hello(from.body);
  if (!parsed) {
    refusal no;
    no.text = parsed.error();
    co_return co_await refuse(std::move(no));
  }
  if (!may_be(parsed->node)) co_return false;
  peer_ = std::move(*parsed);
  peer_.minor = std::min(peer_.minor, owner_.options().minor);
  co_return true;
}

std::optional<refusal> link::objection(const incarnation& dialer) {
  refusal no;
  no.who = owner_.options().self.id;
  if (peer_.node.id == owner_.options().self.id) {
    no.code = refusal_code::self;
    no.text =
        "node '" + peer_.node.name + "' dialled itself: remove the address from its list of nodes to join";
    return no;
  }
  const result<void> admitted = owner_.host().admit(peer_.node);
  if (!admitted) {
    no.code = refusal_code::not_admitted;
    no.text = "node '" + owner_.options().self.name + "' does not admit '" + peer_.node.name +
              "': " + admitted.error().text();
    if (admitted.error() == errc::name_taken)
      no.text += "; give the nodes different names, or end the other one first";
    return no;
  }
  const auto claim = owner_.registry().claim(peer_.node.id, dialer, number_, !accepted_);
  claimed_ = claim == link_registry::outcome::claimed;
  if (claimed_) return std::nullopt;
  if (claim == link_registry::outcome::full) {
    no.text = "node '" + owner_.options().self.name + "' has its " +
              std::to_string(owner_.options().max_links) + " links already";
    return no;
  }
  const auto other = owner_.registry().session_with(peer_.node.id);
  if (other && other->id() != peer_.session) other->supersede(link_end::unreachable);
  no.code = refusal_code::already_linked;
  no.text = "nodes '" + owner_.options().self.name + "' and '" + peer_.node.name + "' are already linked";
  return no;
}

task<bool> link::refuse(refusal why) {
  std::vector<std::byte> said = greet(why);
  const bool to_a_hello = peer_.node.id != incarnation{};
  if (why.code == refusal_code::already_linked && to_a_hello)
    why.who = peer_.node.id;  // whom the joiner should look for
  refused_ = std::move(why);
  co_await greeter_.say(std::move(said));
  greeter_.fail(refused_.text);
  co_return false;
}

bool link::take_refusal(const heard& from) {
  if (from.header.kind != greeting_kind::refused) return false;
  std::optional<refusal> no = parse_refusal(from.body);
  if (no) refused_ = std::move(*no);
  greeter_.fail("refused: " + refused_.text);
  return true;
}

task<link::chosen_lane> link::choose_lane() {
  chosen_lane chosen;
  if (kind_ == lane_kind::tcp) {
    lane_reason_ = owner_.options().tcp_only ? "this node uses TCP only"
                   : accepted_               ? "the peer came over TCP"
                                             : "no local socket leads to the peer";
    if (greeter_.channel() != nullptr) lane_reason_ += "; TLS 1.3";
  } else if (owner_.options().tcp_only || !peer_.wants_shm) {
    lane_reason_ = "one side does not want shared memory";
  } else {
    std::optional<shm_pair> memory = co_await share_memory(peer_.workers);
    if (memory) {
      lane_reason_ = "the peer is on this host";
      chosen.memory = std::make_shared<shm_lane>(home_, std::move(*memory), take_connection());
    }
    if (memory || !greeter_.failure().empty()) co_return chosen;
  }
  connection over = take_connection();
  socket_lane::setup s{home_, owner_.workers(), std::move(over), owner_.options().send_buffer,
                       secure_ ? sum::none : sum::xxh3};
  chosen.socket = std::make_shared<socket_lane>(std::move(s));
  co_return chosen;
}

connection link::take_connection() {
  secure_ = greeter_.channel() != nullptr;
  connection over = greeter_.take();
  over.kind = kind_;
  over.pidfd = std::move(process_.pidfd);
  return over;
}

/// Nothing without a failure: one of the two sides cannot, as lane_reason_ says, and the socket is as it was.
task<std::optional<shm_pair>> link::share_memory(unsigned peer_streams) {
  const link_options& o = owner_.options();
  std::optional<shm_pair> memory =
      prepare_shm(home_.world(), owner_.workers().size(), peer_streams, {o.ring_bytes, o.bulks});
  std::vector<int> pass;
  if (memory->offer.ok) pass = {memory->memory_fd.get(), memory->bell.heard.get()};
  const bool offered = co_await greeter_.say(greet(greeting_kind::memory, memory->offer), std::move(pass));
  if (!offered) co_return std::nullopt;
  std::optional<heard> theirs = co_await greeter_.hear(2);
  if (!theirs || take_refusal(*theirs)) co_return std::nullopt;

  memory_offer verdict = map_peer_shm(home_.world(), *memory, *theirs);
  const bool said = co_await greeter_.say(greet(greeting_kind::mapped, verdict));
  if (!said) co_return std::nullopt;
  const std::optional<heard> answer = co_await greeter_.hear();
  if (!answer) co_return std::nullopt;
  const std::optional<memory_offer> their_verdict = parse_memory_offer(answer->body);
  if (answer->header.kind != greeting_kind::mapped || !their_verdict) {
    greeter_.fail("the peer broke off while memory was being shared");
    co_return std::nullopt;
  }
  if (!verdict.ok || !their_verdict->ok) {
    lane_reason_ = "shared memory could not be set up: " + (verdict.ok ? their_verdict->text : verdict.text);
    co_return std::nullopt;
  }
  co_return memory;
}

void link::finish(chosen_lane over) {
  const auto self = shared_from_this();
  greeter_.end();
  const link_options& o = owner_.options();
  const std::uint64_t id = peer_.session == own_hello().session ? peer_.session : 0;
  link_session::setup s{
      .workers = owner_.workers(),
      .home = home_,
      .host = owner_.host(),
      .peer = peer_.node,
      .peer_streams = peer_.workers,
      .send = {peer_.window, std::min(o.max_destinations, peer_.max_destinations),
               std::min(o.max_routes, peer_.max_routes), peer_.max_message},
      .receive = {o.window, o.max_destinations, o.max_routes, o.max_message},
      .socket = std::move(over.socket),
      .memory = std::move(over.memory),
      .lane_reason = lane_reason_,
      .send_buffer = o.send_buffer,
      .may_move = near_ && !secure_ && !o.tcp_only && peer_.wants_shm && peer_.minor >= minor_with_moves,
      .dialled_at = way_back(),
      .near = near_,
      .lease = o.lease,
      .bulks = o.bulks,
      .id = id,
      .secure = secure_,
      .dialled = !accepted_,
      .suspended = [self](bool peer_dials) { self->owner_.link_is_suspended(self->number_, peer_dials); },
      .up = [self] { self->owner_.link_is_up(self->number_, self->session_); },
      .gone = [self](link_end why) { self->gone(why); },
  };
  session_ = std::make_shared<link_session>(std::move(s));
  owner_.registry().made(peer_.node.id, number_, session_);
  session_->start();
}

void link::gone(link_end why) {
  if (!mutated(mutant::kept_claim)) owner_.registry().release(peer_.node.id, number_);
  owner_.link_is_gone(number_, why);
}

void link::fail() {
  refused_.text = greeter_.failure();
  greeter_.end();
  if (claimed_) owner_.registry().release(peer_.node.id, number_);
  owner_.link_failed(number_, refused_, nobody_);
}

}  // namespace troupe::detail
