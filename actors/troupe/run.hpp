// troupe::run: a whole program around one node.
//
//   troupe::task<int> bank(troupe::node& node) { ... co_return 0; }
//   int main(int argc, char** argv) { return troupe::run(argc, argv, bank); }
//
// Every program gets the same flags:
//   --node NAME  --listen URL  --join URL (both repeat)  --announce URL  --workers N  --io uring|asio|auto
//   --lanes auto|tcp  --key FILE  --peers FILE  --plaintext (docs/SECURITY.md)
//   --config FILE (the same names as keys, TOML)  --help
// A process that another node has started as its service (run_process.hpp) is linked with that node as well.
// The main task runs as an actor once the node listens and every --join is linked; what it returns is the
// exit code. On SIGTERM or SIGINT the main task ends where it waits (its destructors run), then the node stops in
// order, with its deadline: the exit code is 128 + the signal, or 1 if an actor had to be killed. A bad flag, file or address is one line on standard error and
// exit code 2; nothing was started.
#pragma once

#include <string>
#include <vector>

#include <troupe/node.hpp>
#include <troupe/task.hpp>

namespace troupe {

using arguments = std::vector<std::string>;

/// Arguments that are no flags of troupe's are refused.
int run(int argc, char** argv, task<int> (*entry)(node&));
/// … or handed to the program.
int run(int argc, char** argv, task<int> (*entry)(node&, arguments));

}  // namespace troupe
