// Names across nodes: published on one, found on every linked one.
#include "remote_support.hpp"

namespace remote_names {

struct word {
  std::string text;
};
struct count {
  using reply = std::int64_t;
};
using shop = troupe::protocol<word, count>;

struct part {
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_1;
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_2;
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_3;
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_4;
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_5;
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_6;
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_7;
  std::vector<std::optional<std::vector<std::string>>> a_field_whose_name_is_long_on_purpose_8;
};
struct wordy {
  part one;
  part two;
  part three;
  part four;
  part five;
  part six;
};

}  // namespace remote_names

using namespace test;
using namespace remote_names;
using nothing = troupe::protocol<>;

namespace {

actor run_shop(self<shop> me, std::int64_t number) {
  co_await me.serve([](const word&) {}, [&](count) { return number; });
}
actor run_reader(self<word> me) {
  co_await me.serve([](const word&) {});
}

template <class P>
std::string publish(troupe::node& at, const std::string& name, const ref<P>& who) {
  std::string outcome;
  play(at, [&](self<nothing>& me) -> troupe::task<void> {
    const auto published = co_await me.node().publish(name, who);
    outcome = text_of(published);
  });
  return outcome;
}

template <class P>
std::string lookup(troupe::node& from, const std::string& name, ref<P>* found = nullptr) {
  std::string outcome;
  play(from, [&](self<nothing>& me) -> troupe::task<void> {
    const auto looked_up = co_await me.node().template lookup<P>(name);
    outcome = looked_up ? "ok" : std::string(to_string(looked_up.error().code));
    if (looked_up && found != nullptr) *found = *looked_up;
  });
  return outcome;
}
template <class P>
std::string wait_for_name(troupe::node& from, const std::string& name) {
  std::string outcome;
  play(from, [&](self<nothing>& me) -> troupe::task<void> {
    const auto looked_up = co_await me.node().template lookup<P>(name).within(patience);
    outcome = looked_up ? "ok" : std::string(to_string(looked_up.error().code));
  });
  return outcome;
}
template <class P>
bool goes_away(troupe::node& from, const std::string& name) {
  return eventually([&] { return lookup<P>(from, name) == "not found"; });
}

}  // namespace

TEST_CASE("remote names: what was published before the join is known right after it") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    troupe::node back = start_listening(how.options("back"));
    troupe::node front = start(how.options("front"));
    const auto far_shop = back.spawn(run_shop, 7);
    CHECK(publish(back, "shop", far_shop) == "ok");
    const auto near_shop = front.spawn(run_shop, 8);
    CHECK(publish(front, "kiosk", near_shop) == "ok");
    ref<shop> found;
    play(front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto joined = co_await me.node().join(back.endpoints()[0]);
      REQUIRE(joined.has_value());
      const auto at_once = co_await me.node().lookup<shop>("shop");
      REQUIRE(at_once.has_value());
      found = *at_once;
      const auto number = co_await found.ask<count>().within(patience);
      CHECK((number && *number == 7));
    });
    CHECK(wait_for_name<shop>(back, "kiosk") == "ok");
    CHECK(link_to(front, "back").lane == how.lane());
    CHECK(link_to(front, "back").frames_out > 0);
    settled(front);
    settled(back);
    check_stops(front);
    check_stops(back);
  }
}

