// What the fuzzer of the wire does (fuzz/wire_input.hpp), with inputs by chance and on both compilers: greetings and frames as nodes
// say them, some of whose bytes are lies. What it finds wrong aborts.
#include <random>

#include "catch.hpp"
#include "fuzz/wire_input.hpp"

using namespace troupe::detail;

namespace {

using bytes = std::vector<std::byte>;

class input_by_chance {
 public:
  explicit input_by_chance(std::uint64_t seed) : chance_(seed) {}

  std::vector<std::uint8_t> next() {
    bytes raw;
    std::uint8_t frames = 0;
    if (below(2) == 0) {
      raw = greeting();
    } else {
      for (frames = static_cast<std::uint8_t>(1 + below(6)); count_ != frames; ++count_) append(raw, frame());
      count_ = 0;
    }
    for (std::uint64_t lies = below(4); lies != 0 && !raw.empty(); --lies) {
      raw[below(raw.size())] = static_cast<std::byte>(below(4) == 0 ? 0xFF : chance_());
      if (below(8) == 0) raw.resize(below(raw.size()));
    }
    std::vector<std::uint8_t> input{frames};
    for (const std::byte b : raw) input.push_back(static_cast<std::uint8_t>(b));
    return input;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return chance_() % n; }
  static void append(bytes& to, const bytes& more) { to.insert(to.end(), more.begin(), more.end()); }
  template <class T>
  static void put(bytes& to, T value) {
    const auto raw = std::as_bytes(std::span(&value, 1));
    to.insert(to.end(), raw.begin(), raw.end());
  }

  bytes greeting() {
    switch (below(5)) {
      case 0: {
        hello h;
        h.node = {"node", {chance_(), chance_()}};
        h.window = 128 * 1024;
        h.max_destinations = h.max_routes = 16;
        h.session = chance_();
        h.port = 7000;
        h.host = below(2) == 0 ? "192.0.2.1" : "2001:db8::1";
        return greet(greeting_kind::hello, h);
      }
      case 1: return greet(resumption{{1, 2}, {3, 4}, chance_(), 1, arrived_frames(below(256), chance_())});
      case 2: return greet(arrived_frames(below(256), chance_()));
      case 3: return greet(refusal{refusal_code::gone, {1, 2}, "node"});
      default: return greet(greeting_kind::memory, memory_offer{true, 1 << 19, "why"});
    }
  }

  bytes frame() {
    bytes body;
    frame_header header;
    switch (below(5)) {
      case 0:
        header.kind = frame_kind::route;
        put(body, chance_());
        put(body, static_cast<std::uint32_t>(below(18)));
        put(body, static_cast<std::uint32_t>(below(3)));
        for (std::uint64_t n = below(20); n != 0; --n) body.push_back(std::byte{'s'});
        break;
      case 1:
        header.kind = frame_kind::credit;
        for (std::uint64_t n = below(4); n != 0; --n) put(body, chance_());
        break;
      case 2:
        header.kind = frame_kind::control;
        for (std::uint64_t n = 2 + below(30); n != 0; --n) put(body, chance_());
        break;
      default:
        header.kind = below(4) == 0 ? frame_kind::reply : frame_kind::message;
        if (header.kind == frame_kind::reply || below(2) == 0) header.correlation = 1 + below(9);
        put(body, chance_());  // a note
        put(body, std::uint32_t{2});
        put(body, std::uint16_t{0x6161});
        put(body, static_cast<std::uint32_t>(below(8) == 0 ? chance_() : 1));
        put(body, std::uint32_t{3});
        put(body, std::uint16_t{1}), put(body, std::uint32_t{2});
    }
    header.route = static_cast<std::uint32_t>(below(3));
    bytes raw(header.bytes());
    write_frame_header(raw.data(), header, body.size());
    append(raw, body);
    return raw;
  }

  std::mt19937_64 chance_;
  unsigned count_ = 0;
};

}  // namespace

TEST_CASE("fuzz: greetings and frames with bytes that are lies break nothing") {
  input_by_chance inputs(23);
  for (int i = 0; i < 40'000; ++i) fuzz::hear_anything(inputs.next());
  SUCCEED("it lives");
}
