// Bulks in messages and replies: between actors of one node, over shared memory without a copy, and over sockets.
#include "lane_suite.hpp"

#include <algorithm>
#include <numeric>

#include <troupe/bulk.hpp>

namespace bulk_cases {

struct picture {
  std::uint32_t number;
  troupe::bulk bytes;
  std::string title;
};
struct develop {  // answered with a picture
  using reply = picture;
  std::uint64_t size;
};
struct album {
  using reply = std::uint64_t;  // sum of all bytes
  std::vector<troupe::bulk> pages;
  std::string title;
};
struct keep {
  using reply = std::uint64_t;  // how many are kept
  troupe::bulk bytes;
};
struct drop_all {
  using reply = void;
};
using studio = troupe::protocol<picture, develop, album, keep, drop_all>;

inline std::uint64_t sum_of(const troupe::bulk& b) {
  const auto bytes = b.trusted_bytes();
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}, [](std::uint64_t sum, std::byte one) {
    return sum + std::to_integer<unsigned>(one);
  });
}

inline std::string number_of(const troupe::result<std::uint64_t>& r) {
  return r ? std::to_string(*r) : std::string(troupe::to_string(r.error().code));
}

inline troupe::bulk painted(const troupe::self<troupe::protocol<>>& me, std::size_t size,
                            unsigned char with) {
  auto buffer = me.loan(size);
  if (!buffer) throw std::runtime_error("no loan: " + buffer.error().text());
  std::ranges::fill(buffer->bytes(), std::byte{with});
  return std::move(*buffer).seal();
}

inline troupe::actor run_studio(troupe::self<studio> me) {
  std::vector<troupe::bulk> kept;
  co_await me.serve([&](const picture& p) { kept.push_back(p.bytes); },
                    [&](const develop& d) {
                      auto buffer = me.loan(d.size);
                      if (!buffer) throw std::runtime_error("no loan");
                      std::ranges::fill(buffer->bytes(), std::byte{3});
                      return picture{1, std::move(*buffer).seal(), "developed"};
                    },
                    [](const album& a) {
                      std::uint64_t sum = 0;
                      for (const troupe::bulk& b : a.pages) sum += sum_of(b);
                      return sum;
                    },
                    [&](const keep& k) {
                      kept.push_back(k.bytes);
                      return std::uint64_t{kept.size()};
                    },
                    [&](drop_all) { kept.clear(); });
}

}  // namespace bulk_cases

using namespace test;
using namespace bulk_cases;
using nothing = troupe::protocol<>;

LANE_TEST("bulk: messages and replies carry bytes of any size") {
  const auto there = on.spawn_back(run_studio);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{40'000},
                                   std::size_t{70'000}, std::size_t{300'000}}) {
      std::vector<troupe::bulk> pages;
      pages.push_back(painted(me, size, 2));
      pages.push_back(painted(me, size / 2, 1));
      pages.push_back(pages.front());
      const auto sum = co_await there.far.ask<album>(std::move(pages), std::string("x")).within(patience);
      expect(number_of(sum), std::to_string(4 * size + size / 2));
      const auto back = co_await there.far.ask<develop>(size).within(patience);
      if (!back || back->bytes.size() != size || sum_of(back->bytes) != 3 * size ||
          back->title != "developed")
        throw std::runtime_error("a wrong picture");
    }
  });
  on.stop(there);
}

LANE_TEST("bulk: what is kept stays as it was while more comes and goes") {
  const auto there = on.spawn_back(run_studio);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    for (int round = 0; round < 5; ++round) {
      for (unsigned i = 0; i < 20; ++i) {
        const auto sent = co_await there.far.send<picture>(i, painted(me, 100'000, 1), std::string("kept"));
        expect(text_of(sent), "ok");
      }
      const auto kept = co_await there.far.ask<keep>(painted(me, 100'000, 1)).within(patience);
      expect(number_of(kept), "21");
      const auto dropped = co_await there.far.ask<drop_all>().within(patience);
      expect(text_of(dropped), "ok");
    }
  });
  on.stop(there);
}