TEST_CASE("remote names: two publishers are ambiguous, and a name with its node is exact") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto near = nodes.front.spawn(run_shop, 1);
    const auto far = nodes.back.spawn(run_shop, 2);
    CHECK(publish(nodes.front, "shop", near) == "ok");
    CHECK(publish(nodes.back, "shop", far) == "ok");
    CHECK(publish(nodes.back, "shop", far) == "ok");  // it has the name
    const auto other = nodes.back.spawn(run_shop, 3);
    CHECK(publish(nodes.back, "shop", other) == "name taken");
    nodes.back.kill(other);
    CHECK(wait_for_name<shop>(nodes.front, "shop@back") == "ok");
    CHECK(wait_for_name<shop>(nodes.back, "shop@front") == "ok");
    CHECK(lookup<shop>(nodes.front, "shop") == "ambiguous name");
    CHECK(lookup<shop>(nodes.back, "shop") == "ambiguous name");
    CHECK(wait_for_name<shop>(nodes.back, "shop") == "ambiguous name");
    CHECK(lookup<shop>(nodes.front, "shop@elsewhere") == "not found");
    ref<shop> exact;
    CHECK(lookup<shop>(nodes.front, "shop@front", &exact) == "ok");
    CHECK(exact == near);
    CHECK(lookup<shop>(nodes.back, "shop@back", &exact) == "ok");
    CHECK(exact == far);
    nodes.back.stop(far);
    CHECK(goes_away<shop>(nodes.front, "shop@back"));
    CHECK(lookup<shop>(nodes.front, "shop", &exact) == "ok");
    CHECK(exact == near);
    nodes.front.stop(near);
    nodes.finish();
  }
}

TEST_CASE(
    "remote names: a name goes when its actor ends, may be published anew, and goes when its node leaves") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    for (std::int64_t round = 0; round < 10; ++round) {
      const auto local = nodes.back.spawn(run_shop, round);
      CHECK(eventually([&] { return publish(nodes.back, "shop", local) == "ok"; }));
      CHECK(wait_for_name<shop>(nodes.front, "shop") == "ok");
      nodes.back.kill(local);
      CHECK(goes_away<shop>(nodes.front, "shop"));
    }
    CHECK(publish(nodes.back, "shop", ref<shop>()) == "no such actor");
    const auto last = nodes.back.spawn(run_shop, 0);
    CHECK(publish(nodes.back, "shop", last) == "ok");
    CHECK(publish(nodes.back, "the other name", last) == "ok");
    CHECK(publish(nodes.back, "shop@back", last) == "bad name");
    CHECK(publish(nodes.back, "", last) == "bad name");
    CHECK(wait_for_name<shop>(nodes.front, "the other name") == "ok");
    nodes.check_lane();
    check_stops(nodes.back);
    CHECK(goes_away<shop>(nodes.front, "shop"));
    CHECK(goes_away<shop>(nodes.front, "the other name"));
    settled(nodes.front);
    check_stops(nodes.front);
  }
}

TEST_CASE("remote names: the names of a thousand actors reach a peer, before and after the join") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    constexpr int many = 1000;
    troupe::node back = start_listening(how.options("back"));
    troupe::node front = start(how.options("front"));
    std::vector<ref<shop>> shops;
    const auto open_shops = [&](int from, int to) {
      play(back, [&](self<nothing>& me) -> troupe::task<void> {
        for (int i = from; i < to; ++i) {
          shops.push_back(me.node().spawn(run_shop, i));
          const auto published = co_await me.node().publish("shop-" + std::to_string(i), shops.back());
          if (!published) FAIL("not published: " << i);
        }
      });
    };
    open_shops(0, many / 2);
    join(front, back.endpoints()[0]);
    play(front, [&](self<nothing>& me) -> troupe::task<void> {
      for (int i = 0; i < many / 2; ++i) {
        const auto found = co_await me.node().lookup<shop>("shop-" + std::to_string(i));
        if (!found) FAIL("not known right after the join: " << i);
      }
    });
    open_shops(many / 2, many);
    play(front, [&](self<nothing>& me) -> troupe::task<void> {
      for (int i = 0; i < many; ++i) {
        const auto found = co_await me.node().lookup<shop>("shop-" + std::to_string(i)).within(patience);
        if (!found) FAIL("not found: " << i);
        const auto number = co_await found->ask<count>().within(patience);
        if (!number || *number != i) FAIL("another shop's answer: " << i);
      }
    });
    for (const auto& s : shops) back.stop(s);
    CHECK(goes_away<shop>(front, "shop-999"));
    CHECK(eventually([&] { return back.live_actors() == 2; }));
    CHECK(link_to(front, "back").lane == how.lane());
    settled(front);
    settled(back);
    check_stops(front);
    check_stops(back);
  }
}

