#include "chat/person.hpp"

#include <troupe/node.hpp>
#include <utility>

#include "chat/text.hpp"

namespace chat {
namespace {

constexpr char commands[] = "/nick NAME  /who  /msg NAME TEXT  /quit; anything else is said to all";

troupe::task<> show(troupe::ref<member> to, std::string text) {
  co_await to.send<line>(line_kind::notice, 0, std::string(), troupe::give(text));
}

troupe::task<> list_names(troupe::ref<room> where, troupe::ref<member> who) {
  auto names = co_await where.ask<present>();
  std::string text = names ? "here:" : "the room does not answer: " + names.error().text();
  if (names) {
    for (const std::string& name : *names) text += " " + name;
  }
  co_await show(who, std::move(text));
}

/// False when the person has quit.
troupe::task<bool> obey(command c, troupe::ref<room> where, troupe::ref<member> who) {
  switch (c.what) {
    case command::verb::nothing: break;
    case command::verb::say: co_await where.send<say>(who, troupe::give(c.text)); break;
    case command::verb::nick: co_await where.send<nick>(who, troupe::give(c.name)); break;
    case command::verb::tell:
      co_await where.send<tell>(who, troupe::give(c.name), troupe::give(c.text));
      break;
    case command::verb::who: co_await list_names(where, who); break;
    case command::verb::help: co_await show(who, commands); break;
    case command::verb::unknown: co_await show(who, "unknown command " + c.name + "; " + commands); break;
    case command::verb::quit: co_return false;
  }
  co_return true;
}

troupe::actor read_person(troupe::self<troupe::protocol<>>, troupe::ref<room> where, troupe::ref<member> who,
                          troupe::byte_stream stream) {
  bool here = true;
  while (here) {
    auto typed = co_await stream.read_line(longest_input);
    if (typed) {
      command c = parse_command(*typed);
      here = co_await obey(std::move(c), where, who);
    } else if (typed.error() == troupe::errc::too_large) {
      co_await show(who, "that line was too long: at most " + std::to_string(longest_input) + " bytes");
    } else {
      here = false;
    }
  }
  co_await where.ask<quit>(who);
}

}  // namespace

std::string shown(const line& l) {
  std::string text;
  if (l.missed != 0) text = "* you missed " + std::to_string(l.missed) + " lines\n";
  switch (l.kind) {
    case line_kind::own: return text;
    case line_kind::said: return text + "<" + l.from + "> " + l.text + "\n";
    case line_kind::whisper: return text + "[" + l.from + " to you] " + l.text + "\n";
    case line_kind::notice: break;
  }
  return text + "* " + l.text + "\n";
}

troupe::actor run_person(troupe::self<person> self, troupe::ref<room> where, troupe::byte_stream stream) {
  const std::string greeting = std::string("* welcome; ") + commands + "\n";
  co_await stream.write(greeting);
  const std::string any_name;
  const auto in = co_await where.ask<join>(any_name, self.me());
  if (!in || !in->in) {
    const std::string refusal = "* " + (in ? in->text : in.error().text()) + "\n";
    co_await stream.write(refusal);
    co_return;
  }
  self.monitor(where);
  const auto reader = self.spawn(read_person, where, self.me(), stream);
  if (!reader) co_return;  // the node is stopping
  self.monitor(reader);
  std::string farewell = "* bye\n";
  co_await self.serve(
      [&](const line& l) -> troupe::task<> {
        const std::string text = shown(l);
        const auto written = co_await stream.write(text);
        if (!written) self.stop();
      },
      [&](const troupe::down& d) {
        if (d.actor == where) farewell = "* the room has closed\n";
        self.stop();
      });
  co_await stream.write(farewell);
  self.node().kill(reader);  // it may be waiting for a line, and nothing else would end that
}

}  // namespace chat
