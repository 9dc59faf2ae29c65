// Two threads look for room in a mailbox for one message, whose home worker moves what comes into the queue.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include <troupe/detail/inlet.hpp>
#include "mailbox_steps.hpp"

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

constexpr value_type small = {8,     8,   nullptr, nullptr, nullptr, nullptr, troupe::priority::normal,
                              false, true};

struct mailbox_model {
  mailbox box;
  inlet in;
  event posted;
  std::array<envelope, 2> messages;
  std::array<bool, 2> accepted{};

  explicit mailbox_model(std::uint32_t limit = 1, troupe::overflow when_full = troupe::overflow::wait) {
    box.open({.messages = limit, .bytes = 1024, .when_full = when_full}, false);
    for (envelope& e : messages) {
      e.type = &small;
      e.weight = 64;
    }
  }
  void send(std::size_t i) {
    if (box.reserve(troupe::priority::normal, false, false) != troupe::errc::ok) return;
    accepted[i] = box.enter(messages[i], false);
    require(accepted[i] || box.drops(), "a mailbox that does not drop sheds");
    if (!accepted[i]) return;
    if (in.push(messages[i])) posted.signal();
  }
  void sort() {
    posted.wait();
    letter* l = in.take();
    while (l != nullptr) {
      letter* const next = l->next;
      box.add(static_cast<envelope&>(*l));
      l = next;
    }
  }
};

}  // namespace

TEST_CASE(
    "models: a mailbox does not take more than its limit while messages move from its inlet to its queue") {
  check_model("mailbox.cpp", {.ordered = 0, .needed = 0}, [](run& r) {
    const auto m = std::make_shared<mailbox_model>();
    for (std::size_t i = 0; i < 2; ++i) r.thread([=] { m->send(i); });
    r.thread([=] { m->sort(); });
    r.at_end([=] { require(m->accepted[0] != m->accepted[1], "two messages where one has room"); });
  });
}

TEST_CASE("models: a message that moves from a mailbox's inlet to its queue is not counted twice") {
  check_model("mailbox.cpp", {.ordered = 0, .needed = 0}, [](run& r) {
    const auto m = std::make_shared<mailbox_model>(2);
    for (std::size_t i = 0; i < 2; ++i) r.thread([=] { m->send(i); });
    r.thread([=] { m->sort(); });
    r.at_end([=] { require(m->accepted[0] && m->accepted[1], "one message where two have room"); });
  });
}

TEST_CASE("models: of two messages that meet where one has room, one gets in") {
  check_model("mailbox.cpp", {.ordered = 0, .needed = 0}, [](run& r) {
    const auto m = std::make_shared<mailbox_model>(1, troupe::overflow::drop_newest);
    for (std::size_t i = 0; i < 2; ++i) r.thread([=] { m->send(i); });
    r.at_end([=] {
      require(m->accepted[0] != m->accepted[1], "both are shed, or both get in, where one has room");
    });
  });
}
