// A writer of three values, and a reader that reads twice: what it gets is whole, and never goes back.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include <troupe/detail/cell_words.hpp>

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

constexpr std::size_t each = 2;

struct cell_model {
  std::array<cell_words::word, cell_words::count(each)> words{};

  void write() {
    cell_words w(words.data(), each);
    for (std::uint64_t n = 1; n <= 3; ++n) {
      const std::uint64_t value[each] = {n, n};
      w.write(value);
    }
  }
  void read() {
    const cell_words r(words.data(), each);
    std::uint64_t last = 0;
    for (int i = 0; i < 2; ++i) {
      std::uint64_t value[each] = {};
      if (!r.try_read(value)) continue;
      require(value[0] == value[1], "a value is torn");
      require(value[0] >= last, "a value went back");
      last = value[0];
    }
  }
};

}  // namespace

TEST_CASE("models: what is read of a cell is whole and never older than before") {
  check_model("cell_words.hpp", {.ordered = 4, .needed = 4},
              [](run& r) {
                const auto m = std::make_shared<cell_model>();
                r.thread([=] { m->write(); });
                r.thread([=] { m->read(); });
              },
              {.preemptions = 2, .stale_loads = 3});
}
