// The chat demo: a room with a member over shared memory, one over TCP, and people at its door. Everybody
// hears everybody in order while one person does not read; a late joiner gets the last lines; a killed member
// is gone for the others, who go on.
#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "chat/figures.hpp"
#include "chat/room.hpp"
#include "chat/terminal.hpp"
#include "chat/tick.hpp"
#include "demo/demo.hpp"
#include "demo/display.hpp"
#include "demo/process.hpp"

namespace demo {

using namespace std::chrono_literals;

namespace {

constexpr troupe::duration patience = 15s;  // for any one thing to happen
constexpr std::uint64_t bot_lines = 1000;   // of each bot
constexpr unsigned bot_rate = 400;          // a second
constexpr unsigned line_length = 400;
constexpr std::uint64_t eve_lines = 10;

template <class... Values>
std::string format(const char* form, Values... values) {
  std::array<char, 256> text;
  const int size = std::snprintf(text.data(), text.size(), form, values...);
  return std::string(text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1));
}

std::int64_t now_ns() { return troupe::os_env().now().time_since_epoch().count(); }

/// Why the demo ended before its end.
struct failure {
  std::string why;
  bool interrupted = false;
};

/// A person, as the demo plays one.
struct person {
  chat::terminal at;
  bool reads = true;
  std::deque<std::string> said{};  // the last lines of others
  std::string notices{};           // the last of them
  chat::tick_book book{};
  std::vector<std::int64_t> ages{};  // ns from saying to showing

  void hear(const std::string& line) {
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
      ages.push_back(now_ns() - t->at);
    }
  }
  std::int64_t median_age() const {
    if (ages.empty()) return 0;
    std::vector<std::int64_t> sorted = ages;
    std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2));
    return sorted[sorted.size() / 2];
  }
};

class chat_run {
 public:
  chat_run(const options& given, display& screen) : given_(given), screen_(screen), running_(given.verbose) {}

  /// The figures of the verdict. Throws a failure.
  std::string run() {
    open_room();
    seat_everybody();
    let_them_talk();
    check_what_was_heard();
    welcome_a_late_joiner();
    kill_a_member();
    wake_the_sleeper();
    if (given_.hold) hold();
    return verdict_;
  }

 private:
  void open_room();
  void seat_everybody();
  void let_them_talk();
  void check_what_was_heard();
  void welcome_a_late_joiner();
  void kill_a_member();
  void wake_the_sleeper();
  void hold();

  [[noreturn]] void fail(const std::string& why) { throw failure{why}; }
  void start(const std::string& name, const std::string& program, std::vector<std::string> arguments);
  void start_member(const std::string& name, const std::string& lane, std::vector<std::string> arguments);
  person& seat(const std::string& name, bool reads);
  void type(const std::string& name, const std::string& line);
  void step(troupe::duration at_most);
  void hear(const event& e);
  void read_terminals();
  void show_figures();
  template <class Condition>
  void until(const std::string& what, Condition holds);
  bool noticed(const std::string& name, const std::string& text) const {
    return people_.at(name).notices.find(text) != std::string::npos;
  }

  const options& given_;
  display& screen_;
  processes running_;
  std::map<std::string, person> people_;
  std::map<std::string, chat::figures_line> figures_;  // by process
  std::map<std::string, std::string> in_;              // members that are in the room: over which lane
  std::string join_url_;
  std::uint16_t port_ = 0;
  std::string killed_;  // this member's end is no failure
  std::uint64_t said_before_ = 0;
  troupe::instant figured_at_{};
  std::string verdict_;
};

// What happens.

void chat_run::start(const std::string& name, const std::string& program,
                     std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--node", name, "--io", given_.io});
  if (given_.workers != 0) arguments.insert(arguments.end(), {"--workers", std::to_string(given_.workers)});
  const auto started = running_.start(name, program, std::move(arguments));
  if (!started) fail(started.error().text);
}

template <class Condition>
void chat_run::until(const std::string& what, Condition holds) {
  const troupe::instant last = troupe::os_env().now() + patience;
  while (!holds()) {
    const troupe::duration left = last - troupe::os_env().now();
    if (left <= 0s) fail("waited 15 s for " + what);
    step(left);
  }
}

