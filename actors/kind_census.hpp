// One worker's count of its actors by kind: by the function, lambda or class that makes them. Home worker only.
#pragma once

#include <cstdint>
#include <map>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include <troupe/inspect.hpp>

namespace troupe::detail {

/// The name of an actor's kind: "chat::run_room", a class's name, or "lambda at FILE:LINE".
std::string kind_name(const std::source_location& function);

class kind_census {
 public:
  /// Counts a birth; gives the number of the kind.
  std::uint16_t born(const std::source_location& function);
  void ended(std::uint16_t kind, exit_kind how, std::uint32_t messages) noexcept;
  kind_info& counts(std::uint16_t kind) noexcept { return kinds_[kind]; }
  const std::string& name(std::uint16_t kind) const noexcept { return kinds_[kind].kind; }
  const std::vector<kind_info>& all() const noexcept { return kinds_; }

 private:
  static constexpr std::size_t most = 4096;  // the last stands for all that come later

  using key = std::pair<const char*, unsigned>;  // function and line
  std::uint16_t number_of(const std::source_location& function);

  std::vector<kind_info> kinds_;
  std::map<key, std::uint16_t> numbers_;
  key last_key_;  // most births are like the one before
  std::uint16_t last_ = 0;
};

}  // namespace troupe::detail
