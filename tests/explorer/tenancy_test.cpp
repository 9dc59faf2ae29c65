// Three actors have a slot in turn, while two threads ask for the protocol of a generation.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include <troupe/detail/protocol_info.hpp>
#include <troupe/detail/tenancy.hpp>

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

struct slot_model {
  tenancy tenant;
  std::array<protocol_info, 3> protocols{};

  slot_model() { tenant.begin(protocols[0]); }

  void spawn_and_end() {
    for (const std::size_t next : {1u, 2u}) {
      tenant.end();
      tenant.begin(protocols[next]);
    }
  }
  void bind(std::uint32_t generation) const {
    const protocol_info* const found = tenant.accepts(generation);
    require(found == nullptr || found == &protocols[generation - 1], "the protocol of another generation");
  }
};

}  // namespace

TEST_CASE("models: nobody takes the protocol of one actor for that of another in the same slot") {
  check_model("tenancy.hpp", {.ordered = 4, .needed = 4}, [](run& r) {
    const auto m = std::make_shared<slot_model>();
    r.thread([=] { m->spawn_and_end(); });
    for (const std::uint32_t generation : {1u, 2u}) r.thread([=] { m->bind(generation); });
  });
}
