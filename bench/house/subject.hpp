// A system under measurement: a program that measures one case when it is told to.
//
//   PROGRAM list                                              prints "SYSTEM CASE WORKERS PLACEMENT" for each case it has
//   PROGRAM measure SYSTEM CASE WORKERS PLACEMENT [quick]     prints one value; 1: it failed, 2: it has no such case
//
// The program of a group knows troupe, its variants and the yardstick; a peer's, in whatever language, knows its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench_case.hpp"
#include "figures.hpp"

namespace bench {

struct subject {
  std::string program;
  std::string system;
  std::vector<place> has = {};

  /// Nothing if the program failed; it has said why.
  std::optional<double> measure(const place& at, bool quick) const;
};

/// What the program says of itself; nothing if it fails.
std::optional<subject> ask_peer(const std::string& program);
/// The systems of this program itself.
std::vector<subject> own_subjects(const std::vector<bench_case>& cases);

/// `list` and `measure` of this program, if that is what it was started for: the exit code.
std::optional<int> answer(const char* system, const std::vector<bench_case>& cases, int argc, char** argv);

}  // namespace bench
