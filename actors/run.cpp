#include <troupe/run.hpp>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include <troupe/log.hpp>
#include <troupe/self.hpp>

#include "signals.hpp"

namespace troupe {
namespace {

constexpr int bad_usage = 2;

/// Shared by the thread of main() and the main actor.
struct program {
  std::function<task<int>(node&)> entry;
  inherited_link parent;  // if this is a child process that was started with one
  std::vector<std::string> join;
  descriptor over;  // signalled when the main actor has ended
  std::string failure;
  int code = 1;
};

/// Signals the end even when the main actor is killed.
struct end_of_program {
  explicit end_of_program(std::shared_ptr<program> p) : of(std::move(p)) {}
  end_of_program(const end_of_program&) = delete;
  end_of_program& operator=(const end_of_program&) = delete;
  ~end_of_program() { os_env().signal_event(of->over.get()); }
  std::shared_ptr<program> of;
};

actor run_main(self<protocol<>> me, std::shared_ptr<program> p) {
  end_of_program end(p);
  if (p->parent.socket) {
    const result<void, setup_error> linked =
        co_await join_operation(detail::core_of(me.node()), std::move(p->parent));
    if (!linked) {
      p->code = bad_usage;
      p->failure = linked.error().text;
      co_return;
    }
  }
  for (const std::string& url : p->join) {
    const result<void, setup_error> joined = co_await me.node().join(url);
    if (joined) continue;
    p->code = bad_usage;
    p->failure = joined.error().text;
    co_return;
  }
  try {
    p->code = co_await p->entry(me.node());
  } catch (const std::exception& e) {
    p->failure = std::string("the main task failed: ") + e.what();
  } catch (...) {
    p->failure = "the main task failed with an exception that is no std::exception";
  }
}

struct command_line {
  node_options node;
  std::vector<std::string> join;
  arguments rest;
};

/// The exit code if the program ends here (help, or a bad flag), else -1.
int parse(int argc, char** argv, bool takes_arguments, command_line& out) {
  CLI::App app;
  app.allow_extras(takes_arguments);
  app.add_option("--node", out.node.name, "name of this node")->type_name("NAME");
  app.add_option("--listen", out.node.listen, "listen there: tcp://HOST:PORT or unix://PATH; repeats")
      ->allow_extra_args(false)  // one value a flag: what follows belongs to the program
      ->type_name("URL");
  app.add_option("--announce", out.node.announce,
                 "where peers dial this node, if that is not where it listens")
      ->type_name("URL");
  app.add_option("--join", out.join, "link with the node that listens there; repeats")
      ->allow_extra_args(false)
      ->type_name("URL");
  app.add_option("--mesh", out.node.mesh,
                 "link with so many nodes that those joined know; 64 by default, 0: with none")
      ->type_name("N");
  app.add_option("--workers", out.node.workers, "worker threads; one per processor by default")
      ->check(CLI::Range(1, 255))
      ->type_name("N");
  app.add_option("--key", out.node.key, "this node's key, from troupe-keys: TCP links speak TLS")
      ->type_name("FILE");
  app.add_option("--peers", out.node.peers, "the names and keys of the nodes that it links with")
      ->type_name("FILE");
  app.add_flag("--plaintext", out.node.plaintext, "without a key also beyond loopback");
  std::string io = "auto";
  app.add_option("--io", io, "I/O driver: auto, uring or asio")
      ->check(CLI::IsMember({"auto", "uring", "asio"}).description(""))
      ->type_name("DRIVER");
  std::string lanes = "auto";
  app.add_option("--lanes", lanes, "lanes to other nodes: auto, or tcp only")
      ->check(CLI::IsMember({"auto", "tcp"}).description(""))
      ->type_name("LANES");
  app.set_config("--config", "", "read these flags from a TOML file")->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ConfigError& e) {
    const std::string file = app.get_config_ptr()->as<std::string>();
    std::fprintf(stderr, "%s: configuration file %s: %s (its keys are the names of the flags; see --help)\n",
                 argv[0], file.c_str(), e.what());
    return bad_usage;
  } catch (const CLI::FileError& e) {
    std::fprintf(stderr, "%s: --config: %s\n", argv[0], e.what());
    return bad_usage;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "%s: %s (--help lists the flags)\n", argv[0], e.what());
    return bad_usage;
  }
  if (io != "auto") out.node.io = io == "uring" ? io_backend::uring : io_backend::asio;
  if (lanes == "tcp") out.node.lanes = lane_choice::tcp;
  for (const std::string& url : out.join) {
    if (const auto to = endpoint::parse(url); !to) {
      std::fprintf(stderr, "%s: --join: %s\n", argv[0], to.error().text.c_str());
      return bad_usage;
    }
  }
  out.rest = app.remaining();
  return -1;
}

