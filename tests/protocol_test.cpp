// protocol: what the compiler knows of messages. (What it refuses is in compile_fail/.)
#include "catch.hpp"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <troupe/down.hpp>
#include <troupe/protocol.hpp>
#include <troupe/ref.hpp>

namespace {

struct event {
  int n;
};
struct question {
  using reply = int;
};
struct order {
  using reply = void;
};
using all = troupe::protocol<event, question, order>;

struct tree {
  std::vector<tree> children;
  std::string name;
  std::array<std::string, 2> both;
  std::unique_ptr<int> owned;
  std::function<void(const char*)> call;
  troupe::ref<event> who;
};
struct deep_view {
  std::vector<std::optional<std::pair<int, std::string_view>>> parts;
};
struct choice {
  std::variant<int, const char*> either;
};
struct keyed {
  std::map<std::string, int*> by_name;
};

}  // namespace

TEST_CASE("a protocol knows its messages and which of them are requests") {
  STATIC_REQUIRE(all::size == 3);
  STATIC_REQUIRE(troupe::protocol<>::size == 0);
  STATIC_REQUIRE(troupe::request<question>);
  STATIC_REQUIRE(troupe::request<order>);
  STATIC_REQUIRE_FALSE(troupe::request<event>);
  STATIC_REQUIRE(troupe::accepts<all, question>);
  STATIC_REQUIRE_FALSE(troupe::accepts<all, tree>);
  STATIC_REQUIRE(troupe::accepts<event, event>);
  STATIC_REQUIRE_FALSE(troupe::accepts<event, question>);
  STATIC_REQUIRE(std::is_same_v<troupe::reply_of<question>, int>);
}

TEST_CASE("pointers and views are seen inside messages, owners and refs are not taken for them") {
  using troupe::detail::holds_view;
  STATIC_REQUIRE(holds_view<int*>());
  STATIC_REQUIRE(holds_view<std::string_view>());
  STATIC_REQUIRE(holds_view<std::span<int>>());
  STATIC_REQUIRE(holds_view<int&>());
  STATIC_REQUIRE(holds_view<deep_view>());
  STATIC_REQUIRE(holds_view<choice>());
  STATIC_REQUIRE(holds_view<keyed>());
  STATIC_REQUIRE_FALSE(holds_view<tree>());
  STATIC_REQUIRE_FALSE(holds_view<event>());
  STATIC_REQUIRE_FALSE(holds_view<troupe::down>());
  STATIC_REQUIRE_FALSE(holds_view<std::vector<bool>>());
}
