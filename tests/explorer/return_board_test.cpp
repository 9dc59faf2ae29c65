// Acknowledgements and credit that one thread gives back while another takes them over.
#include "explorer/models.hpp"

#include <memory>

#include "return_board.hpp"

using namespace troupe::explorer;

namespace {

struct board_model {
  troupe::detail::return_board board{2, 100};
  plain<std::uint64_t> retained{0};  // what may go when it is acknowledged
  unsigned taken[2] = {0, 0};

  void give() {
    require(board.credited(0, 10) && board.credited(1, 20) && board.credited(0, 30), "credit is refused");
    retained.set(5);
    board.acked(5);
  }
  void take() {
    board.take_credit([&](std::uint32_t window, std::uint32_t bytes) { taken[window] += bytes; });
  }
  void take_twice() {
    take();
    if (board.take_acked() == 5)
      require(retained.get() == 5, "an acknowledgement without what came before it");
    take();
  }
};

}  // namespace

TEST_CASE(
    "models: all credit that is given back is taken over, once, and an acknowledgement brings what came "
    "before") {
  // Without the edge between a window's mark and its credit the mark could be seen first: the explorer cannot show that.
  check_model("return_board.hpp", {.ordered = 4, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<board_model>();
    r.thread([=] { m->give(); });
    r.thread([=] { m->take_twice(); });
    r.at_end([=] {
      m->take();
      require(m->taken[0] == 40 && m->taken[1] == 20, "credit is lost");
    });
  });
}
