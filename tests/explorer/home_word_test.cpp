// An actor with an inlet moves from one worker to another, and back, while a third thread sends it letters and posts it
// where it thinks that it lives.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include <troupe/detail/home_word.hpp>
#include <troupe/detail/inlet.hpp>

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

constexpr int letters = 2;

struct moving {
  /// Addresses that stand for two workers; home_word only compares them.
  alignas(8) std::array<std::uint64_t, 2> places{};
  worker* place(std::size_t i) { return reinterpret_cast<worker*>(&places[i]); }
  std::size_t index(const worker* w) { return w == place(0) ? 0 : 1; }

  home_word home{place(0)};
  inlet in;
  std::array<event, 2> posted;
  plain<int> taken;  // what only its home touches
  std::array<letter, letters> all{letter(letter_kind::message), letter(letter_kind::message)};

  moving() { taken.set(0); }
  void post() { posted[index(home.target())].signal(); }
  void send() {
    for (letter& l : all) {
      if (in.push(l)) post();
    }
  }
  /// True: all have been taken.
  bool drain() {
    for (const letter* l = in.take(); l != nullptr; l = l->next) taken.set(taken.get() + 1);
    return taken.get() == letters;
  }
  void give(std::size_t to) {
    home.give_to(*place(to));
    posted[to].signal();
  }
  /// Home gives it away once, when it has taken what there was. Both are told of the end.
  void work(std::size_t me, bool gives) {
    for (;;) {
      posted[me].wait();
      if (over.load(std::memory_order_relaxed) != 0) return;
      if (!home.taken_by(*place(me))) {
        post();
        continue;
      }
      const bool all_taken = drain();
      if (!all_taken && std::exchange(gives, false)) give(1 - me);
      if (!all_taken) continue;
      over.store(1, std::memory_order_relaxed);
      posted[1 - me].signal();
      return;
    }
  }
  troupe::explorer::atomic<int> over{0};
};

void check_moves(bool first_gives, bool second_gives) {
  check_model("home_word.hpp", {.ordered = 2, .needed = 2}, [=](run& r) {
    const auto m = std::make_shared<moving>();
    r.thread([=] { m->send(); });
    r.thread([=] { m->work(0, first_gives); });
    r.thread([=] { m->work(1, second_gives); });
  });
}

}  // namespace

TEST_CASE(
    "models: what is posted to where an actor lived reaches it where it lives, and nobody else touches it") {
  check_moves(true, false);
}
TEST_CASE("models: the same of an actor that moves and comes back") { check_moves(true, true); }
