// The two sides of a link that lends, each by itself: what the peer is told of slabs, and what comes back.
#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "borrower.hpp"
#include "lender.hpp"

using namespace troupe;
using namespace troupe::detail;

namespace {

constexpr std::uint64_t mib = 1 << 20;

bulk painted(bulk_pool& from, std::size_t size, unsigned char with) {
  auto buffer = from.loan(size);
  REQUIRE(buffer.has_value());
  std::memset(buffer->bytes().data(), with, size);
  return std::move(*buffer).seal();
}

/// A lender and what it has told.
struct lending {
  explicit lending(std::uint64_t memory = 64 * mib) : pool(std::make_shared<bulk_pool>(os_env(), memory)) {
    end.emplace(pool, [this](const slab_name& name, int file) {
      if (!socket_has_room) return false;
      told.push_back((file >= 0 ? "slab " : "gone ") + std::to_string(name.number));
      return true;
    });
  }
  ~lending() { end->close(); }

  std::shared_ptr<bulk_pool> pool;
  bool socket_has_room = true;
  std::vector<std::string> told;
  std::optional<lender> end;
};

struct borrowing {
  std::shared_ptr<borrower> end = std::make_shared<borrower>([this] { ++said; });
  std::pair<descriptor, mapping> slab = *os_env().create_segment(mib);
  int said = 0;

  const char* map(std::uint32_t number) { return end->map(os_env(), {number, mib}, slab.first); }
};

}  // namespace

