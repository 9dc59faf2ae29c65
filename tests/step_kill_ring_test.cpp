// Row 22, at the ring and at a cell: a child is killed after each single instruction of what it does to send, to receive, or to set a
// cell, in shared memory. What the other side then finds is whole and in order, up to what was committed, and nothing waits for ever.
#include "catch.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include <troupe/cell.hpp>

#include "bulk_pool.hpp"
#include "shm_memory.hpp"
#include "stepper.hpp"

using namespace troupe;
using namespace troupe::detail;

namespace {

constexpr std::uint32_t few_bytes = segment_header_bytes + 40;

descriptor again(const descriptor& d) { return descriptor(os_env(), ::dup(d.get())); }

/// The two ends of one ring, in memory as two nodes share it: `from` writes, `to` reads. A child that is forked has them, too.
struct ends {
  ends() {
    REQUIRE(from.offer.ok);
    REQUIRE(to.offer.ok);
    from.theirs = map(to);
    to.theirs = map(from);
    from.ear = again(to.bell.heard);
    to.ear = again(from.bell.heard);
    sender.emplace(
        ring_writer{from.mine.ring(0), from.mine.writer(0).position, from.theirs.reader(0).position},
        from.mine.writer(0).wants_room, from.theirs.sleep());
    reader.emplace(to.theirs.ring(0), to.theirs.writer(0).position, to.mine.reader(0).position);
  }
  static shm_segment map(const shm_pair& of) {
    auto memory = os_env().map_segment(of.memory_fd.get(), shm_segment::size_for(1, 1, smallest_ring));
    REQUIRE(memory.has_value());
    return {std::move(*memory), 1, 1, smallest_ring};
  }

  // What shm_lane does.
  bool send(std::uint64_t number, std::uint32_t length) {
    const byte_span room = sender->open(0);
    if (room.empty()) return false;
    for (std::size_t i = segment_header_bytes; i < length; ++i) room[i] = static_cast<std::byte>(number);
    segment_header header;
    header.first = number;
    seal_segment(header, room.first(length), sum::none);
    if (sender->publish(length)) os_env().ring(from.bell.rung.get());
    return true;
  }
  /// The number of the next segment; 0: there is none.
  std::uint64_t receive() {
    const auto segment = reader->next();
    if (!segment) return 0;
    const std::uint64_t number = segment->header.first;
    const bool whole = std::ranges::all_of(segment->frames,
                                           [&](std::byte b) { return b == static_cast<std::byte>(number); });
    reader->consume();
    return whole ? number : 0;
  }
  void give_room() {
    if (release_ring(*reader, to.theirs.writer(0).wants_room) == released::room_that_is_wanted)
      os_env().ring(to.bell.rung.get());
  }

  shm_pair from = prepare_shm(os_env(), 1, 1, shm_limits{});
  shm_pair to = prepare_shm(os_env(), 1, 1, shm_limits{});
  std::optional<ring_sender> sender;
  std::optional<ring_reader> reader;
};

bool readable(int fd, int for_ms = 0) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, for_ms) == 1;
}

