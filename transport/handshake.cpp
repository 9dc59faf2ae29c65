#include "handshake.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include <troupe/assert.hpp>

#include "destinations.hpp"

namespace troupe::detail {
namespace {

template <std::integral T>
void put(writer& out, T value) {
  out.write(&value, sizeof value);
}

template <std::integral T>
T get(reader& in) {
  T value{};
  in.read(&value, sizeof value);
  return value;
}

void put(writer& out, const incarnation& id) {
  put(out, id.high);
  put(out, id.low);
}

incarnation get_incarnation(reader& in) {
  incarnation id;
  id.high = get<std::uint64_t>(in);
  id.low = get<std::uint64_t>(in);
  return id;
}

void put(writer& out, const arrived_frames& arrived) {
  put(out, static_cast<std::uint8_t>(arrived.size()));
  for (const std::uint64_t each : arrived) put(out, each);
}

arrived_frames get_arrived(reader& in) {
  arrived_frames arrived(get<std::uint8_t>(in));
  for (std::uint64_t& each : arrived) each = get<std::uint64_t>(in);
  return arrived;
}

void put_text(writer& out, std::string_view text) {
  out.write(text.data(), std::min(text.size(), max_greeting_text));
}

std::string get_text(reader& in) {
  std::string text(std::min(in.remaining(), max_greeting_text), '\0');
  in.read(text.data(), text.size());
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';  // it ends up in a log
  }
  return text;
}

std::vector<std::byte> finish(greeting_kind kind, const auto& write_body) {
  std::array<std::byte, max_greeting> bytes;
  writer out(bytes);
  put(out, greeting_magic);
  put(out, static_cast<std::uint8_t>(kind));
  put(out, wire_major);
  put(out, std::uint16_t{0});
  write_body(out);
  TROUPE_ASSERT(out.ok(), "a greeting holds at most 4 KiB");
  store(bytes.data() + 6, static_cast<std::uint16_t>(out.size()));
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(out.size())};
}

}  // namespace

bool valid_node_name(std::string_view name) noexcept {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 64 && name.find_first_not_of(letters) == name.npos;
}

std::vector<std::byte> greet(greeting_kind kind, byte_view body) {
  return finish(kind, [&](writer& out) { out.write(body.data(), body.size()); });
}

std::vector<std::byte> greet(greeting_kind kind, const hello& h) {
  return finish(kind, [&](writer& out) {
    put(out, h.minor);
    put(out, static_cast<std::uint8_t>(h.wants_shm));
    put(out, h.workers);
    put(out, static_cast<std::uint8_t>(h.node.name.size()));
    put(out, h.window);
    put(out, h.max_destinations);
    put(out, h.max_routes);
    put(out, h.node.id);
    out.write(h.node.name.data(), h.node.name.size());
    put(out, h.max_message);
    put(out, h.session);
    put(out, h.port);
    put(out, static_cast<std::uint8_t>(h.host.size()));
    out.write(h.host.data(), h.host.size());
  });
}

std::vector<std::byte> greet(const refusal& r) {
  return finish(greeting_kind::refused, [&](writer& out) {
    put(out, static_cast<std::uint8_t>(r.code));
    put(out, r.who);
    put_text(out, r.text);
  });
}

std::vector<std::byte> greet(greeting_kind kind, const memory_offer& m) {
  return finish(kind, [&](writer& out) {
    put(out, static_cast<std::uint8_t>(m.ok));
    put(out, m.ring_bytes);
    put_text(out, m.text);
  });
}

std::vector<std::byte> greet(const resumption& r, greeting_kind kind) {
  return finish(kind, [&](writer& out) {
    put(out, r.from);
    put(out, r.to);
    put(out, r.session);
    put(out, r.attempt);
    put(out, r.arrived);
  });
}

std::vector<std::byte> greet(const arrived_frames& arrived) {
  return finish(greeting_kind::resumed, [&](writer& out) { put(out, arrived); });
}

