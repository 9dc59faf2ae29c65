// Endpoint URLs: `tcp://HOST:PORT`, `unix:///path`, `unix://@abstract-name`. Thread-safe: no state.
#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include <troupe/env.hpp>

namespace troupe {
namespace {

constexpr std::size_t max_path = 107;  // what fits a kernel socket address
constexpr std::size_t max_host = 253;  // what DNS allows

using parsed = result<endpoint, setup_error>;

setup_error bad(std::string_view url, const std::string& why_and_fix) {
  return setup_error{"bad endpoint '" + std::string(url) + "': " + why_and_fix};
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool is_name_or_ipv4(std::string_view host) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !host.empty() && host.size() <= max_host && std::all_of(host.begin(), host.end(), allowed);
}

parsed parse_local(std::string_view url, std::string_view path) {
  if (path.size() < 2 || (path[0] != '/' && path[0] != '@'))
    return bad(url, "no socket path; write unix:///absolute/path or unix://@abstract-name");
  if (path.size() > max_path)
    return bad(url, "the socket path has " + std::to_string(path.size()) + " bytes; at most 107 are allowed");
  if (path.find('\0') != path.npos) return bad(url, "the socket path contains a zero byte; remove it");
  endpoint e;
  e.family = endpoint::kind::local;
  e.path = path;
  return e;
}

/// Splits "HOST:PORT" or "[IPv6]:PORT" at its last colon.
parsed parse_tcp(std::string_view url, std::string_view rest) {
  const std::size_t colon = rest.rfind(':');
  const bool bracketed = rest.starts_with('[');
  if (colon == rest.npos || (bracketed && rest.find(']') > colon))
    return bad(url, "no port; write tcp://HOST:PORT, e.g. tcp://127.0.0.1:7000");
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);

  endpoint e;
  if (bracketed && host.ends_with(']')) {
    e.host = host.substr(1, host.size() - 2);
    if (!is_ipv6(e.host)) return bad(url, "'" + e.host + "' is no IPv6 address; write e.g. tcp://[::1]:7000");
  } else {
    e.host = host;
    if (host.empty()) return bad(url, "no host; write tcp://HOST:PORT, or 0.0.0.0 for all addresses");
    if (host.find(':') != host.npos)
      return bad(url, "an IPv6 address needs brackets; write e.g. tcp://[::1]:7000");
    if (!is_name_or_ipv4(host)) return bad(url, "'" + e.host + "' is no host name or address; check it");
  }
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), e.port);
  if (failure != std::errc{} || end != port.data() + port.size())
    return bad(url, "'" + std::string(port) + "' is no port; write a number from 0 to 65535");
  return e;
}

}  // namespace

result<endpoint, setup_error> endpoint::parse(std::string_view url) {
  constexpr std::string_view tcp = "tcp://";
  constexpr std::string_view local = "unix://";
  if (url.starts_with(tcp)) return parse_tcp(url, url.substr(tcp.size()));
  if (url.starts_with(local)) return parse_local(url, url.substr(local.size()));
  return bad(url, "unknown scheme; write tcp://HOST:PORT, unix:///path or unix://@abstract-name");
}

std::string endpoint::url() const {
  if (family == kind::local) return "unix://" + path;
  const bool brackets = host.find(':') != host.npos;
  return "tcp://" + (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool endpoint::is_numeric() const noexcept {
  if (family == kind::local || host == "localhost") return true;
  in6_addr any{};
  return ::inet_pton(AF_INET, host.c_str(), &any) == 1 || ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

bool endpoint::is_loopback() const noexcept {
  if (family == kind::local || host == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace troupe
