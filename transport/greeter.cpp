#include "greeter.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <troupe/assert.hpp>

namespace troupe::detail {

template <class Start>
struct greeter::io_awaiter {
  struct operation : io_operation {
    operation() noexcept
        : io_operation([](io_operation& self, std::int32_t r) noexcept {
            auto& op = static_cast<operation&>(self);
            op.result = r;
            op.of->in_flight_ = nullptr;
            current_worker->resume(op.waiter);
          }) {}
    greeter* of = nullptr;
    std::int32_t result = 0;
    std::coroutine_handle<> waiter;
  };

  io_awaiter(greeter& of, const Start& s) noexcept : start(s) { op.of = &of; }
  bool await_ready() const noexcept { return op.of->aborted_; }
  void await_suspend(std::coroutine_handle<> waiter) {
    op.waiter = waiter;
    op.of->in_flight_ = &op;
    start(op);
  }
  std::int32_t await_resume() const noexcept { return op.of->aborted_ ? -1 : op.result; }

  const Start& start;
  operation op;
};

template <class Start>
greeter::io_awaiter<Start> greeter::perform(const Start& start) noexcept {
  return {*this, start};
}

greeter::~greeter() {
  TROUPE_ASSERT(in_flight_ == nullptr && !socket_, "end() a handshake before its greeter is destroyed");
}

void greeter::end() {
  on_.timers().cancel(deadline_);
  hang_up();
}

connection greeter::take() {
  on_.io().forget(socket_.get());
  connection all;
  all.socket = std::move(socket_);
  all.channel = std::move(channel_);
  all.unread = std::move(unread_);
  return all;
}

void greeter::hang_up() {
  channel_.reset();
  unread_.clear();
  if (!socket_) return;
  on_.io().forget(socket_.get());
  socket_.reset();
  if (!aborted_) failure_.clear();
}

void greeter::fail(std::string why) {
  if (failure_.empty()) failure_ = std::move(why);
}

/// What comes of it later than the greeter waits is nobody's.
struct greeter::lookup {
  void finish(resolver::answer how) {
    if (!waiter) return;
    found = std::move(how);
    current_worker->resume(std::exchange(waiter, nullptr));
  }
  resolver::answer found = setup_error();
  std::coroutine_handle<> waiter;
};

void greeter::abort(std::string why) {
  if (aborted_) return;
  aborted_ = true;
  failure_ = std::move(why);
  if (in_flight_ != nullptr) on_.io().cancel(*in_flight_);
  if (looked_up_) looked_up_->finish(setup_error(failure_));
}

void greeter::expired() { abort("the peer did not answer the handshake in time"); }

struct greeter::lookup_awaiter {
  greeter* of;
  resolver* by;
  const endpoint* what;

