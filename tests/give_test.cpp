// Building messages from arguments.
#include "actor_support.hpp"

#include <cstdint>
#include <limits>

using namespace test;
using troupe::detail::build_message;

namespace {

struct small {
  std::uint8_t byte;
  std::int32_t number = 7;
  double real = 0.5;
  bool flag = true;
};
struct sheet {
  std::string title;
  std::array<std::string, 2> names;
};
struct letter {
  sheet first;
  std::vector<sheet> rest;
};
class built {
 public:
  built(std::string a, int b) : text_(std::move(a) + std::to_string(b)) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};
struct nothing {};

}  // namespace

TEST_CASE("fields are filled in order, the others keep their defaults, and numbers convert") {
  const small s = build_message<small>(200, std::uint64_t{5}, 2);
  CHECK(s.byte == 200);
  CHECK(s.number == 5);
  CHECK(s.real == 2.0);
  CHECK(s.flag);
  CHECK(build_message<small>().number == 7);
  (void)build_message<nothing>();
}

TEST_CASE("a ready message, a constructor's arguments, give and make all build a message") {
  sheet page{"title", {"a", "b"}};
  const letter copied = build_message<letter>(page);
  CHECK(copied.first.names[1] == "b");
  CHECK(page.title == "title");
  const letter given = build_message<letter>(troupe::give(page));
  CHECK(given.first.title == "title");
  CHECK(page.title.empty());
  const letter made =
      build_message<letter>(troupe::make<sheet>("made", std::array<std::string, 2>{"c", "d"}));
  CHECK(made.first.title == "made");
  letter whole = build_message<letter>(given);
  CHECK(whole.first.title == "title");
  const letter moved = build_message<letter>(troupe::give(whole));
  CHECK(moved.first.title == "title");
  CHECK(whole.first.title.empty());
  CHECK(build_message<built>("x", 3).text() == "x3");
}

TEST_CASE("a number that does not fit its field ends the process") {
  const death over = fate_of([] { (void)build_message<small>(256); });
  CHECK(over.aborted);
  CHECK(over.said.find("does not fit into its message field") != std::string::npos);
  CHECK(fate_of([] { (void)build_message<small>(-1); }).aborted);
  CHECK(fate_of([] { (void)build_message<small>(1, std::numeric_limits<std::uint32_t>::max()); }).aborted);
  CHECK_FALSE(fate_of([] { (void)build_message<small>(255, -5LL); }).aborted);
}
