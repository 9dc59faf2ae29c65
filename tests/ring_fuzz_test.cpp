// What the fuzzer of the ring's reader does (fuzz/), with inputs by chance and on both compilers: segments as an honest peer writes them,
// some of whose lengths are lies, positions that cannot be, and the reader's steps between them. What it finds wrong aborts.
#include "catch.hpp"

#include <random>
#include <vector>

#include "fuzz/ring_input.hpp"

using namespace troupe::detail;

namespace {

class input_by_chance {
 public:
  explicit input_by_chance(std::uint64_t seed) : chance_(seed) {}

  std::vector<std::uint8_t> next() {
    input_.clear();
    const bool honest = below(3) == 0;
    const std::uint64_t usual = below(2) == 0 ? 1 : 64;  // equal ones lie where others have lain a round ago
    for (std::uint64_t ops = below(200); ops != 0; --ops) {
      switch (below(honest || below(8) != 0 ? 8 : 12)) {
        case 0:
        case 1:
        case 2:
          put(3, 1), put(usual != 1 && below(4) == 0 ? below(1024) : below(usual), 2);
          break;                   // publish so many bytes
        case 3: put(4, 1); break;  // look
        case 4:
        case 5: put(5, 1); break;  // consume
        case 6:
        case 7: put(6, 1); break;  // release
        case 8: put(7, 1), put(lie(), 4), put(below(8), 1); break;
        case 9: put(8, 1), put(below(64), 1), put(below(8), 1); break;
        case 10: put(2, 1), put(128 + below(8) - 4, 1); break;
        default: put(1, 1), put(below(2) == 0 ? chance_() : below(8192), 8); break;
      }
    }
    return input_;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return chance_() % n; }
  void put(std::uint64_t value, int bytes) {
    for (; bytes != 0; --bytes, value >>= 8) input_.push_back(static_cast<std::uint8_t>(value));
  }
  std::uint64_t lie() {
    const std::uint64_t lies[] = {0, 31, 33, wrap_marker, ~std::uint64_t{0}, max_segment, below(200)};
    return lies[below(std::size(lies))];
  }

  std::mt19937_64 chance_;
  std::vector<std::uint8_t> input_;
};

}  // namespace

TEST_CASE("fuzz: random writes of a peer between the steps of the ring's reader break nothing") {
  input_by_chance inputs(22);
  unsigned runs = 0;
  for (; runs < 40'000 / slowdown; ++runs) fuzz::ring_under_attack().run(inputs.next());
  CHECK(runs != 0);
}
