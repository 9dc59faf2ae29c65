// The scene of the chat demo; see chat_scene.hpp.
#include "chat_scene.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <string_view>

#include "demo/text.hpp"

namespace demo {

using namespace std::chrono_literals;

namespace {

constexpr unsigned line_length = 400;

}  // namespace

void fail(const std::string& why) { throw failure{why}; }

void person::hear(const std::string& line) {
  if (line.starts_with("* ")) {
    notices += line + "\n";
    notices.erase(0, notices.size() - std::min<std::size_t>(notices.size(), 8192));
  }
  const std::size_t end = line.find("> ");
  if (!line.starts_with("<") || end == std::string::npos) return;
  said.push_back(line);
  if (said.size() > chat::kept_lines) said.pop_front();
  if (const auto t = chat::parse_tick(std::string_view(line).substr(end + 2))) {
    book.heard(line.substr(1, end - 1), *t);
    ages.push_back(troupe::os_env().now().time_since_epoch().count() - t->at);
  }
}

std::int64_t person::median_age() const {
  if (ages.empty()) return 0;
  std::vector<std::int64_t> sorted = ages;
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2));
  return sorted[sorted.size() / 2];
}

// The processes.

chat_scene::chat_scene(const options& given, display& screen)
    : given_(given), screen_(screen), running_(given.verbose) {
  if (given.layout != layout_choice::hosts) return;
  auto made = hosts::make(chat_processes());
  if (!made) throw failure{.why = made.error().text, .cannot_begin = true};
  hosts_ = std::move(*made);
}

