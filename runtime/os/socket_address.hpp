// Socket addresses of endpoints. Thread-safe: no state.
#pragma once

#include <sys/socket.h>

#include <troupe/env.hpp>

namespace troupe::detail {

struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const noexcept { return storage.ss_family; }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

/// Numeric hosts at once; names through the system's resolver, which may block. A name with addresses of both
/// families means its IPv4 one, so that "localhost" is the same to listeners and to diallers; `family` other
/// than AF_UNSPEC narrows it. The error is a reason and a fix: "unknown host (...); check the name".
result<socket_address, setup_error> address_of(const endpoint& e, int family = AF_UNSPEC);

/// As above, in the family that `socket` was opened for.
result<socket_address, setup_error> address_for(int socket, const endpoint& e);

/// All of a name's, at most 16: those of IPv4 first, else in the order of the system's resolver (RFC 6724).
result<std::vector<endpoint>, setup_error> addresses_of(const endpoint& e);

endpoint endpoint_of(const socket_address& address);

}  // namespace troupe::detail
