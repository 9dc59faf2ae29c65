// A member of the chat room in a process of its own: a bot that talks, listens and measures. When the room's process has
// ended it dials the same place again, and is a member of the next one.
//
//   chat_member --node ann --room tcp://127.0.0.1:7001 --lines 100 --rate 10       (and: --lanes tcp)
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <troupe/troupe.hpp>

#include "chat/bot.hpp"
#include "chat/text.hpp"

namespace {

using namespace std::chrono_literals;

struct settings {
  std::string room;  // where its node listens
  chat::bot_plan plan;
};

/// False after a line that says what is wrong.
bool parse(troupe::arguments given, settings& set) {
  CLI::App app;
  chat::bot_plan& out = set.plan;
  app.add_option("--room", set.room, "where the room's node listens")->required();
  app.add_option("--lines", out.lines, "how many lines it says");
  app.add_option("--rate", out.rate, "lines a second; 0: as fast as the room takes them");
  app.add_option("--length", out.length, "bytes of a line")
      ->check(CLI::Range(std::size_t{0}, chat::longest_text));
  app.add_option("--cue", out.cue, "talks when somebody says this");
  try {
    std::ranges::reverse(given);
    app.parse(given);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr,
                 "chat_member: %s (its flags: --room URL, --lines N, --rate N, --length BYTES, --cue WORD)\n",
                 e.what());
    return false;
  }
  return true;
}

troupe::link_info link_of(const troupe::node& node) {
  const auto links = node.links();
  if (!links.empty()) return links.front();
  troupe::link_info none;
  none.lane = "none";
  return none;
}

void print(const chat::bot_report& r, const troupe::node& node) {
  const troupe::link_info link = link_of(node);
  std::printf(
      "figures lane=%s resumed=%llu cues=%llu said=%llu own=%llu heard=%llu missed=%llu disorder=%llu "
      "p50_ns=%lld "
      "p99_ns=%lld\n",
      link.lane.c_str(), static_cast<unsigned long long>(link.resumed),
      static_cast<unsigned long long>(r.cues), static_cast<unsigned long long>(r.said),
      static_cast<unsigned long long>(r.own), static_cast<unsigned long long>(r.heard),
      static_cast<unsigned long long>(r.missed), static_cast<unsigned long long>(r.disorder),
      static_cast<long long>(r.latency_p50), static_cast<long long>(r.latency_p99));
}

/// Until the room has ended; false: it did not let the bot in.
troupe::task<bool> stay(troupe::node& node, troupe::ref<chat::room> room, chat::bot_plan plan) {
  const auto bot = node.spawn(chat::run_bot, room, troupe::give(plan));
  bool in = false;
  for (;;) {
    const auto now = co_await bot.ask<chat::report>();
    if (!now) co_return false;
    if (!in) std::printf("in the room as %s over %s\n", node.name().c_str(), link_of(node).lane.c_str());
    in = true;
    print(*now, node);
    if (!now->in) break;
    co_await troupe::sleep_operation(250ms);
  }
  std::puts("the room has ended");
  node.stop(bot);
  co_return true;
}

troupe::task<int> take_part(troupe::node& node, troupe::arguments given) {
  settings set;
  set.plan.name = node.name();
  if (!parse(std::move(given), set)) co_return 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  for (bool welcome = true; welcome;) {
    const auto linked = co_await node.join(set.room);
    if (!linked) {
      std::fprintf(stderr, "chat_member: --room: %s\n", linked.error().text.c_str());
      co_return 2;
    }
    const auto room = co_await node.lookup<chat::room>(chat::room_name).within(5s);
    if (!room) {
      std::fprintf(stderr, "chat_member: no \"%s\" at %s: %s\n", chat::room_name, set.room.c_str(),
                   room.error().text().c_str());
      co_return 1;
    }
    welcome = co_await stay(node, *room, set.plan);
  }
  co_return 1;
}

}  // namespace

int main(int argc, char** argv) { return troupe::run(argc, argv, take_part); }
