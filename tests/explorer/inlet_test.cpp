// Two threads push letters, one by one or in chains, and post the actor when they found its inlet empty; its worker sleeps until then.
#include "explorer/models.hpp"

#include <array>
#include <memory>
#include <utility>

#include <troupe/detail/inlet.hpp>

using namespace troupe::explorer;
using troupe::detail::letter;

namespace {

constexpr int senders = 2;
constexpr int each = 2;

struct numbered : letter {
  numbered() : letter(troupe::detail::letter_kind::message) {}
  plain<int> number;
};

struct actor_model {
  troupe::detail::inlet in;
  event posted;
  std::array<std::array<numbered, each>, senders> letters;
  std::array<int, senders> seen{};

  void send(std::size_t from) {
    for (int i = 0; i < each; ++i) {
      numbered& l = letters[from][static_cast<std::size_t>(i)];
      l.number.set(i + 1);
      if (in.push(l)) posted.signal();
    }
  }
  /// As burst.cpp: all at once.
  void send_chain(std::size_t from) {
    letter* latest = nullptr;
    for (int i = 0; i < each; ++i) {
      numbered& l = letters[from][static_cast<std::size_t>(i)];
      l.number.set(i + 1);
      l.next = std::exchange(latest, &l);
    }
    if (in.push(*latest, letters[from][0])) posted.signal();
  }
  void receive() {
    for (int left = senders * each; left != 0;) {
      posted.wait();
      std::array<numbered*, senders * each> latest_first{};
      std::size_t count = 0;
      for (letter* l = in.take(); l != nullptr; l = l->next)
        latest_first[count++] = static_cast<numbered*>(l);
      require(count != 0, "a post without a letter");
      for (; count != 0; --count, --left) {
        const numbered* const l = latest_first[count - 1];
        const std::size_t from = l < &letters[1][0] ? 0 : 1;
        require(l->number.get() == ++seen[from], "letters of one sender out of order");
      }
    }
  }
};

}  // namespace

TEST_CASE(
    "models: each letter pushed is taken once, whole, in its sender's order, by one post for all that wait") {
  check_model("inlet.hpp", {.ordered = 2, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<actor_model>();
    for (std::size_t i = 0; i < senders; ++i) r.thread([=] { m->send(i); });
    r.thread([=] { m->receive(); });
  });
}

TEST_CASE("models: letters that are pushed in chains are taken once, whole, in their senders' order") {
  check_model("inlet.hpp", {.ordered = 2, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<actor_model>();
    r.thread([=] { m->send_chain(0); });
    r.thread([=] { m->send(1); });
    r.thread([=] { m->receive(); });
  });
  check_model("inlet.hpp", {.ordered = 2, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<actor_model>();
    for (std::size_t i = 0; i < senders; ++i) r.thread([=] { m->send_chain(i); });
    r.thread([=] { m->receive(); });
  });
}
