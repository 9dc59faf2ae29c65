// Socket addresses of endpoints.
#include "os/socket_address.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <memory>

namespace troupe::detail {
namespace {

template <class T>
T as(const socket_address& address) noexcept {
  T out{};
  std::memcpy(&out, &address.storage, sizeof out);
  return out;
}

result<socket_address, setup_error> local_address(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path)
    return setup_error{"a socket path has 1 to 107 bytes; choose a shorter one"};
  std::memcpy(un.sun_path, path.data(), path.size());
  // An abstract name starts with a zero byte and has no terminator; a path is counted with its terminator.
  const bool abstract = path[0] == '@';
  if (abstract) un.sun_path[0] = '\0';

  socket_address address;
  std::memcpy(&address.storage, &un, sizeof un);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return address;
}

using address_list = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

result<address_list, setup_error> look_up(const endpoint& e, int family) {
  addrinfo wanted{};
  wanted.ai_family = family;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  // "localhost" is loopback everywhere (RFC 6761), also where no resolver says so.
  const std::string host = e.host != "localhost" ? e.host : family == AF_INET6 ? "::1" : "127.0.0.1";
  const int code = ::getaddrinfo(host.c_str(), std::to_string(e.port).c_str(), &wanted, &found);
  if (code != 0)
    return setup_error{"unknown host (" + std::string(::gai_strerror(code)) +
                       "); check the name or write its address"};
  return address_list(found, ::freeaddrinfo);
}

socket_address copy_of(const addrinfo& a) {
  socket_address address;
  std::memcpy(&address.storage, a.ai_addr, a.ai_addrlen);
  address.size = a.ai_addrlen;
  return address;
}

result<socket_address, setup_error> tcp_address(const endpoint& e, int family) {
  const auto found = look_up(e, family);
  if (!found) return found.error();
  const addrinfo* chosen = found->get();
  for (const addrinfo* a = chosen; a != nullptr && chosen->ai_family != AF_INET; a = a->ai_next)
    if (a->ai_family == AF_INET) chosen = a;
  return copy_of(*chosen);
}

endpoint local_endpoint_of(const socket_address& address) {
  const auto un = as<sockaddr_un>(address);
  const std::size_t length = address.size - offsetof(sockaddr_un, sun_path);
  endpoint e;
  e.family = endpoint::kind::local;
  if (length > 0 && un.sun_path[0] == '\0')
    e.path = "@" + std::string(un.sun_path + 1, length - 1);
  else
    e.path.assign(un.sun_path, ::strnlen(un.sun_path, length));
  return e;
}

}  // namespace

result<socket_address, setup_error> address_of(const endpoint& e, int family) {
  return e.family == endpoint::kind::local ? local_address(e.path) : tcp_address(e, family);
}

result<socket_address, setup_error> address_for(int socket, const endpoint& e) {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return address_of(e, family);
}

result<std::vector<endpoint>, setup_error> addresses_of(const endpoint& e) {
  constexpr std::size_t most = 16;
  const auto found = look_up(e, AF_UNSPEC);
  if (!found) return found.error();
  std::vector<endpoint> all;
  // First those that are reached from everywhere: each attempt takes time of the same handshake.
  for (const bool v4 : {true, false}) {
    for (const addrinfo* a = found->get(); a != nullptr && all.size() != most; a = a->ai_next) {
      if ((a->ai_family == AF_INET) == v4) all.push_back(endpoint_of(copy_of(*a)));
    }
  }
  return all;
}

endpoint endpoint_of(const socket_address& address) {
  if (address.family() == AF_UNIX) return local_endpoint_of(address);
  endpoint e;
  char host[INET6_ADDRSTRLEN] = "";
  if (address.family() == AF_INET6) {
    const auto in6 = as<sockaddr_in6>(address);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {  // of a socket for both
      ::inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], host, sizeof host);
    } else {
      ::inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
    }
    e.port = ntohs(in6.sin6_port);
  } else {
    const auto in = as<sockaddr_in>(address);
    ::inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
    e.port = ntohs(in.sin_port);
  }
  e.host = host;
  return e;
}

}  // namespace troupe::detail
