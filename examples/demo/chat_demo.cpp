// The chat demo: a room with a member over shared memory, one over TCP, and people at its door. Everybody
// hears everybody in order while one person does not read; a late joiner gets the last lines; a killed member
// is gone for the others, who go on.
//
// With --kill room, ann or bob it is another play: that process is killed while all talk, and its supervisor starts it
// anew. Who was in the room comes back by themselves. What was being said at that moment may be lost, and then it is
// counted; what is said after the return reaches all, in order and once.
//
// With --layout hosts each process is on a host of its own (hosts.hpp), and that of ann is cut off for a while in mid-run:
// everybody hears everybody all the same.
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "demo/chat_scene.hpp"
#include "demo/demo.hpp"
#include "demo/display.hpp"
#include "demo/text.hpp"

namespace demo {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t bot_lines = 1000;         // of each bot
constexpr std::uint64_t lines_with_a_kill = 400;  // before and after
constexpr unsigned bot_rate = 400;                // a second
// What is said while a host is cut off arrives at once when it is back, and people get 256 lines at once.
constexpr std::uint64_t lines_with_a_cut = 300;
constexpr unsigned bot_rate_with_a_cut = 100;
constexpr std::uint64_t eve_lines = 10;
const std::vector<std::string> bots = {"ann", "bob"};

class chat_play {
 public:
  chat_play(const options& given, display& screen)
      : given_(given),
        screen_(screen),
        scene_(given, screen),
        lines_(on_hosts()           ? lines_with_a_cut
               : given.kill.empty() ? bot_lines
                                    : lines_with_a_kill),
        rate_(on_hosts() ? bot_rate_with_a_cut : bot_rate) {}

  /// The figures of the verdict. Throws a failure.
  std::string run() {
    seat_everybody();
    if (on_hosts()) {
      let_them_talk();
      verdict_ += "; the link of ann's host was cut for 1 s, her session " +
                  went_on(scene_.figures("ann").number("resumed")) + ", and nothing was lost";
    } else if (given_.kill.empty()) {
      seat_a_sleeper();
      let_them_talk();
      welcome_a_late_joiner();
      kill_a_member();
      wake_the_sleeper();
    } else {
      kill_while_all_talk();
      account_for_what_was_said();
      let_them_talk();
    }
    if (given_.hold) hold();
    return verdict_;
  }

 private:
  void seat_everybody();
  void seat_a_sleeper();
  void let_them_talk();
  void welcome_a_late_joiner();
  void kill_a_member();
  void wake_the_sleeper();
  void kill_while_all_talk();
  void account_for_what_was_said();
  void hold();
  void check_order(const std::string& who, const chat::figures_line& heard);
  bool on_hosts() const { return given_.layout == layout_choice::hosts; }

