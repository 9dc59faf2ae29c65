// One figure: what is measured, and how to get one value of it from the system that the program is written with, and from
// the yardstick, which is the same done by hand without a runtime. Each value is measured in a process of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// Who chooses the workers: troupe, or the case, which then keeps two actors on two workers.
enum class placement : std::uint8_t { free, pinned };

struct setting {
  unsigned workers = 1;
  placement where = placement::free;
  bool quick = false;  // a hundredth of the work: shows that the case runs, and no figure

  std::uint64_t times(std::uint64_t full) const {
    return quick ? std::max<std::uint64_t>(1, full / 100) : full;
  }
};

struct bench_case {
  using measure = std::function<double(const setting&)>;
  std::string name;
  unsigned workers = 1;
  placement where = placement::free;
  const char* unit = "ns";  // ns, M/s, B, s, x
  measure ours = {};        // none: the yardstick is all there is to it
  measure yardstick = {};   // none in a peer's program
  std::uint64_t size = 0;   // of a point of a scaling curve: how many actors, senders, timers or bytes
  /// Ours with a choice that is not the rule: a system of its own.
  struct variant {
    std::string system;
    measure value;
  };
  std::vector<variant> variants = {};
  std::string lacks = {};  // what this machine has not: the case is left out
};

/// A figure of a system that Debian does not package, measured once on a machine of this kind.
struct recorded_figure {
  const char* name;
  unsigned workers;
  const char* system;
  double value;
};

/// Every case checks what it has computed: a figure of work that was not done is none.
inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench: %s\n", what);
  std::_Exit(1);
}

class stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double ns_each(std::uint64_t n) const { return seconds() * 1e9 / static_cast<double>(n); }
  double millions_per_second(std::uint64_t n) const { return static_cast<double>(n) / seconds() / 1e6; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// 0 + 1 + … + (n - 1)
constexpr std::int64_t sum_below(std::uint64_t n) noexcept {
  return static_cast<std::int64_t>(n * (n - 1) / 2);
}

/// The program of a group: reads the flags, measures, and prints (group.cpp). The exit code.
int run_group(const char* name, const std::vector<bench_case>& cases,
              const std::vector<recorded_figure>& recorded, int argc, char** argv);

/// The program of another system, for a group's --peer (subject.hpp). The exit code.
int run_peer(const char* system, const std::vector<bench_case>& cases, int argc, char** argv);

}  // namespace bench