void chat_run::step(troupe::duration at_most) {
  std::vector<int> terminals;
  for (const auto& [name, p] : people_) {
    if (p.reads) terminals.push_back(p.at.fd());
  }
  hear(running_.wait(std::min<troupe::duration>(at_most, 100ms), terminals));
}

void chat_run::hear(const event& e) {
  switch (e.what) {
    case event::kind::timeout: return;
    case event::kind::interrupted: throw failure{"", true};
    case event::kind::readable: return read_terminals();
    case event::kind::ended:
      if (e.from == killed_) return;
      screen_.line(running_.complaints(e.from));
      return fail(e.from + " " + e.text);
    case event::kind::line: break;
  }
  if (e.text.starts_with(chat::figures_line::mark)) {
    figures_[e.from].read(e.text);
    if (e.from == "room") show_figures();
  } else if (const std::string url = "members join with: --join "; e.text.starts_with(url + "tcp:")) {
    join_url_ = e.text.substr(url.size());
  } else if (const std::string way = "people join with: nc 127.0.0.1 "; e.text.starts_with(way)) {
    std::from_chars(e.text.data() + way.size(), e.text.data() + e.text.size(), port_);
  } else if (e.text.starts_with("in the room as ")) {
    in_[e.from] = e.text.substr(e.text.rfind(' ') + 1);
  }
}

void chat_run::read_terminals() {
  for (auto& [name, p] : people_) {
    if (!p.reads) continue;
    if (!p.at.receive(0s)) fail("the room hung up on " + name);
    while (const auto line = p.at.line()) p.hear(*line);
  }
}

void chat_run::show_figures() {
  const chat::figures_line& room = figures_["room"];
  const troupe::instant now = troupe::os_env().now();
  const std::uint64_t said = room.number("said");
  const double seconds = std::chrono::duration<double>(now - std::exchange(figured_at_, now)).count();
  const double rate = static_cast<double>(said - std::exchange(said_before_, said)) / seconds;
  // Short, for it is refreshed in place: frames are those in and out of the room.
  std::string text = format("chat: %.0f lines/s, %llu said", rate, static_cast<unsigned long long>(said));
  for (const auto& [name, lane] : in_) {
    if (name == killed_) continue;
    const std::string link = room.text(name);
    text += format(" | %s %s %.0f us, frames %s", name.c_str(), lane.c_str(),
                   static_cast<double>(figures_[name].number("p50_ns")) / 1e3,
                   link.substr(link.find(':') + 1).c_str());
  }
  screen_.live(text);
}

void chat_run::type(const std::string& name, const std::string& line) {
  if (!people_.at(name).at.type(line)) fail(name + " cannot type: the room hung up");
}

// The play.

void chat_run::open_room() {
  start("room", "chat_room", {"--listen", "tcp://127.0.0.1:0", "--port", "0", "--figures"});
  until("the room to open", [&] { return port_ != 0 && !join_url_.empty(); });
  screen_.line(
      format("chat: the room is open; join by hand with: nc 127.0.0.1 %u", static_cast<unsigned>(port_)));
}

void chat_run::start_member(const std::string& name, const std::string& lane,
                            std::vector<std::string> arguments) {
  arguments.insert(arguments.end(),
                   {"--join", join_url_, "--cue", "go", "--lines", std::to_string(bot_lines), "--rate",
                    std::to_string(bot_rate), "--length", std::to_string(line_length)});
  start(name, "chat_member", std::move(arguments));
  until(name + " to be in the room", [&] { return in_.contains(name); });
  if (in_[name] != lane) fail(name + " is linked over " + in_[name] + ", not " + lane);
  screen_.line("chat: " + name + " is in, a process of its own, over " + in_[name]);
}

person& chat_run::seat(const std::string& name, bool reads) {
  auto dialled = chat::terminal::dial(port_, !reads);
  if (!dialled) fail(dialled.error().text);
  person& p = people_.emplace(name, person{std::move(*dialled)}).first->second;
  type(name, "/nick " + name);
  until(name + " to be in the room", [&] { return noticed(name, " is now " + name); });
  p.reads = reads;
  return p;
}

void chat_run::seat_everybody() {
  start_member("ann", "shm", {});
  start_member("bob", "tcp", {"--lanes", "tcp"});
  seat("eve", true);
  seat("zoe", false);
  screen_.line("chat: eve and zoe are in, people at terminals; zoe does not read from here on");
}

