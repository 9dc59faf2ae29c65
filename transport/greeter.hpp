// A socket during the handshake: greetings in and out, as coroutines, under one deadline. Also connects. Home
// worker only. Every failure ends up in failure(); after one, every call fails.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <troupe/task.hpp>

#include "handshake.hpp"
#include "lane.hpp"
#include "link_security.hpp"
#include "resolver.hpp"

namespace troupe::detail {

struct heard {
  greeting_header header;
  std::vector<std::byte> body;
  std::vector<descriptor> descriptors;
};

class greeter {
 public:
  explicit greeter(worker& on) noexcept : on_(on) {}
  ~greeter();

  /// Everything must be over within `patience` from now.
  void begin(duration patience) { on_.timers().arm(deadline_, on_.now() + patience); }
  void adopt(descriptor socket) noexcept { socket_ = std::move(socket); }
  /// The addresses of an endpoint; none: a failure.
  task<std::vector<endpoint>> look_up(resolver& by, endpoint what);
  /// Opens a socket, to a numeric address, and connects it.
  task<bool> connect(endpoint to);
  /// What follows goes through a secure channel.
  task<bool> secure(const link_security& with, secure_channel::side as);
  task<bool> say(std::vector<std::byte> greeting, std::vector<int> descriptors = {});
  /// The next greeting; at most `descriptors` come with it, more are a failure.
  task<std::optional<heard>> hear(std::size_t descriptors = 0);

  /// The last address that was connected to: its host says that nobody listens there.
  bool refused() const noexcept { return connect_refused_; }
  int socket() const noexcept { return socket_.get(); }
  const secure_channel* channel() const noexcept { return channel_.get(); }
  /// All but what the socket's kind is, and who is behind it. Another worker may go on with it.
  connection take();
  /// Hangs up and forgets the failure, so that another address can be tried.
  void hang_up();
  /// The handshake is over: no deadline any more, and what is left of the socket is closed.
  void end();
  /// Makes the operation in flight, and everything after it, fail.
  void abort(std::string why);
  void fail(std::string why);
  const std::string& failure() const noexcept { return failure_; }

 private:
  template <class Start>
  struct io_awaiter;
  template <class Start>
  io_awaiter<Start> perform(const Start& start) noexcept;
  struct lookup;
  struct lookup_awaiter;
  task<bool> send(byte_view bytes);
  task<bool> send_encrypted(byte_view plain);
  task<bool> receive_more();
  task<bool> read_exactly(byte_span into, std::size_t descriptors, std::vector<descriptor>* received);
  task<bool> decrypt_exactly(byte_span into);
  void expired();

  worker& on_;
  descriptor socket_;
  std::unique_ptr<secure_channel> channel_;
  std::vector<std::byte> unread_;  // of the channel's bytes
  io_operation* in_flight_ = nullptr;
  std::shared_ptr<lookup> looked_up_;  // while it is waited for
  std::string failure_;
  bool aborted_ = false;
  bool connect_refused_ = false;
  bound_timer<greeter, &greeter::expired> deadline_{*this};
};

/// A coroutine that nobody awaits; its frame ends with it. Start it with worker::resume(handle).
struct detached {
  struct promise_type : pooled_frame {
    detached get_return_object() noexcept {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
  std::coroutine_handle<> handle;
};

}  // namespace troupe::detail
