// Hostile peers that lend: slabs, loans and notes of them that cannot be.
#include "catch.hpp"

#include <sys/mman.h>

#include "shm_attacker.hpp"

using namespace hostile;

namespace {

/// Linked over shared memory, with a slab of its own to lend.
struct lending_attacker {
  explicit lending_attacker() {
    start(node, at);
    attacker.emplace(at);
    REQUIRE((attacker->offer(attacker->honest())).has_value());
    REQUIRE(node.linked());
    REQUIRE(node.lane() == lane_kind::shm);
    ring.emplace(ring_writer{attacker->memory.mine.ring(0), attacker->memory.mine.writer(0).position,
                             attacker->memory.theirs.reader(0).position});
    auto made = os_env().create_segment(1 << 20);
    REQUIRE(made.has_value());
    slab.emplace(std::move(*made));
  }

  void pass(int file, std::uint32_t number, std::uint64_t size, std::uint32_t magic = 0x42415354) {
    const bytes note = numbers(magic, number, size);
    REQUIRE(os_env().send_descriptors(attacker->peer.fd, note, {&file, 1}).has_value());
  }
  /// One segment with these frames.
  void publish(const std::vector<bytes>& frames) {
    const byte_span room = ring->open(0);
    REQUIRE_FALSE(room.empty());
    const bytes raw = attacker->peer.segment(frames);
    std::ranges::copy(raw, room.begin());
    ring->publish(raw.size());
    attacker->ring();
  }
  bytes lending(std::initializer_list<loan_entry> loans, std::uint8_t count, std::uint64_t lent) {
    bytes body = numbers(std::uint64_t{1}, std::uint32_t{0});
    for (const loan_entry& l : loans) append(body, numbers(l.number, l.offset, l.size, l.slab));
    append(body, numbers(count));
    frame_header header{frame_kind::message, 0, 0, 0, 0};
    header.lent = lent;
    return frame(header, body);
  }
  /// A message, or a reply, whose encoding lies in the last of these loans.
  static bytes apart(frame_kind kind, std::uint64_t total, std::initializer_list<loan_entry> loans,
                     std::uint64_t lent, const bytes& beside = {}) {
    bytes body = beside;
    for (const loan_entry& l : loans) append(body, numbers(l.number, l.offset, l.size, l.slab));
    append(body, numbers(static_cast<std::uint8_t>(loans.size())));
    frame_header header{kind, 0, kind == frame_kind::reply ? 1u : 0u, 0, total};
    header.lent = lent;
    header.apart = true;
    return frame(header, body);
  }
  std::string ends() {
    REQUIRE(node.unlinked());
    CHECK(node.down().first == link_end::violated);
    return node.down().second;
  }

  endpoint at;
  test_node node{{1, io_backend::automatic, false, "victim"}};
  std::optional<shm_attacker> attacker;
  std::optional<ring_writer> ring;
  std::optional<std::pair<descriptor, mapping>> slab;
};

}  // namespace

