// Secure channels among themselves: what one says the other hears, whole, in order and from nobody else; how they end; and
// what somebody in between can do to the bytes. Peers that are no channel of ours: foreign_tls_test.cpp.
#include "secure_channel.hpp"

#include "catch.hpp"

#include <malloc.h>

#include <memory>

#include "allow_list.hpp"
#include "fuzz/channel_input.hpp"
#include "tls_kit.hpp"

using namespace tls_test;

namespace {

std::string hears(secure_channel& to, byte_view cipher) { return text_from(input_to(to, cipher)); }
bytes says(secure_channel& from, std::string_view text) { return output_of(from, bytes_of(text)); }

/// Bob's channel, given what nobody meant for it.
std::unique_ptr<secure_channel> bob_hears(byte_view cipher, std::size_t piece = 64 * 1024) {
  auto channel = std::make_unique<secure_channel>(bob().own, side::acceptor, anybody);
  CHECK(input_to(*channel, cipher, piece).empty());
  return channel;
}

}  // namespace

TEST_CASE("secure channel: a handshake gives each side the other's key, however its bytes come") {
  const std::size_t piece = GENERATE(1u, 2u, 5u, 100u, 64u * 1024);
  pair two;
  CHECK(two.dialer.state() == stage::handshaking);
  talk(two.dialer, two.acceptor, piece);
  REQUIRE(two.dialer.state() == stage::open);
  REQUIRE(two.acceptor.state() == stage::open);
  CHECK(two.dialer.peer_key() == bob().key.public_half());
  CHECK(two.acceptor.peer_key() == ann().key.public_half());
  CHECK(hears(two.acceptor, says(two.dialer, "hello")) == "hello");
  CHECK(hears(two.dialer, says(two.acceptor, "welcome")) == "welcome");
}

TEST_CASE("secure channel: its own words go out in pieces where there is little room") {
  pair two;
  const auto trickle = [](secure_channel& from, secure_channel& to) {
    std::byte one[1];
    while (from.has_output()) {
      REQUIRE(from.encrypt({}, one).made == 1);
      input_to(to, one);
    }
  };
  while (two.dialer.has_output() || two.acceptor.has_output()) {
    trickle(two.dialer, two.acceptor);
    trickle(two.acceptor, two.dialer);
  }
  CHECK(two.dialer.state() == stage::open);
  CHECK(two.acceptor.state() == stage::open);
}

TEST_CASE("secure channel: 1 MiB each way at the same time is whole, whatever the sizes of the buffers") {
  const std::size_t room = GENERATE(1000u, 20'000u, 100'000u);
  open_pair two;
  struct direction {
    secure_channel& from;
    secure_channel& to;
    bytes said;
    bytes on_the_wire{};
    bytes heard{};
    std::size_t at = 0;
  };
  bytes reversed = pattern(1 << 20);
  std::ranges::reverse(reversed);
  direction both[] = {{two.dialer, two.acceptor, pattern(1 << 20)}, {two.acceptor, two.dialer, reversed}};
  bytes cipher(secure_channel::encrypted_size(room));
  bytes plain(room);
  for (bool more = true; more;) {
    more = false;
    for (direction& d : both) {
      const byte_view rest = byte_view(d.said).subspan(d.at);
      const auto sent = d.from.encrypt(rest.first(std::min(room, rest.size())), cipher);
      if (sent.taken != std::min(room, rest.size())) FAIL("took " << sent.taken << " of " << rest.size());
      d.at += sent.taken;
      d.on_the_wire.insert(d.on_the_wire.end(), cipher.begin(),
                           cipher.begin() + static_cast<std::ptrdiff_t>(sent.made));
      const std::size_t piece = std::min(d.on_the_wire.size(), room + 700);
      const auto got = d.to.decrypt(byte_view(d.on_the_wire).first(piece), plain);
      d.on_the_wire.erase(d.on_the_wire.begin(),
                          d.on_the_wire.begin() + static_cast<std::ptrdiff_t>(got.taken));
      d.heard.insert(d.heard.end(), plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(got.made));
      more |= sent.taken != 0 || got.taken != 0 || got.made != 0;
    }
  }
  for (const direction& d : both) CHECK((d.heard == d.said));
  CHECK(two.dialer.state() == stage::open);
}