  bool await_ready() const noexcept { return of->aborted_; }
  void await_suspend(std::coroutine_handle<> waiter) {
    of->looked_up_->waiter = waiter;
    by->look_up(*what, of->on_,
                [state = of->looked_up_](resolver::answer how) { state->finish(std::move(how)); });
  }
  void await_resume() const noexcept {}
};

task<std::vector<endpoint>> greeter::look_up(resolver& by, endpoint what) {
  const auto state = looked_up_ = std::make_shared<lookup>();
  co_await lookup_awaiter{this, &by, &what};
  looked_up_.reset();
  std::vector<endpoint> all;
  if (state->found) {
    all = std::move(*state->found);
  } else {
    fail(state->found.error().text);
  }
  co_return all;
}

task<bool> greeter::connect(endpoint to) {
  connect_refused_ = false;
  auto socket = on_.world().open_socket(to);
  if (!socket) {
    fail(socket.error().text);
    co_return false;
  }
  socket_ = std::move(*socket);
  const auto start = [&](io_operation& op) { on_.io().connect(op, socket_.get(), to); };
  const std::int32_t result = co_await perform(start);
  if (result < 0) fail(error(errc::io_failed, -result).text());
  connect_refused_ = result == -ECONNREFUSED && !aborted_;
  co_return result == 0;
}

task<bool> greeter::say(std::vector<std::byte> greeting, std::vector<int> descriptors) {
  if (aborted_) co_return false;
  if (!descriptors.empty()) {
    const auto sent = on_.world().send_descriptors(socket_.get(), greeting, descriptors);
    if (!sent) fail("cannot pass descriptors: " + sent.error().text());
    co_return sent.has_value();
  }
  if (channel_) co_return co_await send_encrypted(greeting);
  co_return co_await send(greeting);
}

task<bool> greeter::send(byte_view bytes) {
  const auto start = [&](io_operation& op) { on_.io().send(op, socket_.get(), bytes); };
  while (!bytes.empty()) {
    const std::int32_t result = co_await perform(start);
    if (result <= 0) {
      fail("the peer hung up during the handshake");
      co_return false;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(result));
  }
  co_return true;
}

/// First what the channel has to say itself.
task<bool> greeter::send_encrypted(byte_view plain) {
  std::vector<std::byte> cipher(secure_channel::encrypted_size(plain.size()) + secure_channel::max_record);
  while (channel_->has_output() || !plain.empty()) {
    const secure_channel::progress p = channel_->encrypt(plain, cipher);
    if (p.made == 0) {
      fail(channel_->failure());
      co_return false;
    }
    plain = plain.subspan(p.taken);
    const bool sent = co_await send(byte_view(cipher).first(p.made));
    if (!sent) co_return false;
  }
  co_return true;
}

task<bool> greeter::receive_more() {
  constexpr std::size_t some = 4096;
  const std::size_t before = unread_.size();
  unread_.resize(before + some);
  const auto start = [&](io_operation& op) {
    on_.io().receive(op, socket_.get(), byte_span(unread_).subspan(before));
  };
  const std::int32_t result = co_await perform(start);
  unread_.resize(before + static_cast<std::size_t>(std::max(result, 0)));
  if (result <= 0) fail("the peer hung up during the handshake");
  co_return result > 0;
}

task<bool> greeter::secure(const link_security& with, secure_channel::side as) {
  channel_ = with.open(as);
  for (;;) {
    const bool said = co_await send_encrypted({});
    if (channel_->state() == secure_channel::stage::open) co_return said;
    if (channel_->state() != secure_channel::stage::handshaking) break;
    bool heard = said;
    if (heard) heard = co_await receive_more();
    if (!heard) co_return false;
    const secure_channel::progress p = channel_->decrypt(unread_, {});
    unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(p.taken));
  }
  fail(channel_->failure());
  co_return false;
}

task<bool> greeter::decrypt_exactly(byte_span into) {
  while (!into.empty()) {
    const secure_channel::progress p = channel_->decrypt(unread_, into);
    unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(p.taken));
    into = into.subspan(p.made);
    if (into.empty()) break;
    const bool said = co_await send_encrypted({});
    if (!said) co_return false;
    if (channel_->state() != secure_channel::stage::open) {
      fail(channel_->failure().empty() ? "the peer hung up during the handshake" : channel_->failure());
      co_return false;
    }
    const bool heard = co_await receive_more();
    if (!heard) co_return false;
  }
  co_return true;
}

task<bool> greeter::read_exactly(byte_span into, std::size_t descriptors, std::vector<descriptor>* received) {
  if (channel_) co_return co_await decrypt_exactly(into);
  const auto start = [&](io_operation& op) { on_.io().wait_readable(op, socket_.get()); };
  while (!into.empty()) {
    const std::int32_t ready = co_await perform(start);
    if (ready < 0) {
      fail("the connection broke during the handshake");
      co_return false;
    }
    auto got = on_.world().receive_descriptors(socket_.get(), into, descriptors);
    if (!got) {
      if (got.error() == errc::full) continue;
      fail("the peer hung up during the handshake");
      co_return false;
    }
    into = into.subspan(got->bytes);
    for (descriptor& d : got->descriptors) received->push_back(std::move(d));
  }
  co_return true;
}

task<std::optional<heard>> greeter::hear(std::size_t descriptors) {
  heard h;
  std::byte eight[greeting_header_bytes];
  const std::size_t ask_for =
      descriptors == 0 ? 0 : descriptors + 1;  // one more shows that there are too many
  const bool begun = co_await read_exactly(eight, ask_for, &h.descriptors);
  if (!begun) co_return std::nullopt;
  const auto header = parse_header(eight);
  if (!header) {
    fail("what answers there does not speak troupe's protocol");
    co_return std::nullopt;
  }
  h.header = *header;
  h.body.resize(header->length - greeting_header_bytes);
  const bool whole = co_await read_exactly(h.body, ask_for, &h.descriptors);
  if (!whole) co_return std::nullopt;
  if (h.descriptors.size() > descriptors) {
    fail("the peer sent more descriptors than the handshake allows");
    co_return std::nullopt;
  }
  std::optional<heard> result(std::move(h));
  co_return result;
}

}  // namespace troupe::detail