TEST_CASE("loans: a slab is told once, before the loan, and is gone when its blocks are") {
  lending l(16 * mib);
  {
    const bulk b = painted(*l.pool, 100'000, 1);
    const auto one = l.end->lend(b);
    const auto two = l.end->lend(b);
    REQUIRE((one && two));
    CHECK(one->number != two->number);
    CHECK(one->slab == two->slab);
    CHECK(l.told == std::vector<std::string>{"slab 1"});
    CHECK(l.end->given_back(one->number));
    CHECK(l.end->given_back(two->number));
    CHECK_FALSE(l.end->given_back(two->number));
  }
  CHECK(l.told.size() == 2);  // 4 MiB are over an eighth of 16
  CHECK(l.told.back() == "gone 1");
}

TEST_CASE("loans: a slab that is gone while the socket is full is told before the next one is") {
  lending l(16 * mib);
  REQUIRE(l.end->given_back(l.end->lend(painted(*l.pool, 100'000, 1))->number));
  l.told.clear();
  {
    const bulk b = painted(*l.pool, 100'000, 1);
    REQUIRE(l.end->given_back(l.end->lend(b)->number));
    l.socket_has_room = false;
  }
  const bulk next = painted(*l.pool, 100'000, 2);
  CHECK_FALSE(l.end->lend(next).has_value());
  l.socket_has_room = true;
  const auto lent = l.end->lend(next);
  REQUIRE(lent.has_value());
  CHECK(l.told == std::vector<std::string>{"slab 2", "gone 2", "slab 3"});
}

TEST_CASE("loans: to a peer that gives nothing back, so many are lent and no more") {
  lending l;
  const bulk b = painted(*l.pool, 100'000, 1);
  std::size_t lent = 0;
  while (lent <= most_loans_of_a_link && l.end->lend(b)) ++lent;
  CHECK(lent == most_loans_of_a_link);
  CHECK(l.end->given_back(1));
  CHECK(l.end->lend(b).has_value());
}

TEST_CASE("loans: of a slab that the peer refused nothing is lent") {
  lending l;
  const bulk b = painted(*l.pool, 100'000, 1);
  const auto lent = l.end->lend(b);
  REQUIRE(lent.has_value());
  l.end->refused(lent->slab);
  l.end->refused(99);
  CHECK_FALSE(l.end->lend(b).has_value());
  CHECK(l.end->given_back(lent->number));
}

TEST_CASE("loans: what is out when the link ends is not used again") {
  const std::byte* at = nullptr;
  lending l;
  {
    const bulk b = painted(*l.pool, 3 * mib, 1);
    at = b.trusted_bytes().data();
    REQUIRE(l.end->lend(b).has_value());
    l.end->close();
    CHECK_FALSE(l.end->lend(b).has_value());
  }
  CHECK(l.pool->held() == 0);
  static_cast<void>(at);  // unmapped
}

TEST_CASE("loans: a foreign bulk is copied once, for all who lend it and however often") {
  lending l;
  borrowing from;
  REQUIRE(from.map(1) == nullptr);
  std::memset(from.slab.second.data(), 7, mib);
  bulk foreign;
  REQUIRE(from.end->borrow({1, 0, 100'000, 1}, foreign) == nullptr);
  const auto one = l.end->lend(foreign);
  const auto two = l.end->lend(foreign);
  REQUIRE((one && two));
  CHECK(one->offset == two->offset);
  const bulk copy = l.pool->own(foreign);
  CHECK(copy.trusted_bytes().size() == 100'000);
  CHECK(std::ranges::all_of(copy.trusted_bytes(), [](std::byte b) { return b == std::byte{7}; }));
  lending elsewhere;  // has no twin of it
  CHECK_FALSE(elsewhere.end->lend(foreign).has_value());
}

TEST_CASE("loans: a message that was encoded and not sent lends nothing") {
  lending l(4 * mib);
  outgoing_loans message(*l.end);
  {
    const bulk b = painted(*l.pool, 4 * mib, 1);
    CHECK(message.attach(b, attachments_out::as::bytes) == 0);
    CHECK(message.attach(b, attachments_out::as::bytes) == 0);
    CHECK(message.lent_bytes() == 4 * mib);
  }
  CHECK_FALSE(l.pool->loan(1).has_value());
  message.settle(false);
  CHECK(message.bytes() == 0);
  CHECK(l.pool->loan(4 * mib).has_value());
  {
    const bulk b = painted(*l.pool, 4 * mib, 1);
    CHECK(message.attach(b, attachments_out::as::bytes) == 0);
  }
  message.settle(true);
  CHECK_FALSE(l.pool->loan(1).has_value());
}

TEST_CASE("loans: what could not be lent stays so while its message is encoded again") {
  lending l;
  outgoing_loans message(*l.end);
  const bulk one = painted(*l.pool, 3 * mib, 1);
  const bulk two = painted(*l.pool, 100'000, 1);
  l.socket_has_room = false;
  CHECK(message.attach(one, attachments_out::as::bytes) == -1);
  l.socket_has_room = true;
  CHECK(message.attach(two, attachments_out::as::bytes) == 0);
  CHECK(message.attach(one, attachments_out::as::bytes) == -1);
  CHECK(message.bytes() == loan_bytes + 1);
  message.settle(false);
  CHECK(message.attach(one, attachments_out::as::bytes) == 0);
  message.settle(false);
}

namespace {

/// A lender whose peer maps whatever it is told of.
struct mapped_lending : lending {
  using lending::lending;
  byte_span lend_encoding(outgoing_loans& message, std::size_t bytes) {
    const byte_span at_once = message.lend_encoding(bytes);
    if (!at_once.empty() || told.empty()) return at_once;
    end->mapped(static_cast<std::uint32_t>(std::stoul(told.back().substr(5))));
    return message.lend_encoding(bytes);
  }
};

std::uint64_t last_number(const outgoing_loans& message) {
  std::array<std::byte, loan_list_bytes(attachments_out::most)> list;
  message.write(list.data());
  return load_loan(list.data() + message.bytes() - 1 - loan_bytes).number;
}

}  // namespace

TEST_CASE("loans: an encoding is lent only of what the peer has mapped") {
  lending l;
  outgoing_loans message(*l.end);
  CHECK(message.lend_encoding(100'000).empty());
  REQUIRE(l.told == std::vector<std::string>{"slab 1"});
  CHECK(message.lend_encoding(100'000).empty());
  l.end->mapped(1);
  CHECK(message.lend_encoding(100'000).size() == 100'000);
  message.settle(false);
  CHECK(message.lend_encoding(3 * mib).empty());
  l.end->refused(2);
  l.end->mapped(2);  // too late
  CHECK(message.lend_encoding(3 * mib).empty());
  CHECK(l.told == std::vector<std::string>{"slab 1", "slab 2"});
}

TEST_CASE("loans: an encoding is the last of the list, and goes back unless it is sent") {
  mapped_lending l(32 * mib);
  outgoing_loans message(*l.end);
  const bulk b = painted(*l.pool, 70'000, 1);
  CHECK(message.attach(b, attachments_out::as::bytes) == 0);
  CHECK(l.lend_encoding(message, 70'000).size() == 70'000);
  CHECK(message.bytes() == 2 * loan_bytes + 1);
  CHECK(message.lent_bytes() == 140'000);
  const std::uint64_t number = last_number(message);
  message.settle(false);
  CHECK_FALSE(l.end->given_back(number));
  CHECK(message.bytes() == 0);
  CHECK(l.lend_encoding(message, 70'000).size() == 70'000);
  const std::uint64_t sent = last_number(message);
  message.settle(true);
  CHECK(l.end->given_back(sent));
  lending small(16 * mib);  // whose slabs would come and go with each of them
  outgoing_loans other(*small.end);
  CHECK(other.lend_encoding(70'000).empty());
  CHECK(small.told.empty());
}

TEST_CASE("loans: memory stays while an encoding is written, whatever the peer says, and if the link ends") {
  for (const bool ends : {false, true}) {
    mapped_lending l(32 * mib);
    outgoing_loans message(*l.end);
    const byte_span room = l.lend_encoding(message, 3 * mib);
    REQUIRE(room.size() == 3 * mib);
    if (ends) {
      l.end->close();
    } else {
      CHECK(l.end->given_back(last_number(message)));
    }
    const bulk other = painted(*l.pool, 3 * mib, 1);
    std::memset(room.data(), 7, room.size());
    CHECK(std::ranges::all_of(other.trusted_bytes(), [](std::byte b) { return b == std::byte{1}; }));
    message.settle(true);
  }
}

TEST_CASE("loans: the encodings that a peer has are bounded, by an eighth of the pool too") {
  for (const std::uint64_t pool : {1024 * mib, 64 * mib}) {
    mapped_lending l(pool);
    std::vector<std::uint64_t> out;
    outgoing_loans message(*l.end);
    for (; !l.lend_encoding(message, mib).empty(); message.settle(true)) {
      out.push_back(last_number(message));
      REQUIRE(out.size() < 1000);
    }
    CHECK(out.size() == std::min<std::uint64_t>(lender::most_encodings, pool / 8) / mib);
    CHECK(l.end->lend(painted(*l.pool, mib, 1)).has_value());  // which is none
    CHECK(l.end->given_back(out.front()));
    CHECK_FALSE(l.lend_encoding(message, mib).empty());
    message.settle(false);
    CHECK_FALSE(l.lend_encoding(message, mib).empty());
    message.settle(true);
  }
}

TEST_CASE("loans: handles that are dropped go back, said once for many") {
  borrowing b;
  REQUIRE(b.map(1) == nullptr);
  CHECK(b.map(1) != nullptr);
  std::vector<bulk> held(10);
  for (std::uint64_t i = 0; i < 10; ++i)
    REQUIRE(b.end->borrow({i + 1, i * 4096, 4096, 1}, held[i]) == nullptr);
  CHECK(b.end->unmap(1) == nullptr);
  CHECK(b.end->unmap(1) != nullptr);
  CHECK(held[3].trusted_bytes().size() == 4096);  // is still there
  held.clear();
  CHECK(b.said == 1);
  CHECK(b.end->take_returned().size() == 10);
  CHECK(b.end->take_returned().empty());
  bulk late;
  REQUIRE(b.map(2) == nullptr);
  REQUIRE(b.end->borrow({11, 0, 1, 2}, late) == nullptr);
  b.end->close();
  late = bulk();
  CHECK(b.said == 1);
}

TEST_CASE("loans: a peer that lets slabs go of which it has lent something is stopped") {
  borrowing b;
  std::vector<bulk> held;
  std::uint32_t slab = 1;
  for (; b.map(slab) == nullptr; ++slab) {
    REQUIRE(slab < 10'000);
    REQUIRE(b.end->borrow({slab, 0, 1, slab}, held.emplace_back()) == nullptr);
    REQUIRE(b.end->unmap(slab) == nullptr);
  }
  CHECK(slab == 2 * most_slabs_of_a_link + 1);
  held.clear();
  CHECK(b.map(slab) == nullptr);
  b.end->close();
}

TEST_CASE("loans: a slab without a descriptor is refused, and what is lent of it goes back at once") {
  borrowing b;
  CHECK(b.end->map(os_env(), {1, mib}, descriptor()) == nullptr);
  CHECK(b.end->refused() == std::vector<std::uint32_t>{1});
  bulk none;
  CHECK(b.end->borrow({5, 0, 4096, 1}, none) == nullptr);
  CHECK(none.empty());
  CHECK(b.end->take_returned() == std::vector<std::uint64_t>{5});
  CHECK(b.end->unmap(1) == nullptr);
  b.end->close();
}