TEST_CASE("loans: slabs that cannot be are no slabs") {
  for (const std::string lie : {"unsealed", "size", "twice", "magic", "gone", "huge"}) {
    INFO(lie);
    lending_attacker a;
    const int file = a.slab->first.get();
    descriptor unsealed(os_env(), ::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    REQUIRE(::ftruncate(unsealed.get(), 1 << 20) == 0);
    if (lie == "unsealed") a.pass(unsealed.get(), 1, 1 << 20);
    if (lie == "size") a.pass(file, 1, 2 << 20);
    if (lie == "magic") a.pass(file, 1, 1 << 20, 7);
    if (lie == "huge") a.pass(file, 1, std::uint64_t{1} << 40);
    if (lie == "gone") a.attacker->peer.say(numbers(0x42415354u, 1u, std::uint64_t{0}));
    if (lie == "twice") {
      a.pass(file, 1, 1 << 20);
      a.pass(file, 1, 1 << 20);
    }
    CHECK_FALSE(a.ends().empty());
  }
}

TEST_CASE("loans: what lies outside of a known slab, and lists that cannot be, end the link") {
  constexpr std::uint64_t size = 1 << 20;
  const std::vector<std::pair<loan_entry, std::uint8_t>> lies = {
      {{1, 0, size, 2}, 1},
      {{1, 1, size, 1}, 1},
      {{1, size, 1, 1}, 1},
      {{1, 0, 0, 1}, 1},
      {{1, ~std::uint64_t{0}, 2, 1}, 1},
      {{1, 0, 1, 1}, 0},
      {{1, 0, 1, 1}, 255},
  };
  for (const auto& [entry, count] : lies) {
    INFO(entry.offset << " " << entry.size << " " << entry.slab << " " << unsigned{count});
    lending_attacker a;
    a.pass(a.slab->first.get(), 1, size);
    a.publish({route(0, 1), a.lending({entry}, count, entry.size != 0 ? entry.size : 1)});
    CHECK_FALSE(a.ends().empty());
    CHECK(a.node.host.with([](record& r) { return r.arrivals.empty(); }));
  }
}

TEST_CASE("loans: giving back what was never lent ends the link") {
  for (const std::uint32_t what : {0u, 3u}) {
    INFO(what);
    lending_attacker a;
    const bytes given = numbers(std::uint64_t{1});
    a.publish({frame({frame_kind::loans, what, 0, 0, 0}, given)});
    CHECK_FALSE(a.ends().empty());
  }
  lending_attacker a;
  a.publish({frame({frame_kind::loans, 0, 0, 0, 0}, numbers(std::uint32_t{1}))});
  CHECK(a.ends().find("length") != std::string::npos);
}

TEST_CASE("loans: a frame that lends other than it says ends the link") {
  for (const std::uint64_t lie : {std::uint64_t{1}, std::uint64_t{4097}, ~std::uint64_t{0}}) {
    lending_attacker a;
    a.pass(a.slab->first.get(), 1, 1 << 20);
    a.publish({route(0, 1), a.lending({{1, 0, 4096, 1}}, 1, lie)});
    CHECK(a.ends().find("not what its frame says") != std::string::npos);
  }
}

TEST_CASE("loans: what is lent of a slab that came without a descriptor is lost, and both are told") {
  lending_attacker a;
  a.attacker->peer.say(numbers(0x42415354u, 1u, std::uint64_t{1} << 20));
  a.publish({route(0, 1), a.lending({{1, 0, 4096, 1}}, 1, 4096)});
  REQUIRE(a.node.host.wait_until([](record& r) { return r.lost == 1; }));
  a.publish({frame({frame_kind::loans, 1, 0, 0, 0},
                   numbers(std::uint32_t{77}))});  // refuses what it was never passed
  a.pass(a.slab->first.get(), 2, 1 << 20);
  a.attacker->peer.say(numbers(0x42415354u, 2u, std::uint64_t{0}));
  a.publish({route(1, 2, 1, 0, {}), message(1, note_body(1, "goes on"))});
  CHECK(a.node.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
}

TEST_CASE("apart: an encoding that is not where its frame says ends the link") {
  constexpr std::uint64_t size = 100'000;
  const loan_entry whole{1, 0, size, 1};
  const loan_entry other{2, 0, 50, 1};
  const auto make = lending_attacker::apart;
  for (const frame_kind kind : {frame_kind::message, frame_kind::reply}) {
    const std::pair<bytes, const char*> lies[] = {
        {make(kind, size - 1, {whole}, size, {}), "not the encoding"},
        {make(kind, 50, {other, whole}, size + 50, {}), "not the encoding"},
        {make(kind, size, {whole}, size, bytes(1)), "beside"},
        {make(kind, size, {whole}, size + 1, {}), "not what its frame says"},
        {make(kind, std::uint64_t{1} << 62, {whole}, std::uint64_t{1} << 62, {}), "over its limit"},
        {make(kind, 1, {whole}, 0, {}), "does not exist"},
        {make(kind, size, {}, size, {}), "cannot be"},
    };
    for (const auto& [lie, why] : lies) {
      INFO(why);
      lending_attacker a;
      a.pass(a.slab->first.get(), 1, 1 << 20);
      a.publish({route(0, 1), lie});
      CHECK(a.ends().find(why) != std::string::npos);
      CHECK(a.node.host.with([](record& r) { return r.arrivals.empty() && r.replies.empty(); }));
    }
  }
}

TEST_CASE("apart: a frame behind one whose encoding lies apart ends the link") {
  const bytes good = note_body(5, std::string(99'000, 'a'));
  lending_attacker a;
  std::ranges::copy(good, a.slab->second.data());
  a.pass(a.slab->first.get(), 1, 1 << 20);
  const auto one =
      lending_attacker::apart(frame_kind::message, good.size(), {{1, 0, good.size(), 1}}, good.size());
  a.publish({route(0, 1), one, message(0, note_body(6, "behind"))});
  CHECK_THAT(a.ends(), Catch::Contains("a frame behind"));
  CHECK(a.node.host.with([](record& r) { return r.arrivals.size(); }) == 1);
}

TEST_CASE("apart: what does not decode ends the link, and what cannot be mapped is lost") {
  const bytes good = note_body(5, std::string(99'000, 'a'));
  lending_attacker a;
  std::ranges::copy(good, a.slab->second.data());
  a.pass(a.slab->first.get(), 1, 1 << 20);
  a.attacker->peer.say(numbers(0x42415354u, 2u, std::uint64_t{1} << 20));  // without a descriptor
  const auto make = lending_attacker::apart;
  a.publish({route(0, 1), make(frame_kind::message, good.size(), {{1, 0, good.size(), 1}}, good.size(), {})});
  a.publish({make(frame_kind::message, good.size(), {{2, 0, good.size(), 2}}, good.size(), {})});
  REQUIRE(a.node.host.wait_until([](record& r) { return r.lost == 1 && r.arrivals.size() == 1; }));
  CHECK(a.node.host.with([](record& r) { return r.arrivals.front().size; }) == good.size());
  a.publish({make(frame_kind::message, 5000, {{3, 0, 5000, 1}}, 5000, {})});
  CHECK(a.ends().find("does not decode") != std::string::npos);
}

TEST_CASE("loans: a peer that lends without end, and never hears what goes back, ends the link") {
  lending_attacker a;
  a.pass(a.slab->first.get(), 1, 1 << 20);
  bytes body;
  for (std::uint64_t i = 0; i < attachments_out::most; ++i)
    append(body, numbers(i, std::uint64_t{0}, std::uint64_t{1}, std::uint32_t{1}));
  append(body, numbers(static_cast<std::uint8_t>(attachments_out::most)));
  frame_header header{frame_kind::reply, 0, 1, 0, 0};  // which costs no credit
  header.lent = attachments_out::most;
  const std::vector<bytes> replies(16, frame(header, body));
  std::size_t lent = 0;
  const auto unlinked = [&] { return a.node.host.with([](record& r) { return !r.downs.empty(); }); };
  while (lent < 16 * most_loans_of_a_link && !unlinked()) {
    const byte_view room = a.ring->open(0);
    if (room.empty()) continue;  // the node gives some as it reads
    a.publish(replies);
    lent += replies.size() * attachments_out::most;
  }
  CHECK(a.ends().find("more loans") != std::string::npos);
}

TEST_CASE("loans: a goodbye that lends ends the link") {
  lending_attacker a;
  frame_header header{frame_kind::goodbye, 0, 0, 0, 0};
  header.lent = 1;
  a.publish({frame(header)});
  CHECK(a.ends().find("lends nothing") != std::string::npos);
}

TEST_CASE("loans: over a socket nothing is lent") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  frame_header header{frame_kind::message, 0, 0, 0, 0};
  header.lent = 1;
  bytes body = numbers(std::uint64_t{1}, std::uint32_t{0}, std::uint64_t{1}, std::uint64_t{0},
                       std::uint64_t{1}, std::uint32_t{1}, std::uint8_t{1});
  peer.say(peer.segment({route(0, 1), frame(header, body)}));
  CHECK(peer.is_closed());
  CHECK(victim.closed_for("lends nothing"));
}
