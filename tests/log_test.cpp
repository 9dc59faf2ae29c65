// The log sink: replacing it, its default, and what threads may expect.
#include "catch.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <troupe/log.hpp>

using troupe::log_level;

namespace {

/// Puts the default sink back, whatever the test does.
struct with_sink {
  explicit with_sink(troupe::log_sink sink) { troupe::set_log_sink(std::move(sink)); }
  ~with_sink() { troupe::set_log_sink({}); }
};

/// What `write` sends to standard error.
template <class F>
std::string standard_error_of(F write) {
  char name[] = "/tmp/troupe-log-XXXXXX";
  const int file = ::mkstemp(name);
  REQUIRE(file >= 0);
  ::unlink(name);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(file, STDERR_FILENO);
  write();
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  std::string text(4096, '\0');
  const auto size = ::pread(file, text.data(), text.size(), 0);
  ::close(file);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

TEST_CASE("a replaced sink gets every line with its level", "[log]") {
  std::vector<std::pair<log_level, std::string>> lines;
  const with_sink sink([&](log_level level, std::string_view line) { lines.emplace_back(level, line); });
  troupe::log(log_level::debug, "one");
  troupe::log(log_level::error, "two\n");
  CHECK(lines == std::vector<std::pair<log_level, std::string>>{{log_level::debug, "one"},
                                                                {log_level::error, "two\n"}});
}

TEST_CASE("the default sink writes info and above to standard error", "[log]") {
  const std::string text = standard_error_of([] {
    troupe::log(log_level::debug, "not this");
    troupe::log(log_level::info, "this");
    troupe::log(log_level::warning, "and this");
  });
  CHECK(text == "troupe: this\ntroupe: and this\n");
}

TEST_CASE("a line that quotes control characters stays one line on standard error", "[log]") {
  const std::string text =
      standard_error_of([] { troupe::log(log_level::info, "peer 'a\ntroupe: forged\x1b[2J'"); });
  CHECK(text == "troupe: peer 'a?troupe: forged?[2J'\n");
}

TEST_CASE("an empty sink restores the default", "[log]") {
  int calls = 0;
  troupe::set_log_sink([&](log_level, std::string_view) { ++calls; });
  troupe::set_log_sink({});
  CHECK(standard_error_of([] { troupe::log(log_level::info, "back"); }) == "troupe: back\n");
  CHECK(calls == 0);
}

TEST_CASE("a sink that throws loses its line and nothing else", "[log]") {
  int calls = 0;
  const with_sink sink([&](log_level, std::string_view) {
    if (++calls == 1) throw std::runtime_error("full disk");
  });
  troupe::log(log_level::info, "lost");
  troupe::log(log_level::info, "kept");
  CHECK(calls == 2);
}

TEST_CASE("the sink is called by one thread at a time and misses no line", "[log]") {
  int lines = 0;  // no atomic: the promise is what makes this correct
  const with_sink sink([&](log_level, std::string_view) { ++lines; });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) troupe::log(log_level::info, "line");
    });
  for (auto& t : threads) t.join();
  CHECK(lines == 4000);
}