/// A word that outlives the child.
class shared_count {
 public:
  shared_count()
      : at_(static_cast<std::uint64_t*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  shared_count(const shared_count&) = delete;
  shared_count& operator=(const shared_count&) = delete;
  ~shared_count() { ::munmap(at_, 4096); }
  void store(std::uint64_t value) { std::atomic_ref(*at_).store(value); }
  std::uint64_t load() const { return std::atomic_ref(*at_).load(); }

 private:
  std::uint64_t* at_;
};

/// Kills a child after each number of instructions of `operation(e)`, until it comes to its end; `prepare(e)` goes before, `check(e, over)`
/// comes after. Where the code is instrumented, and has a hundred times as many, after 40 of them. The instructions of the whole.
template <class Shared, class Prepare, class Operation, class Check>
std::uint64_t kill_after_each_instruction(Prepare prepare, Operation operation, Check check) {
  constexpr std::uint64_t most = 1'000'000;
  const stepping::on_one_processor together;
  const auto kill_after = [&](std::uint64_t instructions, auto then) {
    Shared e;
    prepare(e);
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (!stepping::be_traced()) ::_exit(1);
      stepping::stop_here();
      operation(e);
      stepping::stop_here();
      ::_exit(0);
    }
    const descriptor life(os_env(), static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    stepping::stepper one(child, child);
    const bool over = !one.step(instructions);
    CHECK_FALSE(readable(life.get()));
    one.kill();
    INFO("killed after " << one.taken() << " instructions");
    CHECK(readable(life.get(), 10'000));  // what tells a node of it
    then(e, over);
    return std::pair(over, one.taken());
  };
  const std::uint64_t apart = slowdown == 1 ? 1 : 1 + kill_after(most, [](Shared&, bool) {}).second / 40;
  for (std::uint64_t k = 0; k < most; k += apart) {
    const auto [over, taken] = kill_after(k, check);
    if (over) return taken;
  }
  FAIL("it does not end");
  return 0;
}

/// Segments go on until there is room for one more before the end of the ring.
void come_to_the_end(ends& e) {
  constexpr std::uint32_t step = 16 * 1024;
  std::uint32_t left = smallest_ring - ring_segment;
  for (; left != 0; left -= std::min(left, step)) {
    REQUIRE(e.send(9, std::min(left, step)));
    REQUIRE(e.receive() == 9);
  }
  e.give_room();
}

}  // namespace

namespace {

template <class Prepare>
void kill_senders(const char* name, Prepare prepare, bool reader_sleeps = false, std::uint64_t least = 0) {
  if (!stepping::possible()) {
    SUCCEED();
    return;
  }
  std::uint64_t most = 0;
  const std::uint64_t instructions = kill_after_each_instruction<ends>(
      [&](ends& e) {
        prepare(e);
        REQUIRE(e.send(1, few_bytes));  // so that whatever is bound late is
        REQUIRE(e.receive() == 1);
        e.give_room();
        os_env().hear(e.to.ear.get());
      },
      [](ends& e) {
        e.send(2, few_bytes);
        e.send(3, few_bytes + 64);
      },
      [&](ends& e, bool over) {
        const std::uint64_t committed = e.to.theirs.writer(0).position.load();
        std::vector<std::uint64_t> got;
        while (const std::uint64_t number = e.receive()) got.push_back(number);
        CHECK_FALSE(e.reader->violated());
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == 2 + i);
        e.give_room();
        CHECK(e.to.mine.reader(0).position.load() == committed);  // nothing of what was committed is left
        CHECK(got.size() >= most);
        most = got.size();
        if (over) CHECK(got.size() == 2);
        if (over && reader_sleeps) CHECK(readable(e.to.ear.get()));
        if (over) CHECK(committed > least);
      });
  std::printf("send, %s: %llu instructions\n", name, static_cast<unsigned long long>(instructions));
  CHECK(instructions > 100);
}

}  // namespace

TEST_CASE("row 22: a sender that is killed after any instruction leaves each segment whole or absent") {
  kill_senders("to a reader that is awake", [](ends&) {});
}
TEST_CASE("row 22: so does one whose reader sleeps") {
  kill_senders("to a reader that sleeps", [](ends& e) { e.to.mine.sleep().before_last_look(); }, true);
}
TEST_CASE("row 22: so does one that comes to the end of the ring") {
  kill_senders("round the end of the ring", come_to_the_end, false, smallest_ring);
}

TEST_CASE("row 22: a reader that is killed after any instruction has given room only for what it has taken") {
  if (!stepping::possible()) {
    SUCCEED();
    return;
  }
  constexpr std::uint64_t length = ring_align(max_segment);
  for (const bool full : {false, true}) {
    INFO((full ? "a writer that waits for room" : "a writer with room"));
    shared_count taken;
    std::uint64_t sent = 0;
    std::uint64_t most = 0;
    const std::uint64_t instructions = kill_after_each_instruction<ends>(
        [&](ends& e) {
          taken.store(0);
          for (sent = 0; sent < (full ? 99 : 2) && e.send(sent + 1, max_segment);) ++sent;
          REQUIRE(sent < 99);
          REQUIRE(e.from.mine.writer(0).wants_room.asleep_after_post() == full);
        },
        [&](ends& e) {
          for (std::uint64_t next = 1; next <= 2; ++next) {
            const auto segment = e.reader->next();
            if (!segment || segment->header.first != next) return;
            e.reader->consume();
            taken.store(next);
            e.give_room();
          }
        },
        [&](ends& e, bool over) {
          const std::uint64_t given = e.from.theirs.reader(0).position.load();
          CHECK(given % length == 0);
          CHECK(given / length <= taken.load());
          CHECK(given >= most);
          most = given;
          if (over) CHECK(given == 2 * length);
          if (over && full) CHECK(readable(e.from.ear.get()));
          // What was not given back is as it was; the child's steps on this reader were its own.
          for (std::uint64_t n = 1; n <= sent; ++n) CHECK(e.receive() == n);
          if (full) CHECK(e.send(77, max_segment) == (given != 0));
          CHECK_FALSE(e.sender->violated());
        });
    std::printf("receive, %s: %llu instructions\n", full ? "writer waits" : "writer has room",
                static_cast<unsigned long long>(instructions));
    CHECK(instructions > 50);
  }
}

namespace {

struct gauge {
  std::uint64_t number = 0;
  std::array<std::uint64_t, 6> more = {};

  static gauge of(std::uint64_t n) {
    gauge g{n, {}};
    g.more.fill(n);
    return g;
  }
};

struct shared_cell {
  std::shared_ptr<bulk_pool> pool = std::make_shared<bulk_pool>(os_env(), std::uint64_t{4} << 20);
  cell<gauge> written = *cell_in(pool->loan(cell_bytes<gauge>), gauge::of(0));
  cell_reader<gauge> reader = written.reader();
};

}  // namespace

TEST_CASE("row 22: who is killed after any instruction of setting a cell leaves a whole value, old or new") {
  if (!stepping::possible()) {
    SUCCEED();
    return;
  }
  constexpr std::uint64_t sets = 6;  // more than it has slots
  std::uint64_t most = 0;
  const std::uint64_t instructions =
      kill_after_each_instruction<shared_cell>([](shared_cell&) {},
                                               [](shared_cell& c) {
                                                 for (std::uint64_t n = 1; n <= sets; ++n)
                                                   c.written.set(gauge::of(n));
                                               },
                                               [&](shared_cell& c, bool over) {
                                                 const auto now = c.reader.get();
                                                 REQUIRE(now.has_value());
                                                 CHECK(now->more == gauge::of(now->number).more);
                                                 CHECK(now->number >= most);
                                                 CHECK(now->number + 1 == c.reader.version());
                                                 most = now->number;
                                                 if (over) CHECK(most == sets);
                                               });
  std::printf("setting a cell %llu times: %llu instructions\n", static_cast<unsigned long long>(sets),
              static_cast<unsigned long long>(instructions));
  CHECK(instructions > 50);
}
