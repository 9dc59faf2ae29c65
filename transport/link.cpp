#include "link.hpp"

#include <algorithm>
#include <utility>

#include <troupe/detail/checked.hpp>

#include "shm_lane.hpp"
#include "socket_lane.hpp"

namespace troupe::detail {

void link::accept(descriptor socket, bool local) {
  accepted_ = true;
  kind_ = local ? lane_kind::local_socket : lane_kind::tcp;
  greeter_.begin(owner_.options().handshake_deadline);
  greeter_.adopt(std::move(socket));
  home_.resume(run_accepted().handle);
}

void link::dial(std::vector<endpoint> to) {
  greeter_.begin(owner_.options().handshake_deadline);
  home_.resume(run_dialled(std::move(to)).handle);
}

void link::adopt(inherited_link over, duration patience) {
  kind_ = lane_kind::local_socket;
  process_ = std::move(over.peer);
  accepted_ = process_.pid != 0;
  greeter_.begin(patience);
  greeter_.adopt(std::move(over.socket));
  home_.resume(accepted_ ? run_accepted().handle : run_adopted().handle);
}

void link::close() {
  if (session_) return session_->close();
  greeter_.abort("this node is closing");
}

detached link::run_accepted() {
  const auto self = shared_from_this();
  const bool greeted = co_await greet_as_acceptor();
  co_await become_session(greeted);
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
  std::shared_ptr<lane> over = co_await choose_lane();
  if (!over) co_return fail();
  finish(std::move(over));
}

/// The first that answers decides. One that is not there, or is not a node, is passed over.
task<bool> link::greet_any(std::vector<endpoint> to) {
  for (const endpoint& at : to) {
    greeter_.hang_up();
    process_ = {};
    kind_ = at.family == endpoint::kind::local ? lane_kind::local_socket : lane_kind::tcp;
    bool good = co_await greeter_.connect(at);
    if (good && kind_ == lane_kind::local_socket) good = vouch_for_peer();
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
  h.workers = static_cast<std::uint8_t>(owner_.workers().size());
  h.window = o.window;
  h.max_destinations = o.max_destinations;
  h.max_routes = o.max_routes;
  h.max_message = o.max_message;
  h.wants_shm = !o.tcp_only;
  return h;
}

task<bool> link::greet_as_acceptor() {
  if (kind_ == lane_kind::local_socket && !vouch_for_peer()) co_return false;
  const std::optional<heard> first = co_await greeter_.hear();
  if (!first) co_return false;
  if (first->header.kind != greeting_kind::hello) {
    greeter_.fail("the peer did not begin with a hello");
    co_return false;
  }
  const bool understood = co_await read_hello(*first);
  if (!understood) co_return false;
  std::optional<refusal> no = objection(peer_.node.id);
  if (no) co_return co_await refuse(std::move(*no));
  const bool welcomed = co_await greeter_.say(greet(greeting_kind::welcome, own_hello()));
  if (!welcomed) co_return false;
  const std::optional<heard> answer = co_await greeter_.hear();
  if (!answer || take_refusal(*answer)) co_return false;
  if (answer->header.kind != greeting_kind::confirm) {
    greeter_.fail("the peer did not confirm the handshake");
  } else if (!owner_.registry().make_final(peer_.node.id, number_)) {
    greeter_.fail("another link with the same node was made meanwhile");
  }
  co_return greeter_.failure().empty();
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

task<bool> link::read_hello(const heard& from) {
  if (from.header.major != wire_major) {
    refusal no;
    no.code = refusal_code::version;
    no.text = "wire version " + std::to_string(wire_major) + " here and " +
              std::to_string(from.header.major) + " there: use the same troupe release on both nodes";
    co_return co_await refuse(std::move(no));
  }
  result<hello, std::string> parsed = parse_hello(from.body);
  if (!parsed) {
    refusal no;
    no.text = parsed.error();
    co_return co_await refuse(std::move(no));
  }
  peer_ = std::move(*parsed);
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
  claimed_ = owner_.registry().claim(peer_.node.id, dialer, number_, !accepted_);
  if (!claimed_) {
    no.code = refusal_code::already_linked;
    no.text = "nodes '" + owner_.options().self.name + "' and '" + peer_.node.name + "' are already linked";
    return no;
  }
  const result<void> admitted = owner_.host().admit(peer_.node);
  if (admitted) return std::nullopt;
  no.code = refusal_code::not_admitted;
  no.text = "node '" + owner_.options().self.name + "' does not admit '" + peer_.node.name +
            "': " + admitted.error().text();
  if (admitted.error() == errc::name_taken)
    no.text += "; give the nodes different names, or end the other one first";
  return no;
}

task<bool> link::refuse(refusal why) {
  std::vector<std::byte> said = greet(why);
  if (why.code == refusal_code::already_linked) why.who = peer_.node.id;  // whom the joiner should look for
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

task<std::shared_ptr<lane>> link::choose_lane() {
  if (kind_ == lane_kind::tcp) {
    lane_reason_ = owner_.options().tcp_only ? "this node uses TCP only"
                   : accepted_               ? "the peer came over TCP"
                                             : "no local socket leads to the peer";
  } else if (owner_.options().tcp_only || !peer_.wants_shm) {
    lane_reason_ = "one side does not want shared memory";
  } else {
    std::shared_ptr<lane> shared = co_await share_memory();
    if (shared) co_return shared;
    if (!greeter_.failure().empty()) co_return nullptr;
  }
  std::shared_ptr<lane> over = over_socket();
  co_return over;
}

std::vector<worker*> link::all_workers() const {
  std::vector<worker*> all;
  for (unsigned i = 0; i < owner_.workers().size(); ++i) all.push_back(&owner_.workers().at(i));
  return all;
}

std::shared_ptr<lane> link::over_socket() {
  socket_lane::setup s{home_,
                       all_workers(),
                       greeter_.take_socket(),
                       kind_,
                       owner_.options().send_buffer,
                       std::move(process_.pidfd)};
  return std::make_shared<socket_lane>(std::move(s));
}

task<std::shared_ptr<lane>> link::share_memory() {
  const link_options& o = owner_.options();
  shm_pair memory =
      prepare_shm(home_.world(), owner_.workers().size(), peer_.workers, {o.ring_bytes, o.bulks});
  std::vector<int> pass;
  if (memory.offer.ok) pass = {memory.memory_fd.get(), memory.bell.heard.get()};
  const bool offered = co_await greeter_.say(greet(greeting_kind::memory, memory.offer), std::move(pass));
  if (!offered) co_return nullptr;
  std::optional<heard> theirs = co_await greeter_.hear(2);
  if (!theirs) co_return nullptr;

  memory_offer verdict = map_peer_shm(home_.world(), memory, *theirs);
  const bool said = co_await greeter_.say(greet(greeting_kind::mapped, verdict));
  if (!said) co_return nullptr;
  const std::optional<heard> answer = co_await greeter_.hear();
  if (!answer) co_return nullptr;
  const std::optional<memory_offer> their_verdict = parse_memory_offer(answer->body);
  if (answer->header.kind != greeting_kind::mapped || !their_verdict) {
    greeter_.fail("the peer broke off while memory was being shared");
    co_return nullptr;
  }
  if (!verdict.ok || !their_verdict->ok) {
    lane_reason_ = "shared memory could not be set up: " + (verdict.ok ? their_verdict->text : verdict.text);
    co_return nullptr;
  }
  lane_reason_ = "the peer is on this host";
  std::shared_ptr<lane> made =
      std::make_shared<shm_lane>(home_, std::move(memory), greeter_.take_socket(), std::move(process_.pidfd));
  co_return made;
}

void link::finish(std::shared_ptr<lane> over) {
  const auto self = shared_from_this();
  greeter_.end();
  const link_options& o = owner_.options();
  link_session::setup s{
      .workers = owner_.workers(),
      .home = home_,
      .host = owner_.host(),
      .peer = peer_.node,
      .peer_streams = peer_.workers,
      .send = {peer_.window, std::min(o.max_destinations, peer_.max_destinations),
               std::min(o.max_routes, peer_.max_routes), peer_.max_message},
      .receive = {o.window, o.max_destinations, o.max_routes, o.max_message},
      .over = std::move(over),
      .lane_reason = lane_reason_,
      .lease = o.lease,
      .bulks = o.bulks,
      .up = [self] { self->owner_.link_is_up(self->number_, self->session_); },
      .gone = [self](link_end why) { self->gone(why); },
  };
  session_ = std::make_shared<link_session>(std::move(s));
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
  owner_.link_failed(number_, refused_);
}

}  // namespace troupe::detail