  const options& given_;
  display& screen_;
  chat_scene scene_;
  std::uint64_t lines_;  // of each bot when it hears its cue
  unsigned rate_;
  std::string verdict_;
};

std::string text_of(std::uint64_t number) { return std::to_string(number); }

void chat_play::seat_everybody() {
  scene_.open_room();
  scene_.start_member("ann", on_hosts() ? "tcp" : "shm", lines_, rate_);
  scene_.start_member("bob", "tcp", lines_, rate_);
  scene_.seat("eve", true);
  screen_.line("chat: eve is in, a person at a terminal");
}

void chat_play::seat_a_sleeper() {
  scene_.seat("zoe", false);
  screen_.line("chat: zoe is in, too, and does not read from here on");
}

void chat_play::check_order(const std::string& who, const chat::figures_line& heard) {
  if (heard.number("disorder") + heard.number("missed") == 0) return;
  fail(who + " heard lines out of order (" + heard.text("disorder") + ") or missed some (" +
       heard.text("missed") + ")");
}

void chat_play::let_them_talk() {
  person& eve = scene_.at_terminal("eve");
  eve.book = chat::tick_book(chat::listens::from_the_first);
  std::map<std::string, std::uint64_t> cues;
  for (const std::string& name : bots) cues[name] = scene_.figures(name).number("cues");
  const troupe::instant start = troupe::os_env().now();
  scene_.type("eve", "go");
  for (std::uint64_t n = 1; n <= eve_lines; ++n) {
    const chat::tick t{n, troupe::os_env().now().time_since_epoch().count()};
    scene_.type("eve", chat::tick_text(t, 0));
    const troupe::instant next = start + 50ms * static_cast<int>(n);
    scene_.until("the next line of eve", [&] { return troupe::os_env().now() >= next; });
  }
  if (on_hosts()) scene_.cut_off("ann");
  const std::uint64_t all = 2 * lines_ + eve_lines;
  for (const std::string& name : bots) {
    scene_.until(name + " to hear all that was said", [&] {
      const chat::figures_line& f = scene_.figures(name);
      return f.number("cues") > cues[name] && f.number("heard") >= all;
    });
  }
  scene_.until("eve to hear all that was said", [&] { return eve.book.heard() >= 2 * lines_; });
  const double seconds = std::chrono::duration<double>(troupe::os_env().now() - start).count();

  verdict_ +=
      format("%llu lines, %.0f/s", static_cast<unsigned long long>(all), static_cast<double>(all) / seconds);
  for (const std::string& name : bots) {
    const chat::figures_line& f = scene_.figures(name);
    check_order(name, f);
    if (f.number("heard") != all) fail(name + " heard " + f.text("heard") + " lines of " + text_of(all));
    verdict_ += format("; %s over %s %.0f us", name.c_str(), scene_.lane(name).c_str(),
                       static_cast<double>(f.number("p50_ns")) / 1e3);
  }
  if (eve.book.disorder() != 0) fail("eve heard lines out of order: " + text_of(eve.book.disorder()));
  verdict_ += format("; eve at a terminal %.0f us", static_cast<double>(eve.median_age()) / 1e3);
}

void chat_play::welcome_a_late_joiner() {
  const std::deque<std::string> last = scene_.at_terminal("eve").said;
  const person& tom = scene_.seat("tom", true);
  if (tom.said != last) fail("tom joined late and got other lines than the last 20 that eve heard");
  screen_.line("chat: tom joined late and got the last 20 lines");
}

void chat_play::kill_a_member() {
  const person& eve = scene_.at_terminal("eve");
  const person& tom = scene_.at_terminal("tom");
  scene_.kill("ann");
  scene_.until("ann to be gone", [&] { return eve.noticed("* ann left") && tom.noticed("* ann left"); });
  const std::uint64_t heard = scene_.figures("bob").number("heard");
  const chat::tick t{eve_lines + 1, troupe::os_env().now().time_since_epoch().count()};
  scene_.type("eve", chat::tick_text(t, 0));
  scene_.until("bob and tom to hear eve after ann was killed", [&] {
    return scene_.figures("bob").number("heard") > heard && tom.book.last_of("eve") == eve_lines + 1;
  });
  scene_.type("eve", "/who");
  scene_.until("the names", [&] { return eve.noticed("* here: bob eve zoe tom"); });
  screen_.line("chat: ann was killed (SIGKILL); the others saw her leave and go on");
}

void chat_play::wake_the_sleeper() {
  const std::uint64_t missed = scene_.figures("room").number("missed");
  if (missed == 0) fail("zoe did not read, and the room did not notice");
  person& zoe = scene_.at_terminal("zoe");
  zoe.reads = true;
  scene_.until("zoe to be told what she missed", [&] {
    scene_.type("eve", "zoe?");
    scene_.step(20ms);
    return zoe.noticed("* you missed ");
  });
  screen_.line(format("chat: zoe reads again and was told that she missed lines (%llu so far)",
                      static_cast<unsigned long long>(missed)));
  verdict_ += format("; zoe missed %llu", static_cast<unsigned long long>(missed));
}

void chat_play::kill_while_all_talk() {
  const person& eve = scene_.at_terminal("eve");
  scene_.type("eve", "go");
  scene_.until("eve to hear a third of what is to be said",
               [&] { return eve.book.heard() >= 2 * lines_ / 3; });
  scene_.kill(given_.kill);
  scene_.await_return(given_.kill);
}

/// All who stayed heard a beginning of what each said, in order and once. With a member nothing else is lost than what it had
/// still to say, and all heard the same; with the room, what was under way to it, or from it to some.
void chat_play::account_for_what_was_said() {
  const person& eve = scene_.at_terminal("eve");
  const bool room_died = given_.kill == "room";
  std::map<std::string, chat::figures_line> stayed;
  std::uint64_t said = room_died ? 0 : eve.book.last_of(given_.kill);
  for (const std::string& name : bots) {
    if (name == given_.kill) continue;
    if (!room_died) {
      scene_.until(name + " and eve to hear all that was said", [&] {
        return scene_.figures(name).number("heard") >= said + lines_ && eve.book.heard() >= said + lines_;
      });
    }
    stayed[name] = room_died ? scene_.figures_before(name) : scene_.figures(name);
    said += stayed[name].number("said");
  }
  const auto check = [&](const std::string& who, std::uint64_t heard, std::uint64_t disorder) {
    if (disorder != 0) fail(who + " heard lines out of order, or twice: " + text_of(disorder));
    if (heard > said || (!room_died && heard < said))
      fail(who + " heard " + text_of(heard) + " lines of " + text_of(said));
    verdict_ += who + " heard " + text_of(heard) + ", ";
  };
  verdict_ = given_.kill + " was killed (SIGKILL) and is back: of " + text_of(said) + " lines said before, ";
  for (const auto& [name, f] : stayed)
    check(name, f.number("heard"), f.number("disorder") + f.number("missed"));
  check("eve", eve.book.heard(), eve.book.disorder());
  verdict_ += "and of those said since everybody all: ";
}

void chat_play::hold() {
  screen_.line(format("chat: the room stays open: nc 127.0.0.1 %u (Ctrl-C ends it)",
                      static_cast<unsigned>(scene_.port())));
  for (;;) {
    try {
      scene_.step(1s);
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
      chat_play play(given, screen);
      verdict = play.run();
    }
    screen.line("chat: PASS " + verdict);
    return exit_passed;
  } catch (const failure& f) {
    if (f.interrupted) return exit_interrupted;
    screen.line((f.cannot_begin ? "chat: SKIP " : "chat: FAIL ") + f.why);
    return f.cannot_begin ? exit_passed : exit_failed;
  }
}

}  // namespace demo
