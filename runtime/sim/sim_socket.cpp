#include "sim/sim_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sim/sim_driver.hpp"
#include "sim/universe.hpp"

namespace troupe::detail {

sim_socket::~sim_socket() { let_go(); }

void sim_socket::attach(connection_ptr c, unsigned end) {
  connection_ = std::move(c);
  end_ = end;
  connection_->ends[end] = this;
  connection_->owners[end] = &owner_;
}

void sim_socket::connection_failed(int number) {
  failed_ = number;
  advance();
}

void sim_socket::let_go() {
  if (connection_ == nullptr) return;
  const connection_ptr c = std::exchange(connection_, nullptr);
  c->ends[end_] = nullptr;
  c->owners[end_] = nullptr;
  const bool unread = !c->local && !c->flows[1 - end_].arrived.empty();  // a local one loses nothing by that
  world_.transmit(c, end_, {.what = unread ? sim_piece::kind::rst : sim_piece::kind::fin});
}

void sim_socket::orphan() {
  let_go();
  sim_object::orphan();
}

bool sim_socket::readable() const noexcept {
  if (orphaned() || failed_ != 0) return true;
  if (connection_ == nullptr) return false;
  return connection_->broken || !theirs().arrived.empty();
}

std::int32_t sim_socket::take(std::span<std::byte> into, std::vector<object_ptr>* descriptors) {
  if (orphaned()) return 0;
  if (connection_ == nullptr) return failed_ != 0 ? -failed_ : -ENOTCONN;
  if (connection_->broken) return -ECONNRESET;
  std::deque<sim_piece>& arrived = theirs().arrived;
  if (arrived.empty()) return -EAGAIN;
  if (arrived.front().what == sim_piece::kind::fin) return 0;
  if (into.size() > 1 && world_.roll(sim::fault::short_io, 8)) {
    into = into.first(1 + world_.of(sim::fault::short_io).below(into.size() - 1));
  }
  std::size_t taken = 0;
  while (taken != into.size() && !arrived.empty() && arrived.front().what == sim_piece::kind::bytes) {
    sim_piece& p = arrived.front();
    if (taken != 0 && !p.descriptors.empty())
      break;  // descriptors come with the first byte that they went with
    for (object_ptr& d : p.descriptors) {
      if (descriptors != nullptr) descriptors->push_back(std::move(d));
    }
    p.descriptors.clear();
    const std::size_t n = std::min(into.size() - taken, p.bytes.size() - p.taken);
    std::copy_n(p.bytes.data() + p.taken, n, into.data() + taken);
    taken += n;
    p.taken += n;
    if (p.taken != p.bytes.size()) break;
    arrived.pop_front();
  }
  theirs().bytes -= taken;
  if (sim_socket* const sender = connection_->ends[1 - end_]) sender->advance();
  return static_cast<std::int32_t>(taken);
}

std::int32_t sim_socket::put(std::span<const std::byte> bytes, std::vector<object_ptr> descriptors) {
  if (orphaned()) return -EPIPE;
  if (connection_ == nullptr) return failed_ != 0 ? -failed_ : -ENOTCONN;
  if (connection_->broken) return -ECONNRESET;
  if (connection_->hung_up) return -EPIPE;
  mine().bytes += bytes.size();
  sim_piece p;
  p.bytes.assign(bytes.begin(), bytes.end());
  p.descriptors = std::move(descriptors);
  world_.transmit(connection_, end_, std::move(p));
  return static_cast<std::int32_t>(bytes.size());
}

std::int32_t sim_socket::try_inward(waiting& w) {
  const std::int32_t got = take(w.into, nullptr);
  return got == -EAGAIN ? not_yet : got;
}

std::int32_t sim_socket::try_outward(waiting& w) {
  if (w.what == kind::connect) {
    if (orphaned()) return -ECONNREFUSED;
    if (failed_ != 0) return -failed_;
    return connection_ != nullptr ? 0 : not_yet;
  }
  if (orphaned() || connection_ == nullptr || connection_->broken || connection_->hung_up)
    return put(w.from, {});
  std::size_t room = sim_flow::room - std::min(sim_flow::room, mine().bytes);
  if (room == 0) return not_yet;
  room = std::min(room, w.from.size());
  if (room > 1 && world_.roll(sim::fault::short_io, 8)) {
    room = 1 + world_.of(sim::fault::short_io).below(room - 1);
  }
  return put(w.from.first(room), {});
}

void sim_listener::arrive(std::shared_ptr<sim_socket> connection) {
  backlog_.push_back(std::move(connection));
  advance();
}

void sim_listener::let_go() {
  for (const std::string& key : keys_) world_.stop_listening(key, *this);
  backlog_.clear();  // hangs up
}

void sim_listener::orphan() {
  let_go();
  sim_object::orphan();
}

std::int32_t sim_listener::try_inward(waiting&) {
  if (backlog_.empty()) return not_yet;
  if (world_.roll(sim::fault::no_descriptors, 20)) return -EMFILE;
  std::shared_ptr<sim_socket> first = std::move(backlog_.front());
  backlog_.pop_front();
  return owner_.adopt(std::move(first));
}

}  // namespace troupe::detail
