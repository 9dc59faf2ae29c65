// What the hub dials: nodes that are joined, met, or lost, sessions that have lost their connection, and those that could have memory.
#include <algorithm>

#include <troupe/assert.hpp>
#include <troupe/log.hpp>

#include "hub_on_workers.hpp"

namespace troupe::detail {

static constexpr duration most_resume_after = std::chrono::seconds(1);  // the lease is short
static constexpr duration dialler_first =
    std::chrono::milliseconds(400);  // before who was dialled dials for a session
static constexpr duration sure_of_nobody = std::chrono::milliseconds(200);  // and the second time
static constexpr duration most_move_after = std::chrono::minutes(1);

void joining::dial_again() { hub_.dial(*this); }

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
  one_link& l = links_.at(link);
  if (!l.dialled || !l.session->may_move()) return;
  // A search that is left from before would wait for as long as it had to then: it begins anew.
  std::erase_if(joins_, [&](const auto& j) { return j->moves && j->carries == link && j->link == 0; });
  if (std::ranges::any_of(joins_, [&](const auto& j) { return j->moves && j->carries == link; })) return;
  const endpoint at =
      l.dialled->family == endpoint::kind::local ? *l.dialled : beside(zero_.world(), l.dialled->port);
  joining& j = *joins_.emplace_back(std::make_unique<joining>(*this, at, instant::max(), joined{}));
  j.lost = l.session->peer().name;
  j.carries = link;
  j.moves = true;
  // Memory that is lost again and again is sought less and less often.
  if (zero_.now() - l.sought >= 2 * most_move_after) l.seek_memory = {};
  l.sought = zero_.now();
  j.pause = std::max(l.seek_memory, options_.seek_memory);
  l.seek_memory = std::min(2 * j.pause, most_move_after);
  wait_to_dial(j);
}

void hub_on_workers::dial_to_move(joining& j) {
  const std::shared_ptr<link_session> session = links_.at(j.carries).session;
  if (closing_ || session->lane() == lane_kind::shm) return drop(j);
  if (session->suspended()) {
    j.pause = std::min(j.pause, most_resume_after);
    return wait_to_dial(j);
  }
  j.link = new_link(session->home(), false,
                    [at = j.to, session](detail::link& l) { l.dial_to_move(at, session); });
}

void hub_on_workers::drop(joining& j) {
  std::erase_if(joins_, [&](const auto& each) { return each.get() == &j; });
  close_if_empty();
}

joining* hub_on_workers::join_of(std::uint64_t link) {
  const auto at = std::ranges::find(joins_, link, [](const auto& j) { return j->link; });
  return at != joins_.end() ? at->get() : nullptr;
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

/// It has dialled this node itself, or was found by another join.
void hub_on_workers::stop_dialling(session& linked) {
  std::vector<joining*> over;
  for (const auto& j : joins_) {
    if (j->link == 0 && j->carries == 0 && j->lost == linked.peer().name) over.push_back(j.get());
  }
  for (joining* const j : over) finish_join(*j, &linked);
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

}  // namespace troupe::detail