std::vector<std::string> chat_scene::arguments_of(const std::string& name) const {
  std::vector<std::string> all{"--node", name, "--io", given_.io};
  if (given_.workers != 0) all.insert(all.end(), {"--workers", std::to_string(given_.workers)});
  if (hosts_) {
    const std::vector<std::string> there = hosts_->flags(name);
    all.insert(all.end(), there.begin(), there.end());
  }
  const std::vector<std::string>& own = commands_.at(name).arguments;
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

void chat_scene::start(const std::string& name) {
  const int space = hosts_ ? hosts_->network().space(name) : -1;
  const auto started = running_.start(name, commands_.at(name).program, arguments_of(name), space);
  if (!started) fail(started.error().text);
}

void chat_scene::start_again(const event& e) {
  screen_.line("chat: " + e.from + " " + e.text + "; it is started anew");
  figures_.erase(e.from);
  in_.erase(e.from);
  const std::string complaints = running_.complaints(e.from);
  const auto started = running_.start_again(e.from, commands_.at(e.from).program, arguments_of(e.from));
  if (started) return;
  screen_.line(complaints);
  fail(e.from + " " + e.text + "; " + started.error().text);
}

void chat_scene::open_room() {
  commands_["room"] = {"chat_room", {"--port", "0", "--figures"}};
  if (!hosts_)
    commands_["room"].arguments.insert(commands_["room"].arguments.end(), {"--listen", "tcp://127.0.0.1:0"});
  start("room");
  until("the room to open", [&] { return port_ != 0 && !room_url_.empty(); });
  // Its next life is to be found where the first one was.
  commands_["room"] = {"chat_room", {"--listen", room_url_, "--port", std::to_string(port_), "--figures"}};
  if (hosts_) return screen_.line("chat: the room is open, on a host of its own");
  screen_.line(
      format("chat: the room is open; join by hand with: nc 127.0.0.1 %u", static_cast<unsigned>(port_)));
}

void chat_scene::start_member(const std::string& name, const std::string& lane, std::uint64_t lines,
                              unsigned rate) {
  commands_[name] = {"chat_member",
                     {"--room", room_url_, "--cue", "go", "--lines", std::to_string(lines), "--rate",
                      std::to_string(rate), "--length", std::to_string(line_length)}};
  if (lane == "tcp") commands_[name].arguments.insert(commands_[name].arguments.end(), {"--lanes", "tcp"});
  start(name);
  until(name + " to be in the room", [&] { return in_.contains(name); });
  if (in_[name] != lane) fail(name + " is linked over " + in_[name] + ", not " + lane);
  screen_.line("chat: " + name + " is in, " + (hosts_ ? "on a host of its own" : "a process of its own") +
               ", over " + in_[name] + (hosts_ ? " and TLS" : ""));
}

void chat_scene::kill(const std::string& name) {
  killed_ = name;
  running_.signal(name, SIGKILL);
}

void chat_scene::cut_off(const std::string& member) {
  hosts_->cut(member);
  screen_.line("chat: the link of " + member + "'s host is cut while all talk");
  const troupe::instant mended = troupe::os_env().now() + hosts::cut_for;
  while (troupe::os_env().now() < mended) step(mended - troupe::os_env().now());
  hosts_->mend(member);
  screen_.line("chat: the link of " + member + "'s host is up again");
}

void chat_scene::await_return(const std::string& name) {
  const auto is_back = [&](const std::string& member) {
    return in_.contains(member) && (name != "room" || figures_before_.contains(member));
  };
  for (const auto& [process, what] : commands_) {
    if (process != "room") until(process + " to be in the room again", [&] { return is_back(process); });
  }
  for (auto& [who, p] : people_) {
    if (name == "room") {
      until(who + " to be in the room again", [&] { return p.noticed(" is now " + who); });
    } else {
      until(who + " to see " + name + " leave and come back",
            [&] { return p.noticed("* " + name + " left") && p.noticed("* " + name + " joined"); });
    }
  }
  screen_.line("chat: " + name + " is back");
}

// The people.

/// On a terminal of the room's host.
troupe::result<chat::terminal, troupe::setup_error> chat_scene::dial(bool narrow) {
  if (!hosts_) return chat::terminal::dial(port_, narrow);
  return hosts_->network().visit("room", [&] { return chat::terminal::dial(port_, narrow); });
}

person& chat_scene::seat(const std::string& name, bool reads) {
  auto dialled = dial(!reads);
  if (!dialled) fail(dialled.error().text);
  person& p = people_.emplace(name, person{std::move(*dialled)}).first->second;
  type(name, "/nick " + name);
  until(name + " to be in the room", [&] { return p.noticed(" is now " + name); });
  p.reads = reads;
  return p;
}

void chat_scene::type(const std::string& name, const std::string& line) {
  if (!people_.at(name).at.type(line)) fail(name + " cannot type: the room hung up");
}

void chat_scene::read_terminals() {
  for (auto& [name, p] : people_) {
    if (!p.reads || p.away) continue;
    p.away = !p.at.receive(0s);
    while (const auto line = p.at.line()) p.hear(*line);
    if (!p.away) continue;
    if (given_.kill != "room") fail("the room hung up on " + name);
    p.notices.clear();  // of a room that is gone
  }
}

void chat_scene::dial_again() {
  for (auto& [name, p] : people_) {
    if (!p.away) continue;
    auto dialled = dial();
    if (!dialled) continue;
    p.at = std::move(*dialled);
    p.away = !p.at.type("/nick " + name);
  }
}

// What happens.

void chat_scene::step(troupe::duration at_most) {
  dial_again();
  std::vector<int> terminals;
  for (const auto& [name, p] : people_) {
    if (p.reads && !p.away) terminals.push_back(p.at.fd());
  }
  hear(running_.wait(std::min<troupe::duration>(at_most, 100ms), terminals));
}

void chat_scene::hear(const event& e) {
  switch (e.what) {
    case event::kind::timeout: return;
    case event::kind::interrupted: throw failure{"", true};
    case event::kind::readable: return read_terminals();
    case event::kind::line: return hear_line(e.from, e.text);
    case event::kind::ended: break;
  }
  if (e.from == given_.kill && e.code == 128 + SIGKILL) return start_again(e);
  if (e.from == killed_) return;
  screen_.line(running_.complaints(e.from));
  fail(e.from + " " + e.text);
}

void chat_scene::hear_line(const std::string& from, const std::string& text) {
  if (text.starts_with(chat::figures_line::mark)) {
    figures_[from].read(text);
    if (from == "room") show_figures();
  } else if (const std::string url = "members join with: --room "; text.starts_with(url + "tcp:")) {
    room_url_ = text.substr(url.size());
  } else if (const std::string way = "people join with: nc 127.0.0.1 "; text.starts_with(way)) {
    std::from_chars(text.data() + way.size(), text.data() + text.size(), port_);
  } else if (text.starts_with("in the room as ")) {
    in_[from] = text.substr(text.rfind(' ') + 1);
  } else if (text == "the room has ended") {
    figures_before_[from] = std::exchange(figures_[from], {});
    in_.erase(from);
  }
}

void chat_scene::show_figures() {
  const chat::figures_line& room = figures_["room"];
  const troupe::instant now = troupe::os_env().now();
  const std::uint64_t said = room.number("said");
  const double seconds = std::chrono::duration<double>(now - std::exchange(figured_at_, now)).count();
  const double rate = static_cast<double>(said - std::exchange(said_before_, said)) / seconds;
  // Short, for it is refreshed in place: frames are those in and out of the room.
  std::string text = format("chat: %.0f lines/s, %llu said", rate, static_cast<unsigned long long>(said));
  for (const auto& [name, lane] : in_) {
    const std::string link = room.text(name);
    text += format(" | %s %s %.0f us, frames %s", name.c_str(), lane.c_str(),
                   static_cast<double>(figures_[name].number("p50_ns")) / 1e3,
                   link.substr(link.find(':') + 1).c_str());
  }
  screen_.live(text);
}

}  // namespace demo
