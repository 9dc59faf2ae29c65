// The launcher's two demos and what they are told by its flags. Each prints its figures while it works and one
// verdict line at its end, "NAME: PASS ...", "NAME: FAIL reason" or "NAME: SKIP what is needed", and gives the exit code of the
// program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace demo {

/// One after the other, as orders::layout; `all` are those that one host is enough for.
enum class layout_choice : std::uint8_t { threads, procs, tcp, all, hosts };

struct options {
  std::string io = "auto";  // passed on to every process: auto, uring or asio
  unsigned workers = 0;     // worker threads of every process; 0: the demo's own choice
  bool verbose = false;     // show what the processes write
  // This process is killed (SIGKILL) in mid-run, and every one that ends is started anew. Empty: none is, and the end of
  // any process is a failure.
  std::string kill;

  // chat
  bool hold = false;  // stay until Ctrl-C, for people to join

  // orders; of the chat, hosts makes a difference
  layout_choice layout = layout_choice::all;
  std::string orders_file;  // empty: generate
  std::string stock_file;
  std::string out_dir;                    // empty: a temporary folder, removed at the end
  std::optional<std::uint64_t> generate;  // how many; else the demo's own choice
  std::optional<std::uint64_t> seed;      // else a fresh one
  unsigned stock_workers = 2;
  unsigned payment_workers = 2;
};

inline constexpr int exit_passed = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_bad_usage = 2;
inline constexpr int exit_interrupted = 130;

int run_chat_demo(const options& given);
int run_orders_demo(const options& given);

/// What options::kill may name.
std::vector<std::string> chat_processes();
std::vector<std::string> orders_processes();

}  // namespace demo