void chat_run::let_them_talk() {
  const troupe::instant start = troupe::os_env().now();
  type("eve", "go");
  for (std::uint64_t n = 1; n <= eve_lines; ++n) {
    const chat::tick t{n, now_ns()};
    type("eve", chat::tick_text(t, 0));
    const troupe::instant next = start + 50ms * static_cast<int>(n);
    until("the next line of eve", [&] { return troupe::os_env().now() >= next; });
  }
  const std::uint64_t all = 2 * bot_lines + eve_lines;
  until("ann and bob to hear all that was said",
        [&] { return figures_["ann"].number("heard") >= all && figures_["bob"].number("heard") >= all; });
  until("eve to hear all that was said", [&] { return people_.at("eve").book.heard() >= 2 * bot_lines; });
  const double seconds = std::chrono::duration<double>(troupe::os_env().now() - start).count();
  verdict_ =
      format("%llu lines, %.0f/s", static_cast<unsigned long long>(all), static_cast<double>(all) / seconds);
}

void chat_run::check_what_was_heard() {
  for (const std::string name : {"ann", "bob"}) {
    const chat::figures_line& f = figures_[name];
    if (f.number("disorder") + f.number("missed") != 0) {
      fail(name + " heard lines out of order (" + f.text("disorder") + ") or missed some (" +
           f.text("missed") + ")");
    }
    verdict_ += format("; %s over %s %.0f us", name.c_str(), in_[name].c_str(),
                       static_cast<double>(f.number("p50_ns")) / 1e3);
  }
  const person& eve = people_.at("eve");
  if (eve.book.disorder() != 0) fail("eve heard lines out of order: " + std::to_string(eve.book.disorder()));
  verdict_ += format("; eve at a terminal %.0f us", static_cast<double>(eve.median_age()) / 1e3);
}

void chat_run::welcome_a_late_joiner() {
  const std::deque<std::string> last = people_.at("eve").said;
  const person& tom = seat("tom", true);
  if (tom.said != last) fail("tom joined late and got other lines than the last 20 that eve heard");
  screen_.line("chat: tom joined late and got the last 20 lines");
}

void chat_run::kill_a_member() {
  killed_ = "ann";
  running_.signal("ann", SIGKILL);
  until("ann to be gone", [&] { return noticed("eve", "* ann left") && noticed("tom", "* ann left"); });
  const std::uint64_t heard = figures_["bob"].number("heard");
  const chat::tick t{eve_lines + 1, now_ns()};
  type("eve", chat::tick_text(t, 0));
  until("bob and tom to hear eve after ann was killed", [&] {
    return figures_["bob"].number("heard") > heard && people_.at("tom").book.last_of("eve") == eve_lines + 1;
  });
  type("eve", "/who");
  until("the names", [&] { return noticed("eve", "* here: bob eve zoe tom"); });
  screen_.line("chat: ann was killed (SIGKILL); the others saw her leave and go on");
}

void chat_run::wake_the_sleeper() {
  const std::uint64_t missed = figures_["room"].number("missed");
  if (missed == 0) fail("zoe did not read, and the room did not notice");
  person& zoe = people_.at("zoe");
  zoe.reads = true;
  until("zoe to be told what she missed", [&] {
    type("eve", "zoe?");
    step(20ms);
    return noticed("zoe", "* you missed ");
  });
  screen_.line(format("chat: zoe reads again and was told that she missed lines (%llu so far)",
                      static_cast<unsigned long long>(missed)));
  verdict_ += format("; zoe missed %llu", static_cast<unsigned long long>(missed));
}

void chat_run::hold() {
  screen_.line(
      format("chat: the room stays open: nc 127.0.0.1 %u (Ctrl-C ends it)", static_cast<unsigned>(port_)));
  for (;;) {
    try {
      step(1s);
    } catch (const failure& f) {
      if (f.interrupted) return;
      throw;
    }
  }
}

}  // namespace

std::vector<std::string> chat_processes() { return {"room", "ann", "bob"}; }

int run_chat_demo(const options& given) {
  display screen;
  try {
    std::string verdict;
    {
      chat_run play(given, screen);
      verdict = play.run();
    }
    screen.line("chat: PASS " + verdict);
    return exit_passed;
  } catch (const failure& f) {
    if (f.interrupted) return exit_interrupted;
    screen.line("chat: FAIL " + f.why);
    return exit_failed;
  }
}

}  // namespace demo
