// The handles and awaitables of troupe/stream.hpp over stream_core and listener_core.
#include <troupe/stream.hpp>

#include <memory>

#include <troupe/assert.hpp>
#include <troupe/log.hpp>

#include "stream_core.hpp"
#include "stream_listener.hpp"

namespace troupe {
namespace detail {

template <class Core>
socket_handle<Core>::socket_handle(const socket_handle& o) noexcept : core_(o.core_) {
  if (core_ != nullptr) core_->retain();
}
template <class Core>
socket_handle<Core>::~socket_handle() {
  if (core_ != nullptr) core_->release();
}
template <class Core>
Core& socket_handle<Core>::operator*() const noexcept {
  TROUPE_ASSERT(core_ != nullptr, "this stream or listener was moved from");
  core_->assert_here();
  return *core_;
}
template class socket_handle<stream_core>;
template class socket_handle<listener_core>;

namespace {

worker& here() {
  TROUPE_ASSERT(current_worker != nullptr, "open and connect streams inside an actor");
  return *current_worker;
}

socket_handle<stream_core> make_stream(worker& home, descriptor socket) {
  return socket_handle<stream_core>(*new stream_core(home, std::move(socket)));
}

}  // namespace

// accept

void accept_operation::cancel() noexcept {
  at_->give_up(*this);
  wait_.cancel();
}
bool accept_operation::await_ready() const { return at_->can_accept(); }
void accept_operation::await_suspend(std::coroutine_handle<> acceptor, std::source_location at) {
  wait_.suspend(acceptor, "accept", at);
  at_->wait_to_accept(*this);
}
result<byte_stream> accept_operation::await_resume() {
  descriptor connection = at_->take();
  if (!connection) return errc::closed;
  return byte_stream(make_stream(at_->home(), std::move(connection)));
}

// connect

connect_operation::connect_operation(std::string_view url) : to_(endpoint::parse(url)) {}
void connect_operation::cancel() noexcept {
  if (stream_) (*stream_)->give_up(*this);
  wait_.cancel();
}
bool connect_operation::await_ready() {
  worker& home = here();
  if (!to_) {
    log(log_level::warning, to_.error().text);
    return true;
  }
  auto socket = home.world().open_socket(*to_);
  if (!socket) {
    log(log_level::warning, socket.error().text);
    return true;
  }
  stream_ = make_stream(home, std::move(*socket));
  return false;
}
void connect_operation::await_suspend(std::coroutine_handle<> caller, std::source_location at) {
  wait_.suspend(caller, "connect", at);
  (*stream_)->connect(*this, *to_);
}
result<byte_stream> connect_operation::await_resume() {
  if (!stream_) return stream_.error();
  if (failure_.code != errc::ok) return failure_;
  return byte_stream(*stream_);
}

// read

read_operation::read_operation(const socket_handle<stream_core>& from, read_unit unit,
                               std::size_t most) noexcept
    : from_(from), most_(most), unit_(unit) {
  TROUPE_ASSERT(most != 0, "read at least one byte");
}
void read_operation::cancel() noexcept {
  from_->give_up(*this);
  wait_.cancel();
}
bool read_operation::await_ready() const { return from_->can_read(unit_, most_); }
void read_operation::await_suspend(std::coroutine_handle<> reader, std::source_location at) {
  wait_.suspend(reader, "read", at);
  from_->wait_to_read(*this);
}
result<std::string> read_operation::await_resume() { return from_->take(unit_, most_); }

// write

void write_operation::cancel() noexcept {
  to_->give_up(*this);
  wait_.cancel();
}
bool write_operation::await_ready() {
  if (to_->is_closed()) failure_ = errc::closed;
  return failure_.code != errc::ok || rest_.empty();
}
void write_operation::await_suspend(std::coroutine_handle<> writer, std::source_location at) {
  wait_.suspend(writer, "write", at);
  to_->write(*this);
}
result<void> write_operation::await_resume() const noexcept {
  if (failure_.code != errc::ok) return failure_;
  return {};
}

}  // namespace detail

result<byte_stream, setup_error> byte_stream::open_fifo(const std::string& path, fifo_use how) {
  detail::worker& home = detail::here();
  auto fifo = home.world().open_fifo(path, how);
  if (!fifo) return std::move(fifo).error();
  auto* const core = new detail::stream_core(home, std::move(*fifo), how);
  return byte_stream(detail::socket_handle<detail::stream_core>(*core));
}

void byte_stream::close() const noexcept { core_->close(); }
void listener::close() const noexcept { core_->close(); }
std::string listener::url() const { return core_->url(); }

result<listener, setup_error> listener::open(std::string_view url) {
  constexpr int backlog = 512;
  detail::worker& home = detail::here();
  auto at = endpoint::parse(url);
  if (!at) return std::move(at).error();
  auto socket = home.world().listen(*at, backlog);
  if (!socket) return std::move(socket).error();
  if (at->family == endpoint::kind::tcp) *at = home.world().local_endpoint(socket->get());
  auto* const core = new detail::listener_core(home, std::move(*socket), at->url());
  return listener(detail::socket_handle<detail::listener_core>(*core));
}

}  // namespace troupe
