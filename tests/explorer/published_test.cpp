// A thread makes chunks and counts them; another one looks into those that are counted.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include <troupe/detail/published.hpp>

using namespace troupe::explorer;

namespace {

constexpr unsigned most = 2;

struct table_model {
  std::array<plain<int>, most> chunks;
  std::array<atomic<const plain<int>*>, most> places;
  troupe::detail::published<unsigned> count;

  void grow() {
    for (unsigned i = count.own(); i != most; ++i) {
      chunks[i].set(1);
      places[i].store(&chunks[i], order::relaxed);
      count.store(i + 1);
    }
  }
  void find() const {
    for (unsigned i = count.load(); i-- > 0;) {
      const plain<int>* const chunk = places[i].load(order::relaxed);
      require(chunk != nullptr, "a chunk is counted that has no place yet");
      if (chunk != nullptr) require(chunk->get() == 1, "a chunk is not all there");
    }
  }
};

}  // namespace

TEST_CASE("models: whoever reads what was published sees what was done before") {
  check_model("published.hpp", {.ordered = 2, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<table_model>();
    r.thread([=] { m->grow(); });
    for (int i = 0; i < 2; ++i) r.thread([=] { m->find(); });
  });
}
