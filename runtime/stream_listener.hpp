// A listening socket, and the one coroutine that waits for a connection.
//
// A connection whose waiter is gone is kept for the next one. When the kernel cannot give a connection, the
// listener looks again (accept_trouble.hpp) for as long as somebody waits. Everything runs on the home worker.
#pragma once

#include <string>

#include <troupe/stream.hpp>

#include "accept_trouble.hpp"
#include "stream_socket.hpp"

namespace troupe::detail {

class listener_core final : public stream_socket {
 public:
  listener_core(worker& home, descriptor socket, std::string url)
      : stream_socket(home, std::move(socket)), url_(std::move(url)) {}

  const std::string& url() const noexcept { return url_; }
  bool can_accept() const noexcept { return is_closed() || arrived_; }
  /// Empty when closed. Only if can_accept().
  descriptor take() noexcept { return std::move(arrived_); }
  void wait_to_accept(accept_operation& acceptor);
  void give_up(accept_operation& acceptor) noexcept;

 private:
  struct pause_timer : timer {
    explicit pause_timer(listener_core& o) noexcept
        : timer([](timer& self) noexcept { static_cast<pause_timer&>(self).of.accept_more(); }), of(o) {}
    listener_core& of;
  };

  void inward_done(std::int32_t result) noexcept override;
  void outward_done(std::int32_t) noexcept override {}
  void closed() noexcept override;

  void accept_more() noexcept;
  void end_accept() noexcept { std::exchange(acceptor_, nullptr)->wait_.complete(); }

  std::string url_;
  accept_operation* acceptor_ = nullptr;
  descriptor arrived_;
  pause_timer pause_{*this};
  accept_trouble trouble_;
};

}  // namespace troupe::detail