std::optional<greeting_header> parse_header(byte_view eight) noexcept {
  reader in(eight);
  if (get<std::uint32_t>(in) != greeting_magic) return std::nullopt;
  greeting_header header;
  header.kind = static_cast<greeting_kind>(get<std::uint8_t>(in));
  header.major = get<std::uint8_t>(in);
  header.length = get<std::uint16_t>(in);
  if (!in.ok() || header.length < greeting_header_bytes || header.length > max_greeting) return std::nullopt;
  return header;
}

result<hello, std::string> parse_hello(byte_view body) {
  reader in(body);
  hello h;
  h.minor = std::min(get<std::uint8_t>(in), wire_minor);
  h.wants_shm = (get<std::uint8_t>(in) & 1) != 0;
  h.workers = get<std::uint8_t>(in);
  const auto name_bytes = get<std::uint8_t>(in);
  h.window = get<std::uint32_t>(in);
  h.max_destinations = get<std::uint32_t>(in);
  h.max_routes = get<std::uint32_t>(in);
  h.node.id = get_incarnation(in);
  h.node.name.resize(name_bytes);
  in.read(h.node.name.data(), name_bytes);
  if (in.remaining() != 0) {  // the first version ended here
    h.max_message = std::clamp(get<std::uint32_t>(in), least_message_limit, most_message_limit);
  }
  if (in.remaining() != 0) {  // and the second here
    h.session = get<std::uint64_t>(in);
    h.port = get<std::uint16_t>(in);
    h.host.resize(get<std::uint8_t>(in));
    in.read(h.host.data(), h.host.size());
  }
  if (!in.ok()) return std::string("the hello is too short");
  endpoint there;
  there.host = h.host;
  if (!h.host.empty() &&
      (h.host.size() > max_address_text || !there.is_numeric()))  // a name would be looked up here
    return std::string("the hello's host is no address");
  if (!valid_node_name(h.node.name)) {
    return std::string("a node name is 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }
  constexpr std::uint32_t largest_window = 1u << 30;
  constexpr std::uint32_t largest_table = 1u << 16;
  if (h.workers == 0) return std::string("the hello names no workers");
  if (h.window < max_chunk + message_overhead || h.window > largest_window) {
    return std::string("the hello's credit window is out of range");
  }
  if (h.max_destinations == 0 || h.max_routes == 0)
    return std::string("the hello allows no destinations or routes");
  h.max_destinations = std::min(h.max_destinations, largest_table);
  h.max_routes = std::min(h.max_routes, largest_table);
  return h;
}

std::optional<refusal> parse_refusal(byte_view body) {
  reader in(body);
  refusal r;
  r.code = static_cast<refusal_code>(get<std::uint8_t>(in));
  r.who = get_incarnation(in);
  if (!in.ok()) return std::nullopt;
  r.text = get_text(in);
  return r;
}

std::optional<memory_offer> parse_memory_offer(byte_view body) {
  reader in(body);
  memory_offer m;
  m.ok = get<std::uint8_t>(in) != 0;
  m.ring_bytes = get<std::uint32_t>(in);
  if (!in.ok()) return std::nullopt;
  m.text = get_text(in);
  return m;
}

std::optional<resumption> parse_resumption(byte_view body) {
  reader in(body);
  resumption r;
  r.from = get_incarnation(in);
  r.to = get_incarnation(in);
  r.session = get<std::uint64_t>(in);
  r.attempt = get<std::uint32_t>(in);
  r.arrived = get_arrived(in);
  if (!in.ok() || r.session == 0) return std::nullopt;
  return r;
}

std::optional<arrived_frames> parse_arrived(byte_view body) {
  reader in(body);
  arrived_frames arrived = get_arrived(in);
  if (!in.ok()) return std::nullopt;
  return arrived;
}

}  // namespace troupe::detail
