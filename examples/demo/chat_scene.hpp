// The scene of the chat demo: the processes of the room and its members, and the people at its door, as the demo plays
// them. What happens on it is a play (chat_demo.cpp); each step of one waits for what it has brought about.
//
// With --kill the scene is the supervisor of its processes: one that ends is started anew, and whoever it hung up on dials
// again. Without, the end of a process is a failure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <troupe/env.hpp>
#include <utility>
#include <vector>

#include "chat/figures.hpp"
#include "chat/room.hpp"
#include "chat/terminal.hpp"
#include "chat/tick.hpp"
#include "demo/demo.hpp"
#include "demo/display.hpp"
#include "demo/hosts.hpp"
#include "demo/process.hpp"

namespace demo {

/// Why the demo ended before its end.
struct failure {
  std::string why;
  bool interrupted = false;
  bool cannot_begin = false;  // here
};
[[noreturn]] void fail(const std::string& why);

/// A person, as the demo plays one.
struct person {
  chat::terminal at;
  bool reads = true;
  bool away = false;                                    // the room hung up
  std::deque<std::string> said{};                       // the last lines of others
  std::string notices{};                                // the last of them
  chat::tick_book book{chat::listens::from_the_first};  // of what was said
  std::vector<std::int64_t> ages{};                     // ns from saying to showing

  void hear(const std::string& line);
  bool noticed(const std::string& text) const { return notices.find(text) != std::string::npos; }
  std::int64_t median_age() const;
};

class chat_scene {
 public:
  chat_scene(const options& given, display& screen);

  void open_room();
  /// A bot that says so many lines, so many a second, whenever it hears "go".
  void start_member(const std::string& name, const std::string& lane, std::uint64_t lines, unsigned rate);
  person& seat(const std::string& name, bool reads);
  void type(const std::string& name, const std::string& line);
  /// SIGKILL.
  void kill(const std::string& name);
  /// Cuts the host of a member off for a while (hosts.hpp).
  void cut_off(const std::string& member);
  /// Until the process that was killed, and whoever it hung up on, is in the room again.
  void await_return(const std::string& name);

  template <class Condition>
  void until(const std::string& what, Condition holds) {
    const troupe::instant last = troupe::os_env().now() + patience;
    while (!holds()) {
      const troupe::duration left = last - troupe::os_env().now();
      if (left <= troupe::duration::zero()) fail("waited 15 s for " + what);
      step(left);
    }
  }
  /// Hears one thing that happens.
  void step(troupe::duration at_most);

  person& at_terminal(const std::string& name) { return people_.at(name); }
  const chat::figures_line& figures(const std::string& process) { return figures_[process]; }
  /// The last figures of a member before the room was killed.
  const chat::figures_line& figures_before(const std::string& member) { return figures_before_[member]; }
  const std::string& lane(const std::string& member) { return in_[member]; }
  std::uint16_t port() const { return port_; }

 private:
  static constexpr troupe::duration patience = std::chrono::seconds(15);  // for any one thing to happen

  struct command {
    std::string program;
    std::vector<std::string> arguments;
  };
  void start(const std::string& name);
  troupe::result<chat::terminal, troupe::setup_error> dial(bool narrow = false);
  void start_again(const event& e);
  std::vector<std::string> arguments_of(const std::string& name) const;
  void hear(const event& e);
  void hear_line(const std::string& from, const std::string& text);
  void read_terminals();
  void dial_again();
  void show_figures();

  const options& given_;
  display& screen_;
  std::unique_ptr<hosts> hosts_;  // of the layout hosts
  processes running_;
  std::map<std::string, command> commands_;  // by process, as the figures
  std::map<std::string, chat::figures_line> figures_;
  std::map<std::string, chat::figures_line> figures_before_;
  std::map<std::string, std::string> in_;  // members that are in the room: over which lane
  std::map<std::string, person> people_;
  std::string room_url_;
  std::uint16_t port_ = 0;
  std::string killed_;
  std::uint64_t said_before_ = 0;
  troupe::instant figured_at_{};
};

}  // namespace demo
