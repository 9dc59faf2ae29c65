// The planted faults of troupe/detail/checked.hpp, and what finds them. The program troupe_seeds has none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/detail/checked.hpp>

namespace seeds {

struct planted {
  troupe::detail::mutant which;
  std::string_view name;
  std::string_view what;
};

inline constexpr std::string_view canary = "drop_message";
inline constexpr std::uint64_t most_seeds = 8000;  // by then each must have been found

const std::vector<planted>& all_mutants();
/// False: there is no such mutant.
bool activate(std::string_view name);
/// Runs seeds under each until one fails, and prints a table for docs/TESTING.md. False if one was not found.
bool print_mutants();

}  // namespace seeds