void show(node& n) { std::fputs(n.inspect({.over = std::chrono::milliseconds(500)}).text().c_str(), stderr); }

/// Whoever waits for the end of a stop wants to see what it waits for. False if some actor was late.
bool stop_and_show(node& n, detail::signal_watch& signals) {
  const auto stopped = os_env().open_event();
  if (!stopped) return n.stop();
  bool in_time = true;
  std::thread stopper([&] {
    in_time = n.stop();
    os_env().signal_event(stopped->get());
  });
  while (const int signal = signals.wait(stopped->get())) {
    if (detail::asks_for_a_dump(signal)) show(n);
  }
  stopper.join();
  return in_time;
}

int run_program(int argc, char** argv, bool takes_arguments,
                std::function<task<int>(node&, arguments)> entry) {
  command_line line;
  if (const int code = parse(argc, argv, takes_arguments, line); code >= 0) return code;

  auto parent = os_env().take_inherited_link();
  if (!parent) {
    std::fprintf(stderr, "%s: %s\n", argv[0], parent.error().text.c_str());
    return bad_usage;
  }
  detail::signal_watch signals;
  auto started = node::start(line.node);
  if (!started) {
    std::fprintf(stderr, "%s: %s\n", argv[0], started.error().text.c_str());
    return bad_usage;
  }
  node own = std::move(*started);
  log(log_level::info, own.name() + ": I/O by " + own.io_note());

  const auto p = std::make_shared<program>();
  p->parent = std::move(*parent);
  p->join = line.join;
  p->entry = [&](node& n) { return entry(n, line.rest); };
  auto over = os_env().open_event();
  if (!over) {
    std::fprintf(stderr, "%s: cannot make an event: %s\n", argv[0], over.error().text().c_str());
    return bad_usage;
  }
  p->over = std::move(*over);
  spawn_options options;
  options.name = "main";
  options.worker =
      0;  // with the root: it is adopted before it spawns anything, and so ends after all of that
  const ref<> main_task = own.spawn(options, &run_main, p);

  int signal = 0;
  while (detail::asks_for_a_dump(signal = signals.wait(p->over.get()))) show(own);
  if (signal != 0) own.kill(main_task);  // it has no mailbox in which it could hear of a stop
  const bool in_time = stop_and_show(own, signals);
  if (!p->failure.empty()) std::fprintf(stderr, "%s: %s\n", argv[0], p->failure.c_str());
  if (!in_time) {
    const std::vector<std::string> late = own.overdue();
    log(log_level::warning, own.name() + ": " + std::to_string(late.size()) +
                                " had to be killed at the deadline of the stop, first " + late.front());
  }
  if (signal != 0) return in_time ? 128 + signal : 1;
  return p->code;
}

}  // namespace

int run(int argc, char** argv, task<int> (*entry)(node&)) {
  return run_program(argc, argv, false, [entry](node& n, const arguments&) { return entry(n); });
}

int run(int argc, char** argv, task<int> (*entry)(node&, arguments)) {
  return run_program(argc, argv, true, entry);
}

}  // namespace troupe
