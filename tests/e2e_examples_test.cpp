// The short programs in examples/, run as a reader would: what they print, and that they end well, over both I/O drivers.
#include "catch.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace {

using lines = std::vector<std::string>;

struct outcome {
  int status = -1;  // as of wait()
  lines printed;
  std::string log;
};

outcome run(const std::string& program, const std::string& io) {
  outcome o;
  std::FILE* const out = ::popen((TROUPE_BIN_DIR "/" + program + " --io " + io + " 2>&1").c_str(), "re");
  REQUIRE(out != nullptr);
  std::string all;
  for (int c = std::fgetc(out); c != EOF; c = std::fgetc(out)) all += static_cast<char>(c);
  o.status = ::pclose(out);
  std::istringstream in(all);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("troupe: ")) {
      o.log += line + "\n";
    } else {
      o.printed.push_back(line);
    }
  }
  return o;
}

#define RUN(name, program)                                            \
  const std::string io = GENERATE(as<std::string>(), "auto", "asio"); \
  const outcome name = run(program, io);                              \
  INFO("with --io " << io << "\n" << name.log);                       \
  CHECK(name.status == 0)

}  // namespace

TEST_CASE("example hello and bank: a question and its answer", "[e2e]") {
  RUN(hello, "hello");
  CHECK(hello.printed == lines{"hello, actor"});
  const outcome bank = run("bank", io);
  CHECK(bank.status == 0);
  CHECK(bank.printed == lines{"balance: 250 cents"});
}

TEST_CASE("example processes: a pipe through a program, and a worker that is back after each crash",
          "[e2e]") {
  RUN(ended, "processes");
  CHECK(ended.printed == lines{"49", "64", "81", "apple", "fig", "plum"});
}

TEST_CASE("example named_pipe: lines of two programs, and an error where nobody reads", "[e2e]") {
  RUN(ended, "named_pipe");
  REQUIRE(ended.printed.size() == 4);
  const std::string before = "cannot open the FIFO ";
  const std::string after = ": nobody reads it; start who does, or try again later";
  const std::string& refusal = ended.printed[0];
  REQUIRE((refusal.starts_with(before) && refusal.ends_with(after)));
  const std::string path = refusal.substr(before.size(), refusal.size() - before.size() - after.size());
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(lines(ended.printed.begin() + 1, ended.printed.end()) == lines{"soup", "salad", "tea"});
}

TEST_CASE("example shared_memory: a bulk and a cell of a process that is killed", "[e2e]") {
  RUN(ended, "shared_memory");
  CHECK(ended.printed == lines{"the highest price of the market: 999999",
                               "its quote was looked at until it was number 1000, and was always whole",
                               "it was killed, and what it has lent is still there"});
}

TEST_CASE("example semaphore: permits come back from processes that are killed", "[e2e]") {
  RUN(ended, "semaphore");
  const auto times = [&](const std::string& line) { return std::ranges::count(ended.printed, line); };
  CHECK(times("a worker was killed inside") == 3);
  CHECK(times("a worker was inside 25 times") == 3);
  REQUIRE(ended.printed.size() == 7);
  CHECK(ended.printed.back() == "never more than two at a time");
}
