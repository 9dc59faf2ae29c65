// A member of the chat room in a process of its own: a bot that talks, listens and measures.
//
//   chat_member --node ann --join tcp://127.0.0.1:7001 --lines 100 --rate 10       (and: --lanes tcp)
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <troupe/troupe.hpp>

#include "chat/bot.hpp"
#include "chat/text.hpp"

namespace {

using namespace std::chrono_literals;

/// False after a line that says what is wrong.
bool parse(troupe::arguments given, chat::bot_plan& out) {
  CLI::App app;
  app.add_option("--lines", out.lines, "how many lines it says");
  app.add_option("--rate", out.rate, "lines a second; 0: as fast as the room takes them");
  app.add_option("--length", out.length, "bytes of a line")
      ->check(CLI::Range(std::size_t{0}, chat::longest_text));
  app.add_option("--cue", out.cue, "starts to talk when somebody says this");
  try {
    std::ranges::reverse(given);
    app.parse(given);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "chat_member: %s (its flags: --lines N, --rate N, --length BYTES, --cue WORD)\n",
                 e.what());
    return false;
  }
  return true;
}

std::string lane_of(const troupe::node& node) {
  const auto links = node.links();
  return links.empty() ? "none" : links.front().lane;
}

void print(const chat::bot_report& r, const troupe::node& node) {
  std::printf("figures lane=%s own=%llu heard=%llu missed=%llu disorder=%llu p50_ns=%lld p99_ns=%lld\n",
              lane_of(node).c_str(), static_cast<unsigned long long>(r.own),
              static_cast<unsigned long long>(r.heard), static_cast<unsigned long long>(r.missed),
              static_cast<unsigned long long>(r.disorder), static_cast<long long>(r.latency_p50),
              static_cast<long long>(r.latency_p99));
}

troupe::task<int> take_part(troupe::node& node, troupe::arguments given) {
  chat::bot_plan plan;
  plan.name = node.name();
  if (!parse(std::move(given), plan)) co_return 2;
  const auto room = co_await node.lookup<chat::room>(chat::room_name).within(5s);
  if (!room) {
    std::fprintf(stderr, "chat_member: no \"%s\": %s (--join the node of a chat_room)\n", chat::room_name,
                 room.error().text().c_str());
    co_return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto bot = node.spawn(chat::run_bot, *room, troupe::give(plan));
  bool in = false;
  for (;;) {
    const auto now = co_await bot.ask<chat::report>();
    if (!now) co_return 1;
    if (!in) std::printf("in the room as %s over %s\n", node.name().c_str(), lane_of(node).c_str());
    in = true;
    print(*now, node);
    co_await troupe::sleep_operation(250ms);
  }
}

}  // namespace

int main(int argc, char** argv) { return troupe::run(argc, argv, take_part); }
