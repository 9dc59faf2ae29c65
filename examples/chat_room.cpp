// The process of the chat room: the room for members of other nodes, and the door for people.
//
//   chat_room --node room --listen tcp://127.0.0.1:7001 --port 7000        (and: nc 127.0.0.1 7000)
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <troupe/troupe.hpp>

#include "chat/door.hpp"
#include "chat/room.hpp"

namespace {

using namespace std::chrono_literals;

struct settings {
  std::uint16_t port = 0;
  bool show_figures = false;
  chat::room_limits limits;
};

/// False after a line that says what is wrong.
bool parse(troupe::arguments given, settings& out) {
  CLI::App app;
  app.add_option("--port", out.port, "where people come in on 127.0.0.1; 0: any free port");
  app.add_option("--patience", out.limits.patience,
                 "lines that a member may miss in a row before it is put out");
  app.add_flag("--figures", out.show_figures, "print figures four times a second");
  try {
    std::ranges::reverse(given);
    app.parse(given);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "chat_room: %s (its flags: --port N, --patience LINES, --figures)\n", e.what());
    return false;
  }
  return true;
}

void print(const chat::room_figures& now, const troupe::node& node) {
  std::string text = "figures members=" + std::to_string(now.members) + " said=" + std::to_string(now.said) +
                     " missed=" + std::to_string(now.missed) + " put_out=" + std::to_string(now.put_out);
  for (const troupe::link_info& l : node.links()) {
    text +=
        " " + l.node + "=" + l.lane + ":" + std::to_string(l.frames_in) + "/" + std::to_string(l.frames_out);
  }
  std::puts(text.c_str());
}

troupe::task<int> host(troupe::node& node, troupe::arguments given) {
  settings set;
  if (!parse(std::move(given), set)) co_return 2;
  auto listening = troupe::listener::open("tcp://127.0.0.1:" + std::to_string(set.port));
  if (!listening) {
    std::fprintf(stderr, "chat_room: %s\n", listening.error().text.c_str());
    co_return 2;
  }
  const auto room = node.spawn(chat::run_room, set.limits);
  const auto published = co_await node.publish(chat::room_name, room);
  if (!published) co_return 1;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  for (const std::string& url : node.endpoints()) std::printf("members join with: --room %s\n", url.c_str());
  const std::string url = listening->url();
  std::printf("people join with: nc 127.0.0.1 %s\n", url.substr(url.rfind(':') + 1).c_str());
  node.spawn(chat::run_door, room, *listening);

  for (;;) {  // as long as there is a room
    const auto now = co_await room.ask<chat::figures>();
    if (!now) co_return 0;
    if (set.show_figures) print(*now, node);
    co_await troupe::sleep_operation(set.show_figures ? 250ms : 500ms);
  }
}

}  // namespace

int main(int argc, char** argv) { return troupe::run(argc, argv, host); }