TEST_CASE("secure channel: nothing of what is said is to be seen on the wire") {
  constexpr std::string_view marker = "in plain sight";
  open_pair two;
  std::string said;
  while (said.size() < 100'000) said += marker;
  const bytes cipher = says(two.dialer, said);
  CHECK(cipher.size() > said.size());
  CHECK(text_from(cipher).find(marker) == std::string::npos);
  CHECK((cipher != says(two.dialer, said)));  // the same again looks different
  CHECK(hears(two.acceptor, cipher) == said);
}

TEST_CASE("secure channel: a record is begun only where it fits, and the rest waits") {
  open_pair two;
  const bytes said = pattern(3 * secure_channel::most_plain_in_record);
  bytes room(2 * secure_channel::max_record + 100);
  const auto did = two.dialer.encrypt(said, room);
  CHECK(did.taken == 2 * secure_channel::most_plain_in_record);
  CHECK(did.made == 2 * secure_channel::max_record);
  CHECK_FALSE(two.dialer.has_output());
  room.resize(secure_channel::max_record - 1);
  CHECK(two.dialer.encrypt(byte_view(said).subspan(did.taken), room).made == 0);
}

TEST_CASE("secure channel: a key is changed after so many records, and nobody notices") {
  open_pair two(4);
  bytes room(secure_channel::encrypted_size(100));
  unsigned changes = 0;
  for (unsigned i = 0; i < 40; ++i) {
    const bytes said = pattern(i + 1);
    for (secure_channel* from : {&two.dialer, &two.acceptor}) {
      secure_channel& to = from == &two.dialer ? two.acceptor : two.dialer;
      if (i == 4) {  // the room for the change itself is missing
        const byte_span small = byte_span(room).first(said.size() + secure_channel::record_overhead);
        CHECK(from->encrypt(said, small).taken == 0);
        CHECK_FALSE(from->has_output());
      }
      const auto did = from->encrypt(said, room);
      REQUIRE(did.taken == said.size());
      CHECK_FALSE(from->has_output());
      if (did.made != said.size() + secure_channel::record_overhead) {
        CHECK(did.made == said.size() + secure_channel::record_overhead + secure_channel::rekey_bytes);
        ++changes;
      }
      CHECK((input_to(to, byte_view(room).first(did.made)) == said));
    }
  }
  CHECK(changes == 2 * 9);
}

TEST_CASE("secure channel: a goodbye ends it on both sides, after what was said before") {
  open_pair two;
  bytes cipher = says(two.dialer, "one more thing");
  two.dialer.close();
  CHECK(two.dialer.has_output());
  const bytes goodbye = output_of(two.dialer);
  CHECK(two.dialer.state() == stage::open);  // the other side may still have something to say
  CHECK(two.dialer.encrypt(bytes_of("too late"), cipher).taken == 0);
  CHECK(hears(two.dialer, says(two.acceptor, "wait")) == "wait");
  cipher.insert(cipher.end(), goodbye.begin(), goodbye.end());
  CHECK(hears(two.acceptor, cipher) == "one more thing");
  CHECK(two.acceptor.state() == stage::closed);
  CHECK(two.acceptor.peer_key() == ann().key.public_half());
  CHECK(says(two.acceptor, "too late").size() == goodbye.size());  // its own goodbye alone
  CHECK(hears(two.acceptor, cipher).empty());
  CHECK(two.acceptor.state() == stage::closed);
}

TEST_CASE("secure channel: a goodbye is answered with a goodbye") {
  open_pair two;
  two.acceptor.close();
  talk(two.dialer, two.acceptor);
  CHECK(two.dialer.state() == stage::closed);
  CHECK(two.acceptor.state() == stage::closed);
}

TEST_CASE("secure channel: what is cut off anywhere is no end, and the record that was cut says nothing") {
  open_pair two;
  bytes cipher = says(two.dialer, "first");
  const bytes second = says(two.dialer, "second");
  CHECK(hears(two.acceptor, cipher) == "first");
  CHECK(hears(two.acceptor, byte_view(second).first(second.size() - 1)).empty());
  CHECK(two.acceptor.state() == stage::open);
  CHECK(hears(two.acceptor, byte_view(second).last(1)) == "second");
}

TEST_CASE(
    "secure channel: a bit that is flipped anywhere in a record ends the channel or never makes a word") {
  constexpr std::string_view said = "pay 10 to bob";
  for (std::size_t at = 0; at < said.size() + secure_channel::record_overhead; ++at) {
    open_pair two;
    bytes cipher = says(two.dialer, said);
    const bytes next = says(two.dialer, "and 20 to ann");
    REQUIRE(cipher.size() == said.size() + secure_channel::record_overhead);
    cipher[at] ^= std::byte{1};
    cipher.insert(cipher.end(), next.begin(), next.end());
    INFO("byte " << at);
    CHECK(hears(two.acceptor, cipher).empty());
    const bool longer = at == 3;  // of 256 bytes that are not there yet
    CHECK(two.acceptor.state() == (longer ? stage::open : stage::failed));
    if (!longer) CHECK(two.acceptor.failure().starts_with("TLS failed: "));
  }
}

TEST_CASE("secure channel: records that are doubled, left out or swapped end it") {
  const auto order = GENERATE(values<std::vector<int>>({{0, 0}, {1}, {1, 0}, {0, 2}}));
  open_pair two;
  const bytes records[] = {says(two.dialer, "0"), says(two.dialer, "1"), says(two.dialer, "2")};
  std::string heard;
  for (const int i : order) heard += hears(two.acceptor, records[i]);
  CHECK(heard == (order[0] == 0 ? "0" : ""));
  CHECK(two.acceptor.state() == stage::failed);
}

TEST_CASE("secure channel: a recorded handshake means nothing to a new channel") {
  pair two;
  bytes ann_said = output_of(two.dialer);
  input_to(two.acceptor, ann_said);
  const bytes bob_said = output_of(two.acceptor);
  input_to(two.dialer, bob_said);
  bytes more = output_of(two.dialer);
  const bytes order = says(two.dialer, "pay 10 to bob");
  more.insert(more.end(), order.begin(), order.end());
  REQUIRE(hears(two.acceptor, more) == "pay 10 to bob");
  ann_said.insert(ann_said.end(), more.begin(), more.end());
  const auto again = bob_hears(ann_said);
  CHECK(again->state() == stage::failed);
  secure_channel dialer(ann().own, side::dialer, anybody);
  CHECK(input_to(dialer, bob_said).empty());
  CHECK(dialer.state() == stage::failed);
}

TEST_CASE("secure channel: a key that nobody has is refused in the handshake, and told so") {
  const bool by_acceptor = GENERATE(true, false);
  const auto nobody = [](const public_key&) { return false; };
  pair two = by_acceptor ? pair(anybody, nobody) : pair(nobody, anybody);
  talk(two.dialer, two.acceptor);
  secure_channel& refuser = by_acceptor ? two.acceptor : two.dialer;
  secure_channel& refused = by_acceptor ? two.dialer : two.acceptor;
  const public_key& key = (by_acceptor ? ann() : bob()).key.public_half();
  CHECK(refuser.state() == stage::failed);
  CHECK(refuser.failure() == "the peer was refused: its key " + key.text() + " is not in the allow-list");
  CHECK(refused.state() == stage::failed);
  CHECK(refused.failure().find("\"bad certificate\"; is this node's key in its allow-list?") !=
        std::string::npos);
}

TEST_CASE("secure channel: a good key with another node's name is the caller's to refuse") {
  const std::string text = allow_list_line("ann", ann().key.public_half()) + "\n" +
                           allow_list_line("bob", bob().key.public_half()) + "\n";
  const allow_list list = allow_list::parse(text, "peers").value();
  const auto known = [&list](const public_key& key) { return list.knows(key); };
  pair two(known, known);
  talk(two.dialer, two.acceptor);
  REQUIRE(two.acceptor.state() == stage::open);
  CHECK(list.allows("ann", two.acceptor.peer_key()));
  CHECK_FALSE(list.allows("bob", two.acceptor.peer_key()));
}

TEST_CASE("secure channel: what the dialer says before it is refused is never heard") {
  pair two(anybody, [](const public_key&) { return false; });
  input_to(two.acceptor, output_of(two.dialer));
  input_to(two.dialer, output_of(two.acceptor));
  REQUIRE(two.dialer.state() == stage::open);
  CHECK(hears(two.acceptor, says(two.dialer, "let me in")).empty());
  CHECK(two.acceptor.state() == stage::failed);
}

TEST_CASE("secure channel: HTTP, plain greetings and other bytes end it at once") {
  struct stranger {
    std::string bytes;
    std::size_t at_most;  // of these are taken to find it out
  };
  std::string noise;
  for (const std::byte b : pattern(1000)) noise += static_cast<char>(b);
  const auto who = GENERATE_COPY(values<stranger>({
      {"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 5},
      {std::string("TTRP\1\2\x40\0", 8), 5},
      {std::string(1000, '\0'), 11},
      {std::string("\x16\x03\x01\xff\xff", 5), 5},                            // a record of 65535 bytes
      {std::string("\x16\x03\x01\x00\x06\x02\x00\x00\x02\x03\x03", 11), 11},  // begins with a server's hello
      {noise, 11},
  }));
  const std::size_t piece = GENERATE(1u, 1000u);
  const auto channel =
      bob_hears(byte_view(bytes_of(who.bytes)).first(std::min(who.at_most, who.bytes.size())), piece);
  INFO(channel->failure());
  CHECK(channel->state() == stage::failed);
  CHECK(bob_hears(bytes_of(who.bytes), piece)->state() == stage::failed);
  secure_channel dialer(ann().own, side::dialer, anybody);
  input_to(dialer, bytes_of(who.bytes), piece);
  CHECK(dialer.state() == stage::failed);
}

TEST_CASE("secure channel: a first word without an end is given up after 64 KiB") {
  std::string record("\x16\x03\x01\x04\x00", 5);  // 1024 bytes of handshake
  secure_channel channel(bob().own, side::acceptor, anybody);
  std::size_t taken = 0;
  for (unsigned i = 0; channel.state() == stage::handshaking && i < 1000; ++i) {
    std::string body(1024, '\0');
    if (i == 0) body.replace(0, 4, std::string("\x01\x01\xff\xff", 4));  // a hello of 131071 bytes
    const std::string next = record + body;
    taken += channel.decrypt(bytes_of(next), {}).taken;
  }
  CHECK(channel.state() == stage::failed);
  CHECK(channel.failure() == "the peer keeps talking without saying anything");
  CHECK(taken <= secure_channel::most_silent + 2000);
}

TEST_CASE("secure channel: one that has failed holds next to no memory") {
  constexpr std::size_t count = 200;
  static_cast<void>(bob_hears(bytes_of("GET / HTTP/1.1\r\n")));
  const std::size_t before = ::mallinfo2().uordblks;
  std::vector<std::unique_ptr<secure_channel>> failed;
  for (std::size_t i = 0; i < count; ++i) failed.push_back(bob_hears(bytes_of("GET / HTTP/1.1\r\n")));
  const std::size_t after = ::mallinfo2().uordblks;
  CHECK(after < before + count * 2048);
  for (const auto& channel : failed) CHECK(channel->state() == stage::failed);
  const bytes more = pattern(100'000);
  CHECK(failed[0]->decrypt(more, {}).taken == more.size());  // nobody has to keep them
}

TEST_CASE("fuzz: whoever sits between two secure channels can end them, and no more") {
  std::uint64_t x = 7;
  unsigned runs = 0;
  for (; runs < 2'000 / slowdown; ++runs) {
    std::vector<std::uint8_t> input(runs % 150);
    for (std::uint8_t& byte : input) {
      x = x * 6364136223846793005 + 1442695040888963407;
      byte = static_cast<std::uint8_t>(x >> 56);
      if (runs % 3 == 0 && byte % 8 >= 4)
        byte ^= 4;  // a third of them leave the bytes as they are, for the most part
    }
    fuzz::channels_under_attack(input).run();
  }
  CHECK(runs != 0);
}