TEST_CASE("names: a node may publish new names for ever, as long as old ones go") {
  troupe::node_options options;
  options.name = "alone";
  options.workers = 1;
  options.most_names = 10;
  troupe::node alone = start(options);
  for (int i = 0; i < 100; ++i) {
    const auto one = alone.spawn(run_reader);
    REQUIRE(publish(alone, "name-" + std::to_string(i), one) == "ok");
    alone.kill(one);
    REQUIRE(goes_away<word>(alone, "name-" + std::to_string(i)));
  }
  std::vector<ref<word>> readers;
  for (int i = 0; i < 10; ++i) {
    readers.push_back(alone.spawn(run_reader));
    CHECK(publish(alone, "reader-" + std::to_string(i), readers.back()) == "ok");
  }
  CHECK(publish(alone, "one too many", readers.back()) == "limit reached");
  check_stops(alone);
}

TEST_CASE("remote names: a peer's names beyond the limit are left out, and the link lives on") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    auto few = how.options("front");
    few.most_names = 8;
    two_nodes nodes(how, few, how.options("back"));
    std::vector<ref<shop>> shops;
    play(nodes.back, [&](self<nothing>& me) -> troupe::task<void> {
      for (int i = 0; i < 20; ++i) {
        shops.push_back(me.node().spawn(run_shop, i));
        const auto published = co_await me.node().publish("shop-" + std::to_string(i), shops.back());
        REQUIRE(text_of(published) == "ok");
      }
    });
    CHECK(wait_for_name<shop>(nodes.front, "shop-7") == "ok");
    CHECK(lookup<shop>(nodes.front, "shop-8") == "not found");
    for (int i = 0; i < 8; ++i) nodes.back.stop(shops[static_cast<std::size_t>(i)]);
    CHECK(goes_away<shop>(nodes.front, "shop-0"));
    const auto later = nodes.back.spawn(run_shop, 20);
    CHECK(publish(nodes.back, "later", later) == "ok");
    CHECK(wait_for_name<shop>(nodes.front, "later") == "ok");
    for (const auto& s : shops) nodes.back.stop(s);
    nodes.back.stop(later);
    nodes.finish();
  }
}

TEST_CASE("remote names: protocols with long schemas are told in as many messages as it takes") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    CHECK(troupe::schema_text<wordy>().size() > 2200);  // 32 of them do not fit into one message
    troupe::node back = start_listening(how.options("back"));
    troupe::node front = start(how.options("front"));
    for (int i = 0; i < 60; ++i) {
      const auto one = back.spawn([](self<wordy> me) -> actor { co_await me.serve([](const wordy&) {}); });
      REQUIRE(publish(back, std::string(200, 'n') + std::to_string(i), one) == "ok");
    }
    join(front, back.endpoints()[0]);
    for (int i = 0; i < 60; ++i)
      CHECK(lookup<wordy>(front, std::string(200, 'n') + std::to_string(i)) == "ok");
    settled(front);
    settled(back);
    check_stops(front);
    check_stops(back);
  }
}

TEST_CASE("remote names: a join with a node that cannot tell its names ends with a reason") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    auto full = how.options("back");
    full.most_actors = 1;  // its root
    troupe::node back = start_listening(full);
    auto impatient = how.options("front");
    impatient.join_deadline = 50ms;
    troupe::node front = start(impatient);
    const std::string url = back.endpoints()[0];
    play(front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto joined = co_await me.node().join(url);
      REQUIRE(!joined);
      CHECK(joined.error().text.find(url) != std::string::npos);
    });
    settled(front);
    check_stops(front);
    check_stops(back);
  }
}
